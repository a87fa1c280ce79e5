"""Headers that tell a browser what the app's pages and files may do."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .routes import API

# Gradio's page has scripts and styles in itself, and compiles the scripts of events: hence `unsafe-inline`, `-eval`.
CONTENT = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")


class Protecting:
    """Adds protecting headers to all answers, and takes away those that would let other sites' pages read them."""

    def __init__(self, app: ASGIApp, embed: bool = False):
        """`embed`: other sites may show the app in a frame, as Hugging Face Spaces do."""
        self.app, self.embed = app, embed
        ancestors = "*" if embed else "'self'"
        self.fixed = {
            "content-security-policy": "; ".join((*CONTENT, f"frame-ancestors {ancestors}")),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            **({} if embed else {"x-frame-options": "SAMEORIGIN", "cross-origin-opener-policy": "same-origin"}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._protect(MutableHeaders(scope=message), scope["path"])
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)

    def _protect(self, headers: MutableHeaders, path: str) -> None:
        for name in [name for name in headers if name.startswith("access-control-")]:
            del headers[name]
        headers.update(self.fixed)
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if path.startswith(f"{API}/file=") and kind not in PICTURES:
            told = headers.get("content-disposition", "")
            headers["content-disposition"] = f"attachment;{told.partition(';')[2]}".rstrip(";")
        cookies = headers.getlist("set-cookie")
        if cookies and not self.embed:
            del headers["set-cookie"]
            for cookie in cookies:
                headers.append("set-cookie", cookie.replace("SameSite=none", "SameSite=lax"))
