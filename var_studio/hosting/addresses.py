"""Tell where a request comes from, also behind proxies; bound how much one address may have open at once."""

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..shared.visitor import network_of, parsed_address
from .refusals import Refused

FORWARDED = (b"x-forwarded-", b"forwarded", b"x-real-ip")  # what proxies say of a request


def address(scope: Scope) -> str:
    """Return the address that a visitor is counted by: of IPv6 the network, which one household has as a whole."""
    client = scope.get("client")
    found = parsed_address(client[0]) if client else None
    return network_of(found) if found else "unknown"


class Forwarded:
    """Believes what proxies say of a request if they are those that are trusted, and forgets it if they are not."""

    def __init__(self, app: ASGIApp, proxies: str):
        """`proxies`: addresses and networks, with commas between them."""
        self.app = app
        self.believing = ProxyHeadersMiddleware(app, proxies)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        if peer in self.believing.trusted_hosts:
            await self.believing(scope, receive, send)  # type: ignore[arg-type]
            return
        own = [(name, value) for name, value in scope["headers"] if not name.startswith(FORWARDED)]
        await self.app({**scope, "headers": own}, receive, send)


class OpenRequests:
    """Bounds how many requests of one address are under way at once, the streams of its pages among them."""

    def __init__(self, app: ASGIApp, most: int):
        self.app, self.most = app, most
        self.open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visitor = address(scope)
        if self.open[visitor] >= self.most:
            sentence = f"More than {self.most} connections from your address: close some pages, then try again."
            raise Refused(429, "connections", sentence, wait=5)
        self.open[visitor] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open[visitor] -= 1
            if not self.open[visitor]:
                del self.open[visitor]
