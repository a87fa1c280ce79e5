"""A disk without room: one sentence, nothing half-written, nothing lost, and all goes on once there is room."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import tiny
from support.faults import mounts, no_room, on_small_disk, one_sentence
from support.program import Program
from support.served import served

from var_core.engine.request import Request
from var_core.files import Unwritten
from var_core.inspection import render
from var_core.inspection.recording import recorded
from var_core.recipe import Recipe
from var_core.training.trainer import write_whole
from var_core.weights import checkpoints
from var_studio.shared.guarded_events import NO_ROOM

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bounds files as only POSIX can")
PIPE = tiny.pipeline()
ASKED = Request((1,), (3,))
DRAWN = ("generate", "Rose", 2, 7, {})  # as programs ask for it
WRITERS: dict[str, Callable[[Path], None]] = {
    "picture.png": lambda path: Recipe.of(PIPE, ASKED, 0).save(Image.effect_noise((90, 90), 90), path),
    "trace.safetensors": lambda path: recorded(PIPE, ASKED).save(path),
    "model.safetensors": lambda path: checkpoints.save(path, tiny.SPEC, *tiny.networks()),
    "state.pt": lambda path: write_whole({"weights": torch.rand(20_000)}, path),
    "film.gif": lambda path: render.write(recorded(PIPE, ASKED), "gif", path),
    "sheet.png": lambda path: render.write(recorded(PIPE, ASKED), "sheet", path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_whatever_is_written_is_whole_or_as_it_was(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"what was there")
    with no_room(beyond=1000), pytest.raises(Unwritten, match=f"^{name} could not be written: there is no room"):
        WRITERS[name](path)
    assert path.read_bytes() == b"what was there" and list(tmp_path.iterdir()) == [path]
    WRITERS[name](path)
    assert path.stat().st_size > 1000


def test_a_fault_that_is_none_of_the_disk_s_is_told_as_it_is(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="absent"):
        Recipe.of(PIPE, ASKED, 0).save(Image.open(tmp_path / "absent.png"), tmp_path / "a.png")


@pytest.mark.slow
@pytest.mark.skipif(not mounts(), reason="no disk can be mounted here")
def test_a_command_on_a_full_disk_says_so_and_leaves_no_part_of_a_file(tmp_path: Path):
    model, out = tiny.write(tmp_path), tmp_path / "disk"
    asked = ("-m", "var_core", "trace", "--model", model, "--class", "Rose", "--out", out / "a.safetensors")
    done = on_small_disk(out, "size=8k", *asked)
    assert done.returncode == 2 and one_sentence(done.stderr), done.stderr
    assert "a.safetensors could not be written: there is no room left for it." in done.stderr
    assert done.stdout == ""  # nothing lies there


@pytest.mark.slow
def test_a_server_without_room_says_so_and_goes_on_afterwards(tmp_path: Path):
    Image.effect_noise((60, 40), 60).save(tmp_path / "photo.png")
    with served(tmp_path / "cache") as (address, _):
        program = Program(address)
        photo = program.upload(tmp_path / "photo.png")
        made = [Path(one["image"]["path"]) for one in program.call(*DRAWN)[1]]
        program.call("encode", photo)  # the processes that open files are there
        held = {path: path.read_bytes() for path in made}
        with no_room(beyond=100):
            for asked in (DRAWN, ("trace", "Rose", 0, {}), ("encode", photo)):
                assert "no room left" in program.refused(*asked), asked
            sent = program.http.post("/upload", files={"files": ("a.png", b"x" * 2_000_000)})
            assert sent.status_code == 507 and sent.text == NO_ROOM
        assert {path: path.read_bytes() for path in held} == held
        assert len(program.call(*DRAWN)[1]) == 2
        program.call("encode", program.upload(tmp_path / "photo.png"))
        assert not list((tmp_path / "cache").rglob("*.part"))
