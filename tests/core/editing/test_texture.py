"""Borrowed detail looks like that of the photo where the model drew alike, and never sees what is painted."""

import cv2
import numpy as np
import pytest

from var_core.editing.canvas import resized_to
from var_core.editing.texture import borrowed, detail

SIDE = 64


def textured(full: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A photo (full, full, 3), dark and smooth at the left, bright and rough at the right; and as it is drawn."""
    smooth = np.full((full, full, 3), 60.0)
    smooth[:, full // 2 :] = 180
    rough = smooth + np.random.default_rng(seed).normal(0, 20, smooth.shape) * (smooth > 100)
    return rough.clip(0, 255).astype(np.uint8), cv2.resize(smooth, (SIDE, SIDE)).astype(np.float32)


def hole(full: int, rows: tuple[float, float], columns: tuple[float, float]) -> np.ndarray:
    known = np.ones((full, full), bool)
    (top, bottom), (left, right) = ([round(full * share) for share in ends] for ends in (rows, columns))
    known[top:bottom, left:right] = False
    return known


@pytest.mark.parametrize("full", [40, 64, 200, 333])
def test_a_hole_takes_the_roughness_of_the_side_that_it_looks_like(full):
    photo, drawn = textured(full)
    known = hole(full, (0.3, 0.7), (0.25, 0.75))
    found = borrowed(photo, known, drawn, SIDE)
    assert found.shape == photo.shape and found.dtype == np.float32
    middle = slice(round(0.35 * full), round(0.65 * full))
    left, right = (found[middle, round(start * full) : round(end * full)] for start, end in ((0.3, 0.4), (0.6, 0.7)))
    real = detail(photo, known, drawn, SIDE)[: full // 4, round(0.6 * full) : round(0.9 * full)]
    assert left.std() < 0.2 * real.std() and 0.6 * real.std() < right.std() < 1.3 * real.std()
    assert abs(right.mean()) < 3


def test_what_is_painted_is_never_seen():
    photo, drawn = textured(200)
    known = hole(200, (0.3, 0.7), (0.25, 0.75))
    other = np.where(known[..., None], photo, 255 - photo)
    assert np.array_equal(borrowed(photo, known, drawn, SIDE), borrowed(other, known, drawn, SIDE))


def test_a_texture_hardly_repeats_itself():
    photo, drawn = textured(256)
    found = borrowed(photo, hole(256, (0.3, 0.7), (0.6, 0.95)), drawn, SIDE)[80:176, 160:240, 0]
    patches = found[:96, :80].reshape(6, 16, 5, 16).transpose(0, 2, 1, 3).reshape(30, -1)
    alike = np.corrcoef(patches) - np.eye(30)
    assert (alike > 0.6).mean() < 0.02


@pytest.mark.parametrize("share", [(0.0, 1.0), (0.0, 0.0), (0.02, 0.98)])
def test_nothing_is_borrowed_where_nothing_is_known_or_nothing_lacks(share):
    photo, drawn = textured(100)
    assert not borrowed(photo, hole(100, share, share), drawn, SIDE).any()


@pytest.mark.parametrize("full", [24, 60, SIDE])
def test_nothing_is_added_where_photo_and_drawing_agree(full):
    drawn = np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 3)).astype(np.float32)
    photo, known = resized_to(drawn, full).round().astype(np.uint8), hole(full, (0.4, 0.6), (0.4, 0.6))
    assert np.abs(detail(photo, known, drawn, SIDE)).max() < 1
    assert np.abs(borrowed(photo, known, drawn, SIDE)).max() < 1


def test_detail_is_what_the_drawing_lacks_but_no_shift_of_colour():
    photo, drawn = textured(128)
    known = hole(128, (0.4, 0.6), (0.4, 0.6))
    shifted = detail(photo, known, drawn + np.float32(15), SIDE)
    assert not shifted[~known].any()
    np.testing.assert_allclose(shifted[20:108, 84:120], detail(photo, known, drawn, SIDE)[20:108, 84:120], atol=1e-2)
    assert shifted[:, 80:].std() > 15
