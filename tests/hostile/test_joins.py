"""Events without pause and without end, on a real server: their address is refused, and others are answered."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from support.guests import Guest, House, served

from var_studio.hosting.joins import AT_ONCE
from var_studio.shared.limits import PUBLIC

SCALES = 4  # of the tiny model
CONNECTIONS = 16
PATIENCE = 90.0  # seconds: other programs may want the machine, too
LIMITS = replace(PUBLIC, events=150, event_queue=40)
SHARE = LIMITS.event_queue * LIMITS.address_percent // 100


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with served(LIMITS) as found:
        yield found


def guest(house: House, name: str, address: str) -> Guest:
    """A visitor with an address of his own."""
    found = Guest(house, name)
    found.client.headers["X-Forwarded-For"] = address
    return found


def test_who_joins_without_pause_on_many_connections_is_refused_and_another_s_run_is_answered(house: House):
    over, refused, answers = threading.Event(), threading.Event(), Counter()

    hogs = [guest(house, "hog", "203.0.113.5") for _ in range(CONNECTIONS)]
    body = hogs[0].body("random_class")

    def join_on_and_on(hog: Guest) -> None:
        while not over.is_set():
            answer = hog.client.post("/queue/join", json=body, timeout=PATIENCE)
            answers[answer.status_code] += 1
            if answer.status_code == 429 and "within a minute" in answer.text:
                refused.set()

    ben = guest(house, "ben", "198.51.100.7")
    ben.client.timeout = PATIENCE
    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        joining = [pool.submit(join_on_and_on, hog) for hog in hogs]
        try:
            assert refused.wait(PATIENCE), answers
            house.scales.let(SCALES)
            ben.prepare(seed=3)
            ended = ben.ask("watch")
        finally:
            over.set()
        for one in joining:
            one.result()
    assert ended[-1]["success"]
    most = LIMITS.events * (AT_ONCE + (time.monotonic() - began) / 60)
    assert set(answers) == {200, 429} and answers[200] <= most + 1


def test_an_address_has_only_its_part_of_the_queue_under_any_names(house: House):
    other = guest(house, "anna", "198.51.100.8")
    other.prepare(seed=1)
    names = [guest(house, f"name {number}", "203.0.113.6") for number in range(SHARE + 1)]
    for one in names:
        one.prepare(seed=2)
    running = [one.client.post("/queue/join", json=one.body("watch")) for one in names]
    assert [one.status_code for one in running] == [200] * SHARE + [429]
    assert "waits for too many answers" in running[-1].text
    house.scales.let(SCALES)
    assert other.ask("watch")[-1]["success"]
