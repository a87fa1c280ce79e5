"""Threads in which models draw: few, since torch and OpenMP keep memory for each thread that has ever used them.

Each visitor who waits holds a thread of the server's, any of which would draw in time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

FEW = 8  # runs that are drawn, or whose files are written
Made = TypeVar("Made")


class DrawingThreads:
    """Threads that make steps for others; those that are idle make the next ones.

    There are as many as `most`, and no fewer than a few: whoever has a turn must not wait for a thread. `shares` hears
    in such a thread of how many draw at the same time, before a step, and of 1 after it.
    """

    def __init__(self, shares: Callable[[int], None] = lambda _sharing: None, most: int = FEW):
        self.shares, self._pool = shares, ThreadPoolExecutor(max(FEW, most), "draws")

    def make(self, step: Callable[[], Made], sharing: Callable[[], int] = lambda: 1) -> Made:
        """Make a step with the context variables of the thread that asks; return what it does, or raise its error."""

        def shared() -> Made:
            self.shares(sharing())
            try:
                return step()
            finally:
                self.shares(1)

        return self._pool.submit(copy_context().run, shared).result()
