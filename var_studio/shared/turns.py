"""Turns at the model: a bounded queue of runs, of which several go on in turns, a scale or some at a time.

A visitor runs one thing at a time, and among visitors the turn goes round. It goes round among addresses first, so that
many names at one address get no more turns than one at another. Between two steps nobody holds the model: a run that is
dropped there leaves nothing behind but what its iterator knew.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from var_core.words import counted

from .drawing_threads import DrawingThreads
from .limits import HOME, Limits
from .waiting import Ahead, Durations, Visitor, time_until_begun

SLOTS = 4  # runs under way at once: each keeps in memory what it knows of its pictures
TICK = 1.0  # seconds after which whoever waits is told anew
PATIENCE = 10.0  # seconds within which somebody must listen to a run before it begins
# Seconds for which a run that others wait for makes one scale after another, without showing them: to show a small one
# takes longer than to draw it.
YOUNG = 0.25
SMALL = 5  # times as many small wishes of a visitor may wait as runs

Update = TypeVar("Update")


class TurnRefused(ValueError):
    """There is no place in the queue for one more run; says in words why, and what to do."""


class Stopping(Protocol):
    """Tells whether its visitor has stopped a run."""

    def is_set(self) -> bool: ...


class Busy(NamedTuple):
    """Numbers of runs that have begun, and of those that wait."""

    under_way: int
    waiting: int


@dataclass(frozen=True)
class Wish:
    """A thing that somebody wants of the model.

    A `brief` one is a single step and keeps nothing: it needs no place among those under way. A `small` one answers a
    click, and does not count as a run. One that is to be `alone` begins when no other is under way, and none that comes
    later begins before it is over.
    """

    kind: str = ""  # those of one kind take about as long as one another
    brief: bool = False
    small: bool = False
    alone: bool = False
    stop: Stopping | None = None


@dataclass(eq=False)
class Job:
    """A wish in the queue. Only `Turns` changes it."""

    visitor: Visitor
    wish: Wish
    stamp: int  # when it came, or its visitor had a turn last
    begun: bool = False
    wants: bool = False
    left: bool = False  # its visitor has left: it gives way to everybody else
    turn: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.0  # with the model
    is_heard: Callable[[], bool] = lambda: True

    @property
    def stopped(self) -> bool:
        return self.wish.stop is not None and self.wish.stop.is_set()


class Turns:
    """Who has the model, and who waits for it; of all visitors, used from many threads."""

    def __init__(
        self,
        limits: Limits = HOME,
        slots: int = SLOTS,
        clock: Callable[[], float] = time.perf_counter,
        models: int = 1,
        shares: Callable[[int], None] = lambda _sharing: None,
    ):
        """`models` is how many draw at the same time, with a slot more for each beyond the first.

        `shares` hears of how many do so, at the beginning of a step and in its thread, and of 1 at its end.
        """
        self.limits, self.slots, self.clock, self.models = limits, slots, clock, models
        self.young = YOUNG
        self._jobs: list[Job] = []  # in the order in which they came
        self._holders: dict[Job, float] = {}  # who has a turn, and since when
        self._now = 0  # counts what happens: stamps are of this
        self._addresses: dict[str, int] = {}  # when each had a turn last, or came
        self._durations = Durations()
        self._here = threading.local()  # the job whose step a thread is making
        self._threads = DrawingThreads(shares, self._places + self.models)
        self._lock = threading.RLock()  # a dropped run may leave while its own thread is in here

    def enter(self, visitor: Visitor, wish: Wish) -> Job:
        """Take a place in the queue; TurnRefused if it, the visitor's or the address's part of it is full."""
        with self._lock:
            same = [job for job in self._jobs if job.visitor == visitor and job.wish.small == wish.small]
            near = [job for job in self._jobs if job.visitor.address == visitor.address]
            if len(same) >= self.limits.waiting * (SMALL if wish.small else 1):
                many = counted(len(same), "question" if wish.small else "run")
                raise TurnRefused(f"You have {many} waiting already: wait for one to end, or stop it.")
            if len(self._jobs) >= self.limits.queue:
                raise TurnRefused(f"All {self.limits.queue} places in the queue are taken: try again in a moment.")
            if visitor.address and 2 * len(near) >= max(2, self.limits.queue):
                raise TurnRefused("Half of the queue is taken from your network already: try again in a moment.")
            self._now += 1
            job = Job(visitor, wish, self._now)
            self._jobs.append(job)
            self._addresses.setdefault(visitor.address, self._now)
            return job

    def ask(self, job: Job) -> None:
        """Ask for the next turn: `job.turn` is set when it has come."""
        with self._lock:
            job.wants = True
            self._pass_on()

    def give_back(self, job: Job) -> None:
        """End a turn; nothing happens if the job has none."""
        with self._lock:
            job.wants = False
            if job in self._holders:
                job.seconds += self.clock() - self._holders.pop(job)
                self._now += 1
                job.stamp = self._addresses[job.visitor.address] = self._now
                job.turn.clear()
                self._pass_on()

    def make(self, job: Job, step: Callable[[], Update]) -> Update:
        """Make a step in a job's turn, which ends with the step, or once `free` is called in it; what it returns."""

        def in_turn() -> Update:
            self._here.job = job
            try:
                return step()
            finally:
                self._here.job = None
                self.give_back(job)

        return self._threads.make(in_turn, lambda: max(1, len(self._holders)))

    def free(self) -> None:
        """Give back the turn of the step in which this is called, if any: the rest of it needs no model."""
        if job := getattr(self._here, "job", None):
            self.give_back(job)

    def goes_on(self) -> bool:
        """Say whether the step in which this is called goes on with the next scale and shows nothing of this one."""
        job = getattr(self._here, "job", None)
        with self._lock:
            if job not in self._holders or job.stopped or job.left or self.clock() - self._holders[job] > self.young:
                return False
            others = any(not other.left for other in _candidates(self._jobs, self._holders, self._places))
        return others and job.is_heard()

    def leave(self, job: Job, finished: bool = True) -> None:
        """Leave the queue, with the turn if the job has it. Only what has `finished` tells how long its kind takes."""
        with self._lock:
            self.give_back(job)
            if job not in self._jobs:
                return
            self._jobs.remove(job)
            if all(other.visitor.address != job.visitor.address for other in self._jobs):
                del self._addresses[job.visitor.address]
            if finished and job.begun:
                self._durations.learn(job.wish.kind, job.seconds)
            self._pass_on()

    def abandon(self, job: Job) -> None:
        """Note that a job's visitor has left."""
        with self._lock:
            job.left = True

    def wanted_by_others(self, job: Job) -> bool:
        """Say whether the model is wanted for anything else, by somebody who has not left."""
        with self._lock:
            return any(not other.left for other in self._jobs if other is not job)

    def busy(self) -> Busy:
        """Count the runs that have begun and those that wait."""
        with self._lock:
            begun = sum(job.begun for job in self._jobs)
            return Busy(begun, len(self._jobs) - begun)

    def ahead(self, job: Job) -> Ahead:
        """Tell what a job waits for that has not begun."""
        with self._lock:
            if job.begun:
                return Ahead(0)
            waiting = sorted((other for other in self._jobs if not other.begun), key=self._order)
            before = waiting[: waiting.index(job)]
            begun = [other for other in self._jobs if other.begun]
            each = [*begun, *before]
            kinds = [(other.visitor, other.wish.kind, other.seconds) for other in each]
            needed = self._durations.needed(kinds)
            if needed is None:
                return Ahead(len(each))
            under_way, queued = needed[: len(begun)], needed[len(begun) :]
            return Ahead(len(each), time_until_begun(job.visitor, under_way, queued, self._places, self.models))

    @property
    def _places(self) -> int:
        """Return how many runs may be under way."""
        return self.slots + self.models - 1

    def _order(self, job: Job) -> tuple[bool, bool, int, int]:
        """Order those that want a turn: who has left comes last, who stops first; round by address and its visitors."""
        return job.left, not job.stopped, self._addresses[job.visitor.address], job.stamp

    def _pass_on(self) -> None:
        """Give a model that nobody has to whoever is next."""
        while len(self._holders) < self.models:
            following = min(_candidates(self._jobs, self._holders, self._places), key=self._order, default=None)
            if following is None:
                return
            self._holders[following], following.begun = self.clock(), True
            following.turn.set()


def _candidates(jobs: Sequence[Job], holders: Container[Job], slots: int) -> list[Job]:
    """List the jobs that want a turn and may have it now."""
    begun = [job for job in jobs if job.begun]
    if any(job.wish.alone for job in begun):
        return [job for job in begun if job.wants and job not in holders]
    running, under_way = {job.visitor for job in begun}, [job for job in begun if not job.wish.brief]
    by_address = Counter(job.visitor.address for job in under_way if job.visitor.address)
    found = [job for job in begun if job.wants and job not in holders]
    for job in jobs:
        if job.begun or job.visitor in running:
            continue
        running.add(job.visitor)  # of those of a visitor the first
        if job.wish.alone and job.wants:
            return found if begun else [job]
        room = len(under_way) < slots and by_address[job.visitor.address] < max(1, slots - 1)
        if job.wants and not job.wish.alone and (room or job.wish.brief or job.stopped):
            found.append(job)
    return found


TakeOver = Callable[[Job, Iterator[object], object], bool]


def take_turns(
    turns: Turns,
    visitor: Visitor,
    wish: Wish,
    begin: Callable[[], Iterator[Update]],
    is_heard: Callable[[], bool] = lambda: True,
    take_over: TakeOver | None = None,
) -> Iterator[Update | Ahead]:
    """Yield what an iterator does, each step in a turn; and while that has to wait, what it waits for.

    `begin` is called in the first turn. A run that nobody hears, or that is closed, ends before its next step, unless
    `take_over` takes it: the job with its place, the rest of the steps, and the last update. TurnRefused if the queue
    is full.
    """
    job, finished, dropped = turns.enter(visitor, wish), False, False
    job.is_heard = is_heard
    steps: Iterator[Update] | None = None
    update: Update | None = None

    def following() -> Update:
        nonlocal steps
        steps = begin() if steps is None else steps
        return next(steps)

    try:
        while True:
            yield from _wait(turns, job, is_heard)
            if not job.turn.is_set():  # nobody hears
                dropped = True
                return
            try:
                update = turns.make(job, following)
            except StopIteration:
                finished = True
                return
            yield update
    except GeneratorExit:
        dropped = True
        raise
    finally:
        if not (dropped and steps is not None and take_over and take_over(job, steps, update)):
            getattr(steps, "close", lambda: None)()
            turns.leave(job, finished)


def _wait(turns: Turns, job: Job, is_heard: Callable[[], bool]) -> Iterator[Ahead]:
    """Wait for a job's turn, or until nobody hears of it any more; yield what it waits for."""
    until, told = turns.clock() + PATIENCE, None
    while not is_heard():
        if job.begun or turns.clock() > until:
            return
        job.turn.wait(TICK / 10)
    turns.ask(job)
    while not job.turn.wait(TICK if told else TICK / 10):
        told = turns.ahead(job)
        yield told
        if not is_heard():
            turns.give_back(job)
            return
        turns.ask(job)
