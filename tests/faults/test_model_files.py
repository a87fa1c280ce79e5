"""The file of a model that is in use: replaced, or deleted."""

from pathlib import Path

import pytest
from support import tiny

from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.weights import checkpoints
from var_studio.shared.models import Models

ASKED = Request((1, 2), (3, 4))


def replace_it(path: Path) -> None:
    tiny.write(path.parent, seed=1)


def delete_it(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [replace_it, delete_it])
def test_pictures_stay_those_of_the_model_that_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change):
    monkeypatch.setattr(checkpoints, "LARGE", 1)  # all of it is used where it lies in the file
    path = tiny.write(tmp_path)
    pipe = Pipeline.load(str(path), ON_CPU)
    before, _ = [image.tobytes() for image in pipe.run(ASKED).images], change(path)
    assert [image.tobytes() for image in pipe.run(ASKED).images] == before


def test_a_model_that_is_gone_is_not_loaded_again_and_the_one_in_use_stays(tmp_path: Path):
    other, used = tmp_path / "other.safetensors", tiny.write(tmp_path)
    checkpoints.save(other, tiny.SPEC, *tiny.networks(1))
    models = Models(Pipeline.load("tiny", ON_CPU, tmp_path), ON_CPU, tmp_path)
    other.unlink()
    with pytest.raises(ValueError, match="There is no model 'other'"):
        models.change("other")
    assert models.name == "tiny" and models.pipe.run(ASKED).images
    checkpoints.save(other, tiny.SPEC, *tiny.networks(1))
    models.change("other")
    used.unlink()
    with pytest.raises(ValueError, match="There is no model 'tiny'"):
        models.change("tiny")
    assert models.name == "other" and models.pipe.run(ASKED).images


def test_a_model_is_copied_only_from_its_own_file(tmp_path: Path):
    pipe = Pipeline.load(str(tiny.write(tmp_path)), ON_CPU)
    replace_it(tmp_path / "tiny.safetensors")
    for change in (replace_it, delete_it):
        change(tmp_path / "tiny.safetensors")
        with pytest.raises(ValueError, match="is gone, or another model now than the one that is loaded"):
            pipe.save_pretrained(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
