"""Events are bounded by address, in a minute and at once, and all together."""

from types import SimpleNamespace

import pytest
from support.door import VISITOR, ask, echo

from var_studio.hosting.joins import Joins
from var_studio.shared.limits import Limits

LIMITS = Limits(events=300, event_queue=20, address_percent=25)
OTHER = ("8.8.8.8", 1)


class Queue:
    """Events that wait and are being answered, each of a client."""

    def __init__(self) -> None:
        self.waiting, self.active_jobs = [], [None, None]
        self.event_queue_per_concurrency_id = {"one": SimpleNamespace(queue=self.waiting)}

    def __len__(self) -> int:
        return len(self.waiting)


def event(client: tuple[str, int]) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(scope={"client": client}))


class Entrance:
    """The bound before an app, with a clock."""

    def __init__(self) -> None:
        self.now, self.queue = 0.0, Queue()
        self.joins = Joins(echo, LIMITS, self.queue, lambda: self.now)

    def join(self, path: str = "queue/join", client: tuple[str, int] = VISITOR, method: str = "POST") -> int:
        return ask(self.joins, f"/gradio_api/{path}", method, client).status_code


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


@pytest.mark.parametrize("path", ["queue/join", "queue/join/", "call/create", "call/v2/create", "mcp/"])
def test_events_without_pause_are_refused_and_others_go_on(entrance: Entrance, path: str):
    assert [entrance.join(path) for _ in range(62)] == [200] * 60 + [429] * 2
    assert entrance.join(path, OTHER) == 200
    entrance.now = 0.21  # 300 a minute: one in a fifth of a second
    assert [entrance.join(path) for _ in range(2)] == [200, 429]
    entrance.now = 3600
    assert [entrance.join(path) for _ in range(61)] == [200] * 60 + [429]


def test_a_refusal_says_why_and_when_to_come_back(entrance: Entrance):
    answer = [ask(entrance.joins, "/gradio_api/queue/join", "POST") for _ in range(61)][-1]
    assert "too much within a minute" in answer.json()["detail"] and answer.headers["retry-after"] == "1"


def test_what_begins_no_event_is_not_counted(entrance: Entrance):
    for path, method in (("queue/data", "GET"), ("call/create/ab", "GET"), ("cancel", "POST"), ("upload", "POST")):
        assert [entrance.join(path, method=method) for _ in range(70)] == [200] * 70


def test_an_address_has_only_its_part_of_the_queue(entrance: Entrance):
    entrance.queue.waiting += [event(VISITOR)] * 3
    assert entrance.join() == 200
    entrance.queue.active_jobs[0] = [event(VISITOR)] * 2
    assert entrance.join() == 429 and entrance.join(client=OTHER) == 200
    entrance.queue.active_jobs[0] = None
    assert entrance.join() == 200


def test_a_full_queue_takes_nobody_s(entrance: Entrance):
    entrance.queue.waiting += [event((f"7.7.7.{number}", 1)) for number in range(20)]
    answer = ask(entrance.joins, "/gradio_api/queue/join", "POST")
    assert answer.status_code == 429 and "this server just now" in answer.json()["detail"]
    entrance.queue.waiting.pop()
    assert entrance.join() == 200
