"""Pictures of the tiny model's size whose figures are known, for the tests of benchmarks."""

import numpy as np
from support.tiny import SPEC

SIDE = SPEC.tokenizer.image_side


def plain(level: int = 100) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)


def half() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, SIDE // 2 :] = True
    return mask
