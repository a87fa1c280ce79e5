"""Who listens to what is answered."""

import asyncio

import pytest

from var_studio.shared.listeners import Listeners


@pytest.mark.parametrize(
    ("path", "query", "session", "event"),
    [
        ("/gradio_api/queue/data", b"a=b&session_hash=anna", "anna", "1"),
        ("/queue/data/", b"session_hash=anna%20b", "anna b", "1"),
        ("/gradio_api/call/generate/event1", b"", "", "event1"),
        ("/gradio_api/call/v2/generate/event1", b"", "ben", "event1"),
    ],
)
def test_a_run_is_heard_while_its_stream_is_open(path: str, query: bytes, session: str, event: str):
    async def app(*_) -> None:
        assert listeners.address() == "192.0.2.7"
        seen.append((listeners.hear(session, event), listeners.hear("other", "other")))

    seen, listeners = [], Listeners()
    assert listeners.address() == ""
    assert listeners.hear(session, event)  # nobody counts
    around = listeners.around(app)
    assert not listeners.hear(session, event)
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "client": ("192.0.2.7", 1)}
    asyncio.run(around(scope, None, None))
    assert seen == [(True, False)]
    assert not listeners.hear(session, event)
    assert listeners.hear("other", None)  # a direct call


def test_other_requests_are_no_streams():
    async def app(*_) -> None:
        assert not listeners.hear("anna", "1")

    listeners = Listeners()
    around = listeners.around(app)
    for path, method in (("/queue/data", "POST"), ("/gradio_api/call/generate", "GET"), ("/", "GET")):
        scope = {"type": "http", "method": method, "path": path, "query_string": b"session_hash=anna"}
        asyncio.run(around(scope, None, None))
