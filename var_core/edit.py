"""Editing a photo: a task becomes plans, the one loop draws them, and only what was painted changes in the photo."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .canvas import FILLS, Box, extended, fill, grow, matched, opacity, paste, tiles, view, window
from .images import to_uint8
from .pipeline import Pipeline, Request
from .plan import Plan
from .sampling import Sampling, Step

SEED_STRIDE = 1_000_003  # between the seeds of neighbouring squares


@dataclass(frozen=True)
class Settings:
    """How an edit is done. Pixels are the photo's."""

    fill: str = "spread"  # the hole, before it is encoded: one of canvas.FILLS
    first_free_scale: int = 0  # before it, a token is free only where all of its cell is painted
    min_cover: float = 0.3  # a token is free if more than this share of its cell is painted
    follow: bool = True  # kept tokens correct what drawn neighbours spill over them
    match: bool = True  # shift the drawn colours smoothly so that the seam has no step
    grow: int = 0
    feather: int = 2
    context: float = 2.0  # side of the square, in extents of what is painted
    harmonise: int = 0  # a second pass draws the finest scales anew within so many of the model's pixels of the seam

    def __post_init__(self):
        if self.fill not in FILLS:
            raise ValueError(f"fill '{self.fill}': choose one of {', '.join(FILLS)}.")
        if not (0 <= self.min_cover <= 1 and 1 <= self.context <= 100 and abs(self.grow) <= 4096):
            raise ValueError(
                f"min_cover {self.min_cover}, context {self.context}, grow {self.grow}: choose a cover of 0 to 1, "
                "a context of 1 to 100, a growth of -4096 to 4096 pixels."
            )
        if not (0 <= self.feather <= 4096 and 0 <= self.harmonise <= 256 and self.first_free_scale >= 0):
            raise ValueError(
                f"feather {self.feather}, harmonise {self.harmonise}, first_free_scale {self.first_free_scale}: choose "
                "0 to 4096 pixels, 0 to 256 pixels, and a scale of 0 or more."
            )


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

    @property
    def painted(self) -> np.ndarray:
        """The mask on the photo as it was before it was extended."""
        left, top, right, bottom = self.extend
        height, width = self.mask.shape
        return self.mask[top : height - bottom, left : width - right]


def onward(edit: Edit, left: int, top: int, right: int, bottom: int) -> Edit:
    """The edit that also draws the photo beyond its edges, by so many pixels."""
    canvas, mask = extended(edit.photo, left, top, right, bottom)
    height, width = edit.mask.shape
    mask[top : top + height, left : left + width] = edit.mask
    boxes = tuple(tiles((width, height), left, top, right, bottom))
    return replace(edit, photo=canvas, mask=mask, boxes=boxes, extend=(left, top, right, bottom))


@dataclass(frozen=True, eq=False)
class Work:
    """One square of all variations, made ready for the model."""

    canvases: tuple[np.ndarray, ...]  # B photos (H, W, 3) as they are before this square
    box: Box
    views: np.ndarray  # uint8 (B, S, S, 3), holes filled
    cover: np.ndarray  # float32 (S, S)
    share: np.ndarray  # float32 (H, W): how much of the result is pasted
    plan: Plan
    match: bool

    def pasted(self, drawn: np.ndarray) -> tuple[np.ndarray, ...]:
        """The photos with pictures, uint8 (B, s, s, 3), in the square."""
        return tuple(
            paste(canvas, self._fitted(picture, seen), self.box, self.share)
            for canvas, picture, seen in zip(self.canvases, drawn, self.views, strict=True)
        )

    def composites(self, drawn: np.ndarray) -> np.ndarray:
        """The views with pictures, uint8 (B, S, S, 3), in their holes: uint8 (B, S, S, 3)."""
        pairs = zip(drawn, self.views, strict=True)
        fitted = np.stack([self._fitted(picture, seen) for picture, seen in pairs])
        mixed = np.where((self.cover > 0.5)[..., None], fitted, self.views)
        return mixed.round().clip(0, 255).astype(np.uint8)

    def _fitted(self, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        if not self.match or picture.shape != seen.shape:  # a small preview is shown as it is
            return picture.astype(np.float32)
        return matched(picture.astype(np.float32), seen.astype(np.float32), self.cover)


@dataclass(frozen=True, eq=False)
class Stage:
    """One scale of one square. `photos` holds the B results once the square is done, and is empty until then."""

    square: int
    squares: int
    work: Work
    step: Step
    drawn: np.ndarray | None = None  # uint8 (B, S, S, 3): what the model drew, once the square is done
    photos: tuple[np.ndarray, ...] = ()


def prepare(
    pipe: Pipeline, canvases: tuple[np.ndarray, ...], unknown: np.ndarray, box: Box, settings: Settings
) -> Work:
    """Make a square of photos ready; `unknown` (H, W) is what the model may not see, and paints within the square."""
    side = pipe.spec.tokenizer.image_side
    seen = [view(canvas, unknown, box, side) for canvas in canvases]
    cover = seen[0][1]  # the mask is the same for all
    filled = np.stack([fill(pixels, cover > 0.5, settings.fill) for pixels, _ in seen])
    views = filled.round().clip(0, 255).astype(np.uint8)
    plan = pipe.inpainting(
        torch.from_numpy(views), torch.from_numpy(cover), settings.min_cover, settings.first_free_scale, settings.follow
    )
    here = np.zeros_like(unknown)
    rows, columns = box.inside(unknown.shape)
    here[rows, columns] = unknown[rows, columns]
    return Work(canvases, box, views, cover, opacity(here, settings.feather), plan, settings.match)


def second_pass(pipe: Pipeline, work: Work, drawn: np.ndarray, settings: Settings) -> Work:
    """The same square with what was drawn in it, its two finest scales free along the seam."""
    hole = work.cover > 0.5
    seam = (grow(hole, settings.harmonise) & ~grow(hole, -settings.harmonise)).astype(np.float32)
    views, first = work.composites(drawn), len(pipe.schedule) - 2
    plan = pipe.inpainting(
        torch.from_numpy(views), torch.from_numpy(seam), settings.min_cover, max(0, first), settings.follow
    )
    return replace(work, views=views, plan=plan)


@torch.inference_mode()
def drawn_by(pipe: Pipeline, step: Step) -> np.ndarray:
    """What the model has drawn after a step, uint8 (B, S, S, 3)."""
    return np.stack([to_uint8(pipe.tokenizer.decode(one[None]))[0].numpy() for one in step.f_hat])


def around(pipe: Pipeline, mask: np.ndarray, settings: Settings) -> tuple[Box, ...]:
    """The square to work on for a mask; none if nothing is painted."""
    box = window(mask, settings.context, pipe.spec.tokenizer.image_side)
    return () if box is None else (box,)


def stages(pipe: Pipeline, edit: Edit) -> Iterator[Stage]:
    """Do an edit, scale by scale, square by square; nothing if nothing is painted."""
    unknown = grow(edit.mask, edit.settings.grow)
    boxes = edit.boxes if edit.boxes is not None else around(pipe, unknown, edit.settings)
    most = 2 if edit.settings.harmonise else 1
    photos = (edit.photo,) * len(edit.labels)
    for number, box in enumerate(boxes):
        work = prepare(pipe, photos, unknown, box, edit.settings)
        passes = most if (work.cover <= 0.5).any() else 1  # without anything known there is no seam
        for turn in range(passes):
            place = number * most + turn
            seeds = tuple((seed + place * SEED_STRIDE) % 2**63 for seed in edit.seeds)
            for step in pipe.steps(Request(edit.labels, seeds, edit.sampling, work.plan)):
                stage = Stage(place, len(boxes) * most, work, step)
                if step.scale < len(pipe.schedule) - 1:
                    yield stage
            drawn = drawn_by(pipe, stage.step)
            results = work.pasted(drawn)
            yield replace(stage, drawn=drawn, photos=results)
            if turn + 1 < passes:
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
