"""What lies on the Edit tab: a photo and what is painted on it. Values to edits, edits to pictures. No widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.canvas import grow
from var_core.config import ModelSpec
from var_core.edit import Edit, Settings, Stage, onward
from var_core.images import check_size
from var_core.pipeline import Pipeline
from var_core.recipe import Recipe
from var_core.sampling import Sampling

from . import controls, runs

INPAINT, EXTEND, CHANGE = TASKS = ("Inpaint", "Extend", "Change into …")
SIDES = ("left", "top", "right", "bottom")
PIXELS, PER_CENT = UNITS = ("pixels", "per cent")
MOST_VARIATIONS = 8
MOST_PAST = 8  # photos to step back to
MOST_SHOWN = 1024  # pixels of a photo's longer side on the canvas
TINT, VEIL = (255, 45, 120), 140  # colour of what is painted, and how dense
HINTS = {
    INPAINT: "Painted = will be repainted, to fit what is around it.",
    EXTEND: "The photo is drawn onward beyond its edges. What you paint is redrawn too.",
    CHANGE: "Painted = will become the class you choose.",
}


@dataclass(frozen=True, eq=False)
class Desk:
    """A photo uint8 (H, W, 3) under its file's name, the mask last laid on it, and what was here before.

    Strokes of the brush are on the canvas alone until `painted_on` reads them. It may be smaller than the photo, so
    that the mask itself stays here, as fine as it was laid.
    """

    name: str
    photo: np.ndarray
    mask: np.ndarray  # bool (H, W)
    masks: tuple[np.ndarray, ...] = ()  # earlier ones of this photo, oldest first
    past: tuple[tuple[str, np.ndarray, np.ndarray], ...] = ()  # earlier photos: name, photo, mask; oldest first

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.photo.shape[1], self.photo.shape[0]


def fresh(name: str, photo: np.ndarray, mask: np.ndarray | None = None, past: tuple = ()) -> Desk:
    """A desk with a photo; None: nothing is painted."""
    return Desk(name, photo, np.zeros(photo.shape[:2], bool) if mask is None else mask, (), past[-MOST_PAST:])


def with_mask(desk: Desk, canvas: Mapping | None, mask: np.ndarray) -> Desk:
    """The desk with another mask; the one that is there, strokes and all, can be had again."""
    return replace(desk, mask=mask, masks=(*desk.masks, painted_on(desk, canvas))[-MOST_PAST:])


def undone(desk: Desk) -> Desk:
    """The desk with its mask before the last change; ValueError if there is none."""
    if not desk.masks:
        raise ValueError("There is no earlier mask. Strokes are taken back by Ctrl-Z.")
    return replace(desk, mask=desk.masks[-1], masks=desk.masks[:-1])


def on_canvas(desk: Desk) -> dict:
    """The value of the image editor that shows the photo with its mask."""
    background = Image.fromarray(desk.photo)
    background.thumbnail((MOST_SHOWN, MOST_SHOWN), Image.Resampling.LANCZOS)
    painted = _resized(desk.mask, background.size)
    layer = np.zeros((*painted.shape, 4), np.uint8)
    layer[painted] = (*TINT, VEIL)
    veil = Image.fromarray(layer)
    whole = Image.alpha_composite(background.convert("RGBA"), veil)
    return {"background": background, "layers": [veil], "composite": whole}


def painted_on(desk: Desk, canvas: Mapping | None) -> np.ndarray:
    """The mask, bool (H, W): that of the desk, changed where the image editor's layers show other than it."""
    layers = [layer[..., 3] > 0 for layer in (canvas or {}).get("layers") or ()]
    if not layers:
        return desk.mask
    seen = np.logical_or.reduce(layers)
    touched = seen != _resized(desk.mask, seen.shape[::-1])
    return np.where(_resized(touched, desk.size), _resized(seen, desk.size), desk.mask)


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


def extension(desk: Desk, unit: str, *amounts: object) -> tuple[int, int, int, int]:
    """Pixels to add to the left, top, right and bottom; `amounts` in the unit, per cent of the photo's own side."""
    found = []
    for place, (name, amount) in enumerate(zip(SIDES, amounts, strict=True)):
        value = controls.number(name, amount)
        pixels = round(value * desk.size[place % 2] / 100) if unit == PER_CENT else round(value)
        if pixels < 0:
            raise ValueError(f"{name} {amount}: choose 0 or more.")
        found.append(pixels)
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
    null = spec.transformer.null_label
    label = spec.label(controls.complete(spec, wish.class_name)) if wish.task == CHANGE else null
    plain = Edit(desk.photo, mask, (label,) * count, tuple(range(seed, seed + count)), wish.sampling, wish.settings)
    return onward(plain, *wish.extend) if wish.task == EXTEND else plain


# ------------------------------------------------------------------------------------------------ what becomes of it


@dataclass(frozen=True, eq=False)
class Done:
    """A finished edit: its photos, and the files that hold them."""

    name: str  # of the photo
    edit: Edit
    photos: tuple[np.ndarray, ...]
    stages: tuple[Stage, ...]  # the last one of each square
    files: tuple[str, ...]
    mask_file: str
    seconds: float


def live(stage: Stage, drawn: np.ndarray) -> list[Image.Image]:
    """The square under work as it grows: what is known of it, and what is drawn, uint8 (B, s, s, 3), in the hole."""
    weight = stage.work.cover[..., None]
    size = stage.work.cover.shape[::-1]
    shown = []
    for seen, picture in zip(stage.work.views, drawn, strict=True):
        large = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
        shown.append(Image.fromarray((seen + weight * (large.astype(np.float32) - seen)).round().astype(np.uint8)))
    return shown


def write(pipe: Pipeline, name: str, edit: Edit, stages: Sequence[Stage], seconds: float, cache: str) -> Done:
    """The results as PNG files with their recipes, and the mask beside them."""
    folder, photos = runs.folder(cache), stages[-1].photos
    files = []
    for place, photo in enumerate(photos):
        recipe = Recipe.of_edit(pipe, edit, place)
        files.append(str(folder / f"{name}-{recipe.stem}.png"))
        recipe.save(Image.fromarray(photo), Path(files[-1]))
    return Done(name, edit, photos, tuple(stages), tuple(files), write_mask(name, edit.painted, folder), seconds)


def write_mask(name: str, mask: np.ndarray, folder: Path) -> str:
    """The mask as a black and white PNG; its path."""
    path = folder / f"{name}-mask.png"
    Image.fromarray(mask).save(path)
    return str(path)


def before_and_after(done: Done, place: int) -> tuple[Image.Image, Image.Image]:
    """The photo as it was and a result, of one size."""
    return Image.fromarray(done.edit.photo), Image.fromarray(done.photos[place])


def progress(stage: Stage, scales: int, seconds: float) -> str:
    """The bar of an edit under way."""
    step = stage.step
    turn = f"pass {stage.turn + 1} of {stage.turns}, " if stage.turns > 1 else ""
    share = (stage.turn + (step.scale + 1) / scales) / stage.turns
    return runs.bar(f"{turn}scale {step.scale + 1} of {scales} · {seconds:.1f} s", share)


def summary(done: Done) -> str:
    """The bar of an edit that is over."""
    noun = "variation" if len(done.photos) == 1 else "variations"
    return runs.bar(f"{len(done.photos)} {noun} in {done.seconds:.1f} s", 1.0)


def masks_by_scale(done: Done) -> str:
    """What was free at every scale, as small pictures under a line that says so."""
    work = done.stages[-1].work
    seen, frames = work.views[0], []
    for keep in work.plan.keep:
        side = round(keep.shape[1] ** 0.5)
        free = Image.fromarray(~keep[0].view(side, side).cpu().numpy())
        shown = np.asarray(free.resize(seen.shape[1::-1], Image.Resampling.NEAREST))[..., None]
        tinted = np.where(shown, 0.45 * seen + 0.55 * np.array(TINT), 0.6 * seen + 0.4 * 255)
        share = f"{int((~keep[0]).sum())} of {side * side}"
        frames.append(runs.frame(Image.fromarray(tinted.astype(np.uint8)), f"{side}×{side}: {share}"))  # noqa: RUF001
    return _figures("What was drawn anew at every scale", "cells in colour; the others kept the photo", frames)


def raw(done: Done, place: int) -> str:
    """What the model drew in the square, before it was pasted back."""
    last = done.stages[-1]
    pictures = ((last.work.views[place], "what the model saw"), (last.drawn[place], "what it drew"))
    frames = [runs.frame(Image.fromarray(pixels), caption) for pixels, caption in pictures]
    return _figures("What the model really drew", "before it was pasted back", frames)


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
    mask = None if any(done.edit.extend) else done.edit.painted
    return fresh(done.name, done.photos[place], mask, past(desk, canvas))


def back(desk: Desk, canvas: Mapping | None, place: int) -> Desk:
    """The desk with an earlier photo on it again, with its own mask; what lay on it joins the past."""
    name, photo, mask = desk.past[place]
    everything = past(desk, canvas)
    return fresh(name, photo, mask, (*everything[:place], *everything[place + 1 :]))


def past(desk: Desk | None, canvas: Mapping | None) -> tuple:
    """The past once another photo is laid on the desk."""
    return (*desk.past, (desk.name, desk.photo, painted_on(desk, canvas))) if desk else ()


def thumbnails(desk: Desk | None) -> list[Image.Image]:
    """The past, small, oldest first."""
    shown = [Image.fromarray(photo) for _, photo, _ in desk.past] if desk else []
    for picture in shown:
        picture.thumbnail((160, 160))
    return shown
