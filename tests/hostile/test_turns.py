"""One visitor against all, on a real server: a queue without end, ways round it, runs of those who have left."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from support.guests import SOON, Guest, House, served

from var_studio.shared import turns
from var_studio.shared.limits import PUBLIC
from var_studio.shared.run import Run

SCALES = 4  # of the tiny model


@pytest.fixture(scope="module")
def server() -> Iterator[House]:
    with served(replace(PUBLIC, waiting=2, queue=6, events=10_000, event_queue=10_000)) as found:
        yield found


@pytest.fixture
def house(server: House) -> Iterator[House]:
    """Begin each test with an empty queue, and end it so."""
    server.scales.made.clear()
    yield server
    server.scales.let(1000)
    server.await_runs(0)
    server.scales._free = 0


def test_a_run_of_many_pictures_gives_way_to_another_visitor_s_after_each_scale(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(house.models.desk.turns, "young", 0.0)  # as if scales took long
    anna, ben = Guest(house, "anna"), Guest(house, "ben")
    long = anna.run(seed=1, pictures=8)
    house.scales.let(1)
    house.scales.await_held(1)
    ben.prepare(seed=2)
    ben.join("watch")
    with ben.listening() as messages:
        next(one for one in messages if one["msg"] == "process_generating")  # told its place: it has asked for a turn
        house.scales.let(2 * SCALES - 1)
        assert next(one["success"] for one in messages if one["msg"] == "process_completed")
    assert long.over()[-1]["success"]
    order = house.scales.made
    assert order.count(1) == order.count(2) == SCALES
    assert order.index(2) == 2, order  # not after all of the other's


def test_three_hundred_runs_of_one_visitor_are_refused_but_for_a_few(house: House):
    anna, ben = Guest(house, "hog"), Guest(house, "ben")
    anna.prepare(seed=1, pictures=8)
    for _ in range(300):
        anna.join("watch")
    other = ben.run(seed=2)
    with anna.listening() as messages:
        ended = [next(one for one in messages if one["msg"] == "process_completed") for _ in range(298)]
        assert {one["success"] for one in ended} == {False}
        assert "You have 2 runs waiting already" in ended[0]["output"]["error"]
        house.scales.let(3 * SCALES)  # of the two that were taken, too
        assert other.over()[-1]["success"]


def test_the_queue_of_all_is_bounded_with_a_sentence(house: House):
    guests = [Guest(house, f"guest {number}") for number in range(6)]
    begun = [guest.run(seed=number) for number, guest in enumerate(guests)]
    house.await_runs(6)
    late = Guest(house, "late")
    late.prepare(seed=9)
    refused = late.ask("watch")[-1]
    assert not refused["success"]
    assert "All 6 places in the queue are taken" in refused["output"]["error"]
    house.scales.let(6 * SCALES)
    assert all(one.over()[-1]["success"] for one in begun)
    assert sorted(house.scales.made) == sorted([*range(6)] * SCALES)


def test_who_waits_is_told_how_many_are_before(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(house.models.desk.turns, "slots", 1)
    first, ben = Guest(house, "anna").run(seed=1), Guest(house, "ben")
    house.scales.await_held(0)
    ben.prepare(seed=2)
    ben.join("watch")
    with ben.listening() as messages:
        said = next(str(one["output"]) for one in messages if one["msg"] == "process_generating")
        assert "Waiting: 1 run before yours" in said
        house.scales.let(2 * SCALES)
        assert next(one["success"] for one in messages if one["msg"] == "process_completed")
    first.over()


def test_calls_past_the_queue_are_not_answered(house: House):
    guests = [Guest(house, f"direct {number}") for number in range(5)]
    for number, guest in enumerate(guests):
        guest.prepare(seed=number)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda guest: guest.call("watch"), guests))
    assert {answer.status_code for answer in answers} == {404}
    assert house.models.desk.turns.busy() == (0, 0)


def leave_in_mid_run(house: House, name: str) -> None:
    guest = Guest(house, name)
    guest.prepare(seed=1, pictures=8)
    guest.join("watch")
    with guest.listening() as messages:
        house.scales.let(1)
        next(one for one in messages if one["msg"] == "process_generating")


def test_a_run_ends_within_a_scale_when_its_page_is_closed_and_another_waits(house: House):
    ben = Guest(house, "patient")
    ben.prepare(seed=2)
    leave_in_mid_run(house, "leaving")
    other = ben.run(seed=2)
    house.await_runs(2)
    house.scales.let(1 + SCALES)  # that which is being made, and the other's
    assert other.over()[-1]["success"]
    house.await_runs(0)
    assert house.scales.made.count(1) <= 2


def test_a_run_ends_within_a_scale_when_its_page_is_closed_where_none_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(house.models.desk.turns, "limits", replace(house.models.limits, leave_seconds=0))
    leave_in_mid_run(house, "leaving for good")
    house.scales.let(1)
    house.await_runs(0)
    assert len(house.scales.made) <= 2


def test_a_run_whose_page_is_closed_goes_on_where_nobody_waits_and_its_pictures_are_kept(house: House):
    kept: list[tuple[str, Run]] = []
    came = threading.Event()
    house.made.left.keepers.append(lambda name, run: (kept.append((name, run)), came.set()))
    leave_in_mid_run(house, "cut off")
    house.scales.let(SCALES - 1)
    assert came.wait(SOON) and house.scales.made == [1] * SCALES
    ((name, run),) = kept
    assert name == "cut off" and run.progress.complete and all(Path(file).is_file() for file in run.files)
    house.await_runs(0)


def test_a_run_ends_within_a_scale_when_it_is_cancelled_where_none_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(house.models.desk.turns, "limits", replace(house.models.limits, leave_seconds=0))
    anna = Guest(house, "cancelling")
    anna.prepare(seed=1, pictures=8)
    event = anna.join("watch")
    with anna.listening() as messages, ThreadPoolExecutor(1) as pool:
        house.scales.let(1)
        next(one for one in messages if one["msg"] == "process_generating")
        body = {"session_hash": anna.name, "fn_index": house.number("watch"), "event_id": event}
        cancelled = pool.submit(anna.client.post, "/cancel", json=body)
        house.scales.let(1)  # that which is being made
        assert cancelled.result().status_code == 200
        house.scales.let(1)  # and one that may have begun before the word came
        house.await_runs(0)
    assert len(house.scales.made) <= 3 < SCALES


def test_a_run_that_nobody_listens_to_is_never_begun(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.3)
    anna = Guest(house, "deaf")
    anna.prepare(seed=1)
    house.scales.let(SCALES)
    anna.join("watch")
    house.await_runs(1)
    house.await_runs(0)
    assert house.scales.made == []
