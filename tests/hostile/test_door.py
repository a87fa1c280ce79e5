"""Each kind of attack on the routes of the app, tried on the app itself as it is served to strangers."""

import io
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from support.served import Figures, Visitor, served

from var_studio.hosting.accounts import Accounts
from var_studio.hosting.logs import PLAIN, logged
from var_studio.hosting.serving import Hosting
from var_studio.shared.limits import PUBLIC

LIMITS = replace(PUBLIC, uploads=12, upload_mb=3, file_mb=1, request_kb=64, connections=8, painted=2000)
PASSWORD = "correct horse"
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def app(cache: Path) -> Iterator[tuple[str, Figures]]:
    """The app, whose visitors come from addresses that a proxy on this machine tells."""
    with served(cache, Hosting(root="http://studio.example"), LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def address(app: tuple[str, Figures]) -> str:
    return app[0]


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def visitor(address: str, numbers: Iterator[int]) -> Iterator[Visitor]:
    """A visitor with an address of his own."""
    with Visitor(address, **{"X-Forwarded-For": f"9.9.9.{next(numbers)}"}) as visiting:
        yield visiting


def upload(visitor: Visitor, *contents: bytes, **headers: str) -> httpx.Response:
    files = [("files", (f"{n}.png", content)) for n, content in enumerate(contents)]
    return visitor.http.post("gradio_api/upload", files=files, headers=headers)


def test_a_plain_visitor_draws_a_picture_and_gets_its_file(visitor: Visitor):
    assert visitor.fire("prepare")["success"]
    shown = visitor.fire("watch")["output"]["data"][0]["value"]
    answer = visitor.http.get(f"gradio_api/file={shown[0]['image']['path']}")
    assert answer.content.startswith(b"\x89PNG")
    assert not answer.headers.get("content-disposition", "").startswith("attachment")


@pytest.mark.parametrize("way", ["run", "api", "call", "call/v2"])
@pytest.mark.parametrize("name", ["watch", "prepare", "draw"])
def test_private_events_have_one_way_in(visitor: Visitor, way: str, name: str):
    body = {"data": [], "fn_index": visitor.event(name)["id"], "session_hash": visitor.session}
    assert visitor.http.post(f"gradio_api/{way}/{name}", json=body).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/dev/reload",
        "gradio_api/deep_link?session_hash=ab",
        "gradio_api/queue/status",
        "gradio_api/token",
        "gradio_api/runs",
        "gradio_api/file=https://evil.example/x.html",
        "gradio_api/file=http:/evil.example/x.html",
        "gradio_api/proxy=https://evil.hf.space/x",
        "gradio_api/file/etc/passwd",
        "monitoring",
        "monitoring/summary",
        "openapi.json",
        "docs",
    ],
)
def test_what_the_page_does_not_use_is_not_there(visitor: Visitor, path: str):
    assert visitor.http.get(path).status_code == 404


def test_a_recording_leaves_no_file(visitor: Visitor):
    assert visitor.http.post("gradio_api/process_recording", files={"video": b"x" * 1000}).status_code == 404


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ({"path": "http://evil.example/x.png", "is_stream": True}, 400),
        ({"path": "http:/var/x.png", "is_stream": True}, 400),
        ({"path": "/etc/passwd", "is_stream": True}, 400),
        ({"path": "https://evil.example/x.png"}, 400),
        ({"path": "/tmp/x.png", "url": "https://evil.example/x.png"}, 400),
    ],
)
def test_files_are_not_fetched_from_elsewhere(visitor: Visitor, file: dict[str, object], status: int):
    data = file | {"meta": {"_type": "gradio.FileData"}}
    assert visitor.join("open_file", open=data).status_code == status


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_pages_can_do_nothing(visitor: Visitor, headers: dict[str, str]):
    visitor.http.headers.update(headers)
    assert upload(visitor, b"x").status_code == 403
    for path in ("queue/join", "cancel", "reset", "component_server"):
        assert visitor.http.post(f"gradio_api/{path}", json={"data": []}).status_code == 403
    answer = visitor.http.get("config")
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_nobody_is_told_that_other_sites_may_ask(visitor: Visitor):
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    answer = visitor.http.options("gradio_api/queue/join", headers=asked)
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


def test_pages_and_files_are_protected(visitor: Visitor):
    path = upload(visitor, b"<script>alert(1)</script>").json()[0]
    for asked in ("", f"gradio_api/file={path}"):
        headers = visitor.http.get(asked).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js", "a.json", "a"])
def test_files_that_are_no_pictures_are_saved_and_not_shown(visitor: Visitor, name: str):
    sent = visitor.http.post("gradio_api/upload", files=[("files", (name, b"<script>alert(1)</script>"))])
    answer = visitor.http.get(f"gradio_api/file={sent.json()[0]}")
    assert answer.status_code == 200 and answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 60_000 + b"]" * 60_000, 413),
        (b"[" * 30_000 + b"]" * 30_000, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b'{"data": ["' + b"x" * 63_000 + b'"]}', 413),
        (b"{", 400),
        (b"\x00\xff" * 100, 400),
    ],
)
def test_json_is_bounded_in_size_and_depth_and_texts(visitor: Visitor, body: bytes, status: int):
    for path in ("queue/join", "cancel", "reset"):
        answer = visitor.http.post(f"gradio_api/{path}", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status


def test_json_without_an_end_is_refused_before_it_is_read(visitor: Visitor):
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 10_000

    try:
        answer = visitor.http.post(
            "gradio_api/queue/join", content=endless(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
    except httpx.WriteError:  # closed while it was still being sent
        pass
    assert visitor.http.get("healthz").status_code == 200


def test_uploads_are_bounded_in_size_number_and_an_hour(visitor: Visitor):
    assert upload(visitor, b"x" * 1_000_001).status_code == 413
    assert upload(visitor, *[b"x"] * 11).status_code == 413
    visitor.http.headers["X-Forwarded-For"] = "7.7.7.7"
    assert [upload(visitor, b"x").status_code for _ in range(13)] == [200] * 12 + [429]
    visitor.http.headers["X-Forwarded-For"] = "7.7.7.8"
    assert [upload(visitor, bytes(900_000)).status_code for _ in range(4)] == [200] * 3 + [429]


def test_two_hundred_strokes_use_up_nobody_s_uploads(visitor: Visitor):
    for number in range(200):  # with each the page sends all that its canvas shows
        for name in ("background.png", "layer_0.png", "composite.png"):
            sent = visitor.http.post("gradio_api/upload", files={"files": (name, b"%d" % number)})
            assert sent.status_code == 200, (number, sent.text)
    assert upload(visitor, b"x").status_code == 200


def test_two_hundred_strokes_are_taken_as_the_editor_s_own_pictures(visitor: Visitor):
    form = {"type": "layer", "index": "0", "id": "ab", "fn_name": "accept_blobs", "session_hash": visitor.session}
    form["component_id"] = str(canvas_of(visitor))
    ask = visitor.http.post
    answers = [ask("gradio_api/component_server", data=form, files={"file": b"x"}).status_code for _ in range(200)]
    assert set(answers) == {200}


def canvas_of(visitor: Visitor) -> int:
    """The number of the canvas."""
    parts = visitor.config["components"]
    return next(part["id"] for part in parts if part["props"].get("elem_id") == "canvas")


def test_a_field_of_a_form_is_bounded(visitor: Visitor):
    answer = visitor.http.post("gradio_api/upload", data={"files": "x" * 20_000}, files={"files": b"x"})
    assert answer.status_code == 413


@pytest.mark.parametrize("index", ["20000000", "16", "-1", "1e9"])
def test_a_layer_of_the_editor_has_a_sane_number(visitor: Visitor, index: str):
    canvas = canvas_of(visitor)
    form = {"type": "layer", "index": index, "id": "ab", "fn_name": "accept_blobs"}
    form |= {"component_id": str(canvas), "session_hash": visitor.session}
    answer = visitor.http.post("gradio_api/component_server", data=form, files={"file": b"x"})
    assert answer.status_code == 413
    form["index"] = "1"
    assert visitor.http.post("gradio_api/component_server", data=form, files={"file": b"x"}).status_code == 200


def test_an_upload_that_is_broken_off_leaves_nothing(address: str, cache: Path):
    host, port = address.removeprefix("http://").strip("/").split(":")
    before = set(cache.iterdir())
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: studio.example\r\nX-Forwarded-For: 6.6.6.6\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"x" * 100_000)
        while set(cache.iterdir()) == before:  # until the server writes
            threading.Event().wait(0.01)
    while set(cache.iterdir()) != before:  # until it has seen that nobody is there any more
        threading.Event().wait(0.01)
    assert not [path for path in cache.iterdir() if path.name.startswith("tmp")]


def test_connections_of_one_address_are_bounded_and_others_go_on(address: str):
    with Visitor(address, **{"X-Forwarded-For": "5.5.5.5"}) as one, Visitor(address) as other:
        streams = [one.http.stream("GET", f"gradio_api/heartbeat/{n}") for n in range(8)]
        try:
            for stream in streams:
                assert stream.__enter__().status_code == 200
            assert one.http.get("config").status_code == 429
            assert other.http.get("config").status_code == 200
        finally:
            for stream in streams:
                stream.__exit__(None, None, None)


def test_refusals_are_counted_by_kind(app: tuple[str, Figures], visitor: Visitor):
    count = lambda: app[1].registry.get_sample_value("var_studio_refusals_total", {"kind": "route"}) or 0  # noqa: E731
    before = count()
    visitor.http.get("monitoring")
    assert count() == before + 1


def test_events_with_senseless_data_end_and_are_a_line_each_in_the_log(visitor: Visitor):
    log = io.StringIO()
    with logged(PLAIN, log):
        for name in ("take", "undo_mask", "look_there", "act", "add_shape"):
            event = visitor.event(name)
            body = {"data": ["\x1b[31m"] * len(event["inputs"]), "fn_index": event["id"]}
            body["session_hash"] = visitor.session
            assert visitor.http.post("gradio_api/queue/join", json=body).status_code == 200
            asked = {"session_hash": visitor.session}
            with visitor.http.stream("GET", "gradio_api/queue/data", params=asked) as stream:
                messages = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
            assert messages[-1]["msg"] == "close_stream"
    lines = log.getvalue().splitlines()
    assert len(lines) <= 5 and all(line.isprintable() and "Traceback" not in line for line in lines)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a login."""
    hosting = Hosting(root="http://studio.example", accounts=Accounts.of("anna", PASSWORD))
    with served(tmp_path_factory.mktemp("cache"), hosting, replace(LIMITS, passwords=2)) as (where, _):
        yield where


def login(visitor: Visitor, password: str, name: str = "anna") -> int:
    return visitor.http.post("login", data={"username": name, "password": password}).status_code


def test_nothing_is_done_without_a_login(locked: str):
    with Visitor(locked) as visitor:
        assert visitor.http.get("config").status_code == 401
        assert upload(visitor, b"x").status_code == 401
        assert visitor.http.post("gradio_api/queue/join", json={"data": []}).status_code == 401
        assert visitor.http.get("healthz").text == visitor.http.get("readyz").text == "ok"


def test_bodies_are_bounded_before_a_login_too(locked: str):
    with Visitor(locked) as visitor:
        assert visitor.http.post("gradio_api/queue/join", json={"data": ["x" * 100_000]}).status_code == 413


def test_who_knows_the_password_is_let_in_and_other_sites_act_for_nobody(locked: str):
    with Visitor(locked) as visitor:
        assert login(visitor, PASSWORD) == 200
        cookies = visitor.http.cookies
        assert cookies and visitor.http.get("config").status_code == 200
        assert visitor.http.get("config", headers={"Origin": EVIL}).status_code == 403
        assert visitor.http.get("logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_cookies_stay_with_the_app_s_own_pages(locked: str):
    with Visitor(locked) as visitor:
        sent = visitor.http.post("login", data={"username": "anna", "password": PASSWORD}).headers
        assert "samesite=none" not in sent["set-cookie"].lower()


def test_wrong_passwords_lock_an_address_and_no_other(locked: str):
    with Visitor(locked, **{"X-Forwarded-For": "4.4.4.4"}) as one, Visitor(locked) as other:
        assert [login(one, "wrong") for _ in range(3)] == [400, 400, 429]
        assert login(one, PASSWORD) == 429
        assert login(other, PASSWORD) == 200
