"""A soft mask: its levels say how much of what is drawn shows."""

from dataclasses import replace

import numpy as np
import pytest
from support.masks import photo
from support.tiny import pipeline

from var_core.config import Sampling
from var_core.editing.edit import Edit, onward, run_edit
from var_core.editing.edit_settings import FAINTEST, EditSettings


def soft_levels() -> np.ndarray:
    """Levels of a mask that rise from left to right, uint8 (40, 56)."""
    levels = np.zeros((40, 56), np.uint8)
    levels[12:28, 16:40] = np.linspace(FAINTEST, 255, 24)
    return levels


def with_soft(settings: EditSettings, levels: np.ndarray | None = None) -> Edit:
    given = soft_levels() if levels is None else levels
    return Edit.with_levels(photo(), given, (1,), (5,), Sampling(), settings)


def test_a_soft_mask_says_how_much_of_what_is_drawn_shows():
    soft = replace(EditSettings(), soft=True, feather=0, detail=False)
    mixed = with_soft(soft)
    (found,), (whole,) = run_edit(pipeline(), mixed), run_edit(pipeline(), replace(mixed, levels=None))
    share = soft_levels()[..., None] / 255
    inside = (whole > 0) & (whole < 255)  # else more was drawn than a photo can show
    assert np.where(inside, np.abs(photo() + share * (whole.astype(float) - photo()) - found), 0).max() <= 1
    assert (found != photo()).any() and np.array_equal(found[~mixed.mask], photo()[~mixed.mask])


def test_without_the_switch_levels_are_cut_at_half():
    hard = with_soft(EditSettings())
    assert hard.levels is None and np.array_equal(hard.mask, soft_levels() > 127)


def test_a_soft_mask_of_black_and_white_is_a_hard_one_with_its_feather_and_growth():
    levels = np.where(soft_levels() > 127, 255, 0).astype(np.uint8)
    for settings in (EditSettings(dilate=2, feather=3), EditSettings(dilate=-2), EditSettings(harmonise=4)):
        wanted = run_edit(pipeline(), with_soft(settings, levels))[0]
        assert np.array_equal(run_edit(pipeline(), with_soft(replace(settings, soft=True), levels))[0], wanted)


def test_noise_in_the_black_of_a_mask_s_file_paints_nothing():
    assert not with_soft(EditSettings(soft=True), np.full((40, 56), FAINTEST - 1, np.uint8)).mask.any()


def test_an_extension_of_a_soft_mask_is_drawn_whole_where_the_photo_is_new():
    soft, plain = (with_soft(replace(EditSettings(), soft=on, feather=0)) for on in (True, False))
    assert (onward(soft, 0, 0, 20, 0).softness()[:, 56:] == 255).all()
    assert np.array_equal(onward(soft, 0, 0, 20, 0).softness()[:, :56], soft.told_mask)
    assert onward(plain, 0, 0, 20, 0).softness() is None


def test_levels_that_do_not_fit_the_mask_are_refused():
    with pytest.raises(ValueError, match=r"levels uint8 \(3, 3\) for a mask of \(40, 56\)"):
        replace(with_soft(EditSettings()), levels=np.zeros((3, 3), np.uint8))
