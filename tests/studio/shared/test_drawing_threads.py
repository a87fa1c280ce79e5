"""Few threads make the steps of many, as if each made its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from var_studio.shared.drawing_threads import FEW, DrawingThreads
from var_studio.shared.turns import Turns, Wish, take_turns
from var_studio.shared.waiting import Visitor

WHO: ContextVar[str] = ContextVar("who")


def test_steps_of_many_threads_are_made_in_few():
    threads, used = DrawingThreads(), set()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: threads.make(lambda: used.add(threading.get_ident())), range(60)))
    assert 1 <= len(used) <= FEW


def test_an_idle_thread_makes_the_next_step():
    threads = DrawingThreads()
    assert len({threads.make(threading.get_ident) for _ in range(20)}) <= 2  # one may not be idle quite yet


def test_a_step_sees_the_context_of_who_asks():
    threads = DrawingThreads()
    WHO.set("anna")
    assert threads.make(WHO.get) == "anna"


def test_a_thread_hears_how_many_draw_before_a_step_and_of_one_after_it():
    heard = []
    assert DrawingThreads(heard.append).make(lambda: heard.copy(), lambda: 3) == [3]
    assert heard == [3, 1]


@pytest.mark.parametrize("error", [StopIteration, ValueError])
def test_the_error_of_a_step_comes_to_who_asks(error):
    def wrong() -> None:
        raise error("words")

    with pytest.raises(error, match="words"):
        DrawingThreads().make(wrong)


def test_all_steps_of_all_runs_are_made_in_threads_of_their_own():
    turns, here, used = Turns(), set(), set()

    def steps() -> Iterator[int]:
        for number in range(3):
            used.add(threading.get_ident())
            yield number

    def run(number: int) -> None:
        here.add(threading.get_ident())
        list(take_turns(turns, Visitor(str(number)), Wish("run"), steps))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    assert not here & used and len(used) <= len(here)
