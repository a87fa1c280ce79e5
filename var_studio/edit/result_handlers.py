"""Handlers of finished edits: their files, and the settings that they were made with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr

from var_core.picture_files import PNG, as_kind
from var_core.recipe import pixel_hash
from var_core.settings import Value

from ..shared import html
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.handover import ChosenEdit
from ..shared.models import Models
from ..shared.visit_pictures import VisitPicture
from . import form as forms
from . import results as outcomes
from . import sheet
from . import workspace as workspaces
from .form import EXTEND
from .layout import SheetUpdate
from .results import EditResult
from .workspace import Canvas, ShownCanvas, Workspace

# New values of a form, of the lock of its seed, of the canvas and of the workspace.
TakenUp = tuple[
    Mapping[str, Value] | Unchanged,
    Mapping[str, Value] | Unchanged,
    Mapping[str, Value] | Unchanged,
    int | Unchanged,
    str | Unchanged,
    bool | Unchanged,
    ShownCanvas | Unchanged,
    Workspace | Unchanged,
]


@dataclass(frozen=True)
class ResultHandlers:
    """Handlers of finished edits, as functions of the widgets' values.

    They return new values in the order of the outputs.
    """

    models: Models

    def writing(self, kind: str) -> str | Unchanged:
        """Say that a file is being written, which may take a while, unless it is there already."""
        return SKIP if kind == PNG else html.bar(f"Writing the {kind} file …", 1.0)

    def written(self, result: EditResult | None) -> str | Unchanged:
        """Say again what the bar said before."""
        return SKIP if result is None else outcomes.edit_summary(result)

    def check_files(self, result: EditResult | None) -> None:
        """Say so if the files of an edit are gone that the browser is about to fetch."""
        with in_words():
            if result:
                result.need_files()

    def file(self, result: EditResult, chosen: int, kind: str) -> str:
        """The file of a result as a kind of file that can be downloaded."""
        with in_words():
            result.need_files()
            return str(as_kind(Path(result.files[chosen]), kind))

    def everything(self, result: EditResult, _chosen: int, kind: str) -> str:
        """All results of an edit as a kind of file, and the mask, in one ZIP file."""
        with in_words():
            result.need_files()
            return outcomes.bundle_of(result, kind)

    def use_settings(self, result: EditResult, now: Workspace | None, canvas: Canvas | None) -> TakenUp:
        """Put what was asked for back into the form; the mask too, if its photo is the one on the canvas."""
        with in_words():
            self.models.require(result.digest)
        values = forms.shown(result.form)
        if now is None or pixel_hash(now.photo) != result.photo:
            gr.Info("The settings are back. The mask is not: it was painted on another photo than that on the canvas.")
            return *values, SKIP, SKIP
        if result.form.task == EXTEND and not result.form.redraws:  # what is painted has no part in it
            gr.Info("The settings are back.")
            return *values, SKIP, SKIP
        after = workspaces.with_mask(replace(now, soft=result.soft), canvas, result.painted.unpack())
        gr.Info("Settings and mask are back.")
        return *values, workspaces.on_canvas(after), after

    def take(self, picture: VisitPicture | None, now: Workspace | None, canvas: Canvas | None) -> tuple[object, ...]:
        """The way here, and what was asked for when a picture of the visit was made, if it was made here."""
        if (edit := _edit_of(picture)) is None:
            return (SKIP,) * 9
        return gr.Tabs(selected="edit"), *self.use_settings(edit[0], now, canvas)

    def see(self, picture: VisitPicture | None, chosen: int) -> tuple[object, ...]:
        """The way here, and all results of the edit that made a picture; nothing while an edit is under way."""
        edit = _edit_of(picture)
        if edit is None or chosen == sheet.NONE:
            return (SKIP, *SheetUpdate())
        result, index = edit
        with in_words():
            result.need_files()
            return gr.Tabs(selected="edit"), *sheet.over(result, index)


def _edit_of(picture: VisitPicture | None) -> tuple[EditResult, int] | None:
    """Return the edit that made a picture of the visit, and which of its results that is."""
    if picture is None or not isinstance(made := picture.made, ChosenEdit):
        return None
    assert isinstance(made.result, EditResult), "edits are made here"
    return made.result, made.number
