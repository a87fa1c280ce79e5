"""Bound what an address sends within an hour."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from ..shared.limits import MEGABYTE
from .refusals import Refused

HOUR = 3600.0
MOST_ADDRESSES = 10_000  # that are remembered: the last ones


class Budgets:
    """Counts the files and bytes that each address sends in an hour, and refuses more than it may."""

    def __init__(self, files: int, megabytes: int, clock: Callable[[], float] = time.monotonic):
        self.files, self.megabytes, self.clock = files, megabytes, clock
        self.sent: OrderedDict[str, deque[list[float]]] = OrderedDict()  # [minute, files, bytes] of each minute

    def spend(self, visitor: str, files: int = 0, size: int = 0) -> None:
        """Count files and bytes; Refused if that is more than an hour's."""
        now = self.clock()
        minutes = self.sent.setdefault(visitor, deque())
        self.sent.move_to_end(visitor)
        if len(self.sent) > MOST_ADDRESSES:
            self.sent.popitem(last=False)
        while minutes and minutes[0][0] * 60 <= now - HOUR:
            minutes.popleft()
        if not minutes or minutes[-1][0] != now // 60:
            minutes.append([now // 60, 0, 0])
        minutes[-1][1] += files
        minutes[-1][2] += size
        wait = minutes[0][0] * 60 + HOUR - now
        if sum(minute[1] for minute in minutes) > self.files:
            raise Refused(429, "uploads", f"You have sent {self.files} files within an hour: wait a little.", wait)
        if sum(minute[2] for minute in minutes) > self.megabytes * MEGABYTE:
            raise Refused(429, "uploads", f"You have sent {self.megabytes} MB within an hour: wait a little.", wait)
