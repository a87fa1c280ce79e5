"""Pictures by the thousand: the same whatever the number of processes, and gone on with after a stop."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.processes import two_started

from var_core.cli import main
from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.measuring.fid_samples import NOTE, FidJob, make_samples, write_npz

PIPE = tiny.pipeline()


def drained(job: FidJob, rank: int = 0, world: int = 1) -> int:
    return sum(make_samples(PIPE, job, rank, world))


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: Image.open(path).tobytes() for path in sorted(folder.glob("*.png"))}


def test_every_picture_has_the_next_label_and_the_next_seed(tmp_path: Path):
    assert drained(FidJob(5, (1, 4), tmp_path, seed=20, batch=2)) == 5
    for number, (label, seed) in enumerate([(1, 20), (4, 21), (1, 22), (4, 23), (1, 24)]):
        wanted = np.asarray(PIPE.run(Request((label,), (seed,))).images[0]).astype(int)
        assert np.abs(np.asarray(Image.open(tmp_path / f"{number:06d}.png")) - wanted).max() <= 1


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_shares_are_the_whole(tmp_path: Path, batch: int):
    drained(FidJob(7, (1, 2, 3), tmp_path / "alone", batch=1))
    made = [drained(FidJob(7, (1, 2, 3), tmp_path / "shared", batch=batch), rank, 3) for rank in range(3)]
    assert made == [3, 2, 2]
    alone, shared = pictures(tmp_path / "alone"), pictures(tmp_path / "shared")
    assert alone.keys() == shared.keys()
    for name, pixels in alone.items():
        levels = np.frombuffer(pixels, np.uint8).astype(int) - np.frombuffer(shared[name], np.uint8)
        assert np.abs(levels).max() <= 1


def test_what_is_there_is_not_made_again(tmp_path: Path):
    job = FidJob(4, (1,), tmp_path)
    drained(job)
    before = (tmp_path / "000001.png").stat().st_mtime_ns
    (tmp_path / "000002.png").unlink()
    (tmp_path / ".000003.png.part").write_bytes(b"half")
    assert drained(job) == 1
    assert (tmp_path / "000001.png").stat().st_mtime_ns == before
    assert drained(FidJob(6, (1,), tmp_path)) == 2  # more of the same


def test_a_folder_of_another_job_is_refused(tmp_path: Path):
    drained(FidJob(1, (1,), tmp_path))
    mine = FidJob(1, (1,), tmp_path)
    for change in ({"labels": (2,)}, {"seed": 5}, {"sampling": Sampling(guidance=1.0)}):
        with pytest.raises(ValueError, match="another model, class, seed or setting"):
            drained(replace(mine, **change))


def test_the_npz_holds_all_pictures_in_order(tmp_path: Path):
    job = FidJob(5, (1, 2), tmp_path / "made")
    drained(job)
    write_npz(job, tmp_path / "made.npz")
    found = np.load(tmp_path / "made.npz")["arr_0"]
    assert found.shape == (5, 32, 32, 3) and found.dtype == np.uint8
    for number in range(5):
        assert np.array_equal(found[number], np.asarray(Image.open(job.path(number))))


def test_a_missing_picture_is_told(tmp_path: Path):
    job = FidJob(3, (1,), tmp_path / "made")
    drained(job)
    job.path(1).unlink()
    with pytest.raises(ValueError, match="1 of 3 pictures missing"):
        write_npz(job, tmp_path / "made.npz")


@pytest.mark.parametrize("wrong", [{"count": 0}, {"batch": 0}, {"labels": ()}])
def test_nothing_to_do_is_answered(tmp_path: Path, wrong: dict):
    with pytest.raises(ValueError, match="choose 1 or more of each"):
        FidJob(**{"count": 1, "labels": (1,), "out": tmp_path, **wrong})


def test_the_command_makes_pictures_and_the_npz(tmp_path: Path, capsys):
    model = tiny.write(tmp_path)
    out = tmp_path / "made"
    asked = [
        "sample",
        "--model",
        str(model),
        "--count",
        "4",
        "--classes",
        "lotus,sea",
        "--out",
        str(out),
        "--device",
        "cpu",
    ]
    assert main(asked) == 0
    assert len(pictures(out)) == 4 and np.load(tmp_path / "made.npz")["arr_0"].shape[0] == 4
    assert "Memory is short" not in capsys.readouterr().out
    assert main([*asked, "--metrics"]) == 2  # other settings
    note = out / NOTE
    noted = json.loads(note.read_text())
    del noted["format"], noted["sampling"]["ramp"], noted["sampling"]["cooling"]  # as if begun before there were these
    note.write_text(json.dumps(noted))
    assert main([*asked, "--count", "5"]) == 0 and len(pictures(out)) == 5
    assert main([*asked, "--cooling", "0.5"]) == 2


def test_where_memory_is_short_the_command_says_so_and_makes_all(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: 0)
    asked = [
        "sample",
        "--model",
        str(tiny.write(tmp_path)),
        "--count",
        "3",
        "--out",
        str(tmp_path / "made"),
        "--device",
        "cpu",
    ]
    assert main(asked) == 0 and len(pictures(tmp_path / "made")) == 3
    assert "Memory is short for 16 pictures at once: they are made in parts." in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="ends programs as only POSIX can")
def test_two_processes_of_which_one_is_killed_end_with_the_same_pictures(tmp_path: Path):
    model, out, said = tiny.write(tmp_path), tmp_path / "shared", tmp_path / "said"
    asked = ["sample", "--model", str(model), "--count", "60", "--batch", "1", "--device", "cpu", "--out"]
    both = two_started(*asked, out, said=said)
    while len(list(out.glob("*.png"))) < 5 and both[0].is_alive():
        both[0].join(0.01)
    both[0].kill()
    for one in both:
        one.join(60)
    there = len(list(out.glob("*.png")))
    assert [one.exitcode != 0 for one in both] == [True, True] and 5 <= there < 60
    both = two_started(*asked, out, said=said)
    for one in both:
        one.join(100)
    assert [one.exitcode for one in both] == [0, 0]
    assert main([*asked, str(tmp_path / "alone")]) == 0
    assert pictures(out) == pictures(tmp_path / "alone")
