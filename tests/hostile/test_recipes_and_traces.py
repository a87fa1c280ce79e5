"""Recipes and traces that lie get a clear sentence, at once."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image
from safetensors.torch import save_file
from support import tiny
from support.lies import FEW, odd, sentence
from support.traces import tensors_of, traced

from var_core import cli
from var_core.config import Sampling
from var_core.editing.edit import Edit
from var_core.engine.request import Request
from var_core.formats import FORMAT, FORMAT_KEY
from var_core.inspection import alternatives
from var_core.inspection.atlas import build_atlas
from var_core.inspection.trace import KEY, Spot, Trace
from var_core.recipe import Recipe
from var_studio.explore.messages import TokenQuestion
from var_studio.explore.session import Branch, ExploreSession, changeable_trace, is_live

PIPE, SPEC = tiny.pipeline(), tiny.SPEC

RECIPE = Recipe.of(PIPE, Request((1,), (2,), Sampling()), 0)
PHOTO = np.zeros((16, 41, 3), np.uint8)
EDIT = Recipe.of_edit(PIPE, Edit(PHOTO, np.ones((16, 41), bool), (1,), (2,)), 0)


@pytest.mark.parametrize("label", [-(10**9), -1, 8, 10**9, 2**70, 10**400])
def test_a_recipe_of_a_class_that_is_not_there_says_which_there_are(label):
    made = Recipe.from_json(json.dumps({**json.loads(RECIPE.to_json()), "label": label}))
    edit = replace(EDIT, label=label)
    for act in (
        lambda: made.check(PIPE),
        lambda: made.request(PIPE),
        lambda: edit.edit(PIPE, PHOTO, np.ones((16, 41), bool)),
    ):
        assert "this model has classes 0 to 6 and 7 for no class" in sentence(act)


@pytest.mark.parametrize("label", [True, 1.0, "1", None, [1]])
def test_a_recipe_whose_class_is_no_whole_number_is_damaged(label):
    text = json.dumps({**json.loads(RECIPE.to_json()), "label": label})
    assert "recipe in this picture is damaged" in sentence(lambda: Recipe.from_json(text))


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 40 + "]" * 40, '{"a":' * 50_000, " " * 10**6, "1" * 5000])
def test_a_recipe_that_is_deep_or_long_is_damaged(text):
    assert "recipe in this picture is damaged" in sentence(lambda: Recipe.from_json(text))


@FEW
@given(odd(json.loads(RECIPE.to_json())) | odd(json.loads(EDIT.to_json())))
def test_any_recipe_is_read_or_refused_in_words(text):
    def use() -> None:
        recipe = Recipe.from_json(text)
        assert type(recipe.label) is int and isinstance(recipe.class_name, str) and recipe.stem
        if recipe.edited:
            recipe.check(PIPE)
        else:
            recipe.request(PIPE).check(SPEC)

    sentence(use)


def test_escape_sequences_of_a_recipe_do_not_reach_the_terminal(tmp_path, capsys, model):
    path = tmp_path / "made.png"
    replace(RECIPE, model="\x1b]0;owned\x07\x1b[2J", digest="\x9b31m").save(Image.new("RGB", (32, 32)), path)
    assert cli.main(["replay", str(path), "--model", str(model), "--device", "cpu"]) == 2
    told = capsys.readouterr()
    assert "made by the model ]0;owned[2J (31m)" in told.err
    assert not any(mark in told.err + told.out for mark in "\x1b\x07\x9b")


def with_more_codes() -> Trace:
    """A trace that says that the loaded model made it, and has tokens that this does not have."""
    trace = traced("drawn")
    about = replace(trace.about, digest=PIPE.digest)
    tokens = trace.tokens.clone()
    tokens[-1] = 99
    return replace(trace, about=about, tokens=tokens, colours=torch.zeros(100, 3, dtype=torch.uint8))


def test_a_trace_of_a_larger_codebook_than_the_models_is_only_looked_at(tmp_path):
    with_more_codes().save(tmp_path / "1.safetensors")
    trace = Trace.load(tmp_path / "1.safetensors")
    branch = Branch("a", "a", number=1, file=tmp_path / "1.safetensors")
    session, last = ExploreSession((branch,), 1, trace), Spot(3, 15)
    atlas = build_atlas(PIPE, [Image.new("RGB", (32, 32), colour) for colour in ("red", "teal")])
    assert atlas.codebook == trace.about.codebook
    told = TokenQuestion(session, last).answer(atlas, is_live(PIPE, trace))
    assert (told["more"], told["patches"], told["uses"]) == (False, None, None)
    assert "has other sizes: the file is damaged. It can be looked at" in sentence(
        lambda: changeable_trace(PIPE, session)
    )
    assert "cannot read the tokens" in sentence(lambda: alternatives.mixture_requests(PIPE, trace, trace))


@FEW
@given(odd({FORMAT_KEY: FORMAT, **asdict(traced("drawn").about)}))
def test_any_description_of_a_trace_is_read_or_refused_in_words(tmp_path, text):
    try:
        save_file(tensors_of(traced("drawn")), tmp_path / "a.safetensors", {KEY: text})
    except UnicodeEncodeError:
        return  # no file holds such a text
    sentence(lambda: Trace.load(tmp_path / "a.safetensors"))
