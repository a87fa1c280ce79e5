"""Canvases that wait for their events: nobody's push out another's, and all have bounds."""

from dataclasses import replace

import pytest
from support.clock import Clock

from var_studio.shared.canvases import AT_WORK, BESIDES, Canvases, NoRoom
from var_studio.shared.limits import HOME

LIMITS = replace(HOME, canvas_mb=32, all_canvas_mb=100)


class Visitor:
    """Somebody who paints."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def canvases(clock: Clock) -> Canvases:
    return Canvases(LIMITS, clock)


def picture(megabytes: int) -> bytes:
    return bytes(megabytes * 10**6 - BESIDES)


def test_a_canvas_is_taken_once_by_its_visitor(canvases: Canvases):
    anna, ben = Visitor(), Visitor()
    canvases.put(anna, "", "one", None, b"photo")
    canvases.put(anna, "", "one", 1, b"first")
    canvases.put(anna, "", "one", 1, b"second")
    canvases.put(ben, "", "one", 0, b"other")
    assert canvases.size == 16 + 3 * BESIDES
    assert canvases.take(Visitor(), "one").background is None
    taken = canvases.take(anna, "one")
    assert (taken.background, taken.layers) == (b"photo", [None, b"second"])
    assert canvases.take(anna, "one").background is None
    assert canvases.take(ben, "one").layers == [b"other"] and canvases.size == 0


def test_what_goes_on_without_an_event_pushes_out_only_one_s_own(canvases: Canvases):
    anna, ben = Visitor(), Visitor()
    canvases.put(anna, "198.51.100.7", "one", 0, picture(1))
    for number in range(50):
        canvases.put(ben, "203.0.113.5", str(number), 0, picture(10))
    assert canvases.size == 31 * 10**6
    assert canvases.take(anna, "one").layers and canvases.take(ben, "49").layers and not canvases.take(ben, "46").layers


def test_empty_pictures_are_bounded_too(canvases: Canvases):
    ben = Visitor()
    for number in range(40_000):
        canvases.put(ben, "", str(number), 0, b"")
    assert canvases.size <= 32 * 10**6


def test_one_canvas_has_no_more_than_a_visitor_s_all(canvases: Canvases):
    ben = Visitor()
    for layer in range(3):
        canvases.put(ben, "", "one", layer, picture(10))
    with pytest.raises(NoRoom, match="more than 32 MB"):
        canvases.put(ben, "", "one", 3, picture(10))


def test_who_has_been_idle_for_longest_gives_way_and_nobody_at_work(canvases: Canvases, clock: Clock):
    visitors = [Visitor() for _ in range(5)]
    for clock.now, visitor in enumerate(visitors[:3]):
        canvases.put(visitor, "", "one", 0, picture(30))
    with pytest.raises(NoRoom, match="Too many people are painting"):
        canvases.put(visitors[3], "", "one", 0, picture(30))
    clock.now = AT_WORK + 1
    canvases.put(visitors[3], "", "one", 0, picture(30))
    assert not canvases.take(visitors[0], "one").layers and canvases.size == 90 * 10**6
    with pytest.raises(NoRoom):
        canvases.put(visitors[4], "", "one", 0, picture(30))
    assert all(canvases.take(visitor, "one").layers for visitor in visitors[1:4])


def test_many_names_at_one_address_take_only_its_part(canvases: Canvases):
    visitors = [Visitor() for _ in range(10)]
    for visitor in visitors[:2]:
        canvases.put(visitor, "203.0.113.5", "one", 0, picture(15))
    with pytest.raises(NoRoom):
        canvases.put(visitors[2], "203.0.113.5", "one", 0, picture(15))
    canvases.put(visitors[3], "198.51.100.7", "one", 0, picture(15))
    assert canvases.size == 45 * 10**6


def test_the_canvases_of_a_session_go_with_it(canvases: Canvases):
    anna = Visitor()
    canvases.put(anna, "", "one", 0, picture(5))
    del anna
    assert canvases.size == 0
