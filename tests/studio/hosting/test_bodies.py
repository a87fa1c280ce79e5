"""Bodies are bounded before the app reads them."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from support.door import ask, echo, form, in_pieces, photo

from var_studio.hosting.bodies import Bodies, BrokenUploads
from var_studio.shared.limits import Limits

LIMITS = Limits(file_mb=1, uploads=3, upload_mb=2, painted=20, painted_mb=3, request_kb=16, text=1000)
JOIN, UPLOAD, BLOB = "/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/component_server"
JSON = {"content-type": "application/json"}
DRAWN = {"type": "layer", "index": "0", "id": "ab", "fn_name": "accept_blobs", "component_id": "7", "session_hash": "s"}


@pytest.fixture
def door(tmp_path: Path) -> Bodies:
    return Bodies(echo, LIMITS, tmp_path)


def send(door: Bodies, path: str, data: dict[str, str], files: list) -> tuple[int, dict]:
    kind, body = form(data, files)
    answer = ask(door, path, "POST", content=body, headers={"content-type": kind})
    return answer.status_code, answer.json() if answer.status_code == 200 else {"detail": answer.text}


def test_json_arrives_as_it_was_sent(door: Bodies):
    body = json.dumps({"data": ["x" * 900]}).encode()
    assert ask(door, JOIN, "POST", content=body, headers=JSON).json()["size"] == len(body)
    assert ask(door, JOIN, "POST", content=in_pieces(body[:5], body[5:]), headers=JSON).json()["size"] == len(body)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[" + b" " * 16_000 + b"]", "application/json", 413),
        (b'["' + b"x" * 1001 + b'"]', "application/json", 413),
        (b"{}", "text/plain", 415),  # what a form of another site can send without asking
        (b"{}", "", 415),
        (b"nothing", "application/json", 400),
    ],
)
def test_json_out_of_bounds_is_refused(door: Bodies, body: bytes, kind: str, status: int):
    assert ask(door, JOIN, "POST", content=body, headers={"content-type": kind}).status_code == status


def test_a_body_without_a_length_is_refused_once_it_is_too_long(door: Bodies):
    async def endless():
        while True:
            yield b" " * 1000

    assert ask(door, JOIN, "POST", content=endless(), headers=JSON).status_code == 413


def test_a_request_that_brings_nothing_may_have_no_body(door: Bodies):
    assert ask(door, "/", content=b"x").status_code == 413
    assert ask(door, "/").status_code == 200


def test_a_login_is_short(door: Bodies):
    assert ask(door, "/login", "POST", data={"username": "anna", "password": "secret"}).status_code == 200
    assert ask(door, "/login", "POST", data={"username": "anna", "password": "x" * 20_000}).status_code == 413


def test_an_upload_arrives_as_it_was_sent(door: Bodies):
    kind, body = form({}, [photo(50_000)])
    answer = ask(door, UPLOAD, "POST", content=in_pieces(body[:100], body[100:]), headers={"content-type": kind})
    assert answer.json()["size"] == len(body)


@pytest.mark.parametrize("is_told", [True, False], ids=["told before", "not told"])
def test_an_upload_that_is_too_large_is_refused(door: Bodies, is_told: bool):
    kind, body = form({}, [photo(1_000_001)])
    content = body if is_told else in_pieces(body[:600_000], body[600_000:])
    answer = ask(door, UPLOAD, "POST", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.text) == (413, "This is larger than 1 MB.")


def test_an_hour_s_uploads_are_counted(door: Bodies):
    assert [send(door, UPLOAD, {}, [photo()])[0] for _ in range(4)] == [200, 200, 200, 429]
    kind, body = form({}, [photo()])
    other = ask(door, UPLOAD, "POST", client=("8.8.8.8", 1), content=body, headers={"content-type": kind})
    assert other.status_code == 200


def part(name: str, size: int = 10) -> tuple[str, tuple[str, bytes]]:
    return "files", (name, b"x" * size)


def test_what_a_canvas_sends_has_an_hour_of_its_own(door: Bodies):
    names = ("background.png", "composite.png", "layer_0.png")
    assert {send(door, UPLOAD, {}, [part(name)])[0] for name in names for _ in range(5)} == {200}
    assert [send(door, BLOB, DRAWN, [photo()])[0] for _ in range(6)] == [200] * 5 + [429]
    assert send(door, UPLOAD, {}, [part("layer_0.png")])[0] == 429
    assert [send(door, UPLOAD, {}, [part("layer_0.png.png")])[0] for _ in range(4)] == [200, 200, 200, 429]


def test_the_bytes_of_a_canvas_are_bounded_and_files_among_them_are_counted(door: Bodies):
    large = part("composite.png", 900_000)
    assert [send(door, UPLOAD, {}, [large])[0] for _ in range(4)] == [200] * 3 + [429]
    both = [part("layer_0.png"), part("photo.png")]
    assert [send(door, UPLOAD, {}, both)[0] for _ in range(2)] == [200, 429]


def test_what_broken_uploads_leave_is_removed_and_what_others_write_is_kept(tmp_path: Path):
    whole = tmp_path / "1a" / "photo.png"

    async def gradio(scope, receive, send):
        (tmp_path / "tmp123").write_bytes(b"part")
        await echo(scope, receive, send)

    whole.parent.mkdir()
    whole.write_bytes(b"whole")
    door = Bodies(gradio, LIMITS, tmp_path)
    kind, body = form({}, [photo(600_000), photo(600_000)])
    content = in_pieces(body[:700_000], body[700_000:])
    assert ask(door, UPLOAD, "POST", content=content, headers={"content-type": kind}).status_code == 413
    assert list(tmp_path.iterdir()) == [whole.parent] and whole.exists()


def test_while_another_upload_is_under_way_only_what_is_long_idle_is_removed(tmp_path: Path):
    fresh, idle = tmp_path / "tmp1", tmp_path / "tmp2"
    fresh.touch()
    idle.touch()
    broken = BrokenUploads(tmp_path, patience := 30.0, lambda: now)
    now = 0.0
    with broken.swept():
        with broken.swept():
            pass
        assert fresh.exists() and idle.exists()  # whatever the system's clock says
        now = 4 * patience + 1
        os.utime(fresh, (1, 1))  # it is written to, by a clock that was set back
        with broken.swept():
            pass
        assert fresh.exists() and not idle.exists()
    assert not fresh.exists()


def test_a_body_that_pauses_for_too_long_is_given_up(tmp_path: Path):
    door = Bodies(echo, LIMITS, tmp_path, patience=0.01)

    async def pausing():
        yield b"["
        await asyncio.Event().wait()

    assert ask(door, JOIN, "POST", content=pausing(), headers=JSON).status_code == 408


def test_a_picture_of_the_editor_arrives_as_it_was_sent(door: Bodies):
    _, body = form(DRAWN, [photo(900_000)])
    assert send(door, BLOB, DRAWN, [photo(900_000)])[1]["size"] == len(body)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"index": "20000000"}, 413),
        ({"index": "16"}, 413),
        ({"index": "-1"}, 413),
        ({"index": "null"}, 200),
        ({"fn_name": "ls"}, 404),
        ({"fn_name": "__init__"}, 404),
        ({"type": "anything"}, 404),
        ({"id": ""}, 400),
        ({"component_id": "seven"}, 400),
        ({"session_hash": ""}, 400),
    ],
)
def test_other_calls_of_components_are_refused(door: Bodies, change: dict[str, str], status: int):
    assert send(door, BLOB, DRAWN | change, [photo()])[0] == status


@pytest.mark.parametrize("number", [0, 2])
def test_the_editor_sends_one_picture_at_a_time(door: Bodies, number: int):
    assert send(door, BLOB, DRAWN, [photo()] * number)[0] in (400, 413, 415)


def test_components_are_not_called_with_json(door: Bodies):
    assert ask(door, BLOB, "POST", json=DRAWN).status_code == 415
