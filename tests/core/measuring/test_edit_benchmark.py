"""Masks and figures of the edit benchmark, on results whose figures are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.judged import half, noise
from support.tiny import pipeline

from var_core.config import Sampling
from var_core.editing.edit import Edit, run_edit
from var_core.editing.edit_settings import CHANGING, REPAINTING, EditSettings
from var_core.measuring.edit_benchmark import (
    HALVES,
    KINDS,
    cases,
    filled,
    likeliest,
    mask_of,
    methods,
    notebook,
    other_classes,
    ours,
    transplanted,
    without_leak,
)
from var_core.measuring.edit_scores import Case
from var_core.training.data import PictureSet


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [32, 128])
def test_masks_repaint_a_part_and_are_always_the_same(kind, side):
    masks = [mask_of(kind, number, side) for number in range(12)]
    assert all(mask.dtype == bool and mask.shape == (side, side) for mask in masks)
    shares = [mask.mean() for mask in masks]
    assert 0.01 < min(shares) <= max(shares) < 0.8
    assert len({mask.tobytes() for mask in masks}) > 2
    assert np.array_equal(mask_of(kind, 5, side), masks[5])


def test_the_kinds_paint_what_their_names_say():
    assert mask_of("centre box", 0, 64)[32, 32] and not mask_of("centre box", 0, 64)[0].any()
    assert mask_of("outer border", 0, 64)[0].all() and not mask_of("outer border", 0, 64)[32, 32]
    assert all(mask_of("half", number, 64).mean() == 0.5 for number in range(8))
    top, bottom = (mask_of(kind, 0, 64) for kind in HALVES)
    assert top[:32].all() and not top[32:].any() and np.array_equal(bottom, ~top)
    lines = mask_of("thin lines", 0, 128)
    assert lines.mean() < 0.3


def pictures(count: int = 4) -> PictureSet:
    return PictureSet(torch.from_numpy(np.stack([noise(seed) for seed in range(count)])), torch.arange(count) % 3, ())


def test_cases_carry_labels_or_those_they_are_to_become():
    assert [case.label for case in cases(pictures(), "half")] == [0, 1, 2, 0]
    assert [case.label for case in cases(pictures(), "half", [1, 2, 0])] == [1, 2, 0, 1]
    assert len({case.seed for case in cases(pictures(), "half")}) == 4


def test_every_class_turns_into_another_of_its_group():
    assert other_classes(["a", "a", "b", "a", "b", "c"]) == [1, 3, 4, 0, 2, 5]


DONORS = PictureSet(torch.from_numpy(np.stack([noise(seed) for seed in (7, 8, 9)])), torch.arange(3), ())


@pytest.mark.parametrize("name", methods(pipeline(), Sampling(), Sampling(top_k=5), DONORS))
def test_every_method_answers_every_case(name):
    method, given = methods(pipeline(), Sampling(), Sampling(top_k=5), DONORS)[name], cases(pictures(), "centre box")
    results = method(given)
    assert len(results) == len(given)
    for result, case in zip(results, given, strict=True):
        assert result.shape == case.picture.shape and result.dtype == np.uint8
        assert (result[case.mask] != case.picture[case.mask]).any()
        if not name.startswith("authors' notebook"):
            assert np.array_equal(result[0], case.picture[0])  # far from the mask


@pytest.mark.parametrize("settings", [CHANGING, REPAINTING])
def test_ours_is_what_the_app_makes_of_a_case(settings):
    """In the square that the settings ask for, too."""
    given = cases(pictures(), "centre box")
    for case, result in zip(given, ours(pipeline(), settings, Sampling(), batch=1)(given), strict=True):
        edit = Edit(case.picture, case.mask, (case.label,), (case.seed,), Sampling(), settings)
        assert np.array_equal(result, run_edit(pipeline(), edit)[0])


@pytest.mark.parametrize("kept", [True, False])
def test_the_best_of_some_is_one_of_them_and_not_always_the_first(kept):
    given = cases(pictures(8), "half")
    best = likeliest(pipeline(), EditSettings(), Sampling(), 3, kept)(given)
    first, *others = (
        ours(pipeline(), EditSettings(), Sampling())([replace(c, seed=c.seed + 7919 * n) for c in given])
        for n in range(3)
    )
    came = [
        [number for number, tries in enumerate((first, *others)) if np.array_equal(tries[place], result)]
        for place, result in enumerate(best)
    ]
    assert all(came) and any(0 not in numbers for numbers in came)


def test_a_batch_of_cases_gives_what_each_gives_alone():
    method = ours(pipeline(), EditSettings(), Sampling())
    given = cases(pictures(), "half")
    together = method(given)
    assert all(np.array_equal(together[place], method([case])[0]) for place, case in enumerate(given))


def test_the_notebook_s_recipe_sees_what_lies_under_the_mask_and_ours_does_not():
    mask = half()
    hidden = noise()
    hidden[mask] = 0
    given = [[Case(picture, mask, 1, 0)] for picture in (noise(), hidden)]
    leaking, tight = notebook(pipeline(), Sampling()), ours(pipeline(), EditSettings(), Sampling())
    assert not np.array_equal(leaking(given[0])[0], leaking(given[1])[0])
    assert np.array_equal(tight(given[0])[0][mask], tight(given[1])[0][mask])


def test_real_pixels_come_from_the_wanted_class():
    case = replace(cases(pictures(), "centre box")[0], label=2)
    (result,) = transplanted(DONORS)([case])
    assert np.array_equal(result[case.mask], noise(9)[case.mask])
    assert np.array_equal(result[~case.mask], case.picture[~case.mask])


def test_a_fill_alone_keeps_what_is_not_painted():
    case = cases(pictures(), "brush strokes")[0]
    (result,) = filled("telea")([case])
    assert np.array_equal(result[~case.mask], case.picture[~case.mask])


def test_the_notebook_s_recipe_sees_nothing_under_the_mask_once_that_was_filled():
    hidden = noise()
    hidden[half()] = 0
    closed = without_leak(notebook(pipeline(), Sampling()))
    first, second = (closed([Case(picture, half(), 1, 0)])[0] for picture in (noise(), hidden))
    assert np.array_equal(first, second)
