"""One model begins a picture, another one finishes it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny
from support.command import fails, run
from support.tiny import SPEC, pipeline

from var_core.config import Sampling
from var_core.editing.edit import Edit
from var_core.editing.edit import run_edit as run_edit
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.engine.two_models import finished
from var_core.recipe import Recipe
from var_core.weights.checkpoints import LoadedModel

REQUEST = Request((1, 2), (3, 4), Sampling(top_k=0))


def smaller(width: int = 16, tokenizer_seed: int = 0, spec=SPEC) -> Pipeline:
    """A model of another width, with the same tokenizer or another one."""
    spec = replace(spec, name="smaller", transformer=replace(spec.transformer, width=width))
    tokenizer, preview, _ = tiny.networks(tokenizer_seed)
    return Pipeline(LoadedModel(spec, tokenizer, preview, tiny.networks(1, spec)[2], digest="ba9876543210"))


@cache
def both(first_scale: int = 2) -> Pipeline:
    return finished(pipeline(), smaller(), first_scale)


def tokens(pipe: Pipeline, request: Request = REQUEST) -> list[torch.Tensor]:
    return pipe.run(request).tokens


def test_a_model_that_finishes_its_own_pictures_changes_nothing():
    alone = pipeline().run(REQUEST)
    for first_scale in (1, 2, 3):
        made = finished(pipeline(), pipeline(), first_scale).run(REQUEST)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(made.tokens, alone.tokens, strict=True))
        assert [np.asarray(image).tolist() for image in made.images] == [np.asarray(i).tolist() for i in alone.images]


def test_coarse_scales_are_the_first_model_s_and_the_second_goes_on_from_them():
    made, first = both().run(REQUEST), tokens(pipeline())
    assert all(torch.equal(made.tokens[scale], first[scale]) for scale in (0, 1))
    assert not torch.equal(made.tokens[3], first[3])
    resumed = replace(REQUEST, plan=Plan.resume(made.tokens, 2))
    assert all(torch.equal(a, b) for a, b in zip(made.tokens, tokens(smaller(), resumed), strict=True))
    assert not any(step.keep.any() for step in made.steps)  # nothing was given by anyone


def test_a_picture_does_not_depend_on_its_neighbours():
    together, alone = both().run(REQUEST), both().run(REQUEST.part(slice(1, 2)))
    assert all(torch.equal(a[1:], b) for a, b in zip(together.tokens, alone.tokens, strict=True))


def test_both_models_are_told_in_the_recipe():
    recipe = Recipe.of(both(), REQUEST, 0)
    recipe.check(both())
    for other in (pipeline(), both(3)):
        with pytest.raises(ValueError, match="was made by the model"):
            recipe.check(other)


def test_edits_and_plans_are_the_first_model_s_alone():
    photo = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    edit = Edit(photo, mask, (1,), (3,))
    assert np.array_equal(run_edit(both(), edit)[0], run_edit(pipeline(), edit)[0])
    resumed = replace(REQUEST, plan=Plan.resume(tokens(both()), 2))
    assert all(torch.equal(a, b) for a, b in zip(tokens(both(), resumed), tokens(pipeline(), resumed), strict=True))


def test_models_that_cannot_go_together_are_refused():
    with pytest.raises(ValueError, match="same tokenizer and the same classes"):
        finished(pipeline(), smaller(tokenizer_seed=5), 2)
    with pytest.raises(ValueError, match="from scale 1: choose 2 to 4"):
        finished(pipeline(), smaller(), 0)
    with pytest.raises(ValueError, match="from scale 5: choose 2 to 4"):
        finished(pipeline(), smaller(), 4)
    with pytest.raises(ValueError, match="turn Smooth off"):
        both().run(replace(REQUEST, sampling=Sampling(smooth=True)))


def test_the_command_line_takes_a_model_that_finishes(model, tmp_path, capsys):
    asked = ("generate", "--model", model, "--class", "rose", "--out", tmp_path / "made.png", "--finish", model)
    assert run(*asked, "--from-scale", 3) == 0
    plain = ("generate", "--model", model, "--class", "rose", "--out", tmp_path / "plain.png")
    assert run(*plain) == 0
    made, alone = (np.asarray(Image.open(tmp_path / name)) for name in ("made.png", "plain.png"))
    assert np.array_equal(made, alone)  # the same model twice
    assert Recipe.read(tmp_path / "made.png").digest.endswith("@3")
    assert "choose 2 to 4" in fails(capsys, *asked, "--from-scale", 9)
    assert "add --finish MODEL, or leave it out" in fails(capsys, *plain, "--from-scale", 3)
