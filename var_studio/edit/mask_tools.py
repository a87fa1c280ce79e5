"""Tools that change a mask, besides the brush, and choose the square that the model sees. No widgets."""

from collections.abc import Sequence

import numpy as np

from var_core.editing.canvas import Box, check_box, dilated, placed
from var_core.settings import parse_int

from ..shared import html
from .workspace import Workspace

PICKER_NAME = "The photo, small. Arrow keys move a cross, Enter marks two corners of a rectangle."


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


def changed_mask(mask: np.ndarray, act: str, pixels: object = 0) -> np.ndarray:
    """A mask after "invert", "clear", or "grow" / "shrink" by so many pixels."""
    if act == "clear":
        return np.zeros_like(mask)
    if act == "invert":
        return ~mask
    count = parse_int("pixels", pixels)
    if count < 0:
        raise ValueError(f"pixels {count}: choose 0 or more.")
    return dilated(mask, -count if act == "shrink" else count)


def corners_of(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two opposite corners (x, y) from "left, top, right, bottom"; ValueError if it is something else."""
    x0, y0, x1, y1 = _numbers(text, "left, top, right, bottom")
    return (x0, y0), (x1, y1)


def _numbers(text: str, names: str) -> list[int]:
    parts = text.replace(";", ",").split(",")
    if len(parts) != names.count(",") + 1:
        raise ValueError(f"'{text}' does not say {names}: type whole numbers, in pixels of the photo, with commas.")
    return [parse_int("a number", part) for part in parts]


def square_around(workspace: Workspace, corners: Sequence[tuple[int, int]]) -> Box:
    """The square around a rectangle between two corners; on the photo where it fits."""
    spans = [sorted(values) for values in zip(*corners, strict=True)]
    side = max(end - start + 1 for start, end in spans)
    left, top = (placed(start, end + 1, side, full) for (start, end), full in zip(spans, workspace.size, strict=True))
    return Box(left, top, side)


def box_of(text: str, workspace: Workspace) -> Box | None:
    """The square that "left, top, side" names; None for an empty text. ValueError if it is of no use."""
    if not text.strip():
        return None
    left, top, side = _numbers(text, "left, top, side")
    box = Box(left, top, side)
    check_box(box, workspace.size)
    return box


def shown_box(box: Box | None) -> str:
    """The inverse of `box_of`."""
    return f"{box.left}, {box.top}, {box.side}" if box else ""


def picker(workspace: Workspace | None) -> str:
    """The photo, small, for a rectangle to be dragged on it; the page's script reads its true size."""
    if workspace is None:
        return ""
    small = workspace.shown(480)
    width, height = workspace.size
    return (
        f'<div class="picker" data-width="{width}" data-height="{height}" title="Drag, or click two corners" '
        f'tabindex="0" role="application" aria-label="{PICKER_NAME}">'
        f'<img src="{html.data_uri(small)}" alt="" draggable="false"><i></i><b></b></div>'
    )
