"""Runs whose visitors have left go on where nobody else wants the model, for a while, and what they make is kept."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from var_studio.shared import left_runs
from var_studio.shared.left_runs import LeftRuns
from var_studio.shared.limits import HOME
from var_studio.shared.run import StopFlag
from var_studio.shared.turns import Turns, Wish, take_turns
from var_studio.shared.waiting import Visitor

ANNA, BEN = Visitor("anna"), Visitor("ben")
SOON = 20.0  # seconds


class Hall:
    """A run of anna's, step by step, each of which is only made when the test lets it be."""

    def __init__(self, steps: int = 3, seconds: int = 60, clock: Callable[[], float] | None = None):
        self.turns = Turns(replace(HOME, leave_seconds=seconds), **({"clock": clock} if clock else {}))
        self.here, self.stop, self.steps, self.made, self.broken = True, StopFlag(), steps, [], False
        self.kept: list[tuple[str, str]] = []
        self.free, self.held = threading.Semaphore(0), threading.Semaphore(0)
        self.left = LeftRuns(lambda update: update if update.startswith("result") else None)
        self.left.keepers.append(lambda name, found: self.kept.append((name, found)))

    def make(self) -> Iterator[str]:
        for number in range(self.steps):
            self.held.release()
            assert self.free.acquire(timeout=SOON), "nobody let this step be made"
            if self.broken:
                raise RuntimeError("another model\nis loaded")
            self.made.append(number)
            yield f"step {number}" if number + 1 < self.steps else f"result {number}"

    def run(self) -> Iterator[object]:
        def hears() -> bool:
            return self.here

        wish = Wish("run", stop=self.stop)
        return take_turns(self.turns, ANNA, wish, self.make, hears, self.left.taker(self.turns, hears))

    def begun(self) -> Iterator[object]:
        """Return a run whose first step is made."""
        run = self.run()
        self.let(1)
        next(run)
        assert self.held.acquire(timeout=SOON)
        return run

    def leave(self, run: Iterator[object]) -> None:
        self.here = False
        run.close()

    def let(self, count: int) -> None:
        self.free.release(count)

    def wait(self, until: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(SOON / 0.02)):
            if until():
                return
            pause.wait(0.02)
        pytest.fail(f"{self.turns.busy()}, {self.made}, {self.kept}")

    def over(self) -> None:
        """Wait until no run is under way."""
        self.wait(lambda: not sum(self.turns.busy()))

    def await_kept(self, result: str) -> None:
        self.wait(lambda: bool(self.kept))
        assert self.kept == [("", result)]


def test_a_run_goes_on_to_its_end_and_its_result_is_kept():
    hall = Hall()
    run = hall.begun()
    hall.leave(run)
    hall.let(2)
    hall.await_kept("result 2")
    assert hall.made == [0, 1, 2] and hall.turns.busy() == (0, 0)


def test_a_run_that_finds_out_itself_that_nobody_hears_goes_on_too():
    hall = Hall()
    run = hall.begun()
    hall.here = False
    assert next(run, None) is None
    hall.let(2)
    hall.await_kept("result 2")


def test_a_result_that_nobody_was_there_to_take_is_kept():
    hall = Hall(steps=1)
    run = hall.begun()
    hall.leave(run)
    hall.await_kept("result 0")


def test_a_run_ends_as_soon_as_somebody_else_wants_the_model():
    hall = Hall(steps=9)
    hall.leave(hall.begun())
    assert hall.held.acquire(timeout=SOON)  # it makes its second step
    hall.turns.enter(BEN, Wish("run"))
    hall.let(9)
    hall.wait(lambda: hall.turns.busy() == (0, 1))
    assert hall.made == [0, 1] and not hall.kept


def test_two_whose_visitors_have_left_go_on_together():
    hall = Hall()
    run = hall.begun()
    hall.turns.abandon(hall.turns.enter(BEN, Wish("run")))
    hall.leave(run)
    hall.let(2)
    hall.await_kept("result 2")


def test_whoever_is_there_comes_before_those_who_have_left():
    turns = Turns()
    gone, here = turns.enter(ANNA, Wish("run")), turns.enter(BEN, Wish("run"))
    turns.abandon(gone)
    holder = turns.enter(Visitor("cleo"), Wish("run"))
    for job in (holder, gone, here):
        turns.ask(job)
    turns.leave(holder)
    assert here.turn.is_set() and not gone.turn.is_set()


@pytest.mark.parametrize("why", ["no seconds", "stopped", "cancelled"])
def test_a_run_ends_at_once_where_it_is_to(why: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(left_runs, "GONE_WITHIN", 0.1)
    hall = Hall(seconds=0 if why == "no seconds" else 60)
    run = hall.begun()
    if why == "stopped":
        hall.stop.set()
    if why == "cancelled":
        run.close()  # while its visitor is there
    else:
        hall.leave(run)
    hall.let(9)
    hall.over()
    assert hall.made == [0] and not hall.kept


def test_a_run_goes_on_for_no_longer_than_the_limit_says():
    now = [0.0]
    hall = Hall(steps=9, seconds=60, clock=lambda: now[0])
    hall.leave(hall.begun())
    assert hall.held.acquire(timeout=SOON)
    now[0] = 61.0
    hall.let(9)
    hall.over()
    assert hall.made == [0, 1] and not hall.kept


def test_an_error_of_a_run_that_goes_on_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture):
    hall = Hall()
    run = hall.begun()
    hall.broken = True
    with caplog.at_level(logging.WARNING):
        hall.leave(run)
        hall.let(1)
        hall.wait(lambda: "another model is loaded" in caplog.text)
    assert not hall.kept and hall.turns.busy() == (0, 0)
