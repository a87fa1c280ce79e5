"""Editing a photo: a task becomes plans, the one loop draws them, and only what was painted changes in the photo."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from PIL import Image

from ..config import Sampling
from ..engine.classifier import ClassShare
from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from ..engine.progress import Progress
from ..engine.request import Request
from ..engine.sampling import Step
from ..settings import Setting, check, declared
from .canvas import (
    FILLS,
    MOST_SIDE,
    Box,
    Hole,
    check_box,
    dilated,
    enlarged,
    extended,
    fill,
    matched,
    opacity,
    paste,
    tiles,
    view,
    window,
)
from .drafts import drafted
from .texture import borrowed

SEED_STRIDE = 1_000_003  # between the seeds of neighbouring squares
MOST_SQUARES = 64
LONG = 7  # a photo so many times as long as it is wide may take too many squares however little it is extended
MOST_CONTEXT, MOST_HARMONISED, MOST_DRAFTS = 10, 32, 16


@dataclass(frozen=True)
class EditSettings:
    """Settings of how an edit is done. Pixels are the photo's."""

    fill: str = declared("navier-stokes", Setting("Fill", "What the hole holds while it is encoded.", choices=FILLS))
    first_free_scale: int = declared(
        2, Setting("Kept scales", "So many first scales keep the photo's layout.", 0, 10_000, most_shown=10)
    )
    min_coverage: float = declared(
        0.6, Setting("Free above", "Fraction of a cell that must be painted for its token to be drawn.", 0, 1, 0.05)
    )
    follow: bool = declared(True, Setting("Follow", "Kept tokens correct what their neighbours spill over them."))
    match: bool = declared(True, Setting("Match colours", "Colours shift smoothly, so that the seam has no step."))
    detail: bool = declared(
        True, Setting("Detail", "Detail finer than the model draws is borrowed from elsewhere in the photo.")
    )
    dilate: int = declared(
        0, Setting("Grow", "Pixels added around the mask; below 0 it shrinks.", -4096, 4096, typed=True)
    )
    feather: int = declared(2, Setting("Feather", "Pixels over which the edge blends.", 0, 4096, typed=True))
    context: float = declared(
        2.0, Setting("Context", "How much around the mask the model sees, in its size.", 1, MOST_CONTEXT, 0.25)
    )
    harmonise: int = declared(
        0,
        Setting(
            "Harmonise",
            "A second pass along the seam, so many of the model's pixels wide; 0 is off.",
            0,
            MOST_HARMONISED,
        ),
    )
    shown: bool = declared(
        True,
        Setting("See surroundings", "The model sees kept tokens of the scale that it draws; if it has learned to."),
    )

    drafts: int = declared(
        1,
        Setting(
            "Drafts",
            "Without a class each variation is, of so many drafts of its coarse scales, the one that fits best.",
            1,
            MOST_DRAFTS,
        ),
    )

    def __post_init__(self) -> None:
        check(self)


REPAINTING = EditSettings()
# The coarsest scales hold colours and layout, and what shall become something else needs other ones.
CHANGING = EditSettings(first_free_scale=0, min_coverage=0.1)


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
    settings: EditSettings = field(default_factory=EditSettings)
    boxes: tuple[Box, ...] | None = None
    extend: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
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

    def hole_mask(self) -> np.ndarray:
        """Return what is drawn, bool (H, W): the mask, dilated, and what is new. ValueError if that is nothing."""
        hole_mask = self.mask.copy()
        hole_mask[self.inner] = dilated(self.painted, self.settings.dilate)
        if self.mask.any() and not hole_mask.any():
            raise ValueError(f"dilate {self.settings.dilate} leaves nothing of the mask: shrink it by less.")
        return hole_mask


def onward(edit: Edit, left: int, top: int, right: int, bottom: int) -> Edit:
    """The edit that also draws the photo beyond its edges, by so many pixels."""
    canvas, mask = extended(edit.photo, left, top, right, bottom)
    height, width = edit.mask.shape
    mask[top : top + height, left : left + width] = edit.mask
    return replace(edit, photo=canvas, mask=mask, extend=(left, top, right, bottom))


@dataclass(frozen=True, eq=False)
class Work:
    """One square of all variations, made ready for a model that encodes pictures of side S and draws those of D."""

    canvases: tuple[np.ndarray, ...]  # B photos (H, W, 3) as they are before this square
    box: Box
    views: np.ndarray  # uint8 (B, S, S, 3), holes filled
    hole: Hole  # what the model may not see of the views
    known: np.ndarray  # bool (n, n): what of the square is known, at the photo's resolution
    alpha: np.ndarray  # float32 (H, W): how much of the result is pasted
    plan: Plan
    match: bool
    detail: bool

    def pasted(self, drawn: np.ndarray) -> tuple[np.ndarray, ...]:
        """The photos with pictures, uint8 (B, D, D, 3), in the square."""
        pairs = zip(self.canvases, drawn, self.views, strict=True)
        return tuple(paste(canvas, self._large(canvas, *pair), self.box, self.alpha) for canvas, *pair in pairs)

    def _large(self, canvas: np.ndarray, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """A picture as it is pasted, float32 (n, n, 3): fitted, enlarged, with its detail."""
        large = enlarged(self._fitted(picture, seen), self.box.side)
        if not self.detail:
            return large
        return large + borrowed(self.box.cut(canvas), self.known, picture.astype(np.float32), len(seen))

    def composites(self, drawn: np.ndarray) -> np.ndarray:
        """The views with pictures, uint8 (B, D, D, 3), in their holes: uint8 (B, S, S, 3)."""
        pairs = zip(drawn, self.views, strict=True)
        fitted = np.stack([enlarged(self._fitted(picture, seen), len(seen)) for picture, seen in pairs])
        mixed = np.where(self.hole.mask[..., None], fitted, self.views)
        return mixed.round().clip(0, 255).astype(np.uint8)

    def _fitted(self, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        if not self.match:
            return picture.astype(np.float32)
        return matched(picture.astype(np.float32), seen.astype(np.float32), self.hole)


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
    drawn: np.ndarray | None = None  # uint8 (B, D, D, 3): what the model drew, once the square is done
    photos: tuple[np.ndarray, ...] = ()
    drafting: bool = False  # these are drafts, of which one is finished

    @property
    def step(self) -> Step:
        """The scale, of those variations that are drawn together."""
        return self.progress.last


def prepare(
    pipe: Pipeline, canvases: tuple[np.ndarray, ...], hole_mask: np.ndarray, box: Box, settings: EditSettings
) -> Work:
    """Make a square of photos ready; `hole_mask` (H, W) is what the model may not see, and paints within the square."""
    side, count = pipe.spec.tokenizer.image_side, len(canvases)
    different = canvases[:1] if all(canvas is canvases[0] for canvas in canvases) else canvases
    seen = [view(canvas, hole_mask, box, side) for canvas in different]
    hole = seen[0][1]  # the mask is the same for all
    filled = np.stack([fill(pixels, hole.mask, settings.fill) for pixels, _ in seen])
    views = filled.round().clip(0, 255).astype(np.uint8)
    plan = pipe.inpainting(
        torch.from_numpy(views),
        torch.from_numpy(hole.coverage),
        settings.min_coverage,
        settings.first_free_scale,
        settings.follow,
        settings.shown,
    )
    if len(different) < count:
        views, plan = np.repeat(views, count, 0), Plan.joined([plan] * count)
    here = np.zeros_like(hole_mask)
    rows, columns = box.inside(hole_mask.shape)
    here[rows, columns] = hole_mask[rows, columns]
    known, alpha = box.cut(~hole_mask), opacity(here, settings.feather)
    return Work(canvases, box, views, hole, known, alpha, plan, settings.match, settings.detail)


def second_pass(pipe: Pipeline, work: Work, drawn: np.ndarray, settings: EditSettings) -> Work:
    """Return a square with what was drawn in it, its two finest scales free along the seam."""
    hole = work.hole.mask
    seam = (dilated(hole, settings.harmonise) & ~dilated(hole, -settings.harmonise)).astype(np.float32)
    views, first = work.composites(drawn), len(pipe.schedule) - 2
    plan = pipe.inpainting(
        torch.from_numpy(views),
        torch.from_numpy(seam),
        settings.min_coverage,
        max(0, first),
        settings.follow,
        settings.shown,
    )
    return replace(work, views=views, plan=plan)


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


def surrounding(painted: np.ndarray, settings: EditSettings, least: int) -> Box | None:
    """The square around what is painted, bool (H, W), and its feather; None if nothing is painted."""
    box, feathered = window(painted, settings.context, least), dilated(painted, settings.feather)
    if box and feathered[box.inside(feathered.shape)].sum() < feathered.sum():
        box = window(feathered, 1.0, box.side)
    if box and box.side > MOST_SIDE:
        raise ValueError(
            f"this takes a square of {box.side} pixels: at most {MOST_SIDE}. Paint less at once, feather by less, or "
            "make the photo smaller first."
        )
    return box


def guess(pipe: Pipeline, photo: np.ndarray, hole_mask: np.ndarray, settings: EditSettings) -> list[ClassShare]:
    """Return classes that a photo uint8 (H, W, 3) may show around a hole, bool (H, W), the likeliest first.

    With no hole its middle is looked at. What lies in the hole is not looked at.
    """
    side, (height, width) = pipe.spec.tokenizer.image_side, hole_mask.shape
    short = min(height, width)
    box = surrounding(hole_mask, settings, side) or Box((width - short) // 2, (height - short) // 2, short)
    pixels, hole = view(photo, hole_mask, box, side)
    filled = fill(pixels, hole.mask, settings.fill).round().clip(0, 255).astype(np.uint8)
    return pipe.classify(Image.fromarray(filled), torch.from_numpy(hole.coverage))


def stages(pipe: Pipeline, edit: Edit) -> Iterator[EditStage]:
    """Do an edit, scale by scale, square by square; nothing if nothing is painted."""
    hole_mask = edit.hole_mask()
    boxes = squares(pipe, edit, hole_mask)
    most = 2 if edit.settings.harmonise else 1
    photos = (edit.photo,) * len(edit.labels)
    for number, box in enumerate(boxes):
        if not hole_mask[box.inside(hole_mask.shape)].any():  # another square has drawn it all
            continue
        work = prepare(pipe, photos, hole_mask, box, edit.settings)
        passes = most if not work.hole.mask.all() else 1  # without anything known there is no seam
        last = number * most + passes - 1
        for turn in range(number * most, last + 1):
            seeds = shifted(edit.seeds, turn)
            request = Request(edit.labels, seeds, edit.sampling, work.plan)
            for draft in drafted(pipe, request, seeds, edit.settings.drafts if turn == number * most else 1):
                if isinstance(draft, tuple):
                    seeds = draft
                else:
                    yield EditStage(turn, len(boxes) * most, work, seeds, draft, drafting=True)
            for progress in pipe.stream(replace(request, seeds=seeds)):
                stage = EditStage(turn, len(boxes) * most, work, seeds, progress)
                if not progress.complete:
                    yield stage
            drawn = pipe.pixels(progress.f_hat)
            results = (work if turn == last else replace(work, detail=False)).pasted(drawn)
            yield replace(stage, drawn=drawn, photos=results)
            if turn < last:
                work = second_pass(pipe, work, drawn, edit.settings)
        photos = results
        hole_mask = hole_mask.copy()
        hole_mask[box.inside(hole_mask.shape)] = False


def run(pipe: Pipeline, edit: Edit) -> tuple[np.ndarray, ...]:
    """The B finished photos, uint8 (H, W, 3) each."""
    photos = (edit.photo,) * len(edit.labels)
    for stage in stages(pipe, edit):
        photos = stage.photos or photos
    return photos
