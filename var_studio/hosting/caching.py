"""Let browsers keep those files of the page that never change."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio's scripts and styles have a hash of what they hold in their names: what changes is called otherwise.
NAMED_BY_CONTENT = re.compile(r"/assets/[\w.-]+-[\w-]{8}\.[a-z0-9]+")
FOR_A_YEAR = "public, max-age=31536000, immutable"


class Caching:
    """Tells browsers to keep the files whose names say what they hold, and not to ask for them again."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                MutableHeaders(scope=message)["cache-control"] = FOR_A_YEAR
            await send(message)

        kept = scope["type"] == "http" and NAMED_BY_CONTENT.fullmatch(scope["path"])
        await self.app(scope, receive, sending if kept else send)
