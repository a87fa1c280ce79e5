"""Random squares of pictures at all zooms, as tokens: what editing shows a transformer of somebody's photo."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..images import to_float
from ..nn.tokenizer import Tokenizer
from ..picture_reading import flat
from .data import PictureFolder, read_picture, split_folder, split_pictures

SMALLEST = 0.2  # of a picture's shorter side
FEWEST_PIXELS = 48  # along a square's side: less is blur
BATCH = 32  # squares encoded at once


@dataclass(frozen=True)
class CropTokens:
    """Tokens int16 (N, L) of random squares of pictures, to learn from and to measure on."""

    train: Tensor
    val: Tensor


def random_square(picture: Image.Image, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of a picture, from a fifth of its shorter side to all of it; uint8 (side, side, 3)."""
    upright = flat(picture)
    short = min(upright.size)
    least = min(short, max(round(SMALLEST * short), FEWEST_PIXELS))
    crop = int(rng.integers(least, short + 1))
    left, top = (int(rng.integers(0, room - crop + 1)) for room in upright.size)
    cut = upright.crop((left, top, left + crop, top + crop))
    return np.array(cut.resize((side, side), Image.Resampling.LANCZOS).convert("RGB"))


def random_squares(path: Path, rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Cut so many squares of one file, uint8 (count, side, side, 3); none if it cannot be read."""

    def cut(picture: Image.Image, side: int) -> np.ndarray:
        return np.stack([random_square(picture, side, rng) for _ in range(count)])

    found = read_picture(path, side, cut)
    return np.empty((0, side, side, 3), np.uint8) if found is None else found


@torch.inference_mode()
def crop_tokens(
    root: PictureFolder, split: str, tokenizer: Tokenizer, per_picture: int, seed: int = 0, device: str = "cpu"
) -> Iterator[float | Tensor]:
    """Encode random squares of every picture in root/split, in whatever folders; yields the fraction done.

    Yields last the tokens, int16 (N, L). ValueError if there is no such folder, or no picture in it.
    """
    files = split_pictures(root, split)
    side, found, waiting = tokenizer.config.image_side, [], []
    rngs = [np.random.Generator(np.random.Philox(key=[seed, row])) for row in range(len(files))]
    with ThreadPoolExecutor() as pool:
        cut = partial(random_squares, count=per_picture, side=side)
        for done, pixels in enumerate(pool.map(cut, files, rngs), 1):
            waiting.append(pixels)
            if done == len(files) or sum(map(len, waiting)) >= BATCH:
                images = to_float(torch.from_numpy(np.concatenate(waiting))).to(device)
                found.append(torch.cat(tokenizer.encode(images), 1).to("cpu", torch.int16))
                waiting = []
                yield done / len(files)
    if not sum(map(len, found)):
        folder = split_folder(root, split)
        raise ValueError(f"{folder} holds no picture that can be read: choose another folder of crops.")
    yield torch.cat(found)
