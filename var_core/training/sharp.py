"""Sharp pictures, larger than those that are encoded, from which a decoder learns to enlarge."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..images import averaged_pixels
from ..picture_reading import flat
from .data import Classes, PictureSet, listing, read_picture
from .tokenizer_task import TokenSet

SMALLEST = 0.75  # of the side wanted: smaller pictures are left out
LARGE = 1.25  # times the side wanted: larger pictures are made smaller, others are cut
PART = 64  # pictures that are averaged at once


@dataclass(frozen=True)
class Sharp:
    """Pictures of the side that is drawn: some to train with, and the tokens of smaller copies; val."""

    train: PictureSet
    val: PictureSet
    tokens: TokenSet


def sharp_square(picture: Image.Image, side: int) -> np.ndarray | None:
    """Return the centre square of a picture, uint8 (side, side, 3); None if the picture is much too small.

    One that is a little too small is not enlarged, which would teach blur: its borders are mirrored.
    """
    upright = flat(picture)
    short = min(upright.size)
    if short < SMALLEST * side:
        return None
    crop = min(short, side) if short < LARGE * side else short
    left, top = (upright.width - crop) // 2, (upright.height - crop) // 2
    square = upright.crop((left, top, left + crop, top + crop))
    if crop >= side:
        return np.array(square if crop == side else square.resize((side, side), Image.Resampling.LANCZOS))
    before = (side - crop) // 2
    border = (before, side - crop - before)
    return np.pad(np.array(square), (border, border, (0, 0)), mode="reflect")


def load_sharp(root: Path, split: str, side: int) -> Iterator[float | PictureSet]:
    """Read the pictures of a split that are large enough: yields the fraction done, and the `PictureSet` last.

    ValueError if there are none.
    """
    rows = listing(root, split, Classes.of(root))
    pixels = torch.empty((len(rows), side, side, 3), dtype=torch.uint8)
    labels: list[int] = []
    skipped: list[str] = []
    with ThreadPoolExecutor() as pool:
        squares = pool.map(lambda row: read_picture(row[0], side, sharp_square), rows)
        for done, ((path, label), square) in enumerate(zip(rows, squares, strict=True), 1):
            if square is None:
                skipped.append(str(path))
            else:
                pixels[len(labels)] = torch.from_numpy(square)
                labels.append(label)
            yield done / len(rows)
    if not labels:
        raise ValueError(
            f"{root / split}: none of its {len(rows)} pictures can be read and has {round(SMALLEST * side)} pixels or "
            "more along each side: give larger ones."
        )
    yield PictureSet(pixels[: len(labels)], torch.tensor(labels), tuple(skipped))


def made_smaller(pictures: PictureSet, side: int) -> PictureSet:
    """Average pictures down to another side, of which theirs is a multiple."""
    parts = [averaged_pixels(part, side) for part in pictures.pixels.split(PART)]
    return PictureSet(torch.cat(parts), pictures.labels, pictures.unreadable)
