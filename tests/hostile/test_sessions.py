"""Joining under new names, on a real server: nobody who is at work loses it, and who comes is told."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.guests import Guest, House, served

from var_studio.shared.limits import PUBLIC

SCALES = 4  # of the tiny model


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with served(replace(PUBLIC, visitors=6)) as found:
        yield found


def test_joining_under_new_names_takes_nothing_from_those_at_work(house: House):
    anna = Guest(house, "anna")
    house.scales.let(SCALES)
    assert anna.run(seed=7).over()[-1]["success"]
    others = [{**anna.body("random_class"), "session_hash": f"name {number}"} for number in range(105)]
    answers = [anna.client.post("/queue/join", json=body) for body in others]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 100
    assert "There are more visitors at once than this server keeps the work of" in answers[-1].text
    assert len(house.sessions.session_data) == 6
    again = anna.ask("use")[-1]  # needs the run that the server keeps for her
    assert again["success"] and "7" in again["output"]["data"]


def test_what_is_idle_for_longer_than_it_is_kept_goes(house: House):
    house.sessions.clock = lambda: 1e9
    house.sessions.delete_all_expired_state()
    assert not house.sessions.session_data
    house.sessions.clock = lambda: 1e9 + 1
    assert Guest(house, "somebody new").ask("random_class")[-1]["success"]
