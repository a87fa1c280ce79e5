"""What is copied makes the same picture again."""

import shlex

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.command import run
from support.tiny import SPEC

from var_core.config import Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.files import HOME
from var_studio.shared import controls, copying

USUAL = Request((1,), (7,), SPEC.default_sampling)
OTHER = Request((SPEC.transformer.null_label,), (2**62,), Sampling(1.5, 0.25, 0.5, top_k=3, smooth=True))


@pytest.fixture
def pipe(tmp_path, monkeypatch) -> Pipeline:
    monkeypatch.setenv(HOME, str(tmp_path))
    (tmp_path / "models").mkdir()
    return Pipeline.load(str(tiny.write(tmp_path)))


@pytest.mark.parametrize("request_", [USUAL, OTHER])
def test_the_command_makes_the_same_picture(pipe, tmp_path, request_):
    words = shlex.split(copying.command(pipe, request_))
    assert words[:6] == ["python", "-m", "var_core", "generate", "--model", "tiny"]
    words[5] = str(pipe.path)  # wherever it lies
    assert run(*words[3:], "--out", tmp_path / "made.png") == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made.png")), np.asarray(pipe.run(request_).images[0]))


@pytest.mark.parametrize("request_", [USUAL, OTHER])
def test_the_lines_of_python_make_the_same_picture(pipe, tmp_path, monkeypatch, request_):
    monkeypatch.chdir(tmp_path)
    lines = copying.python(pipe, request_).replace("'tiny'", repr(str(pipe.path)))
    exec(compile(lines, "copied", "exec"), {})
    assert np.array_equal(np.asarray(Image.open("picture.png")), np.asarray(pipe.run(request_).images[0]))


def test_settings_at_their_default_are_left_out(pipe):
    assert "--guidance" not in copying.command(pipe, USUAL) and "replace" not in copying.python(pipe, USUAL)


def test_the_buttons_carry_link_command_and_python_as_text(pipe):
    shown = copying.buttons(pipe, OTHER)
    assert shown.count("<button") == 3
    assert f'data-copy-link="{controls.link(SPEC, OTHER)}"'.replace("&", "&amp;") in shown
    assert "data-copy-text=" in shown and "<img" not in shown
