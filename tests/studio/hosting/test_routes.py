"""Which addresses are answered."""

import pytest
from support.door import ask, echo

from var_studio.hosting.routes import OnlyUsed, is_elsewhere, is_used

USED = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/config"),
    ("GET", "/theme.css"),
    ("GET", "/assets/index-1a.js"),
    ("GET", "/static/img/logo.svg"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/heartbeat/ab12"),
    ("GET", "/gradio_api/queue/data"),
    ("GET", "/gradio_api/upload_progress"),
    ("GET", "/gradio_api/file=/tmp/gradio/1a/photo.png"),
    ("GET", "/gradio_api/file=C:\\cache\\photo.png"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/reset"),
    ("POST", "/login"),
    ("GET", "/logout"),
]
UNUSED = [
    ("GET", "/gradio_api/dev/reload"),
    ("GET", "/gradio_api/deep_link"),
    ("GET", "/gradio_api/token"),
    ("GET", "/gradio_api/queue/status"),
    ("GET", "/gradio_api/startup-events"),
    ("GET", "/gradio_api/openapi.json"),
    ("GET", "/gradio_api/proxy=https://x.hf.space/"),
    ("GET", "/gradio_api/file/etc/passwd"),
    ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
    ("GET", "/gradio_api/custom_component/1/client/component/x.js"),
    ("GET", "/gradio_api/runs"),
    ("GET", "/gradio_api/heartbeat/..%2f..%2fconfig"),
    ("GET", "/monitoring"),
    ("GET", "/monitoring/summary"),
    ("POST", "/gradio_api/run/draw"),
    ("POST", "/gradio_api/api/draw"),
    ("POST", "/gradio_api/stream/ab12"),
    ("POST", "/gradio_api/process_recording"),
    ("POST", "/gradio_api/vibe-edit"),
    ("POST", "/gradio_api/run-history/connect"),
    ("POST", "/"),
    ("PUT", "/gradio_api/upload"),
    ("DELETE", "/"),
    ("OPTIONS", "/gradio_api/upload"),
    ("GET", "/nothing"),
]


@pytest.mark.parametrize(("method", "path"), USED)
def test_what_the_page_uses_is_answered(method: str, path: str):
    assert is_used(method, path)
    assert ask(OnlyUsed(echo), path, method).status_code == 200


@pytest.mark.parametrize(("method", "path"), UNUSED)
def test_what_it_does_not_use_is_not_there(method: str, path: str):
    assert not is_used(method, path)
    assert ask(OnlyUsed(echo), path, method).status_code == 404


def test_only_events_that_are_open_to_programs_are_called_by_name():
    calls = {"generate"}
    assert is_used("POST", "/gradio_api/call/generate", calls)
    assert is_used("GET", "/gradio_api/call/generate/5f-a_1", calls)
    assert not is_used("POST", "/gradio_api/call/draw", calls)
    assert not is_used("GET", "/gradio_api/call/draw/5f", calls)
    assert is_used("POST", "/gradio_api/call/v2/generate", calls)
    assert not is_used("POST", "/gradio_api/call/v2/draw", calls)
    assert not is_used("POST", "/gradio_api/call/generate")


def test_tools_of_language_models_are_there_only_where_they_are_wanted():
    for method, path in (("POST", "/gradio_api/mcp/"), ("GET", "/gradio_api/mcp/sse"), ("DELETE", "/gradio_api/mcp/")):
        assert is_used(method, path, tools=True) and not is_used(method, path)
    assert not is_used("GET", "/gradio_api/mcpx", tools=True)


@pytest.mark.parametrize(
    "path", ["https://e.example/x.png", "HTTP:/e.example/x", " http://e", "//e.example/x", "\\\\e\\x", "file:///etc/x"]
)
def test_files_elsewhere_are_not_fetched(path: str):
    assert is_elsewhere(path)
    assert not is_used("GET", f"/gradio_api/file={path}")
