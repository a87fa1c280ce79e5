"""The pyramid of a picture: what each of its levels shows."""

import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny

from var_core.inspection.codebook import colours
from var_core.inspection.levels import levels

PIPE = tiny.pipeline()


def photo(side: int = 32) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8))


def test_the_last_level_is_the_reconstruction():
    *_, last = levels(PIPE, photo(), PIPE.decode)
    tokens = PIPE.encode(photo())
    assert np.array_equal(np.asarray(last.decoded), np.asarray(tiny.reconstruct(PIPE, tokens)[0]))
    assert (last.side, last.tokens) == (4, 30)


def test_all_but_the_last_may_be_looked_at_cheaply():
    found = list(levels(PIPE, photo(), PIPE.preview))
    assert [level.decoded.width for level in found] == [16, 16, 16, 32]


def test_levels_grow_like_the_schedule():
    assert [(level.side, level.tokens) for level in levels(PIPE, photo(), PIPE.decode)] == [
        (1, 1),
        (2, 5),
        (3, 14),
        (4, 30),
    ]


def test_a_square_is_the_mean_of_what_it_covers():
    for level in levels(PIPE, photo(), PIPE.decode):
        if 32 % level.side:
            continue
        cells = np.asarray(photo(), np.float64).reshape(level.side, 32 // level.side, level.side, 32 // level.side, 3)
        shown = np.asarray(level.averaged)[:: 32 // level.side, :: 32 // level.side]
        assert np.abs(shown - cells.mean((1, 3))).max() <= 1  # it rounds twice


@torch.inference_mode()
def test_a_map_has_the_colours_of_its_tokens():
    palette = colours(PIPE.tokenizer.quantizer.codebook).numpy()
    for level, tokens in zip(levels(PIPE, photo(), PIPE.decode), PIPE.encode(photo()), strict=True):
        middles = (np.arange(level.side) * 32 + 16) // level.side
        assert np.array_equal(
            np.asarray(level.map)[np.ix_(middles, middles)].reshape(-1, 3), palette[tokens[0].numpy()]
        )


@pytest.mark.parametrize("size", [(100, 60), (7, 90)])
def test_any_photo_is_cut_to_its_centre_square(size):
    *_, last = levels(PIPE, Image.new("RGB", size, (200, 30, 60)), PIPE.decode)
    assert last.averaged.size == last.map.size == last.decoded.size == (32, 32)
    assert np.asarray(last.averaged).reshape(-1, 3).tolist() == [[200, 30, 60]] * 1024
