"""The photo on the Edit tab, and the mask on it."""

from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np

from var_core.editing.edit import HALF, soft_edged
from var_core.recipe import pixel_hash

from ..shared import run as runs
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.examples import examples, mask_file
from ..shared.served_files import fresh_folder
from ..shared.visit_pictures import VisitPicture
from ..shared.visitor_files import VisitorFiles
from . import mask_tools, shapes
from . import results as outcomes
from . import workspace as workspaces
from .results import EditResult
from .workspace import Canvas, Found, PackedLevels, ShownCanvas, Workspace, needed

MaskUpdate = tuple[ShownCanvas, Workspace]  # new values of the canvas and of the workspace
Received = tuple[
    gr.Tabs | Unchanged, ShownCanvas | Unchanged, Workspace | Unchanged, gr.Gallery | Unchanged, str | Unchanged
]
PhotoUpdate = tuple[ShownCanvas, Workspace, gr.Gallery, str]  # of a `Table`, and of the box, which an old photo had


@dataclass(frozen=True)
class PhotoHandlers:
    """Handlers of the photo and of its mask, as functions of the widgets' values.

    They return new values in the order of the outputs.
    """

    cache: str  # where Gradio serves files from
    files: VisitorFiles

    def open_file(self, path: str, old: Workspace | None, canvas: Canvas | None) -> PhotoUpdate:
        """A photo from a file, onto the canvas."""
        with in_words():
            return self.shown(self._laid_out(path, old, canvas))

    def _laid_out(self, path: Path | str, old: Workspace | None, canvas: Canvas | None) -> Workspace:
        """A workspace with the photo of a file; what lay there before joins the past, as far as there is room."""
        opened, past = self.files.photo(path), workspaces.past(old, canvas)
        return workspaces.laid_out(Path(path).stem, opened, None, past, self.files.limits.visitor_bytes)

    def shown(self, now: Workspace) -> PhotoUpdate:
        """The values of the `Table` for a workspace, and that of the box, which belonged to another photo."""
        past = [self.files.served(picture, self.cache) for picture in workspaces.thumbnails(now)]
        return workspaces.on_canvas(now), now, gr.Gallery(past, visible=bool(now.past)), ""

    def example(self, old: Workspace | None, canvas: Canvas | None, event: gr.SelectData) -> PhotoUpdate:
        """An example with its mask."""
        photo = examples()[event.index]
        with in_words():
            now = self._laid_out(photo, old, canvas)
            return self.shown(now.masked(self.files.mask(mask_file(photo), now.size)[0]))

    def change_mask(self, act: str, now: Workspace | None, canvas: Canvas | None, pixels: object) -> MaskUpdate:
        """Invert, clear, grow or shrink what is painted."""
        with in_words():
            here = needed(now)
            mask = mask_tools.changed_mask(workspaces.painted_on(here, canvas), act, pixels)
            return self._masked(replace(here, soft=None) if act == "clear" else here, canvas, mask)

    def _masked(self, now: Workspace, canvas: Canvas | None, mask: np.ndarray) -> MaskUpdate:
        """The canvas and the workspace with another mask."""
        after = workspaces.with_mask(now, canvas, mask)
        return workspaces.on_canvas(after), after

    def undo_mask(self, now: Workspace | None, canvas: Canvas | None) -> MaskUpdate:
        """The mask before the strokes since the last change, or before that change."""
        with in_words():
            before = workspaces.undo(needed(now), canvas)
        return workspaces.on_canvas(before), before

    def redo_mask(self, now: Workspace | None, canvas: Canvas | None) -> MaskUpdate:
        """The mask that was taken back last."""
        with in_words():
            after = workspaces.redo(needed(now), canvas)
        return workspaces.on_canvas(after), after

    def add_rectangle(self, now: Workspace | None, canvas: Canvas | None, text: str) -> MaskUpdate:
        """Paint the rectangle that four numbers name."""
        with in_words():
            here = needed(now)
            mask = mask_tools.with_rectangle(workspaces.painted_on(here, canvas), mask_tools.corners_of(text or ""))
        return self._masked(here, canvas, mask)

    def add_shape(self, now: Workspace | None, canvas: Canvas | None, text: str, tolerance: object) -> MaskUpdate:
        """Paint, or take away, what a shape holds that was drawn on the canvas."""
        with in_words():
            here, shape = needed(now), shapes.read_shape(text or "")
            mask = shapes.with_shape(workspaces.painted_on(here, canvas), here.photo, shape, tolerance)
        return self._masked(here, canvas, mask)

    def add_found(self, now: Workspace | None, canvas: Canvas | None, found: Found) -> MaskUpdate:
        """Paint what was found in the photo, beside what is painted by now."""
        with in_words():
            here = needed(now)
            if pixel_hash(here.photo) != found.photo:
                raise ValueError("Another photo lies here now: press Paint it for me again.")
        gr.Info(f"Painted what looks like {escape(found.name)}. Correct it with the brush.")
        return self._masked(here, canvas, workspaces.painted_on(here, canvas) | found.mask.unpack())

    def look_there(self, now: Workspace | None, text: str) -> str:
        """The square around the rectangle that four numbers name, for the model to look at."""
        with in_words():
            return mask_tools.shown_box(mask_tools.square_around(needed(now), mask_tools.corners_of(text or "")))

    def load_mask(self, now: Workspace | None, canvas: Canvas | None, path: str) -> MaskUpdate:
        """A mask from a file."""
        with in_words():
            here = needed(now)
            levels, found = self.files.levels(path, here.size)
            soft = soft_edged(levels)
        if found:
            gr.Info(f"The mask has {found[0]} x {found[1]} pixels, the photo {here.size[0]} x {here.size[1]}: resized.")
        if soft:
            gr.Info("The mask has greys. They are cut at half, or say how much of the result shows: Soft mask.")
        return self._masked(replace(here, soft=PackedLevels.pack(levels) if soft else None), canvas, levels > HALF)

    def save_mask(self, now: Workspace | None, canvas: Canvas | None) -> str:
        """The mask as a file."""
        with in_words():
            here = needed(now)
            mask = here.told(workspaces.painted_on(here, canvas))
            with fresh_folder(self.cache) as folder:
                return outcomes.write_mask(here.name, mask, folder)

    def take(self, now: Workspace | None, canvas: Canvas | None, result: EditResult, index: int) -> PhotoUpdate:
        """Go on from a result: it becomes the photo."""
        with in_words():
            result.need_files()
            photo = self.files.photo(result.files[index])
            return self.shown(outcomes.used_as_input(now, canvas, result, photo))

    def step_back(self, now: Workspace | None, canvas: Canvas | None, event: gr.SelectData) -> PhotoUpdate:
        """An earlier photo, with the mask that it had."""
        with in_words():
            return self.shown(workspaces.stepped_back(needed(now), canvas, event.index))

    def receive(self, run: runs.Run | None, chosen: int, old: Workspace | None, canvas: Canvas | None) -> Received:
        """A picture from the Create tab, and the way here."""
        with in_words():
            if run:
                run.need_files()
        return self._received(run.files[chosen] if run else None, old, canvas)

    def open_picture(self, picture: VisitPicture | None, old: Workspace | None, canvas: Canvas | None) -> Received:
        """A picture of the visit, and the way here."""
        with in_words():
            if picture:
                picture.need_files()
        return self._received(picture.file if picture else None, old, canvas)

    def _received(self, file: str | None, old: Workspace | None, canvas: Canvas | None) -> Received:
        if file is None:
            return SKIP, SKIP, SKIP, SKIP, SKIP
        with in_words():
            return gr.Tabs(selected="edit"), *self.shown(self._laid_out(file, old, canvas))
