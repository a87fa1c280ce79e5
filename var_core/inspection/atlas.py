"""The atlas of a tokenizer's codes: patches of what each added to pictures, as a small file.

A code stands for no look of its own but for a change: of val patches of the bundled model, cut from finished pictures,
the code explains 8 % of the variance, and 42 % where they are cut from what the code's scale added.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import torch
from msgspec import Meta
from PIL import Image
from torch import Tensor

from ..engine.pipeline import Pipeline
from ..files import replacing
from ..schedule import Schedule
from ..schema import exact, parse_json
from .codebook import codebook_hash
from .render import GREY, change

PATCHES, SIDE = 4, 16  # patches of a code at most, and the side of each in pixels
FINE = 2  # so many of the finest scales are preferred
NONE = -1  # the scale of a patch that is not there
COLUMNS = 64  # codes side by side in the file
QUALITY = 80  # of the WebP
DESCRIPTION = 0x010E  # EXIF's ImageDescription: the rest of the atlas as JSON
MOST_TEXT = 2**24  # characters of it
Scale = Annotated[int, Meta(ge=NONE, lt=2**31)]
Item = TypeVar("Item")
REMEDY = "Make it with `python -m var_core atlas NAME --data DIR --replace`."


@dataclass(frozen=True, eq=False)
class Atlas:
    """Up to `PATCHES` patches for each of V codes: what it added where it was used; see `render.change`."""

    patches: np.ndarray  # uint8 (V, PATCHES, SIDE, SIDE, 3), 0 where there is none
    scales: np.ndarray  # int64 (V, PATCHES): the scale that each comes from, fine ones first, NONE where there is none
    uses: np.ndarray  # int64 (V,): how often the code was used in all pictures
    codebook: str  # its `codebook_hash`: equal where tokens mean the same

    @property
    def count(self) -> np.ndarray:
        """Count the patches of each code, int64 (V,)."""
        return (self.scales != NONE).sum(1)

    def strip(self, token: int) -> Image.Image:
        """The patches of a code side by side, (SIDE, count * SIDE); ValueError if it has none."""
        if not 0 <= token < len(self.uses):
            raise ValueError(f"token {token} is not in the codebook: choose 0 to {len(self.uses) - 1}.")
        if not (count := self.count[token]):
            raise ValueError(f"token {token} was used in no picture of the atlas: choose one with a count above 0.")
        return Image.fromarray(np.concatenate(self.patches[token, :count], axis=1))

    def save(self, path: Path) -> None:
        """Write a WebP of all patches, `COLUMNS` codes a row, with the rest as JSON in its description."""
        rows = -(-len(self.uses) // COLUMNS)
        cells = np.zeros((rows * COLUMNS, PATCHES, SIDE, SIDE, 3), np.uint8)
        cells[: len(self.uses)] = self.patches
        grid = cells.reshape(rows, COLUMNS * PATCHES, SIDE, SIDE, 3).swapaxes(1, 2)  # (rows, SIDE, columns, SIDE, 3)
        sheet = Image.fromarray(np.ascontiguousarray(grid).reshape(rows * SIDE, COLUMNS * PATCHES * SIDE, 3))
        exif = Image.Exif()
        rest = {"codebook": self.codebook, "uses": self.uses.tolist(), "scales": self.scales.tolist()}
        exif[DESCRIPTION] = json.dumps(rest, separators=(",", ":"))
        with replacing(path) as part:
            sheet.save(part, "WEBP", quality=QUALITY, method=6, exif=exif)

    @classmethod
    def load(cls, path: Path) -> Atlas:
        """Read what `save` wrote: patches nearly, all else exactly. ValueError with the remedy if there is none."""
        told, size = _read(path, lambda sheet: (sheet.getexif()[DESCRIPTION], sheet.size))
        try:
            rest = exact(Rest, parse_json(told, MOST_TEXT))
            if size != (COLUMNS * PATCHES * SIDE, -(-len(rest.uses) // COLUMNS) * SIDE):
                raise ValueError(f"{size} pixels for {len(rest.uses)} codes")
            scales, uses = _checked(rest)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{Path(path).name} is damaged: its parts do not fit each other. {REMEDY}") from error
        pixels = _read(path, lambda sheet: np.asarray(sheet.convert("RGB")))
        return cls(_patches(pixels)[: len(uses)], scales, uses, rest.codebook)


def _read(path: Path, what: Callable[[Image.Image], Item]) -> Item:
    """Return something of an atlas's file; ValueError with the remedy if it is none."""
    try:
        with Image.open(path, formats=["WEBP"]) as sheet:
            return what(sheet)
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file. {REMEDY}") from error
    except Exception as error:  # Pillow answers damage with errors of many kinds
        raise ValueError(f"{Path(path).name} is damaged, or no atlas. {REMEDY}") from error


@dataclass(frozen=True)
class Rest:
    """All that the file of an atlas holds besides patches."""

    codebook: str
    uses: tuple[Annotated[int, Meta(ge=0, le=2**63 - 1)], ...]
    scales: tuple[Annotated[tuple[Scale, ...], Meta(min_length=PATCHES, max_length=PATCHES)], ...]


def _checked(rest: Rest) -> tuple[np.ndarray, np.ndarray]:
    """Return scales (V, PATCHES) and uses (V,) of an atlas; ValueError if they do not fit."""
    scales, uses = np.array(rest.scales, np.int64), np.array(rest.uses, np.int64)
    if scales.shape != (len(uses), PATCHES) or not len(uses):
        raise ValueError("the parts do not fit")
    there = scales != NONE
    if (there.sum(1) > uses).any() or (there[:, 1:] > there[:, :-1]).any():
        raise ValueError("the parts do not fit")
    return scales, uses


def _patches(pixels: np.ndarray) -> np.ndarray:
    """Return the patches of all codes, (rows * COLUMNS, PATCHES, SIDE, SIDE, 3), of the pixels of an atlas's file."""
    rows = len(pixels) // SIDE
    cells = pixels.reshape(rows, SIDE, COLUMNS * PATCHES, SIDE, 3).swapaxes(1, 2)  # (rows, columns, SIDE, SIDE, 3)
    return np.ascontiguousarray(cells).reshape(rows * COLUMNS, PATCHES, SIDE, SIDE, 3)


def atlas_path(checkpoint: Path) -> Path:
    """Return the path of a model's atlas: beside its file, as <name>.atlas.webp."""
    return checkpoint.with_name(f"{checkpoint.stem}.atlas.webp")


def build_atlas(pipe: Pipeline, pictures: Iterable[Image.Image], seed: int = 0) -> Atlas:
    """The atlas of a model's codes over pictures, which are taken one by one and not kept.

    Every picture is encoded, and decoded after every scale; a token's patch is its cell in the change of its scale. Of
    a code's uses each is equally likely to be shown, except that one patch comes from a scale coarser than the `FINE`
    finest where there is one, and more only where the fine ones are too few. ValueError without pictures, or unless
    the model draws scale by scale.
    """
    pipe.spec.need_scales("an atlas")
    shelf, rng = _Shelf(pipe.spec.tokenizer.vocabulary), np.random.default_rng(seed)
    boxes = cell_boxes(pipe.schedule, pipe.spec.tokenizer.drawn_side)
    for picture in pictures:
        pyramid = pipe.encode(picture)
        added = changes(pipe, pyramid)
        for scale, (tokens, span) in enumerate(zip(pyramid, pipe.schedule.spans, strict=True)):
            kind = int(scale < len(pipe.schedule) - FINE)
            for token, box, draw in zip(tokens[0].tolist(), boxes[span], rng.random(tokens.shape[1]), strict=True):
                shelf.offer(token, kind, draw, Cut(scale, added[scale], box))
    if not shelf.seen.any():
        raise ValueError("no pictures to make an atlas of: give some.")
    return Atlas(*shelf.chosen(), shelf.seen.sum(1), codebook_hash(pipe.tokenizer.quantizer.codebook))


@torch.inference_mode()
def changes(pipe: Pipeline, pyramid: list[Tensor]) -> list[Image.Image]:
    """Show what each scale of a pyramid, K maps (1, L_k), adds: K pictures, as `render.residual` has them."""
    quantizer, found = pipe.tokenizer.quantizer, []
    side = pipe.spec.tokenizer.drawn_side
    f_hat, before = quantizer.empty(1), np.full((side, side, 3), GREY, np.uint8)
    for scale, tokens in enumerate(pyramid):
        f_hat = quantizer.add(f_hat, quantizer.codes(tokens), scale)
        after = pipe.pixels(f_hat)[0]
        found.append(change(before, after))
        before = after
    return found


def cell_boxes(schedule: Schedule, side: int) -> list[tuple[float, float, float, float]]:
    """The cell of each of the L tokens in a picture of a side: left, top, right, bottom in pixels."""
    return [
        (column * side / count, row * side / count, (column + 1) * side / count, (row + 1) * side / count)
        for count in schedule.sides
        for row in range(count)
        for column in range(count)
    ]


@dataclass(frozen=True)
class Cut:
    """A patch before it is cut out: the scale that it is of, the whole picture, and its box in pixels."""

    scale: int
    picture: Image.Image
    box: tuple[float, float, float, float]

    def pixels(self) -> np.ndarray:
        """uint8 (SIDE, SIDE, 3)."""
        return np.asarray(self.picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, self.box))


class _Shelf:
    """Patches kept so far: for each code `PATCHES` of its fine (kind 0) and of its coarse (kind 1) uses."""

    def __init__(self, vocabulary: int):
        self.patches = np.zeros((vocabulary, 2, PATCHES, SIDE, SIDE, 3), np.uint8)
        self.scales = np.full((vocabulary, 2, PATCHES), NONE)
        self.seen = np.zeros((vocabulary, 2), np.int64)

    def offer(self, token: int, kind: int, draw: float, cut: Cut) -> None:
        """Keep a use's patch or not, by a draw in [0, 1): each is kept equally likely in the end (algorithm R)."""
        seen = int(self.seen[token, kind])
        self.seen[token, kind] += 1
        slot = seen if seen < PATCHES else int(draw * (seen + 1))
        if slot < PATCHES:
            self.patches[token, kind, slot] = cut.pixels()
            self.scales[token, kind, slot] = cut.scale

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """Patches and scales of every code: fine ones, then coarse ones in the places that are left, at least one."""
        patches, scales = np.zeros_like(self.patches[:, 0]), np.full_like(self.scales[:, 0], NONE)
        for token, (fine, coarse) in enumerate(np.minimum(self.seen, PATCHES).tolist()):
            fine = min(fine, PATCHES - min(coarse, 1))
            slots = [(0, slot) for slot in range(fine)] + [(1, slot) for slot in range(min(coarse, PATCHES - fine))]
            for index, found in enumerate(slots):
                patches[token, index], scales[token, index] = self.patches[token][found], self.scales[token][found]
        return patches, scales
