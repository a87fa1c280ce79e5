"""A visitor of the load tool takes over what a server tells, in whatever messages it does."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from tools.load.person import Message, Page, Person

FILE = {"path": "/tmp/trace.safetensors", "orig_name": "trace.safetensors"}
UNCHANGED = {"__type__": "update"}
PAGE = Page(
    {
        "components": [
            {"id": 1, "props": {"elem_id": "save"}},
            {"id": 2, "props": {"elem_id": "ready"}},
            {"id": 3, "props": {"elem_id": "class", "choices": [["cat", 0]]}},
        ],
        "dependencies": [{"id": 0, "targets": [[1, "click"]], "backend_fn": True, "inputs": [], "outputs": [2]}],
    }
)


class Stream(httpx.SyncByteStream):
    """Messages of a server, which notes whether somebody listens to the last one."""

    def __init__(self, messages: Sequence[Message]):
        self.messages, self.ended = messages, False

    def __iter__(self) -> Iterator[bytes]:
        for message in self.messages:
            yield f"data: {json.dumps({'event_id': 'one', **message})}\n\n".encode()
        self.ended = True


def told(kind: str, *data: Any) -> Message:
    return {"msg": f"process_{kind}", "success": True, "output": {"data": list(data)}}


def listening(messages: Sequence[Message]) -> tuple[Person, Stream]:
    person, stream = Person("http://studio", PAGE), Stream([*messages, {"msg": "close_stream", "event_id": None}])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"event_id": "one"})
        return httpx.Response(200, stream=stream)

    person.http = httpx.Client(base_url="http://studio", transport=httpx.MockTransport(answer))
    return person, stream


def test_a_value_that_came_before_the_last_message_counts():
    """A run whose last step waits for its turn tells of nothing new after its result."""
    changes = [["delete", ["path"], None], ["delete", ["orig_name"], None], ["add", ["__type__"], "update"]]
    person, _ = listening([told("generating", FILE), told("generating", changes), told("completed", UNCHANGED)])
    assert person.press("save").values == {"ready": FILE}


def test_a_value_that_is_told_as_what_is_new_since_the_message_before_is_whole():
    messages = [told("generating", "one"), told("generating", [["append", [], " two"]]), told("completed", UNCHANGED)]
    person, _ = listening(messages)
    assert person.press("save").values == {"ready": "one two"}


def test_the_stream_is_heard_to_its_end():
    person, stream = listening([told("completed", FILE)])
    assert person.press("save").values == {"ready": FILE} and stream.ended


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([told("generating", FILE)], "the stream ended before the event did"),
        ([{"msg": "process_completed", "success": False, "output": {"error": "No room."}}], "No room."),
    ],
)
def test_what_went_wrong_is_told(messages: Sequence[Message], words: str):
    person, _ = listening(messages)
    assert person.press("save").error == words
