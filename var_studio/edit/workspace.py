"""What lies on the Edit tab: a photo and what is painted on it. Values to edits, edits to pictures. No widgets."""

import math
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from var_core.config import ModelSpec
from var_core.editing.canvas import Box, check_box, grow, placed
from var_core.editing.edit import CHANGING, REPAINTING, Edit, Settings, Stage, onward
from var_core.engine.pipeline import Pipeline, Request
from var_core.engine.sampling import Sampling
from var_core.images import check_size, open_photo
from var_core.recipe import Recipe

from ..shared import controls
from ..shared import run as runs

INPAINT, EXTEND, CHANGE = TASKS = ("Inpaint", "Extend", "Change into …")
SIDES = ("left", "top", "right", "bottom")
PIXELS, PER_CENT = UNITS = ("pixels", "per cent")
MOST_VARIATIONS = 8
MOST_PAST = 8  # photos to step back to, and masks
MOST_PAST_PIXELS = 50_000_000  # of those photos together
MOST_DONE = 8  # edits whose results can be looked at again
MOST_DONE_PIXELS = 50_000_000  # of what the page shows of them, together
MOST_SQUARES_SHOWN = 8
MOST_SHOWN = 1024  # pixels of a photo's longer side on the canvas
LARGEST_PREVIEW = 2048  # the same of results on the page; their files are whole
TINT, VEIL = (255, 45, 120), 140  # colour of what is painted, and how dense
STAMP_ERROR = 8  # levels by which a stamp may have changed on its way
HINTS = {
    INPAINT: "Painted = will be repainted, to fit what is around it.",
    EXTEND: "The photo is drawn onward beyond its edges. What you paint is redrawn too.",
    CHANGE: "Painted = will become the class you choose.",
}


CLASS_HINTS = {
    INPAINT: "What the painted part belongs to, if you know.",
    EXTEND: "What is in the photo, if you know.",
    CHANGE: "What it becomes. Type to search.",
}


class Packed(NamedTuple):
    """A mask that is kept for later, in an eighth of the memory."""

    bits: np.ndarray  # uint8
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: np.ndarray) -> "Packed":
        """Of a mask, bool (H, W)."""
        return cls(np.packbits(mask), mask.shape)

    def whole(self) -> np.ndarray:
        """The mask, bool (H, W)."""
        return np.unpackbits(self.bits, count=math.prod(self.shape)).reshape(self.shape).astype(bool)


@dataclass(frozen=True, eq=False)
class Desk:
    """A photo uint8 (H, W, 3) under its file's name, the mask last laid on it, and what was here before.

    Strokes of the brush are on the canvas alone until `painted_on` reads them. It may be smaller than the photo, so
    that the mask itself stays here, as fine as it was laid. `stamp` is the colour of one pixel in the corner of what
    the canvas shows: it takes a while to show a new mask, and until then it sends the strokes of the one before.
    """

    name: str
    photo: np.ndarray
    mask: np.ndarray  # bool (H, W)
    masks: tuple[Packed, ...] = ()  # earlier ones of this photo, oldest first
    undone: tuple[Packed, ...] = ()  # those taken back, the last one taken back last
    past: tuple[tuple[str, np.ndarray, Packed], ...] = ()  # earlier photos: name, photo, mask; oldest first
    stamp: tuple[int, ...] = field(default_factory=lambda: tuple(secrets.token_bytes(3)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.photo.shape[1], self.photo.shape[0]


def fresh(name: str, photo: np.ndarray, mask: np.ndarray | None = None, past: tuple = ()) -> Desk:
    """A desk with a photo; None: nothing is painted."""
    past = past[-MOST_PAST:]
    kept = latest(past, [math.prod(packed.shape) for *_, packed in past], MOST_PAST_PIXELS)
    return Desk(name, photo, np.zeros(photo.shape[:2], bool) if mask is None else mask, past=kept)


def latest(kept: tuple, pixels: Sequence[int], most: int) -> tuple:
    """The last ones, as many as have at most so many pixels together."""
    together = np.cumsum(pixels[::-1])
    return kept[len(kept) - int((together <= most).sum()) :]


def with_mask(desk: Desk, canvas: Mapping | None, mask: np.ndarray) -> Desk:
    """The desk with another mask; the one that is there, strokes and all, can be had again."""
    return _laid(desk, mask, (*desk.masks, Packed.of(painted_on(desk, canvas))), ())


def taken_back(desk: Desk, canvas: Mapping | None) -> Desk:
    """The desk before the strokes on it, or else before the last change of its mask; ValueError if there is none."""
    seen = painted_on(desk, canvas)
    if not np.array_equal(seen, desk.mask):
        return _laid(desk, desk.mask, desk.masks, (*desk.undone, Packed.of(seen)))
    if not desk.masks:
        raise ValueError("There is nothing to undo: the mask is as it was when the photo came here.")
    return _laid(desk, desk.masks[-1].whole(), desk.masks[:-1], (*desk.undone, Packed.of(seen)))


def brought_again(desk: Desk, canvas: Mapping | None) -> Desk:
    """The desk with the mask that was taken back last; ValueError if there is none."""
    seen = painted_on(desk, canvas)
    if not desk.undone or not np.array_equal(seen, desk.mask):
        raise ValueError("There is nothing to redo: no change was taken back just now.")
    return _laid(desk, desk.undone[-1].whole(), (*desk.masks, Packed.of(seen)), desk.undone[:-1])


def _laid(desk: Desk, mask: np.ndarray, masks: tuple, undone: tuple) -> Desk:
    """The desk with a mask that the canvas is yet to show."""
    return Desk(desk.name, desk.photo, mask, masks[-MOST_PAST:], undone[-MOST_PAST:], desk.past)


def on_canvas(desk: Desk) -> dict:
    """The value of the image editor that shows the photo with its mask, and in its corner the desk's stamp."""
    background = Image.fromarray(desk.photo)
    background.thumbnail((MOST_SHOWN, MOST_SHOWN), Image.Resampling.LANCZOS)
    background.putpixel((0, 0), desk.stamp)
    painted = _resized(desk.mask, background.size)
    layer = np.zeros((*painted.shape, 4), np.uint8)
    layer[painted] = (*TINT, VEIL)
    return {"background": runs.unique(background), "layers": [runs.unique(Image.fromarray(layer))], "composite": None}


def painted_on(desk: Desk, canvas: Mapping | None) -> np.ndarray:
    """The mask, bool (H, W): that of the desk, changed where the image editor's layers show other than it.

    A canvas that does not show this desk yet changes nothing.
    """
    layers = [layer[..., 3] > 0 for layer in (canvas or {}).get("layers") or ()]
    if not layers or not _shows(canvas, desk):
        return desk.mask
    seen = np.logical_or.reduce(layers)
    touched = seen != _resized(desk.mask, seen.shape[::-1])
    return np.where(_resized(touched, desk.size), _resized(seen, desk.size), desk.mask)


def _shows(canvas: Mapping, desk: Desk) -> bool:
    """Whether what the image editor sent bears the desk's stamp."""
    background = canvas.get("background")
    if background is None:
        return False
    return int(np.abs(background[0, 0, :3].astype(int) - desk.stamp).max()) <= STAMP_ERROR


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at another width and height, by the nearest pixel."""
    levels = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(levels.resize(size, Image.Resampling.NEAREST)) > 0


def with_rectangle(mask: np.ndarray, corners: Sequence[tuple[int, int]]) -> np.ndarray:
    """A mask with a rectangle between two opposite corners (x, y) painted too, both included."""
    (x0, x1), (y0, y1) = (sorted(values) for values in zip(*corners, strict=True))
    if x1 < 0 or y1 < 0 or x0 >= mask.shape[1] or y0 >= mask.shape[0]:
        raise ValueError(
            f"the rectangle from {x0}, {y0} to {x1}, {y1} misses the photo of {mask.shape[1]} x {mask.shape[0]} pixels."
        )
    painted = mask.copy()
    painted[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
    return painted


def changed(mask: np.ndarray, act: str, pixels: object = 0) -> np.ndarray:
    """A mask after "invert", "clear", or "grow" / "shrink" by so many pixels."""
    if act == "clear":
        return np.zeros_like(mask)
    if act == "invert":
        return ~mask
    return grow(mask, controls.whole("pixels", pixels) * (-1 if act == "shrink" else 1))


def corners_of(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two opposite corners (x, y) from "left, top, right, bottom"; ValueError if it is something else."""
    x0, y0, x1, y1 = _numbers(text, "left, top, right, bottom")
    return (x0, y0), (x1, y1)


def _numbers(text: str, names: str) -> list[int]:
    parts = text.replace(";", ",").split(",")
    if len(parts) != names.count(",") + 1:
        raise ValueError(f"'{text}' does not say {names}: type whole numbers, in pixels of the photo, with commas.")
    return [controls.whole("a number", part) for part in parts]


def square_around(desk: Desk, corners: Sequence[tuple[int, int]]) -> Box:
    """The square around a rectangle between two corners; on the photo where it fits."""
    spans = [sorted(values) for values in zip(*corners, strict=True)]
    side = max(end - start + 1 for start, end in spans)
    starts = [placed(start, end + 1, side, full) for (start, end), full in zip(spans, desk.size, strict=True)]
    return Box(*starts, side)


def box_of(text: str, desk: Desk) -> Box | None:
    """The square that "left, top, side" names; None for an empty text. ValueError if it is of no use."""
    if not text.strip():
        return None
    left, top, side = _numbers(text, "left, top, side")
    box = Box(left, top, side)
    check_box(box, desk.size)
    return box


def shown_box(box: Box | None) -> str:
    """The inverse of `box_of`."""
    return f"{box.left}, {box.top}, {box.side}" if box else ""


def picker(desk: Desk | None) -> str:
    """The photo, small, for a rectangle to be dragged on it; the page's script reads its true size."""
    if desk is None:
        return ""
    small = Image.fromarray(desk.photo)
    small.thumbnail((480, 480))
    width, height = desk.size
    return (
        f'<div class="picker" data-width="{width}" data-height="{height}" title="Drag, or click two corners">'
        f'<img src="{runs.data_uri(small)}" alt="the photo, to drag a rectangle on" draggable="false"><i></i></div>'
    )


def usual(task: str, first: int, cover: float) -> tuple[int, float]:
    """First free scale, as the page counts it, and cover for a task; what is no task's usual value stays."""
    wanted = CHANGING if task == CHANGE else REPAINTING
    firsts = [settings.first_free_scale + 1 for settings in (REPAINTING, CHANGING)]
    covers = [settings.min_cover for settings in (REPAINTING, CHANGING)]
    return (wanted.first_free_scale + 1 if first in firsts else first), wanted.min_cover if cover in covers else cover


def extension(desk: Desk, unit: str, *amounts: object) -> tuple[int, int, int, int]:
    """Pixels to add to the left, top, right and bottom; `amounts` in the unit, per cent of the photo's own side."""
    found = []
    for place, (name, amount) in enumerate(zip(SIDES, amounts, strict=True)):
        value = controls.number(name, amount)
        if value < 0:
            raise ValueError(f"{name} {amount}: choose 0 or more.")
        pixels = value * desk.size[place % 2] / 100 if unit == PER_CENT else value
        found.append(round(min(pixels, 1e9)))  # so many are refused
    left, top, right, bottom = found
    check_size("the new canvas", desk.size[0] + left + right, desk.size[1] + top + bottom)
    return left, top, right, bottom


@dataclass(frozen=True)
class Wish:
    """What the controls say, besides photo and mask."""

    task: str
    class_name: str
    count: object
    seed: object
    sampling: Sampling
    settings: Settings
    extend: tuple[int, int, int, int]
    box: Box | None = None  # the square that the model sees; None: one around the mask


def asked(spec: ModelSpec, desk: Desk | None, mask: np.ndarray | None, wish: Wish) -> Edit:
    """The edit that is asked for; ValueError that says what is missing."""
    if desk is None:
        raise ValueError("There is no photo yet: open one, or choose an example.")
    if wish.task == EXTEND and not any(wish.extend):
        raise ValueError("Say how far to extend: at least one side must be more than 0.")
    if wish.task != EXTEND and not mask.any():
        raise ValueError("Nothing is painted yet: paint over what should change, then press Run.")
    count, seed = controls.whole("variations", wish.count), controls.whole("seed", wish.seed)
    if not 1 <= count <= MOST_VARIATIONS:
        raise ValueError(f"variations {count} is out of range: choose 1 to {MOST_VARIATIONS}.")
    label = spec.label(controls.complete(spec, wish.class_name))
    if wish.task == CHANGE and label == spec.transformer.null_label:
        raise ValueError("Choose a class: what should it become?")
    seeds = tuple(range(seed, seed + count))
    plain = Edit(desk.photo, mask, (label,) * count, seeds, wish.sampling, wish.settings)
    if wish.task == EXTEND:
        return onward(plain, *wish.extend)
    if wish.box and not plain.unknown()[wish.box.inside(mask.shape)].any():
        raise ValueError("Nothing is painted inside the box: choose another box, or clear it.")
    return replace(plain, boxes=(wish.box,) if wish.box else None)


def misses(edit: Edit) -> bool:
    """Whether something painted lies outside all squares that were chosen by hand."""
    outside = edit.mask.copy()
    for box in edit.boxes or ():
        outside[box.inside(outside.shape)] = False
    return edit.boxes is not None and bool(outside.any())


# ------------------------------------------------------------------------------------------------ what becomes of it


@dataclass(frozen=True, eq=False)
class Square:
    """What the model saw and drew in a square, without the photos around it."""

    views: np.ndarray  # uint8 (B, S, S, 3), hole filled
    drawn: np.ndarray  # uint8 (B, S, S, 3)
    free: tuple[np.ndarray, ...]  # K maps bool (s_k, s_k): what was drawn anew
    turn: int  # passes before this one
    tokens: tuple  # K maps (B, L_k): what the pass has come to
    keep: tuple  # the same of bool: what of them was kept

    @classmethod
    def of(cls, stage: Stage) -> "Square":
        """Of the last stage of a pass."""
        keep = [keep[0].cpu().numpy() for keep in stage.work.plan.keep]
        sides = [round(len(k) ** 0.5) for k in keep]
        free = tuple(~k.reshape(side, side) for k, side in zip(keep, sides, strict=True))
        tokens = tuple(step.tokens for step in stage.progress.steps)
        return cls(stage.work.views, stage.drawn, free, stage.turn, tokens, stage.work.plan.keep)


@dataclass(frozen=True, eq=False)
class Job:
    """An edit that waits for the model of a digest, and the name of its photo."""

    name: str
    digest: str
    edit: Edit


@dataclass(frozen=True, eq=False)
class Done:
    """A finished edit: the files that hold its results, and what the page shows of them."""

    name: str  # of the photo
    digest: str  # of the model
    requests: tuple[Request, ...]  # one for each result, to draw something like it from nothing
    extend: tuple[int, int, int, int]
    painted: Packed  # before the photo was extended
    before: Image.Image  # the photo, smaller if it is large, as are the results
    shown: tuple[Image.Image, ...]
    squares: tuple[Square, ...]  # one for each pass over each square
    files: tuple[str, ...]
    mask_file: str
    bundle: str  # all of these files in one
    seconds: float


def live(stage: Stage, drawn: np.ndarray) -> list[Image.Image]:
    """The square under work as it grows: what is known of it, and what is drawn, uint8 (n, s, s, 3), in the hole.

    Of the first n variations, if the others have not begun.
    """
    weight = stage.work.cover[..., None]
    size = stage.work.cover.shape[::-1]
    shown = []
    for seen, picture in zip(stage.work.views, drawn, strict=False):
        large = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
        mixed = (seen + weight * (large.astype(np.float32) - seen)).round().astype(np.uint8)
        shown.append(runs.unique(Image.fromarray(mixed)))
    return shown


def write(
    pipe: Pipeline, job: Job, photos: tuple[np.ndarray, ...], squares: Sequence[Square], seconds: float, cache: str
) -> Done:
    """The results as PNG files with their recipes, the mask beside them, and all in one ZIP file."""
    folder, edit = runs.folder(cache), job.edit
    files = []
    for place, photo in enumerate(photos):
        recipe = Recipe.of_edit(pipe, edit, place)
        files.append(str(folder / f"{job.name}-{recipe.stem}.png"))
        recipe.save(Image.fromarray(photo), Path(files[-1]))
    mask_file, bundle = write_mask(job.name, edit.painted, folder), folder / f"{job.name}-edits.zip"
    with zipfile.ZipFile(bundle, "w") as packed:
        for file in (*files, mask_file):
            packed.write(file, Path(file).name)
    requests = tuple(
        Request((label,), (seed,), edit.sampling) for label, seed in zip(edit.labels, edit.seeds, strict=True)
    )
    before, shown = preview(edit.photo), tuple(preview(photo) for photo in photos)
    painted, paths = Packed.of(edit.painted), (tuple(files), mask_file, str(bundle))
    return Done(job.name, job.digest, requests, edit.extend, painted, before, shown, tuple(squares), *paths, seconds)


def write_mask(name: str, mask: np.ndarray, folder: Path) -> str:
    """The mask as a black and white PNG; its path."""
    path = folder / f"{name}-mask.png"
    Image.fromarray(mask).save(path)
    return str(path)


def preview(photo: np.ndarray) -> Image.Image:
    """A photo as the page shows it: smaller if it is large."""
    shown = Image.fromarray(photo)
    shown.thumbnail((LARGEST_PREVIEW, LARGEST_PREVIEW))
    return shown


def progress(stage: Stage, seconds: float) -> str:
    """The bar of an edit under way."""
    turn = f"pass {stage.turn + 1} of {stage.turns}, " if stage.turns > 1 else ""
    progress = stage.progress
    share = (stage.turn + progress.fraction) / stage.turns
    return runs.bar(f"{turn}{runs.scale(progress)} · {seconds:.1f} s{runs.parted(progress)}", share)


def summary(done: Done) -> str:
    """The bar of an edit that is over."""
    noun = "variation" if len(done.files) == 1 else "variations"
    return runs.bar(f"{len(done.files)} {noun} in {done.seconds:.1f} s", 1.0)


def inside(done: Done, place: int) -> str:
    """Of every pass: what was free at every scale, what the model saw, and what it drew before it was pasted back."""
    shown = done.squares[:MOST_SQUARES_SHOWN]
    parts = []
    for number, square in enumerate(shown, 1):
        which = f" (pass {number} of {len(done.squares)})" if len(done.squares) > 1 else ""
        words = "cells in colour; the others kept the photo"
        parts.append(_figures(f"What was drawn anew at every scale{which}", words, _masks(square)))
        pictures = ((square.views[place], "what the model saw"), (square.drawn[place], "what it drew"))
        frames = [runs.frame(runs.shrunk(Image.fromarray(pixels)), caption) for pixels, caption in pictures]
        parts.append(_figures(f"What the model really drew{which}", "before it was pasted back", frames))
    return "".join(parts)


def _masks(square: Square) -> list[str]:
    """The free cells of every scale over the picture, as small pictures."""
    seen, frames = np.asarray(runs.shrunk(Image.fromarray(square.views[0]))), []
    for free in square.free:
        large = Image.fromarray(free).resize(seen.shape[1::-1], Image.Resampling.NEAREST)
        tinted = np.where(np.asarray(large)[..., None], 0.45 * seen + 0.55 * np.array(TINT), 0.6 * seen + 0.4 * 255)
        caption = f"{len(free)}×{len(free)}: {free.sum()} of {free.size}"  # noqa: RUF001
        frames.append(runs.frame(Image.fromarray(tinted.astype(np.uint8)), caption))
    return frames


def _figures(title: str, words: str, frames: Sequence[str]) -> str:
    inside = "".join(frames)
    return (
        f'<section class="strip"><h2>{escape(title)} <span>{escape(words)}</span></h2>'
        f'<div class="frames">{inside}</div></section>'
    )


def outline(desk: Desk | None, extend: Sequence[int]) -> str:
    """The new canvas drawn to scale, with the photo in it, and its size in words."""
    if desk is None or not any(extend):
        return ""
    left, top, right, bottom = extend
    width, height = desk.size[0] + left + right, desk.size[1] + top + bottom
    small = Image.fromarray(desk.photo)
    small.thumbnail((240, 240))
    place = (100 * left / width, 100 * top / height, 100 * desk.size[0] / width)
    style = "left:{:.2f}%;top:{:.2f}%;width:{:.2f}%".format(*place)
    return (
        f'<div class="outline" style="aspect-ratio:{width}/{height};max-width:{220 * width / height:.0f}px">'
        f'<img src="{runs.data_uri(small)}" alt="the photo" style="{style}"></div>'
        f'<p class="outline-size">{desk.size[0]} × {desk.size[1]} becomes {width} × {height} pixels</p>'  # noqa: RUF001
    )


def taken(desk: Desk, canvas: Mapping | None, done: Done, place: int) -> Desk:
    """The desk with a result on it as the photo, and the mask it was made with, unless it was extended."""
    mask = None if any(done.extend) else done.painted.whole()
    return fresh(done.name, open_photo(done.files[place]), mask, past(desk, canvas))


def back(desk: Desk, canvas: Mapping | None, place: int) -> Desk:
    """The desk with an earlier photo on it again, with its own mask; what lay on it joins the past."""
    name, photo, mask = desk.past[place]
    everything = past(desk, canvas)
    return fresh(name, photo, mask.whole(), (*everything[:place], *everything[place + 1 :]))


def past(desk: Desk | None, canvas: Mapping | None) -> tuple:
    """The past once another photo is laid on the desk."""
    return (*desk.past, (desk.name, desk.photo, Packed.of(painted_on(desk, canvas)))) if desk else ()


def thumbnails(desk: Desk | None) -> list[Image.Image]:
    """The past, small, oldest first."""
    return [_small(Image.fromarray(photo)) for _, photo, _ in desk.past] if desk else []


def finished(dones: tuple[Done, ...], done: Done) -> tuple[Done, ...]:
    """The edits whose results can be looked at again, once another one is done; that one always."""
    before = dones[1 - MOST_DONE :]
    pixels = [sum(math.prod(picture.size) for picture in (one.before, *one.shown)) for one in (*before, done)]
    return *latest(before, pixels[:-1], MOST_DONE_PIXELS - pixels[-1]), done


def earlier(dones: Sequence[Done]) -> list[Image.Image]:
    """The first result of each edit, small, oldest first; nothing if there is but one edit."""
    return [_small(done.shown[0]) for done in dones] if len(dones) > 1 else []


def _small(picture: Image.Image) -> Image.Image:
    return runs.unique(runs.shrunk(picture, 160))
