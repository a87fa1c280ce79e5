"""Icon and manifest of the page lie beside it: Gradio seeks them at the root of the host, where others may serve."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_THE_ROOT = b'<link rel="manifest" href="/manifest.json" />'
BESIDE = b'<link rel="manifest" href="manifest.json" /><link rel="icon" href="favicon.ico" />'


class BesidePage:
    """Writes into the page where its icon and its manifest are, relative to itself."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []  # the start of the answer, which tells the length of what follows

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            body = message.get("body", b"")
            placed = body.replace(AT_THE_ROOT, BESIDE, 1) if held else body
            for start in held:
                headers = MutableHeaders(scope=start)
                if "content-length" in headers:
                    headers["content-length"] = str(int(headers["content-length"]) + len(placed) - len(body))
                await send(start)
            held.clear()
            await send({**message, "body": placed})

        is_page = scope["type"] == "http" and scope["path"] == "/"
        await self.app(scope, receive, sending if is_page else send)
