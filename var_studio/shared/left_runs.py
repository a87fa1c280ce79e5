"""Runs whose visitors have left: they go on for a while if nobody else wants the model, and what they make is kept."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from .turns import Job, TakeOver, Turns
from .visitor import visitor

LOG = logging.getLogger(__name__)
LOOK_AGAIN = 0.1  # seconds after which a run that waits looks whether somebody else wants the model by now
GONE_WITHIN = 1.0  # seconds after which a run was ended on purpose, if its visitor is still there


@dataclass
class LeftRuns:
    """Runs of some events whose visitors have left, and those who keep what they come to.

    `result` returns what an update holds that is worth keeping, or None. Each of `keepers` is given that, with the name
    under which the visitor's page had joined.
    """

    result: Callable[[Any], object]
    keepers: list[Callable[[str, Any], object]] = field(default_factory=list)

    def taker(self, turns: Turns, hears: Callable[[], bool]) -> TakeOver:
        """Return a function that takes over the rest of a run of the event that is being answered.

        It is given the run's job, its steps and its last update, and says whether it has taken them. `hears` says
        whether the visitor is there.
        """
        name, context = visitor(), copy_context()

        def take(job: Job, steps: Iterator[Any], last: Any) -> bool:
            if not turns.limits.leave_seconds or job.stopped:
                return False
            turns.abandon(job)
            arguments = self._ended, name, _rest(turns, job, steps, last, hears)
            threading.Thread(target=context.run, args=arguments, daemon=True).start()
            return True

        return take

    def _ended(self, name: str, rest: Iterator[Any]) -> None:
        """Make the rest of a run, and give away what it comes to."""
        try:
            for last in rest:
                found = self.result(last)
                for keeper in self.keepers if found is not None else ():
                    keeper(name, found)
        except Exception as error:  # nobody is there who could be told
            LOG.warning("a run whose visitor had left ended early: %s", " ".join(str(error).split())[:200])


def _rest(turns: Turns, job: Job, steps: Iterator[Any], last: Any, hears: Callable[[], bool]) -> Iterator[Any]:
    """Make the rest of a run, a step at a time; yield its last update, unless it has to end before it is over."""
    until, finished = turns.clock() + turns.limits.leave_seconds, False
    try:
        if not _gone(turns, hears):
            return
        while turns.clock() < until and not job.stopped and not turns.wanted_by_others(job):
            turns.ask(job)
            if not job.turn.wait(LOOK_AGAIN) or turns.wanted_by_others(job):
                continue
            try:
                last = turns.make(job, steps.__next__)
            except StopIteration:
                finished = True
                break
    finally:
        getattr(steps, "close", lambda: None)()
        turns.leave(job, finished)
    if finished:
        yield last


def _gone(turns: Turns, hears: Callable[[], bool]) -> bool:
    """Say whether a visitor has left; one who has just left may seem to be there for another moment."""
    until, pause = turns.clock() + GONE_WITHIN, threading.Event()
    while hears():
        if turns.clock() > until:
            return False
        pause.wait(LOOK_AGAIN)
    return True
