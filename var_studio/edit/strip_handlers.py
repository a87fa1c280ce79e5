"""Handlers of the strip of all edits of a visit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr

from var_core.picture_files import PNG, as_kind
from var_core.recipe import pixel_hash
from var_core.settings import Value

from ..shared import html
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.models import Models
from . import form as forms
from . import results as outcomes
from . import sheet, strip
from . import workspace as workspaces
from .layout import SheetUpdate
from .results import EditResult
from .workspace import Canvas, ShownCanvas, Workspace


@dataclass(frozen=True)
class StripHandlers:
    """Handlers of the strip of edits, as functions of the widgets' values.

    They return new values in the order of the outputs. While an edit is under way they change nothing.
    """

    models: Models

    def again(self, results: tuple[EditResult, ...], chosen: int, event: gr.SelectData) -> SheetUpdate:
        """The results of an edit in the strip."""
        if chosen == sheet.NONE or not 0 <= int(event.index) < len(results):
            return SheetUpdate()
        with in_words():
            return sheet.over(results[int(event.index)], results)

    def favour(self, result: EditResult | None, chosen: int, results: tuple[EditResult, ...]) -> SheetUpdate:
        """Give an edit a star, or take it away."""
        if result is None or chosen == sheet.NONE:
            return SheetUpdate()
        with in_words():
            after, marked = strip.with_star(results, result)
        shown = strip.as_html(after, marked)
        return SheetUpdate(result=marked, strip=shown, star=sheet.star(marked), results=after)

    def delete(self, result: EditResult | None, chosen: int, results: tuple[EditResult, ...]) -> SheetUpdate:
        """Throw an edit away, and show the one beside it."""
        if result is None or chosen == sheet.NONE:
            return SheetUpdate()
        with in_words():
            after, beside = strip.without(results, result)
            return sheet.over(beside, after)

    def writing(self, kind: str) -> str | Unchanged:
        """Say that a file is being written, which may take a while, unless it is there already."""
        return SKIP if kind == PNG else html.bar(f"Writing the {kind} file …", 1.0)

    def written(self, result: EditResult | None) -> str | Unchanged:
        """Say again what the bar said before."""
        return SKIP if result is None else outcomes.summary(result)

    def file(self, result: EditResult, chosen: int, kind: str) -> str:
        """The file of a result as a kind of file that can be downloaded."""
        with in_words():
            return str(as_kind(Path(result.files[chosen]), kind))

    def everything(self, result: EditResult, _chosen: int, kind: str) -> str:
        """All results of an edit as a kind of file, and the mask, in one ZIP file."""
        with in_words():
            return outcomes.bundle_of(result, kind)

    def use_settings(
        self, result: EditResult, now: Workspace | None, canvas: Canvas | None
    ) -> tuple[
        Mapping[str, Value],
        Mapping[str, Value],
        Mapping[str, Value],
        int,
        str,
        bool,
        ShownCanvas | Unchanged,
        Workspace | Unchanged,
    ]:
        """Put what was asked for back into the form; the mask too, if its photo is the one on the canvas."""
        with in_words():
            self.models.require(result.digest)
        values = forms.shown(result.form)
        if now is None or pixel_hash(now.photo) != result.photo:
            gr.Info("The settings are back. The mask is not: it was painted on another photo than that on the canvas.")
            return *values, SKIP, SKIP
        after = workspaces.with_mask(replace(now, soft=result.soft), canvas, result.painted.unpack())
        gr.Info("Settings and mask are back.")
        return *values, workspaces.on_canvas(after), after
