"""Sharp pictures are read at their own scale, and the most alike ones are found."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.tasks import last

from var_core.training.data import PictureSet
from var_core.training.sharp import load_sharp, made_smaller, sharp_square


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("width", "height"), [(64, 64), (70, 66), (79, 200)])
def test_a_picture_of_about_the_side_is_cut_and_not_scaled(width, height):
    left, top = (width - 64) // 2, (height - 64) // 2
    wanted = np.asarray(noise(width, height))[top : top + 64, left : left + 64]
    assert np.array_equal(sharp_square(noise(width, height), 64), wanted)


def test_a_much_larger_picture_is_made_smaller():
    found = sharp_square(noise(300, 200), 64)
    assert found.shape == (64, 64, 3) and found.std() < 0.5 * np.asarray(noise(300, 200)).std()


def test_one_a_little_too_small_gets_mirrored_borders_and_a_tiny_one_is_left_out():
    found, given = sharp_square(noise(50, 90), 64), np.asarray(noise(50, 90))[20:70]
    assert np.array_equal(found[7:57, 7:57], given)
    assert np.array_equal(found[6, 7:57], given[1]) and np.array_equal(found[57, 7:57], given[-2])
    assert sharp_square(noise(47, 90), 64) is None


def test_those_of_a_folder_are_read_and_others_named(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split / "photos").mkdir(parents=True)
        noise(80, 70).save(tmp_path / split / "photos" / "a.png")
        noise(30, 70).save(tmp_path / split / "photos" / "b.png")
        (tmp_path / split / "photos" / "c.png").write_bytes(b"none")
    found = last(load_sharp(tmp_path, "train", 64))
    assert found.pixels.shape == (1, 64, 64, 3) and found.labels.tolist() == [0]
    assert [path.rsplit("/", 1)[-1] for path in found.unreadable] == ["b.png", "c.png"]
    with pytest.raises(ValueError, match="none of its 3 pictures can be read and has 192 pixels or more"):
        last(load_sharp(tmp_path, "train", 256))


def test_pictures_are_made_smaller_by_averaging():
    sharp = PictureSet(
        torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).repeat(2, 1, 1)[..., None].expand(2, 2, 2, 3),
        torch.arange(2),
        (),
    )
    assert made_smaller(sharp, 1).pixels.flatten().unique().tolist() == [128]
