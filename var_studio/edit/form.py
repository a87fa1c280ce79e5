"""The form of the Edit tab: what its controls say, as an `Edit`. No widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from var_core.config import NO_CLASS, ModelSpec, Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import Edit, onward, squares
from var_core.editing.edit_settings import CHANGING, REMOVING, REPAINTING, EditSettings, usual_sampling
from var_core.engine.pipeline import Pipeline
from var_core.picture_reading import check_size
from var_core.settings import Value, named, parse_float, parse_int

from ..shared import controls, html
from ..shared.limits import HOME
from . import mask_tools
from .workspace import Workspace, needed

INPAINT, REMOVE, EXTEND, CHANGE = TASKS = ("Inpaint", "Remove", "Extend", "Change into …")
SIDES = ("left", "top", "right", "bottom")
PIXELS, PER_CENT = UNITS = ("pixels", "per cent")
MOST_VARIATIONS = HOME.variations
USUAL = {INPAINT: REPAINTING, REMOVE: REMOVING, EXTEND: REPAINTING, CHANGE: CHANGING}
HINTS = {
    INPAINT: "Painted = will be repainted, to fit what is around it.",
    REMOVE: "Painted = will be taken away; what is around it goes on. Paint its shadow, too.",
    EXTEND: "The photo is drawn onward beyond its edges.",
    CHANGE: "Painted = will become the class you choose.",
}
CLASS_HINTS = {
    INPAINT: "What the painted part belongs to, if you know.",
    REMOVE: "",
    EXTEND: "What is in the photo, if you know.",
    CHANGE: "What it becomes. Type to search.",
}


def usual_settings(task: str, now: Mapping[str, object]) -> tuple[Mapping[str, Value]]:
    """Return by name the settings that a task has otherwise than they are `now`; what is no task's own stays."""
    wanted, others = named(USUAL[task]), [named(settings) for settings in USUAL.values()]
    return ({name: new for name, new in wanted.items() if now[name] != new and now[name] in _of(others, name)},)


def _of(tables: Sequence[Mapping[str, Value]], name: str) -> list[Value]:
    """Return what several tables say of a name; nothing if all say the same."""
    values = [table[name] for table in tables]
    return values if len(set(values)) > 1 else []


def extension(workspace: Workspace, unit: str, *amounts: object) -> tuple[int, int, int, int]:
    """Pixels to add to the left, top, right and bottom; `amounts` in the unit, per cent of the photo's own side."""
    found = []
    for index, (name, amount) in enumerate(zip(SIDES, amounts, strict=True)):
        value = parse_float(name, amount)
        if value < 0:
            raise ValueError(f"{name} {amount}: choose 0 or more.")
        pixels = value * workspace.size[index % 2] / 100 if unit == PER_CENT else value
        found.append(round(min(pixels, 1e9)))  # so many are refused
    left, top, right, bottom = found
    check_size("the new canvas", workspace.size[0] + left + right, workspace.size[1] + top + bottom)
    return left, top, right, bottom


@dataclass(frozen=True)
class EditForm:
    """The values of the controls, besides photo and mask."""

    task: str
    class_name: str
    count: Value | None
    seed: Value | None
    sampling: Sampling
    settings: EditSettings
    extend: tuple[int, int, int, int]
    box: Box | None = None  # the square that the model sees; None: one around the mask
    redraws: bool = False  # while extending, what is painted too


class FormValues(NamedTuple):
    """The values of the widgets of a form: those of `layout.Choice` and of both tables of settings by name."""

    choice: Mapping[str, Value]
    settings: Mapping[str, Value]
    sampling: Mapping[str, Value]
    how_many: int
    seed: str
    lock: bool  # the next run takes this seed


def shown(form: EditForm) -> FormValues:
    """Return the values with which the widgets ask for what a form has asked for."""
    sides = dict(zip(SIDES, form.extend, strict=True))
    box = mask_tools.shown_box(form.box) if form.box else ""
    what: dict[str, Value] = {"task": form.task, "box": box, "class_name": form.class_name}
    choice = {**what, "redraws": form.redraws, "unit": PIXELS, **sides}
    count = parse_int("variations", form.count)
    return FormValues(choice, named(form.settings), named(form.sampling), count, str(form.seed), True)


def form_in_words(form: EditForm, usual: Sampling) -> str:
    """Say a form in words: task, class, seeds, and what differs from the defaults; `usual` is the model's draw."""
    has_class, seed = form.class_name != NO_CLASS, parse_int("seed", form.seed)
    count = parse_int("variations", form.count)
    into = form.task == CHANGE and has_class
    parts = [form.task.replace("…", form.class_name) if into else form.task]
    sides = [f"{pixels} {name}" for name, pixels in zip(SIDES, form.extend, strict=True) if pixels]
    parts += [f"by {', '.join(sides)}"] if sides else []
    parts += ["with what is painted"] if form.task == EXTEND and form.redraws else []
    parts += [] if into or form.task == REMOVE else [form.class_name]
    parts += [f"seed {seed}" if count == 1 else f"seeds {seed} to {seed + count - 1}"]
    parts += [f"looking at {mask_tools.shown_box(form.box)}"] if form.box else []
    parts += controls.other_than(USUAL[form.task], form.settings)
    parts += controls.other_than(usual_sampling(usual, has_class), form.sampling)
    return " · ".join(parts)


def edit_asked_for(
    spec: ModelSpec, workspace: Workspace | None, mask: np.ndarray | None, form: EditForm, most: int = MOST_VARIATIONS
) -> Edit:
    """The edit that is asked for, in at `most` so many variations; ValueError that says what is missing."""
    workspace = needed(workspace)
    assert mask is not None, "a photo has a mask"
    if form.task == EXTEND and not any(form.extend):
        raise ValueError("Say how far to extend: at least one side must be more than 0.")
    if form.task != EXTEND and not mask.any():
        raise ValueError("Nothing is painted yet: paint over what should change, then press Run.")
    count, seed = parse_int("variations", form.count), parse_int("seed", form.seed)
    if not 1 <= count <= most:
        raise ValueError(f"variations {count} is out of range: choose 1 to {most}.")
    null = spec.transformer.null_label
    label = null if form.task == REMOVE else spec.label(controls.complete(spec, form.class_name))
    if form.task == CHANGE and label == null:
        raise ValueError("Choose a class: what should it become?")
    seeds = tuple(range(seed, seed + count))
    told = workspace.told(mask) if form.settings.soft else mask
    if form.task == EXTEND and not form.redraws:
        told = np.zeros_like(mask)
    levels = told.astype(np.uint8) * 255 if told.dtype == bool else told
    plain = Edit.with_levels(workspace.photo, levels, (label,) * count, seeds, form.sampling, form.settings)
    if form.task == EXTEND:
        return onward(plain, *form.extend)
    if form.box and not plain.hole_mask()[form.box.inside(mask.shape)].any():
        raise ValueError("Nothing is painted inside the box: choose another box, or clear it.")
    return replace(plain, boxes=(form.box,) if form.box else None)


def check_squares(pipe: Pipeline, edit: Edit, most: int) -> None:
    """Raise ValueError if an edit takes more squares than it may draw; `squares` refuses what the library would."""
    if (count := len(squares(pipe, edit, edit.hole_mask()))) > most:
        raise ValueError(f"This takes {count} squares; one edit may draw {most}: extend by less at once.")


def misses(edit: Edit) -> bool:
    """Say whether something painted lies outside all squares that were chosen by hand."""
    outside = edit.mask.copy()
    for box in edit.boxes or ():
        outside[box.inside(outside.shape)] = False
    return edit.boxes is not None and bool(outside.any())


def outline(workspace: Workspace | None, extend: Sequence[int]) -> str:
    """The new canvas drawn to scale, with the photo in it, and its size in words."""
    if workspace is None or not any(extend):
        return ""
    left, top, right, bottom = extend
    width, height = workspace.size[0] + left + right, workspace.size[1] + top + bottom
    small = workspace.shown(240)
    position = (100 * left / width, 100 * top / height, 100 * workspace.size[0] / width)
    style = "left:{:.2f}%;top:{:.2f}%;width:{:.2f}%".format(*position)
    return (
        f'<div class="outline" style="aspect-ratio:{width}/{height};max-width:{220 * width / height:.0f}px">'
        f'<img src="{html.data_uri(small)}" alt="the photo" style="{style}"></div>'
        f'<p class="outline-size">{workspace.size[0]} × {workspace.size[1]} becomes {width} × {height} pixels</p>'  # noqa: RUF001
    )
