"""A small photo, and masks of every kind that may be painted on it."""

from functools import cache

import numpy as np


@cache
def photo(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    """A photo without an edge, uint8 (H, W, 3)."""
    smooth = np.random.default_rng(seed).normal(size=(height, width, 3)).cumsum(0).cumsum(1)
    levels = (smooth - smooth.min()) / np.ptp(smooth) * 255
    return levels.astype(np.uint8)


def painted(height: int, width: int, *spans: tuple[slice, slice]) -> np.ndarray:
    """A mask bool (H, W) that is painted in the spans."""
    mask = np.zeros((height, width), bool)
    for span in spans:
        mask[span] = True
    return mask


MASKS = {
    "box": painted(40, 56, (slice(10, 22), slice(20, 35))),
    "one pixel": painted(40, 56, (slice(7, 8), slice(50, 51))),
    "on the border": painted(40, 56, (slice(0, 9), slice(0, 56))),
    "islands": painted(40, 56, *[(slice(y, y + 3), slice(x, x + 4)) for y in (0, 18, 37) for x in (1, 25, 52)]),
    "line": painted(40, 56, (slice(20, 21), slice(3, 50))),
    "all but a corner": ~painted(40, 56, (slice(0, 5), slice(0, 5))),
    "everything": painted(40, 56, (slice(None), slice(None))),
}
