"""Bound how many events an address begins, and how many of them wait: for Gradio they all have one queue."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from gradio.queueing import Event, Queue
from starlette.types import ASGIApp, Receive, Scope, Send

from ..shared.limits import Limits
from .addresses import address
from .budgets import MOST_ADDRESSES
from .refusals import Refused
from .routes import API

JOINED = re.compile(rf"{API}/(queue/join|call/.+|mcp(/.*)?)/?")
MINUTE = 60.0
AT_ONCE = 0.2  # share of a minute's events that an address may begin in one moment: many pages that are opened together


class Joins:
    """Refuses events of an address that begins them without pause, or has its part of the queue; and all if it is full.

    A run that waits for the model is such an event, too; `turns` bounds these more narrowly.
    """

    def __init__(self, app: ASGIApp, limits: Limits, queue: Queue, clock: Callable[[], float] = time.monotonic):
        """`queue`: Gradio's own, which knows the events that wait and those that are being answered."""
        self.app, self.limits, self.queue, self.clock = app, limits, queue, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # events that each may begin; when that was

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and JOINED.fullmatch(scope["path"]):
            visitor = address(scope)
            self._spend(visitor)
            self._find_room(visitor)
        await self.app(scope, receive, send)

    def _spend(self, visitor: str) -> None:
        """Count one more event of an address; Refused if it has begun too many within a short time."""
        now, most, each = self.clock(), max(1.0, AT_ONCE * self.limits.events), MINUTE / self.limits.events
        left, since = self._left.pop(visitor, (most, now))
        left = min(most, left + (now - since) / each)
        self._left[visitor] = left - 1 if left >= 1 else left, now
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        if left < 1:
            raise Refused(429, "events", "Your network asks for too much within a minute: wait a little.", each)

    def _find_room(self, visitor: str) -> None:
        """Refuse if the queue is full, or an address has its part of it: what waits, and what is being answered."""
        if len(self.queue) >= self.limits.event_queue:
            raise Refused(429, "events", "Too much is being asked of this server just now: try again in a moment.", 1)
        own = sum(address(event.request.scope) == visitor for event in self._events())
        if own >= max(1, self.limits.event_queue * self.limits.address_percent // 100):
            sentence = "Your network waits for too many answers already: wait for some of them, then try again."
            raise Refused(429, "events", sentence, 1)

    def _events(self) -> Iterator[Event]:
        """Yield the events that wait, and those that are being answered."""
        for waiting in self.queue.event_queue_per_concurrency_id.values():
            yield from waiting.queue
        for answered in self.queue.active_jobs:
            yield from answered or ()
