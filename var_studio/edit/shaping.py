"""The row above the canvas that chooses what a drag or a click on it does, and what the page tells of it."""

from typing import NamedTuple

import gradio as gr

from ..shared.events import QUIET, REPEATED, EventOptions
from .layout import Table
from .photo_handlers import PhotoHandlers
from .shapes import BRUSH, MOST_TOLERANCE, TOLERANCE, TOOLS


class Shaping(NamedTuple):
    """The widgets of the row, and hidden ones: a box for shapes as JSON, and buttons that keys press."""

    tool: gr.Radio
    takes: gr.Checkbox
    tolerance: gr.Slider
    shape: gr.Textbox
    undo: gr.Button
    redo: gr.Button


def shaping_row() -> Shaping:
    """Lay out the row."""
    with gr.Row(elem_id="shaping"):
        tool = gr.Radio(
            list(TOOLS),
            value=BRUSH,
            label="Tool",
            show_label=False,
            interactive=True,
            elem_id="tool",
            elem_classes="pills",
        )
        takes = gr.Checkbox(label="Take away", interactive=True, elem_id="takes")
        tolerance = gr.Slider(0, MOST_TOLERANCE, TOLERANCE, step=1, label="Tolerance", elem_id="tolerance")
    shape = gr.Textbox(visible="hidden", elem_id="shape")
    undo, redo = (gr.Button(name.capitalize(), visible="hidden", elem_id=f"{name}_by_key") for name in ("undo", "redo"))
    return Shaping(tool, takes, tolerance, shape, undo, redo)


def wire_shaping(photos: PhotoHandlers, table: Table, row: Shaping) -> None:
    """Wire what the row tells to the mask; shapes that follow each other at once wait for one another."""
    here, both = [table.workspace, table.canvas], [table.canvas, table.workspace]
    given = [*here, row.shape, row.tolerance]
    one_by_one: EventOptions = {**QUIET, "concurrency_limit": 1, "trigger_mode": "multiple"}
    row.shape.change(photos.add_shape, given, both, **one_by_one)
    row.undo.click(photos.undo_mask, here, both, **REPEATED)
    row.redo.click(photos.redo_mask, here, both, **REPEATED)
