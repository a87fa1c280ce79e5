"""Files and events that are made to harm a server that is really served: others are answered meanwhile."""

import io
import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.caller import Caller

from var_studio import main as app
from var_studio.shared.guarded_events import STRANGE
from var_studio.shared.limits import HOME, PUBLIC
from var_studio.shared.opening import BUSY

SECONDS = 3
LIMITS = replace(HOME, opening_seconds=SECONDS, opening_mb=PUBLIC.opening_mb)
GIBIBYTE = 2**30


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gr.Blocks]:
    """The app over the tiny model, served; its files lie in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("served")))
        made = app.build(tiny.pipeline(), limits=LIMITS)
        made.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False)
        yield made
        made.close()


@pytest.fixture
def visitor(page: gr.Blocks) -> Caller:
    return Caller(page, page.local_url)


def scans(path: Path) -> Path:
    """Write a JPEG of 49 megapixels with 1,000 scans."""
    held = io.BytesIO()
    Image.new("L", (7000, 7000), 77).save(held, "JPEG", progressive=True)
    data = held.getvalue()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:last] + data[last:-2] * 1000 + data[-2:])
    return path


def strip(path: Path) -> Path:
    Image.new("L", (1, 50_000_000)).save(path, "PNG")
    return path


def large(path: Path) -> Path:
    Image.new("L", (7000, 7000)).save(path, "PNG", compress_level=9)
    return path


def peaks() -> dict[int, int]:
    """The most bytes of memory that each process which opens files for this one has had so far, by its number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            command = (folder / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if int(told["PPid"]) == os.getpid() and "opening_worker" in command and "VmHWM" in told:
            found[int(folder.name)] = 1024 * int(told["VmHWM"].split()[0])
    return found


def seconds_of(other: Caller) -> float:
    """How long another visitor waits for the answer to a small event."""
    asked = time.monotonic()
    assert "data" in other.call("in_group", "", "Rose")
    return time.monotonic() - asked


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory of processes is read from /proc")
@pytest.mark.parametrize(("write", "opens"), [(scans, False), (strip, None), (large, None)])
def test_files_that_take_long_to_open_end_in_time_and_others_are_answered_meanwhile(page, tmp_path, write, opens):
    slow, other = Caller(page, page.local_url), Caller(page, page.local_url)
    alone = [seconds_of(other) for _ in range(10)]  # however busy the machine is
    sent, ended = slow.upload(write(tmp_path / "bomb.jpg")), []
    started = time.monotonic()

    def open_it() -> None:
        ended.append((slow.call("open_file", sent, None, None), time.monotonic() - started))

    thread = threading.Thread(target=open_it)
    thread.start()
    waits, memory = [], peaks()
    while thread.is_alive():
        waits.append(seconds_of(other))
        memory |= peaks()
        thread.join(0.1)  # people do not ask all the time
    ((answer, seconds),) = ended
    assert seconds < 4 * SECONDS
    assert max(waits) < max(2.0, 5 * max(alone)), (sorted(waits), sorted(alone))  # less than any file here computes
    assert len(waits) < 10 or statistics.quantiles(waits, n=10)[-1] < max(1.0, 3 * max(alone))
    assert memory and max(memory.values()) <= GIBIBYTE
    if opens is not None:
        assert ("data" in answer) == opens
    assert "data" in answer or "Make it smaller first" in answer["error"]
    Image.effect_noise((30, 20), 60).save(tmp_path / "photo.png")
    assert "data" in slow.call("open_file", slow.upload(tmp_path / "photo.png"), None, None)


def test_a_layer_many_times_over_is_refused_before_it_is_opened(visitor, tmp_path):
    Image.effect_noise((30, 20), 60).save(tmp_path / "photo.png")
    visitor.call("open_file", visitor.upload(tmp_path / "photo.png"), None, None)
    layer = visitor.upload(large(tmp_path / "layer.png"))
    started = time.monotonic()
    answer = visitor.call("undo_mask", None, {"background": None, "layers": [layer] * 12, "composite": None})
    assert answer["error"] == STRANGE and time.monotonic() - started < 5
    answer = visitor.call("undo_mask", None, {"background": None, "layers": [layer], "composite": None})
    assert "a canvas that is not one of its own" in answer["error"]


def test_many_files_dropped_at_once_are_opened_or_refused_and_another_s_is_opened_meanwhile(page, tmp_path):
    hog, other = Caller(page, page.local_url), Caller(page, page.local_url)
    Image.effect_noise((2000, 1500), 60).save(tmp_path / "photo.png")
    Image.effect_noise((30, 20), 60).save(tmp_path / "small.png")
    dropped, small = hog.upload(tmp_path / "photo.png"), other.upload(tmp_path / "small.png")
    joined = [hog.join("open_file", dropped, None, None) for _ in range(40)]
    assert "data" in other.call("open_file", small, None, None)
    ends = hog.ends(joined)
    assert any("data" in one for one in ends)
    assert {one["error"] for one in ends if "data" not in one} <= {BUSY}


def test_nobody_s_canvas_is_pushed_out_or_taken_by_another(page, tmp_path):
    anna, ben = Caller(page, page.local_url), Caller(page, page.local_url)
    layer = large(tmp_path / "layer.png").read_bytes()  # of which it is told that it has been looked at
    named = {"background": None, "layers": [], "composite": None, "id": "hers"}
    assert anna.paint("hers", layer).status_code == 200
    assert {ben.paint(str(number), b"x").status_code for number in range(200)} == {200}
    assert "not one of its own" not in ben.call("undo_mask", None, named).get("error", "")
    assert "a canvas that is not one of its own" in anna.call("undo_mask", None, named)["error"]
    assert "not one of its own" not in anna.call("undo_mask", None, named).get("error", "")


@pytest.mark.parametrize("kind", ["DDS", "ICNS", "ICO", "TGA"])
def test_a_canvas_of_another_kind_is_not_opened(visitor, tmp_path, kind):
    Image.new("RGBA", (32, 32)).save(tmp_path / "canvas", kind)
    sent = visitor.upload(tmp_path / "canvas")
    answer = visitor.call("undo_mask", None, {"background": sent, "layers": [], "composite": None})
    assert "not a picture that can be read" in answer["error"]


def test_a_file_that_was_not_uploaded_is_not_opened(visitor, tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "own.png")
    for path in (str(tmp_path / "own.png"), "http:/own.png", "http://127.0.0.1/own.png"):
        sent = {"path": path, "is_stream": True, "meta": {"_type": "gradio.FileData"}}
        answer = visitor.call("open_file", sent, None, None)
        assert "data" not in answer and answer["error"], path


def test_a_photo_opened_ten_times_leaves_few_files_and_no_empty_ones(visitor, tmp_path):
    folder = Path(gr.Gallery.GRADIO_CACHE if hasattr(gr.Gallery, "GRADIO_CACHE") else visitor.page.GRADIO_CACHE)
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    before = {file for file in folder.rglob("*") if file.is_file()}
    for _ in range(10):
        sent = visitor.upload(tmp_path / "a.png")
        assert "data" in visitor.call("open_file", sent, None, None)
    left = {file for file in folder.rglob("*") if file.is_file()} - before
    assert len(left) <= 40 and all(file.stat().st_size for file in left)
