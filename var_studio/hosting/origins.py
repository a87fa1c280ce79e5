"""Pages of other sites: what they may make a visitor's browser ask of this app, which is only to show its page."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusals import Refused

LOCAL = ("127.0.0.1", "localhost", "::1")
SENTENCE = "This request comes from another site's page: open VAR Studio itself."


def own_hosts(headers: Headers, root: str = "") -> set[str]:
    """Return under which hosts, with their ports, a request says that the app is reached; `root`: its public address.

    No page of another site can set these headers without asking first, which is answered with no.
    """
    forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
    return {name.lower() for name in (headers.get("host", ""), forwarded, urlsplit(root).netloc) if name}


class OwnPages:
    """Refuses requests of other sites' pages; and, of an app for this machine alone, those for another name.

    Links to the app work: what is refused are requests from scripts and forms, and pictures shown elsewhere.
    """

    def __init__(self, app: ASGIApp, root: str = "", local: bool = False):
        """`root`: public address or path behind a proxy; `local`: no name but this machine's own is answered."""
        self.app, self.root, self.local = app, root, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self.local and urlsplit(f"//{headers.get('host', '')}").hostname not in LOCAL:
                sentence = "This app is for its own machine. Behind a proxy, start it with --root-path and its address."
                raise Refused(403, "host", sentence)
            if not self._is_own(scope, headers):
                raise Refused(403, "origin", SENTENCE)
        await self.app(scope, receive, send)

    def _is_own(self, scope: Scope, headers: Headers) -> bool:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site in ("same-origin", "none"):
            return True
        if site is not None:  # a page elsewhere
            is_opened = headers.get("sec-fetch-mode") == "navigate" and scope["method"] in ("GET", "HEAD")
            return is_opened and not scope["path"].startswith("/logout")
        if origin is None:  # a program, or a browser that shows something
            return True
        return urlsplit(origin).netloc.lower() in own_hosts(headers, self.root)
