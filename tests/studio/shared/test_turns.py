"""Laws of the turns at the model: they go round, they are bounded, and they change no picture."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from support import tiny
from support.form import read

from var_core.engine.progress import Progress
from var_core.engine.request import Request
from var_studio.shared.limits import HOME
from var_studio.shared.run import StopFlag
from var_studio.shared.turns import TurnRefused, Turns, Wish, take_turns
from var_studio.shared.waiting import Ahead, Visitor

RUN, BRIEF, ALONE = Wish("run"), Wish("brief", brief=True, small=True), Wish("load", alone=True)


def visitors(count: int, address: str = "") -> list[Visitor]:
    return [Visitor(f"visitor {number}", address) for number in range(count)]


class Round:
    """Runs that take turns on one thread: `go` hands the model on, a step at a time, until all are over."""

    def __init__(self, turns: Turns):
        self.turns, self.order, self.left = turns, [], {}

    def enter(self, visitor: Visitor, steps: int, wish: Wish = RUN) -> None:
        self.left[self.turns.enter(visitor, wish)] = steps

    def go(self, most: int = 1000) -> list[str]:
        """Return whose steps were made, in their order."""
        while self.left and most:
            most -= 1
            for job in self.left:
                self.turns.ask(job)
            (job,) = (job for job in self.left if job.turn.is_set())
            self.order.append(job.visitor.name)
            self.left[job] -= 1
            if self.left[job]:
                self.turns.give_back(job)
            else:
                del self.left[job]
                self.turns.leave(job)
        return self.order


def test_nobody_waits_for_the_part_of_a_step_that_needs_no_model():
    turns, (anna, ben) = Turns(), visitors(2)
    waiting = turns.enter(ben, RUN)

    def steps() -> Iterator[str]:
        turns.ask(waiting)
        assert not waiting.turn.is_set()
        turns.free()
        assert waiting.turn.is_set()
        turns.leave(waiting)
        yield "written"

    assert list(take_turns(turns, anna, RUN, steps)) == ["written"]
    turns.free()  # where no step is made there is nothing to give back
    assert turns.busy() == (0, 0)


def test_nobody_waits_for_all_steps_of_another():
    anna, ben, cleo = visitors(3)
    hall = Round(Turns())
    hall.enter(anna, 10)
    hall.go(most=2)
    hall.enter(ben, 3)
    hall.enter(cleo, 2)
    expected = [anna, anna, anna, ben, cleo, anna, ben, cleo, anna, ben]
    assert hall.go() == [one.name for one in expected] + [anna.name] * 5


def test_a_visitor_runs_one_thing_at_a_time_in_the_order_asked_for():
    anna, ben = visitors(2)
    hall = Round(Turns())
    for steps in (2, 1):
        hall.enter(anna, steps)
    hall.enter(ben, 3)
    first, second, _ = hall.left
    assert hall.go(most=1) == [anna.name]
    assert (first.begun, second.begun) == (True, False)
    hall.go()
    assert hall.order == [one.name for one in (anna, ben, anna, ben, anna, ben)]


def test_many_names_at_one_address_get_no_more_turns_than_one_at_another():
    crowd, alone = visitors(3, "192.0.2.1"), Visitor("alone", "192.0.2.9")
    hall = Round(Turns())
    for one in crowd:
        hall.enter(one, 4)
    hall.enter(alone, 4)
    made = hall.go(most=8)
    assert made.count("alone") == 4


def test_an_address_leaves_a_place_for_others():
    hall = Round(Turns(slots=3))
    for one in visitors(6, "192.0.2.1"):
        hall.enter(one, 50)
    hall.go(most=20)
    assert sum(job.begun for job in hall.left) == 2
    hall.enter(Visitor("another", "192.0.2.9"), 1)
    assert "another" in hall.go(most=2)[-2:]


def test_so_many_runs_are_under_way_at_once_and_a_brief_step_needs_no_place():
    hall = Round(Turns(slots=2))
    *runners, asker = visitors(5)
    for one in runners:
        hall.enter(one, 3)
    hall.go(most=2)
    hall.enter(asker, 1, BRIEF)
    assert asker.name in hall.go(most=3)[2:]
    assert hall.turns.busy() == (2, 2)
    hall.go()
    assert sorted(hall.order) == sorted([one.name for one in runners] * 3 + [asker.name])


def test_what_is_to_be_alone_waits_for_those_under_way_and_is_not_overtaken():
    anna, ben, cleo = visitors(3)
    hall = Round(Turns())
    hall.enter(anna, 3)
    hall.go(most=1)
    hall.enter(ben, 2, ALONE)
    hall.enter(cleo, 1)
    assert hall.go() == [one.name for one in (anna, anna, anna, ben, ben, cleo)]


def test_who_stops_while_waiting_is_next():
    turns, stop = Turns(slots=1), StopFlag()
    hall = Round(turns)
    *others, last = visitors(4)
    for one in others:
        hall.enter(one, 5)
    hall.enter(last, 1, replace(RUN, stop=stop))
    hall.go(most=2)
    assert last.name not in hall.order
    stop.set()
    assert last.name in hall.go(most=2)


def test_the_queue_is_bounded_for_all_for_one_and_for_an_address():
    turns = Turns(replace(HOME, queue=8, waiting=2))
    anna = Visitor("anna")
    for _ in range(2):
        turns.enter(anna, RUN)
    with pytest.raises(TurnRefused, match="You have 2 runs waiting already"):
        turns.enter(anna, RUN)
    turns.enter(anna, BRIEF)
    for one in visitors(4, "192.0.2.1"):
        turns.enter(one, RUN)
    with pytest.raises(TurnRefused, match="Half of the queue is taken from your network"):
        turns.enter(Visitor("fifth", "192.0.2.1"), RUN)
    kept = turns.enter(Visitor("ben"), RUN)
    with pytest.raises(TurnRefused, match="All 8 places in the queue are taken"):
        turns.enter(Visitor("cleo"), RUN)
    turns.leave(kept)
    turns.enter(Visitor("cleo"), RUN)


def test_places_in_the_queue_stay_bounded_when_many_threads_ask_at_once():
    turns, entered, most = Turns(replace(HOME, queue=20)), [], []
    begin = threading.Barrier(16)

    def hurry(number: int) -> None:
        begin.wait()
        for _ in range(20):
            try:
                job = turns.enter(Visitor(f"{number}"), RUN)
            except TurnRefused:
                continue
            entered.append(job)
            most.append(sum(turns.busy()))

    threads = [threading.Thread(target=hurry, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 20 == max(most)


def test_one_step_at_a_time_is_made_whatever_the_threads():
    turns, inside, seen = Turns(slots=3), threading.Lock(), []

    def steps() -> Iterator[int]:
        for number in range(5):
            assert inside.acquire(blocking=False), "two steps at once"
            seen.append(turns.busy().under_way)
            time.sleep(0.001)  # the step itself
            inside.release()
            yield number

    def run(visitor: Visitor) -> None:
        made = [update for update in take_turns(turns, visitor, RUN, steps) if not isinstance(update, Ahead)]
        done.append(made)

    done = []
    threads = [threading.Thread(target=run, args=(one,)) for one in visitors(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [list(range(5))] * 8
    assert max(seen) == 3
    assert turns.busy() == (0, 0)


def test_a_run_that_is_dropped_hands_its_place_on_at_once():
    turns, closed = Turns(slots=1), []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    dropped = take_turns(turns, Visitor("anna"), RUN, endless)
    assert next(dropped) == 1
    waiting = take_turns(turns, Visitor("ben"), RUN, lambda: iter([2]))
    assert next(waiting) == Ahead(1)
    dropped.close()
    assert closed == [True]
    assert list(waiting)[-1] == 2
    assert turns.busy() == (0, 0)


def test_a_run_whose_listener_leaves_ends_before_its_next_step():
    turns, heard, made = Turns(), [True], []

    def steps() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    run = take_turns(turns, Visitor("anna"), RUN, steps, lambda: heard[0])
    assert [next(run), next(run)] == [0, 1]
    heard[0] = False
    assert list(run) == []
    assert made == [0, 1]
    assert turns.busy() == (0, 0)


def test_a_run_that_nobody_ever_listens_to_never_begins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("var_studio.shared.turns.PATIENCE", 0.05)
    turns = Turns()
    assert list(take_turns(turns, Visitor("anna"), RUN, lambda: pytest.fail("it began"), lambda: False)) == []
    assert turns.busy() == (0, 0)


def test_an_error_in_a_step_hands_the_model_on():
    turns = Turns()

    def wrong() -> Iterator[int]:
        yield 1
        raise ValueError("wrong")

    run = take_turns(turns, Visitor("anna"), RUN, wrong)
    assert next(run) == 1
    with pytest.raises(ValueError, match="wrong"):
        next(run)
    assert turns.busy() == (0, 0)
    assert list(take_turns(turns, Visitor("ben"), RUN, lambda: iter([2]))) == [2]


def test_runs_in_turns_draw_the_tokens_that_they_draw_alone():
    pipe, turns = tiny.pipeline(), Turns(slots=3)
    requests = [read(**{"class": name, "count": 2, "seed": str(seed)}) for seed, name in enumerate(tiny.NAMES[:3])]
    runs = [
        take_turns(turns, visitor, RUN, lambda asked=asked: pipe.stream(asked))
        for visitor, asked in zip(visitors(3), requests, strict=True)
    ]
    drawn = list(zip(*runs, strict=True))  # a scale of each, then the next of each
    for asked, ended in zip(requests, drawn[-1], strict=True):
        *_, alone = pipe.stream(asked)
        assert torch.equal(ended.f_hat, alone.f_hat)
        assert ended.last.tokens.equal(alone.last.tokens)


def test_runs_drawn_at_the_same_time_are_those_that_are_drawn_alone():
    pipe = tiny.pipeline()
    turns = Turns(models=3, shares=lambda sharing: torch.set_num_threads(1 + sharing % 2))
    requests = [read(**{"class": name, "count": 2, "seed": str(seed)}) for seed, name in enumerate(tiny.NAMES[:3])]

    def draw(who: Visitor, asked: Request) -> list[Progress]:
        updates = take_turns(turns, who, RUN, lambda: pipe.stream(asked))
        return [update for update in updates if isinstance(update, Progress)]

    with ThreadPoolExecutor(3) as pool:
        drawn = list(pool.map(draw, visitors(3), requests))
    for asked, updates in zip(requests, drawn, strict=True):
        *_, alone = pipe.stream(asked)
        assert len(updates) == updates[-1].scales and torch.equal(updates[-1].f_hat, alone.f_hat)
    torch.set_num_threads(1)


def test_the_time_that_is_told_is_that_which_it_takes():
    """Simulated: each step takes a second, and how long runs take is known."""
    now = [0.0]
    turns = Turns(slots=2, clock=lambda: now[0])
    hall, jobs = Round(turns), {}
    for one in visitors(2):  # from which it is learned
        hall.enter(one, 6)
    told, began = {}, {}
    while hall.left or not jobs:
        if not hall.left:
            for one in visitors(5):
                hall.enter(one, 6)
            jobs = dict.fromkeys(hall.left)
            told = {job: turns.ahead(job) for job in jobs}
            began_at = now[0]
        for job in hall.left:
            turns.ask(job)
        (job,) = (job for job in hall.left if job.turn.is_set())
        began.setdefault(job, now[0])
        now[0] += 1.0
        hall.left[job] -= 1
        (turns.give_back if hall.left[job] else turns.leave)(job)
        hall.left = {job: left for job, left in hall.left.items() if left}
    for job in jobs:
        assert told[job].seconds == pytest.approx(began[job] - began_at, abs=2.0)
    assert [told[job].runs for job in jobs] == [0, 1, 2, 3, 4]


def test_with_two_replicas_two_runs_have_a_turn_at_once():
    turns = Turns(slots=2, models=2)
    jobs = [turns.enter(one, Wish()) for one in visitors(4)]
    for job in jobs:
        turns.ask(job)
    assert [job.turn.is_set() for job in jobs] == [True, True, False, False]
    turns.give_back(jobs[0])
    assert [job.turn.is_set() for job in jobs] == [False, True, True, False]
    turns.leave(jobs[1])
    assert jobs[3].turn.is_set() and turns.busy() == (3, 0)


def test_a_young_turn_goes_on_to_the_next_scale_where_others_wait():
    now, stop = [0.0], StopFlag()
    turns, (anna, ben) = Turns(clock=lambda: now[0]), visitors(2)
    seen = []

    def steps() -> Iterator[str]:
        seen.append(turns.goes_on())  # nobody waits
        other = turns.enter(ben, RUN)
        turns.ask(other)
        seen.append(turns.goes_on())
        now[0] = turns.young + 1
        seen.append(turns.goes_on())
        now[0] = 0.0
        stop.set()
        seen.append(turns.goes_on())
        stop.clear()
        turns.leave(other)
        seen.append(turns.goes_on())
        yield "shown"

    assert list(take_turns(turns, anna, replace(RUN, stop=stop), steps)) == ["shown"]
    assert seen == [False, True, False, False, False]
    assert not turns.goes_on()  # where no step is made


def test_a_step_hears_of_how_many_have_a_turn_at_the_same_time():
    heard: list[int] = []
    turns, (anna, ben) = Turns(models=2, shares=heard.append), visitors(2)
    other = turns.enter(ben, RUN)

    def steps() -> Iterator[None]:
        yield
        turns.ask(other)
        yield

    list(take_turns(turns, anna, RUN, steps))
    assert heard == [1, 1, 1, 1, 2, 1]  # the last step finds that there are no more
