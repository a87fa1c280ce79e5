"""Editing a photo: a task becomes plans, the one loop draws them, and only what was painted changes in the photo."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch

from ..engine.pipeline import Pipeline, Request
from ..engine.plan import Plan
from ..engine.progress import Progress
from ..engine.sampling import Sampling, Step
from .canvas import (
    FILLS,
    MOST_SIDE,
    Box,
    check_box,
    enlarged,
    extended,
    fill,
    grow,
    matched,
    opacity,
    paste,
    tiles,
    view,
    window,
)
from .texture import borrowed

SEED_STRIDE = 1_000_003  # between the seeds of neighbouring squares
MOST_SQUARES = 64
LONG = 7  # a photo so many times as long as it is wide may take too many squares however little it is extended
MOST_CONTEXT, MOST_HARMONISED = 10, 32


@dataclass(frozen=True)
class Settings:
    """How an edit is done. Pixels are the photo's."""

    fill: str = "navier-stokes"  # the hole, before it is encoded: one of canvas.FILLS
    first_free_scale: int = 2  # before it, a token is free only where all of its cell is painted
    min_cover: float = 0.6  # a token is free if more than this share of its cell is painted
    follow: bool = True  # kept tokens correct what drawn neighbours spill over them
    match: bool = True  # shift the drawn colours smoothly so that the seam has no step
    detail: bool = True  # borrow detail finer than the model draws from where the photo shows it
    grow: int = 0
    feather: int = 2
    context: float = 2.0  # side of the square, in extents of what is painted
    harmonise: int = 0  # a second pass draws the finest scales anew within so many of the model's pixels of the seam

    def __post_init__(self):
        if self.fill not in FILLS:
            raise ValueError(f"fill '{self.fill}': choose one of {', '.join(FILLS)}.")
        if not (0 <= self.min_cover <= 1 and 1 <= self.context <= MOST_CONTEXT and abs(self.grow) <= 4096):
            raise ValueError(
                f"min_cover {self.min_cover}, context {self.context}, grow {self.grow}: choose a cover of 0 to 1, "
                f"a context of 1 to {MOST_CONTEXT}, a growth of -4096 to 4096 pixels."
            )
        if not (0 <= self.feather <= 4096 and 0 <= self.harmonise <= MOST_HARMONISED and self.first_free_scale >= 0):
            raise ValueError(
                f"feather {self.feather}, harmonise {self.harmonise}, first_free_scale {self.first_free_scale}: choose "
                f"0 to 4096 pixels, 0 to {MOST_HARMONISED} pixels, and a scale of 0 or more."
            )


REPAINTING = Settings()
# The coarsest scales hold colours and layout, and what shall become something else needs other ones.
CHANGING = Settings(first_free_scale=0, min_cover=0.1)


@dataclass(frozen=True, eq=False)
class Edit:
    """A photo uint8 (H, W, 3), a mask bool (H, W) (True = repaint), and one label and seed for each variation.

    `boxes` are the squares to work on, in order; None: one around the mask. What no square reaches stays as it is.
    `extend` says how many pixels of the photo's left, top, right and bottom are new; `onward` makes such an edit.
    """

    photo: np.ndarray
    mask: np.ndarray
    labels: tuple[int, ...]
    seeds: tuple[int, ...]
    sampling: Sampling = field(default_factory=Sampling)
    settings: Settings = field(default_factory=Settings)
    boxes: tuple[Box, ...] | None = None
    extend: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self):
        if self.photo.dtype != np.uint8 or self.photo.ndim != 3 or self.photo.shape[2] != 3:
            raise ValueError(f"a photo {self.photo.dtype} {self.photo.shape}: give uint8 (H, W, 3).")
        if self.mask.dtype != bool or self.mask.shape != self.photo.shape[:2]:
            raise ValueError(
                f"a mask {self.mask.dtype} {self.mask.shape} for a photo of {self.photo.shape[:2]}: "
                "give bool of the same height and width."
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

    def unknown(self) -> np.ndarray:
        """What is drawn, bool (H, W): what is painted, grown, and what is new. ValueError if that is nothing."""
        grown = self.mask.copy()
        grown[self.inner] = grow(self.painted, self.settings.grow)
        if self.mask.any() and not grown.any():
            raise ValueError(f"grow {self.settings.grow} leaves nothing of the mask: shrink it by less.")
        return grown


def onward(edit: Edit, left: int, top: int, right: int, bottom: int) -> Edit:
    """The edit that also draws the photo beyond its edges, by so many pixels."""
    canvas, mask = extended(edit.photo, left, top, right, bottom)
    height, width = edit.mask.shape
    mask[top : top + height, left : left + width] = edit.mask
    return replace(edit, photo=canvas, mask=mask, extend=(left, top, right, bottom))


@dataclass(frozen=True, eq=False)
class Work:
    """One square of all variations, made ready for the model."""

    canvases: tuple[np.ndarray, ...]  # B photos (H, W, 3) as they are before this square
    box: Box
    views: np.ndarray  # uint8 (B, S, S, 3), holes filled
    cover: np.ndarray  # float32 (S, S)
    known: np.ndarray  # bool (n, n): what of the square is known, at the photo's resolution
    share: np.ndarray  # float32 (H, W): how much of the result is pasted
    plan: Plan
    match: bool
    detail: bool

    def pasted(self, drawn: np.ndarray) -> tuple[np.ndarray, ...]:
        """The photos with pictures, uint8 (B, S, S, 3), in the square."""
        pairs = zip(self.canvases, drawn, self.views, strict=True)
        return tuple(paste(canvas, self._large(canvas, *pair), self.box, self.share) for canvas, *pair in pairs)

    def _large(self, canvas: np.ndarray, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """A picture as it is pasted, float32 (n, n, 3): fitted, enlarged, with its detail."""
        large = enlarged(self._fitted(picture, seen), self.box.side)
        if not self.detail:
            return large
        return large + borrowed(self.box.cut(canvas), self.known, picture.astype(np.float32))

    def composites(self, drawn: np.ndarray) -> np.ndarray:
        """The views with pictures, uint8 (B, S, S, 3), in their holes: uint8 (B, S, S, 3)."""
        pairs = zip(drawn, self.views, strict=True)
        fitted = np.stack([self._fitted(picture, seen) for picture, seen in pairs])
        mixed = np.where((self.cover > 0.5)[..., None], fitted, self.views)
        return mixed.round().clip(0, 255).astype(np.uint8)

    def _fitted(self, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        if not self.match:
            return picture.astype(np.float32)
        return matched(picture.astype(np.float32), seen.astype(np.float32), self.cover)


@dataclass(frozen=True, eq=False)
class Stage:
    """One scale of one pass over a square. `photos` holds the B results once the pass is done, and is empty before.

    Where a second pass follows, the results of the first lack what is borrowed at the end.
    """

    turn: int  # passes before this one
    turns: int
    work: Work
    progress: Progress  # how far the variations are
    drawn: np.ndarray | None = None  # uint8 (B, S, S, 3): what the model drew, once the square is done
    photos: tuple[np.ndarray, ...] = ()

    @property
    def step(self) -> Step:
        """The scale, of those variations that are drawn together."""
        return self.progress.last


def prepare(
    pipe: Pipeline, canvases: tuple[np.ndarray, ...], unknown: np.ndarray, box: Box, settings: Settings
) -> Work:
    """Make a square of photos ready; `unknown` (H, W) is what the model may not see, and paints within the square."""
    side, count = pipe.spec.tokenizer.image_side, len(canvases)
    different = canvases[:1] if all(canvas is canvases[0] for canvas in canvases) else canvases
    seen = [view(canvas, unknown, box, side) for canvas in different]
    cover = seen[0][1]  # the mask is the same for all
    filled = np.stack([fill(pixels, cover > 0.5, settings.fill) for pixels, _ in seen])
    views = filled.round().clip(0, 255).astype(np.uint8)
    plan = pipe.inpainting(
        torch.from_numpy(views), torch.from_numpy(cover), settings.min_cover, settings.first_free_scale, settings.follow
    )
    if len(different) < count:
        views, plan = np.repeat(views, count, 0), Plan.joined([plan] * count)
    here = np.zeros_like(unknown)
    rows, columns = box.inside(unknown.shape)
    here[rows, columns] = unknown[rows, columns]
    known, share = box.cut(~unknown), opacity(here, settings.feather)
    return Work(canvases, box, views, cover, known, share, plan, settings.match, settings.detail)


def second_pass(pipe: Pipeline, work: Work, drawn: np.ndarray, settings: Settings) -> Work:
    """The same square with what was drawn in it, its two finest scales free along the seam."""
    hole = work.cover > 0.5
    seam = (grow(hole, settings.harmonise) & ~grow(hole, -settings.harmonise)).astype(np.float32)
    views, first = work.composites(drawn), len(pipe.schedule) - 2
    plan = pipe.inpainting(
        torch.from_numpy(views), torch.from_numpy(seam), settings.min_cover, max(0, first), settings.follow
    )
    return replace(work, views=views, plan=plan)


def shifted(seeds: tuple[int, ...], turn: int) -> tuple[int, ...]:
    """The seeds of a pass: other noise than in the passes before it."""
    return tuple((seed + turn * SEED_STRIDE) % 2**63 for seed in seeds)


def squares(pipe: Pipeline, edit: Edit, unknown: np.ndarray) -> list[Box]:
    """The squares to work on: those asked for, or one around what is painted, then those that draw onward."""
    if edit.boxes is not None:
        return list(edit.boxes)
    painted = np.zeros_like(unknown)
    painted[edit.inner] = unknown[edit.inner]
    around = surrounding(painted, edit.settings, pipe.spec.tokenizer.image_side)
    height, width = edit.painted.shape
    further = islice(tiles((width, height), *edit.extend), MOST_SQUARES + 1)  # a tiny photo may take millions
    boxes = [*([around] if around else []), *further]
    if len(boxes) > MOST_SQUARES:
        long = max(width, height) > LONG * min(width, height)
        pieces = ", or cut so long a photo into shorter pieces first" if long else ""
        raise ValueError(f"this takes more than {MOST_SQUARES} squares. Extend by less at once{pieces}.")
    return boxes


def surrounding(painted: np.ndarray, settings: Settings, least: int) -> Box | None:
    """The square around what is painted, bool (H, W), and its feather; None if nothing is painted."""
    box, feathered = window(painted, settings.context, least), grow(painted, settings.feather)
    if box and feathered[box.inside(feathered.shape)].sum() < feathered.sum():
        box = window(feathered, 1.0, box.side)
    if box and box.side > MOST_SIDE:
        raise ValueError(
            f"this takes a square of {box.side} pixels: at most {MOST_SIDE}. Paint less at once, feather by less, or "
            "make the photo smaller first."
        )
    return box


def stages(pipe: Pipeline, edit: Edit) -> Iterator[Stage]:
    """Do an edit, scale by scale, square by square; nothing if nothing is painted."""
    unknown = edit.unknown()
    boxes = squares(pipe, edit, unknown)
    most = 2 if edit.settings.harmonise else 1
    photos = (edit.photo,) * len(edit.labels)
    for number, box in enumerate(boxes):
        if not unknown[box.inside(unknown.shape)].any():  # another square has drawn it all
            continue
        work = prepare(pipe, photos, unknown, box, edit.settings)
        passes = most if (work.cover <= 0.5).any() else 1  # without anything known there is no seam
        last = number * most + passes - 1
        for turn in range(number * most, last + 1):
            request = Request(edit.labels, shifted(edit.seeds, turn), edit.sampling, work.plan)
            for progress in pipe.stream(request):
                stage = Stage(turn, len(boxes) * most, work, progress)
                if not progress.complete:
                    yield stage
            drawn = pipe.pixels(progress.f_hat)
            results = (work if turn == last else replace(work, detail=False)).pasted(drawn)
            yield replace(stage, drawn=drawn, photos=results)
            if turn < last:
                work = second_pass(pipe, work, drawn, edit.settings)
        photos = results
        unknown = unknown.copy()
        unknown[box.inside(unknown.shape)] = False


def run(pipe: Pipeline, edit: Edit) -> tuple[np.ndarray, ...]:
    """The B finished photos, uint8 (H, W, 3) each."""
    photos = (edit.photo,) * len(edit.labels)
    for stage in stages(pipe, edit):
        photos = stage.photos or photos
    return photos
