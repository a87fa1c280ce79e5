"""Edits that lean towards what was there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import pipeline

from var_core.config import Sampling
from var_core.editing.canvas import dilated
from var_core.editing.edit import Edit, run_edit, squares
from var_core.editing.edit_settings import CHANGING, EditSettings
from var_core.editing.square import prepare
from var_core.engine import plan
from var_core.engine.plan import Plan
from var_core.engine.request import Request

MASK = np.zeros((40, 56), bool)
MASK[8:32, 16:44] = True


def photo(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (5, 7, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def edit(pixels: np.ndarray, likeness: float) -> Edit:
    settings = replace(CHANGING, likeness=likeness, feather=0, detail=False, match=False)
    return Edit(pixels, MASK, (2,), (0,), Sampling(top_k=0), settings)


def test_the_more_a_drawing_leans_the_more_of_its_tokens_are_those_of_its_source(monkeypatch):
    monkeypatch.setattr(plan, "UNLEANT", 0)  # a tiny model has hardly more scales
    pipe, rng = pipeline(), torch.Generator().manual_seed(0)
    source = torch.randn(8, 8, 4, 4, generator=rng)
    wanted = torch.cat(pipe.tokenizer.quantizer.tokens(source), 1)
    alike = []
    for likeness in (0.0, 40.0, 1000.0):
        leaning = replace(Plan.free(pipe.schedule, 8), source=source, likeness=likeness)
        steps = pipe.steps(Request((2,) * 8, tuple(range(8)), Sampling(top_k=0), leaning))
        alike.append(float((torch.cat([step.tokens for step in steps], 1) == wanted).float().mean()))
    assert alike[0] < 0.1 and alike[0] < alike[1] < alike[2] == 1


def test_what_is_painted_is_looked_at_only_by_an_edit_that_leans():
    first = photo(1)
    second = np.where(MASK[..., None], photo(2), first)
    (box,) = squares(pipeline(), edit(first, 0), MASK)
    for likeness in (0.0, 3.0):
        a, b = (prepare(pipeline(), (each,), MASK, box, edit(each, likeness).settings).plan for each in (first, second))
        assert torch.equal(a.target, b.target)
        assert (a.source is None) == (likeness == 0)
    assert not torch.equal(a.source, b.source) and a.likeness == 3


def test_an_edit_that_leans_leaves_all_else_as_it_was():
    pixels = photo(1)
    (made,) = run_edit(pipeline(), edit(pixels, 4))
    assert np.array_equal(made[~dilated(MASK, 1)], pixels[~dilated(MASK, 1)]) and not np.array_equal(made, pixels)


def test_a_likeness_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"likeness 13.*choose 0 to 12"):
        EditSettings(likeness=13)
