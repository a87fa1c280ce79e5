"""Editing a photo: a task becomes plans, the one loop draws them, and only what was painted changes in the photo."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from PIL import Image

from ..config import Sampling
from ..engine.classifier import ClassShare
from ..engine.pipeline import Pipeline
from ..engine.progress import Progress
from ..engine.request import Request
from ..engine.sampling import Step
from .candidates import drawings
from .canvas import BEYOND, MOST_SIDE, Box, check_box, dilated, extended, filled_view, tiles, view, window
from .edit_settings import FAINTEST, REPAINTING, EditSettings
from .square import Work, prepare, second_pass

MOST_HARD = 0.002  # of a mask's pixels may be grey where its edge is hard
HALF = 127  # of a mask's levels: what is above is painted
SEED_STRIDE = 1_000_003  # between the seeds of neighbouring squares
MOST_SQUARES = 1000
LONG = 7  # a photo so many times as long as it is wide may take too many squares however little it is extended


@dataclass(frozen=True, eq=False)
class Edit:
    """A photo uint8 (H, W, 3), a mask bool (H, W) (True = repaint), and one label and seed for each variation.

    `boxes` are the squares to work on, in order; None: one around the mask. What no square reaches stays as it is.
    `levels`, uint8 (H, W), say how much of what is drawn is pasted where the mask is, if the settings are for that.
    `extend` says how many pixels of the photo's left, top, right and bottom are new; `onward` makes such an edit.
    """

    photo: np.ndarray
    mask: np.ndarray
    labels: tuple[int, ...]
    seeds: tuple[int, ...]
    sampling: Sampling = field(default_factory=Sampling)
    settings: EditSettings = field(default_factory=EditSettings)
    boxes: tuple[Box, ...] | None = None
    extend: tuple[int, int, int, int] = (0, 0, 0, 0)
    levels: np.ndarray | None = None

    @classmethod
    def with_levels(
        cls,
        photo: np.ndarray,
        levels: np.ndarray,
        labels: tuple[int, ...],
        seeds: tuple[int, ...],
        sampling: Sampling,
        settings: EditSettings,
    ) -> "Edit":
        """Return the edit of what levels uint8 (H, W) paint: all above half, or in a soft mask all but the faintest."""
        if not settings.soft:
            return cls(photo, levels > HALF, labels, seeds, sampling, settings)
        return cls(photo, levels >= FAINTEST, labels, seeds, sampling, settings, levels=levels)

    def __post_init__(self) -> None:
        if self.photo.dtype != np.uint8 or self.photo.ndim != 3 or self.photo.shape[2] != 3:
            raise ValueError(f"a photo {self.photo.dtype} {self.photo.shape}: give uint8 (H, W, 3).")
        if self.mask.dtype != bool or self.mask.shape != self.photo.shape[:2]:
            raise ValueError(
                f"a mask {self.mask.dtype} {self.mask.shape} for a photo of {self.photo.shape[:2]}: "
                "give bool of the same height and width."
            )
        if self.levels is not None and (self.levels.dtype != np.uint8 or self.levels.shape != self.mask.shape):
            raise ValueError(
                f"levels {self.levels.dtype} {self.levels.shape} for a mask of {self.mask.shape}: "
                "give uint8 of the same height and width."
            )
        Request(self.labels, self.seeds, self.sampling)  # refuses what it would refuse later
        if len(boxes := self.boxes or ()) > MOST_SQUARES:
            raise ValueError(f"{len(boxes)} boxes: choose {MOST_SQUARES} at most.")
        for box in boxes:
            check_box(box, self.mask.shape[::-1])

    @property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns where the photo lies as it was before it was extended."""
        left, top, right, bottom = self.extend
        height, width = self.mask.shape
        return slice(top, height - bottom), slice(left, width - right)

    @property
    def painted(self) -> np.ndarray:
        """The mask on the photo as it was before it was extended."""
        return self.mask[self.inner]

    @property
    def told_mask(self) -> np.ndarray:
        """Mask as a recipe knows it: bool (H, W), or uint8 levels of a soft one."""
        if self.levels is None or not self.settings.soft:
            return self.painted
        return np.where(self.painted, self.levels[self.inner], 0).astype(np.uint8)

    def softness(self) -> np.ndarray | None:
        """Return how much of what is drawn is pasted, uint8 (H, W), with the mask dilated; None: all of it."""
        if self.levels is None or not self.settings.soft:
            return None
        told, found = self.told_mask, np.full(self.mask.shape, 255, np.uint8)
        found[self.inner] = np.where(dilated(told == 255, max(0, self.settings.dilate)), 255, told)
        return found

    def hole_mask(self) -> np.ndarray:
        """Return what is drawn, bool (H, W): the mask, dilated, and what is new. ValueError if that is nothing."""
        hole_mask = self.mask.copy()
        hole_mask[self.inner] = dilated(self.painted, self.settings.dilate)
        if self.mask.any() and not hole_mask.any():
            raise ValueError(f"dilate {self.settings.dilate} leaves nothing of the mask: shrink it by less.")
        return hole_mask


def soft_edged(levels: np.ndarray) -> bool:
    """Say whether the levels of a mask, uint8 (H, W), have greys that are more than the smoothing of a hard edge."""
    return bool(((levels >= FAINTEST) & (levels <= 255 - FAINTEST)).mean() > MOST_HARD)


def onward(edit: Edit, left: int, top: int, right: int, bottom: int) -> Edit:
    """The edit that also draws the photo beyond its edges, by so many pixels."""
    canvas, mask = extended(edit.photo, left, top, right, bottom)
    height, width = edit.mask.shape
    within = slice(top, top + height), slice(left, left + width)
    mask[within] = edit.mask
    levels = None
    if edit.levels is not None:
        levels = np.full(mask.shape, 255, np.uint8)
        levels[within] = edit.levels
    return replace(edit, photo=canvas, mask=mask, extend=(left, top, right, bottom), levels=levels)


@dataclass(frozen=True, eq=False)
class EditStage:
    """One scale of one pass over a square. `photos` holds the B results once the pass is done, and is empty before.

    Where a second pass follows, the results of the first lack what is borrowed at the end.
    """

    turn: int  # passes before this one
    turns: int
    work: Work
    seeds: tuple[int, ...]  # of the variations, in this pass
    progress: Progress  # how far the variations are
    candidate: int = 0  # candidates of this pass before the one under way
    candidates: int = 1
    drawn: np.ndarray | None = None  # uint8 (B, D, D, 3): what the model drew, once the square is done
    photos: tuple[np.ndarray, ...] = ()
    done: int = 0  # squares that are done in all their passes, once this one is
    # of the B results, where they were compared, 0 where not: the smaller, the better
    misfit: tuple[float, ...] = ()

    @property
    def step(self) -> Step:
        """The scale, of those variations that are drawn together."""
        return self.progress.last


def shifted(seeds: tuple[int, ...], turn: int) -> tuple[int, ...]:
    """The seeds of a pass: other noise than in the passes before it."""
    return tuple((seed + turn * SEED_STRIDE) % 2**63 for seed in seeds)


def squares(pipe: Pipeline, edit: Edit, hole_mask: np.ndarray) -> list[Box]:
    """The squares to work on: those asked for, or one around what is painted, then those that draw onward."""
    if edit.boxes is not None:
        return list(edit.boxes)
    painted = np.zeros_like(hole_mask)
    painted[edit.inner] = hole_mask[edit.inner]
    around = surrounding(painted, edit.settings, pipe.spec.tokenizer.image_side)
    height, width = edit.painted.shape
    further = islice(tiles((width, height), *edit.extend), MOST_SQUARES + 1)  # a tiny photo may take millions
    boxes = [*([around] if around else []), *further]
    if len(boxes) > MOST_SQUARES:
        long = max(width, height) > LONG * min(width, height)
        pieces = ", or cut so long a photo into shorter pieces first" if long else ""
        raise ValueError(f"this takes more than {MOST_SQUARES} squares. Extend by less at once{pieces}.")
    return boxes


def surrounding(painted: np.ndarray, settings: EditSettings, side: int) -> Box | None:
    """The square around what is painted, bool (H, W), and its feather, for a model that encodes pictures of a side.

    None if nothing is painted.
    """
    least, feathered = math.ceil(settings.smallest_square * side), dilated(painted, settings.feather)
    beyond = min(settings.context, BEYOND)
    box = window(painted, settings.context, least, beyond)
    if box and feathered[box.inside(feathered.shape)].sum() < feathered.sum():
        box = window(feathered, 1.0, box.side, beyond)
    if box and box.side > MOST_SIDE:
        raise ValueError(
            f"this takes a square of {box.side} pixels: at most {MOST_SIDE}. Paint less at once, feather by less, or "
            "make the photo smaller first."
        )
    return box


def guess(pipe: Pipeline, photo: np.ndarray, hole_mask: np.ndarray, settings: EditSettings) -> list[ClassShare]:
    """Return classes that a photo uint8 (H, W, 3) may show around a hole, bool (H, W), the likeliest first.

    With no hole its middle is looked at. What lies in the hole is not looked at, and around it as much as a repainting
    sees at least.
    """
    side, (height, width) = pipe.spec.tokenizer.image_side, hole_mask.shape
    short = min(height, width)
    further = replace(settings, context=max(settings.context, REPAINTING.context), smallest_square=1.0)
    box = surrounding(hole_mask, further, side) or Box((width - short) // 2, (height - short) // 2, short)
    pixels, hole = view(photo, hole_mask, box, side)
    seen = filled_view(pixels, hole.mask, settings.fill)
    return pipe.classify(Image.fromarray(seen), torch.from_numpy(hole.coverage))


def stages(pipe: Pipeline, edit: Edit) -> Iterator[EditStage]:
    """Do an edit, scale by scale, square by square; nothing if nothing is painted."""
    hole_mask, softness = edit.hole_mask(), edit.softness()
    boxes = squares(pipe, edit, hole_mask)
    most = 2 if edit.settings.harmonise else 1
    photos = (edit.photo,) * len(edit.labels)
    for number, box in enumerate(boxes):
        if not hole_mask[box.inside(hole_mask.shape)].any():  # another square has drawn it all
            continue
        work = prepare(pipe, photos, hole_mask, box, edit.settings, softness)
        passes = most if not work.hole.mask.all() else 1  # without anything known there is no seam
        last = number * most + passes - 1
        for turn in range(number * most, last + 1):
            seeds, candidates = shifted(edit.seeds, turn), edit.settings.candidates if turn == number * most else 1
            request = Request(edit.labels, seeds, edit.sampling, work.plan)
            for one in drawings(pipe, request, work, seeds, candidates):
                stage = EditStage(turn, len(boxes) * most, work, one.seeds, one.progress, one.number, one.candidates)
                if one.pictures is None:
                    yield stage
            assert one.pictures is not None, "the last drawing is whole"
            results = (work if turn == last else replace(work, detail=False)).pasted(one.pictures)
            done = number + 1 if turn == last else 0
            yield replace(stage, drawn=one.pictures, photos=results, done=done, misfit=one.misfit)
            if turn < last:
                work = second_pass(pipe, work, one.pictures, edit.settings)
        photos = results
        hole_mask = hole_mask.copy()
        hole_mask[box.inside(hole_mask.shape)] = False


def cut_to(
    edit: Edit, boxes: Sequence[Box], photos: tuple[np.ndarray, ...], done: int
) -> tuple[Edit, tuple[np.ndarray, ...]] | None:
    """Return the edit that is done once only `done` of its squares `boxes` are, and its photos (H, W, 3), cut to it.

    Of what extends the photo, only whole rows and columns that are drawn stay. None where these squares end in the
    middle of a strip, or leave something of the photo itself to be drawn.
    """
    hole_mask, boxes = edit.hole_mask(), boxes[:done]
    undone = hole_mask.copy()
    for box in boxes:
        undone[box.inside(undone.shape)] = False
    rows, columns = edit.inner
    (top, bottom), (left, right) = (rows.start, rows.stop), (columns.start, columns.stop)
    if undone[rows, columns].any():
        return None
    height, width = undone.shape
    while right < width and not undone[top:bottom, right].any():
        right += 1
    while left > 0 and not undone[top:bottom, left - 1].any():
        left -= 1
    while bottom < height and not undone[bottom, left:right].any():
        bottom += 1
    while top > 0 and not undone[top - 1, left:right].any():
        top -= 1
    kept = slice(top, bottom), slice(left, right)
    drawn = hole_mask & ~undone
    if drawn.sum() > drawn[kept].sum():
        return None
    whole = replace(
        edit,
        photo=edit.photo[kept],
        mask=edit.mask[kept],
        levels=None if edit.levels is None else edit.levels[kept],
        boxes=tuple(Box(box.left - left, box.top - top, box.side) for box in boxes),
        extend=(columns.start - left, rows.start - top, right - columns.stop, bottom - rows.stop),
    )
    return whole, tuple(photo[kept] for photo in photos)


def run_edit(pipe: Pipeline, edit: Edit) -> tuple[np.ndarray, ...]:
    """The B finished photos, uint8 (H, W, 3) each."""
    photos = (edit.photo,) * len(edit.labels)
    for stage in stages(pipe, edit):
        photos = stage.photos or photos
    return photos
