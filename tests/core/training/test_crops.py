"""Random squares of pictures as tokens."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.tasks import last
from support.tiny import networks

from var_core.training.crops import FEWEST_PIXELS, crop_tokens, random_square, random_squares


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 0]))


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downward."""
    columns, rows = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((columns, rows, 0 * rows), -1).astype(np.uint8))


def test_squares_have_all_zooms_and_lie_anywhere():
    found = np.stack([random_square(gradient(400, 300), 32, rng(seed)) for seed in range(60)]).astype(float)
    assert found.shape == (60, 32, 32, 3)
    widths = (found[:, :, -1, 0] - found[:, :, 0, 0]).mean(1) / 255 * 400
    assert widths.min() < 90 and widths.max() > 240
    assert found[..., 0].mean((1, 2)).std() > 20


@pytest.mark.parametrize("size", [(20, 60), (1, 1), (FEWEST_PIXELS, FEWEST_PIXELS)])
def test_a_small_picture_gives_squares_too(size):
    assert random_square(gradient(*size), 32, rng(0)).shape == (32, 32, 3)


def test_what_cannot_be_read_gives_none(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert random_squares(tmp_path / "a.png", rng(0), 2, 32).shape == (0, 32, 32, 3)


def test_all_folders_of_a_split_are_read_and_a_seed_repeats(tmp_path):
    for number, name in enumerate(("a/one.png", "b/c/two.jpg", "three.png")):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        gradient(60 + number, 50).save(tmp_path / "train" / name)
    (tmp_path / "train" / "four.png").write_bytes(b"no picture")
    tokenizer = networks()[0]
    found = last(crop_tokens(tmp_path, "train", tokenizer, 2))
    assert found.shape == (6, 30) and found.dtype == torch.int16
    assert torch.equal(found, last(crop_tokens(tmp_path, "train", tokenizer, 2)))
    assert not torch.equal(found, last(crop_tokens(tmp_path, "train", tokenizer, 2, seed=1)))


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="holds no picture that can be read"):
        last(crop_tokens(tmp_path, "train", networks()[0], 2))
    with pytest.raises(ValueError, match="val"):
        last(crop_tokens(tmp_path, "val", networks()[0], 2))
