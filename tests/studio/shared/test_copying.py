"""What is copied makes the same picture again."""

import shlex

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.command import run
from support.tiny import SPEC

from var_core.config import AUTO, LoadOptions, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.files import HOME
from var_studio.shared import controls, copying

USUAL = Request((1,), (7,), SPEC.default_sampling)
OTHER = Request((SPEC.transformer.null_label,), (2**62,), Sampling(1.5, 0.25, 0.5, top_k=3, smooth=True))


@pytest.fixture(params=["of the models folder", "elsewhere", "elsewhere, under a name that another one has", "int8"])
def pipe(request, tmp_path, monkeypatch) -> Pipeline:
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    models, other = tmp_path / "home" / "models", tmp_path / "a folder"
    models.mkdir(parents=True)
    other.mkdir()
    path = tiny.write(models if request.param in ("of the models folder", "int8") else other)
    if "another" in request.param:
        (models / path.name).write_bytes(b"another one")
    return Pipeline.load(str(path), LoadOptions("cpu", "int8") if request.param == "int8" else AUTO)


@pytest.mark.parametrize("request_", [USUAL, OTHER])
def test_the_command_makes_the_same_picture(pipe, tmp_path, request_):
    words = shlex.split(copying.command_line(pipe, request_))
    assert words[:5] == ["python", "-m", "var_core", "generate", "--model"]
    assert (words[5] == "tiny") == (pipe.path.parent.name == "models")
    assert run(*words[3:], "--out", tmp_path / "made.png") == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made.png")), np.asarray(pipe.run(request_).images[0]))


@pytest.mark.parametrize("request_", [USUAL, OTHER])
def test_the_lines_of_python_make_the_same_picture(pipe, tmp_path, monkeypatch, request_):
    monkeypatch.chdir(tmp_path)
    exec(compile(copying.python(pipe, request_), "copied", "exec"), {})
    assert np.array_equal(np.asarray(Image.open("picture.png")), np.asarray(pipe.run(request_).images[0]))


SEVERAL = Request((1, 1, 0, 0), ((7, 7, 9, 9), (7, 7, 10, 10)) * 2, SPEC.default_sampling)


def test_the_command_and_the_lines_of_python_make_several_pictures(pipe, tmp_path, monkeypatch):
    wanted = [np.asarray(image) for image in pipe.run(SEVERAL).images]
    monkeypatch.chdir(tmp_path)
    assert run(*shlex.split(copying.command_line(pipe, SEVERAL))[3:], "--out", tmp_path / "made") == 0
    names = [f"{name}-seed-7-then-{seed}.png" for name in ("rose", "lotus") for seed in (9, 10)]
    exec(compile(copying.python(pipe, SEVERAL), "copied", "exec"), {})
    for number, (name, image) in enumerate(zip(names, wanted, strict=True), 1):
        for file in (tmp_path / "made" / name, tmp_path / f"picture-{number}.png"):
            assert np.abs(np.asarray(Image.open(file)).astype(int) - image).max() <= 1


def test_how_the_model_was_loaded_is_told_only_where_it_changes_pictures(pipe):
    changed = pipe.options.dtype == "int8"
    assert ("--device cpu --dtype int8" in copying.command_line(pipe, USUAL)) == changed
    assert ("LoadOptions(device='cpu', dtype='int8')" in copying.python(pipe, USUAL)) == changed


def test_where_the_model_lies_is_told_to_nobody_else(pipe):
    assert str(pipe.path.parent) not in copying.copy_buttons(pipe, SEVERAL, host_paths=False)
    assert "--model tiny" in copying.command_line(pipe, SEVERAL, host_paths=False)


def test_settings_at_their_default_are_left_out(pipe):
    assert "--guidance" not in copying.command_line(pipe, USUAL) and "replace" not in copying.python(pipe, USUAL)


def test_the_buttons_carry_link_command_python_and_curl_as_text(pipe):
    shown = copying.copy_buttons(pipe, OTHER)
    assert shown.count("<button") == 3  # 2^62 is no number of JSON
    assert copying.copy_buttons(pipe, USUAL).count("<button") == 4
    assert copying.curl(pipe, SEVERAL) == ""
    assert f'data-copy-link="{controls.link(SPEC, OTHER)}"'.replace("&", "&amp;") in shown
    assert "data-copy-text=" in shown and "<img" not in shown
