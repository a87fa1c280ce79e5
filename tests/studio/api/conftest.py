"""A photo and a mask, as files that a program sends."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo(tmp_path) -> str:
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def mask(tmp_path) -> str:
    painted = np.zeros((40, 60), np.uint8)
    painted[10:30, 20:40] = 255
    Image.fromarray(painted).save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")
