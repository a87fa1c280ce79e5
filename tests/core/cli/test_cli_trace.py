"""The commands that look inside: trace and atlas."""

import cv2
import numpy as np
import pytest
from PIL import Image
from support import pictures, tiny
from support.command import fails, run

from var_core.config import Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection import render
from var_core.inspection.atlas import Atlas, atlas_path
from var_core.inspection.trace import Trace
from var_core.weights import checkpoints


@pytest.fixture
def own_model(tmp_path):
    return tiny.write(tmp_path)


def test_a_trace_is_of_the_picture_that_generate_makes(model, tmp_path):
    out = tmp_path / "new" / "rose.safetensors"
    asked = ("--class", "rose", "--seed", 7, "--guidance", 2, "--top-k", 9, "--model", model)
    assert run("trace", *asked, "--out", out) == 0
    assert run("generate", *asked, "--out", tmp_path) == 0
    trace = Trace.load(out)
    assert (trace.about.class_name, trace.about.seed, trace.about.origin) == ("Rose", 7, "drawn")
    assert trace.about.sampling == Sampling(guidance=2, top_k=9)
    with Image.open(tmp_path / "rose-seed-7.png") as picture:
        assert np.array_equal(np.asarray(picture), trace.pictures[-1].numpy())


def test_a_trace_that_goes_into_a_folder_is_called_by_what_it_shows(model, tmp_path):
    assert run("trace", "--class", "no class", "--seed", 3, "--out", tmp_path / "new", "--model", model) == 0
    assert Trace.load(tmp_path / "new" / "no-class-seed-3.safetensors").about.seed == 3


def test_a_dot_in_the_name_of_a_folder_makes_it_no_file(model, tmp_path):
    assert run("trace", "--class", "rose", "--out", tmp_path / "runs.v2", "--model", model) == 0
    assert Trace.load(tmp_path / "runs.v2" / "rose-seed-0.safetensors").about.class_name == "Rose"


def test_a_trace_comes_with_an_animation_a_film_and_a_sheet(model, tmp_path, capsys):
    out, gif, mp4, sheet = (tmp_path / f"a.{kind}" for kind in ("safetensors", "gif", "mp4", "png"))
    files = ("--out", out, "--gif", gif, "--mp4", mp4, "--sheet", sheet)
    assert run("trace", "--class", "sea", "--model", model, *files) == 0
    assert [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()] == [str(f) for f in files[1::2]]
    with Image.open(gif) as film, Image.open(sheet) as poster:
        assert film.n_frames == 4
        assert poster.tobytes() == render.contact_sheet(Trace.load(out)).tobytes()
    reader = cv2.VideoCapture(str(mp4))
    assert reader.read()[0] and reader.get(cv2.CAP_PROP_FPS) == render.FRAMES_A_SECOND
    reader.release()


@pytest.mark.parametrize(("words", "label"), [((), 7), (("--class", "tulip"), 3)])
def test_a_picture_that_is_given_is_traced_with_its_own_tokens(model, tmp_path, words, label):
    photo, out = tmp_path / "photo.png", tmp_path / "photo.safetensors"
    pictures.picture("stripes", np.random.default_rng(0), 50).save(photo)
    assert run("trace", "--picture", photo, *words, "--out", out, "--model", model) == 0
    trace, pipe = Trace.load(out), Pipeline.load(str(model))
    assert (trace.about.label, trace.about.origin, bool(trace.keep.all())) == (label, "opened", True)
    with Image.open(photo) as opened:
        assert all(map(np.array_equal, trace.pyramid(), pipe.encode(opened)))


def test_no_class_is_drawn_too(model, tmp_path):
    out = tmp_path / "none.safetensors"
    assert run("trace", "--class", "no class", "--out", out, "--model", model) == 0
    drawn = Pipeline.load(str(model)).run(Request((7,), (0,))).images[0]
    assert np.array_equal(np.asarray(drawn), Trace.load(out).pictures[-1].numpy())


def test_a_trace_overwrites_nothing_unless_asked(model, tmp_path, capsys):
    out, gif = tmp_path / "a.safetensors", tmp_path / "a.gif"
    task = ("trace", "--class", "rose", "--model", model, "--out", out, "--gif", gif)
    gif.write_bytes(b"mine")
    assert "a.gif is there already: add --replace" in fails(capsys, *task)
    assert gif.read_bytes() == b"mine" and not out.exists()
    assert run(*task, "--replace") == 0
    assert gif.read_bytes() != b"mine"
    first = out.read_bytes()
    assert "a.safetensors is there already" in fails(capsys, *task)
    assert out.read_bytes() == first


def test_traces_that_cannot_be_are_refused(model, tmp_path, capsys):
    out = tmp_path / "a.safetensors"
    task = ("trace", "--model", model, "--out", out)
    assert "Nothing to trace: give a --class" in fails(capsys, *task)
    assert "Did you mean: Lotus" in fails(capsys, *task, "--class", "lotos")
    assert "leave out --seed" in fails(capsys, *task, "--picture", "p.png", "--seed", 3)
    assert "there is no such file" in fails(capsys, *task, "--picture", tmp_path / "gone.png")
    assert "choose" in fails(capsys, *task, "--class", "rose", "--top-p", 2)
    for name in ("gif", "mp4", "sheet"):
        assert f"--{name}" in fails(capsys, *task, "--class", "rose", f"--{name}", tmp_path / "a.txt")
    assert "end the name with .safetensors" in fails(capsys, *task[:-1], tmp_path / "a.png", "--class", "rose")
    assert not list(tmp_path.iterdir())


def test_an_atlas_of_the_val_pictures_is_written_beside_the_model(own_model, data, capsys):
    (data / "val" / "stripes" / "broken.png").write_bytes(b"nothing")
    assert run("atlas", "--model", own_model, "--data", data) == 0
    said = capsys.readouterr().out
    assert "skipped (cannot be read)" in said and "64 codes in 9 pictures" in said
    atlas = Atlas.load(atlas_path(own_model))
    assert atlas.uses.sum() == 9 * 30 and len(atlas.uses) == 64


def test_an_atlas_is_replaced_only_if_asked(own_model, data, capsys):
    out = atlas_path(own_model)
    out.write_bytes(b"mine")
    assert "is there already: add --replace" in fails(capsys, "atlas", "--model", own_model, "--data", data)
    assert out.read_bytes() == b"mine"
    assert run("atlas", "--model", own_model, "--data", data, "--replace") == 0
    assert Atlas.load(out).uses.any()


def test_an_atlas_is_not_written_among_the_files_of_an_installed_package(own_model, data, capsys, monkeypatch):
    monkeypatch.setattr(checkpoints, "PACKAGE", own_model.parent)
    told = fails(capsys, "atlas", "--model", own_model, "--data", data, "--replace")
    assert "belongs to the installed package" in told and not atlas_path(own_model).exists()


def test_an_atlas_of_no_model_or_no_data_is_refused(own_model, tmp_path, capsys):
    assert "There is no model 'nothing'" in fails(capsys, "atlas", "--model", "nothing", "--data", tmp_path)
    assert "there is no folder" in fails(capsys, "atlas", "--model", own_model, "--data", tmp_path)
