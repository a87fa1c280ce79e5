"""Requests that are refused: the error that every part of the door raises, and the one place that answers it."""

from collections.abc import Callable

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Refused(Exception):
    """A request that is not let in: the status and the sentence of the answer, and its kind for the figures."""

    def __init__(self, status: int, kind: str, sentence: str, wait: float = 0):
        """`wait`: seconds after which it is worth another try, 0 if it never is."""
        super().__init__(sentence)
        self.status, self.kind, self.sentence, self.wait = status, kind, sentence, wait

    def answer(self, path: str) -> Response:
        """Return what is answered: plain words to an upload, which the page shows as they are, JSON to all else."""
        headers = {"connection": "close", "cache-control": "no-store"}
        if self.wait:
            headers["retry-after"] = str(max(1, round(self.wait)))
        if path.endswith("/upload"):
            return PlainTextResponse(self.sentence, self.status, headers)
        return JSONResponse({"detail": self.sentence}, self.status, headers)


class Answering:
    """Answers what the parts of the door below it refuse; WebSockets, which the app has none of, are closed."""

    def __init__(self, app: ASGIApp, told: Callable[[str], None]):
        """`told` hears the kind of every refusal."""
        self.app, self.told = app, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Refused as refused:
            self.told(refused.kind)
            if not begun:
                await refused.answer(scope["path"])(scope, receive, send)


async def reading(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an app that reads through `receive`; what `receive` refuses is raised, whatever the app makes of it."""
    refused: Refused | None = None

    async def received() -> Message:
        nonlocal refused
        try:
            return await receive()
        except Refused as error:
            refused = error
            raise

    async def sending(message: Message) -> None:
        if refused is None:
            await send(message)

    try:
        await app(scope, received, sending)
    except Exception:
        if refused is None:
            raise
    if refused is not None:
        raise refused
