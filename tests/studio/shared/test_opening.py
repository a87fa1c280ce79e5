"""Files are opened in processes that end when they take too long or too much, and in turns."""

import io
import os
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from var_studio.shared.limits import HOME
from var_studio.shared.opening import BUSY, Opener, Worker

SOON = replace(HOME, opening_seconds=1)
SMALL = replace(HOME, opening_mb=400)


def picture(folder: Path, name: str = "photo.png", size: tuple[int, int] = (30, 20)) -> Path:
    Image.effect_noise(size, 60).convert("RGB").save(folder / name)
    return folder / name


def asking(path: Path, task: str = "picture", **more: object) -> dict[str, object]:
    return {"task": task, "path": str(path), "target": str(path.with_suffix(".raw")), **more}


def scans(path: Path, side: int, count: int) -> Path:
    """Write a JPEG that has its last scan many times over: all of them are decoded, one after another."""
    held = io.BytesIO()
    Image.new("L", (side, side), 77).save(held, "JPEG", progressive=True)
    data = held.getvalue()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:last] + data[last:-2] * count + data[-2:])
    return path


def test_a_process_opens_one_file_after_another(tmp_path):
    worker, path = Worker(HOME), picture(tmp_path)
    first = worker.ask(asking(path))
    number = worker.number
    assert first == worker.ask(asking(path)) == {"shape": [20, 30, 3]} and worker.number == number
    wanted = np.asarray(Image.open(path))
    assert np.array_equal(np.fromfile(path.with_suffix(".raw"), np.uint8).reshape(20, 30, 3), wanted)


def test_a_file_that_takes_too_long_is_given_up_and_the_next_one_opens(tmp_path):
    worker = Worker(SOON)
    bomb, path = scans(tmp_path / "bomb.jpg", 3000, 2000), picture(tmp_path)
    assert bomb.stat().st_size < 2_000_000
    worker.ask(asking(path))
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"bomb.jpg takes more than 1 second to open. Make it smaller first"):
        worker.ask(asking(bomb))
    assert time.monotonic() - started < 10
    assert worker.ask(asking(path))["shape"] == [20, 30, 3]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not bound the memory of a process in this way")
def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_one_opens(tmp_path):
    worker, path = Worker(SMALL), picture(tmp_path)
    Image.new("L", (7000, 7000)).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"large.png needs more than 400 megabytes of memory to open"):
        worker.ask(asking(tmp_path / "large.png"))
    assert worker.ask(asking(path))["shape"] == [20, 30, 3]


def test_a_process_that_was_ended_from_outside_is_replaced(tmp_path):
    worker, path = Worker(HOME), picture(tmp_path)
    worker.ask(asking(path))
    before = worker.number
    worker._process.kill()
    worker._process.wait()
    assert worker.ask(asking(path))["shape"] == [20, 30, 3] and worker.number != before


def test_a_picture_of_more_megapixels_than_visitors_may_send_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has 1500 x 1000 pixels, 2 megapixels: at most 1\."):
        Worker(replace(HOME, megapixels=1)).ask(asking(picture(tmp_path, size=(1500, 1000))))


def test_a_text_that_swells_is_refused(tmp_path):
    path = picture(tmp_path)
    text = b"var-studio\0\0" + zlib.compress(bytes(2**24), 9)
    chunk = len(text).to_bytes(4, "big") + b"zTXt" + text + zlib.crc32(b"zTXt" + text).to_bytes(4, "big")
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])  # after the header
    with pytest.raises(ValueError, match=r"not a picture that can be read|damaged"):
        Worker(HOME).ask(asking(path, "text"))


def test_a_visitor_has_one_turn_at_a_time_and_others_come_between():
    opener, taken, release = Opener(workers=2), [], threading.Event()

    def wait(name: str) -> None:
        with opener._turn(name):
            taken.append(name)
            assert release.wait(20)

    threads = [threading.Thread(target=wait, args=("first",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(taken) == 1 and len(opener._waiting) == 2)
    other = threading.Thread(target=wait, args=("other",))
    other.start()
    until(lambda: len(taken) == 2)
    assert taken == ["first", "other"]
    release.set()
    for thread in (*threads, other):
        thread.join()
    assert sorted(taken) == ["first"] * 3 + ["other"] and not opener._served and len(opener._free) == 2


@pytest.mark.parametrize(("names", "waiting"), [(["one"] * 3, 99), (["one", "two"], 2)])
def test_too_many_files_that_wait_are_refused_at_once(names, waiting):
    limits = replace(HOME, opening_waiting=3, opening_queue=waiting)
    opener, release = Opener(limits, 1), threading.Event()

    def wait(name: str) -> None:
        with opener._turn(name):
            assert release.wait(20)

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("zero", *names)]
    threads[0].start()
    until(lambda: opener._served == ["zero"])
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(opener._waiting) == len(names))
    with pytest.raises(ValueError, match=BUSY), opener._turn("one"):
        pass
    release.set()
    for thread in threads:
        thread.join()


def until(come: Callable[[], bool]) -> None:
    """Wait for what other threads bring about."""
    waiting, end = threading.Event(), time.monotonic() + 20
    while not come():
        assert time.monotonic() < end
        waiting.wait(0.01)
