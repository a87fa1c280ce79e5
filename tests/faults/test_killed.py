"""Programs that the system ends while they write: what was there is whole, and what comes after goes on from there."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import hub, tasks, tiny
from support.downloads import MODEL, drained
from support.faults import killed_in_mid_write

from var_core.engine.request import Request
from var_core.files import FORGOTTEN
from var_core.findings.run_log import read_log
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Trace
from var_core.picture_reading import open_photo
from var_core.recipe import Recipe
from var_core.training.trainer import Budget, Trainer
from var_core.weights import checkpoints

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ends programs as only Linux can")
PIPE = tiny.pipeline()


def picture(path: Path, seed: int) -> None:
    asked = Request((1,), (seed,))
    Recipe.of(PIPE, asked, 0).save(PIPE.run(asked).images[0], path)


def trace(path: Path, seed: int) -> None:
    recorded(PIPE, Request((1,), (seed,))).save(path)


def model(path: Path, seed: int) -> None:
    checkpoints.save(path, tiny.SPEC, *tiny.networks(seed))


def read_picture(path: Path) -> int:
    open_photo(path)
    return Recipe.read(path).seed


def read_trace(path: Path) -> int:
    return Trace.load(path).about.seed


def read_model(path: Path) -> int:
    weights = checkpoints.load(str(path)).var.head.weight
    return next(seed for seed in (1, 2) if torch.equal(weights, tiny.networks(seed)[2].head.weight.half().float()))


KINDS = [
    pytest.param(picture, read_picture, "a.png", 2000, id="picture"),
    pytest.param(trace, read_trace, "a.safetensors", 5000, id="trace"),
    pytest.param(model, read_model, "a.safetensors", 100_000, id="model"),
]


@pytest.mark.parametrize(("write", "read", "name", "at"), KINDS)
def test_a_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, write: Callable[[Path, int], None], read: Callable[[Path], int], name: str, at: int
):
    path = tmp_path / name
    killed_in_mid_write(lambda: write(path, 1), at)
    assert not path.exists()
    write(path, 1)
    assert read(path) == 1
    killed_in_mid_write(lambda: write(path, 2), at)
    assert read(path) == 1
    write(path, 2)
    assert read(path) == 2


@pytest.mark.parametrize(("write", "read", "name", "at"), KINDS)
def test_what_was_left_half_written_is_swept_away_a_day_later(
    tmp_path: Path, write: Callable[[Path, int], None], read: Callable[[Path], int], name: str, at: int
):
    path = tmp_path / f"[1] {name}"
    killed_in_mid_write(lambda: write(path, 1), at)
    (left,) = tmp_path.iterdir()
    write(path, 1)
    write(path, 1)
    assert left.exists()  # another program may be at it
    os.utime(left, (0, time.time() - FORGOTTEN - 1))
    write(path, 2)
    assert list(tmp_path.iterdir()) == [path] and read(path) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "arrived"), [(1_000_000, 1), (3_000_000, 2)], ids=["in the first file", "in a later one"]
)
def test_a_download_goes_on_where_it_was(line: hub.Hub, tmp_path: Path, at: int, arrived: int):
    killed_in_mid_write(lambda: drained(tmp_path), at)
    assert not (tmp_path / "plain.safetensors").exists()
    kept = [part.stat().st_size for part in (tmp_path / ".downloads").glob("*.part")]
    assert kept == [at] and len([file for file in MODEL.files if line.gets(file)]) == arrived
    drained(tmp_path)
    assert checkpoints.load("plain", tmp_path).spec == MODEL.spec
    assert at in [one.start for file in MODEL.files for one in line.gets(file)]


@pytest.mark.slow
def test_a_training_goes_on_from_its_last_whole_state(tmp_path: Path, folder):
    def trainer() -> Trainer:
        return Trainer(tasks.tokenizer_task(folder), tmp_path)

    begun = trainer()
    tasks.last(begun.run(Budget(steps=3)))
    rows = read_log(tmp_path)
    begun.update(1.0)
    killed_in_mid_write(begun.save, 100_000)
    with open(tmp_path / "log.jsonl", "a") as log:
        log.write('{"step": 4, "sec')  # what a full disk leaves of a row
    assert read_log(tmp_path) == rows
    again = trainer()
    again.load()
    assert again.step == 3
    tasks.last(again.run(Budget(steps=2)))
    assert again.step == 5 and read_log(tmp_path)[-1]["step"] == 5
    Image.open(max(tmp_path.glob("samples-*.png"))).load()
