"""Tell those who watch over the app, without a login, whether it lives and whether it can draw."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Health:
    """Answers `/healthz` (it lives) and `/readyz` (a model is loaded), in a word and a status: 200 or 503."""

    def __init__(self, app: ASGIApp, is_ready: Callable[[], bool]):
        self.app, self.is_ready = app, is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else ""
        if path not in ("/healthz", "/readyz"):
            await self.app(scope, receive, send)
            return
        is_well = path == "/healthz" or self.is_ready()
        answer = PlainTextResponse("ok" if is_well else "loading", 200 if is_well else 503)
        answer.headers["cache-control"] = "no-store"
        await answer(scope, receive, send)
