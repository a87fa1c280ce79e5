"""Pictures to tensors and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from var_core.images import from_pil, tiled, to_pil


def noise(side: int = 16, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(side, side, 3), dtype=np.uint8))


def test_every_level_survives_the_way_to_a_tensor_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = Image.fromarray(np.stack((levels, levels.T, 255 - levels), axis=-1))
    assert to_pil(from_pil([picture], 16))[0].tobytes() == picture.tobytes()


def test_black_is_minus_1_and_white_is_1():
    black, white = from_pil([Image.new("RGB", (4, 4), colour) for colour in ("black", "white")], 4)
    assert (black == -1).all() and (white == 1).all()


def test_channels_and_rows_keep_their_places():
    picture = Image.new("RGB", (4, 4))
    picture.putpixel((3, 1), (255, 0, 0))  # column 3, row 1
    assert (from_pil([picture], 4) == 1).nonzero().tolist() == [[0, 0, 1, 3]]


def test_a_batch_is_its_pictures_in_order():
    pictures = [noise(seed=seed) for seed in range(3)]
    assert [p.tobytes() for p in to_pil(from_pil(pictures, 16))] == [p.tobytes() for p in pictures]


def test_values_out_of_range_are_clamped():
    shown = to_pil(torch.tensor([-5.0, 5.0]).view(1, 1, 1, 2).expand(1, 3, 2, 2))[0]
    assert shown.getpixel((0, 0)) == (0, 0, 0) and shown.getpixel((1, 0)) == (255, 255, 255)


def test_only_the_centre_square_is_taken():
    wide = Image.new("RGB", (48, 16), "black")
    wide.paste(noise(), (16, 0))
    assert to_pil(from_pil([wide], 16))[0].tobytes() == noise().tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30)])
def test_any_mode_and_size_becomes_a_square_of_three_channels(mode, size):
    tensor = from_pil([Image.new(mode, size)], 8)
    assert tensor.shape == (1, 3, 8, 8) and tensor.abs().max() <= 1


def test_a_grid_fills_rows_first_with_gaps_between():
    colours = ("red", "lime", "blue", "black", "yellow")
    sheet = tiled([Image.new("RGB", (10, 6), colour) for colour in colours], columns=3, gap=2)
    assert sheet.size == (3 * 10 + 2 * 2, 2 * 6 + 2)
    found = [sheet.getpixel((column * 12, row * 8)) for row in range(2) for column in range(3)]
    assert found == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 0), (255, 255, 255)]
    assert sheet.getpixel((10, 0)) == sheet.getpixel((0, 6)) == (255, 255, 255)


def test_a_grid_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no pictures"):
        tiled([], columns=2)
