"""Tell whether anybody listens to the answers of an event, and where a request comes from."""

import re
from collections import Counter
from contextvars import ContextVar
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from .visitor import household

STREAMS = (re.compile(r"/queue/data/?$"), re.compile(r"/call/(?:v2/)?[^/]+/(?P<event>[^/]+)/?$"))


class Listeners:
    """Streams of answers that are open: an ASGI layer around the app counts them, and notes where requests come from.

    Where that layer is missing, as in tests of the page alone, everybody counts as listening, and comes from nowhere.
    """

    def __init__(self) -> None:
        self.watching = False
        self._address: ContextVar[str] = ContextVar("address", default="")
        self._open: Counter[str] = Counter()  # by session, or by event where that has a stream of its own

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that counts the streams of another."""
        self.watching = True

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client")
            self._address.set(household(client[0]) if client else "")
            name = _listens_to(scope)
            if name is None:
                await app(scope, receive, send)
                return
            self._open[name] += 1
            try:
                await app(scope, receive, send)
            finally:
                self._open[name] -= 1
                if not self._open[name]:
                    del self._open[name]

        return watched

    def address(self) -> str:
        """Return where the request comes from that is being answered, as visitors are counted by."""
        return self._address.get()

    def hear(self, session: str, event: str | None) -> bool:
        """Say whether somebody listens to an event; a direct call, which has none, waits for its own answer."""
        return not self.watching or event is None or bool({session, event} & self._open.keys())


def _listens_to(scope: Scope) -> str | None:
    """Return the session or the event whose answers a request waits for."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    for pattern in STREAMS:
        if found := pattern.search(scope["path"]):
            return found["event"] if "event" in pattern.groupindex else _session(scope["query_string"])
    return None


def _session(query: bytes) -> str | None:
    return next(iter(parse_qs(query.decode("latin-1")).get("session_hash", [])), None)
