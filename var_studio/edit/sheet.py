"""The sheet of the Edit tab: what it shows of an edit under way, and of finished ones."""

from collections.abc import Sequence

import gradio as gr
from PIL import Image

from ..shared.html import READY
from . import results as outcomes
from .layout import SheetUpdate
from .results import EditResult

NONE = -1  # no result is chosen: an edit is under way
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}  # of the results, by their number; else 4


def under_way(bar: str, pictures: Sequence[Image.Image]) -> SheetUpdate:
    """The sheet of an edit under way."""
    return SheetUpdate(
        bar=bar,
        gallery=gr.Gallery(pictures, columns=columns(len(pictures)), selected_index=None),
        after=gr.Row(visible=False),
        comparing=gr.Column(visible=False),
        inside="",
        chosen=NONE,
    )


def over(result: EditResult | None, index: int = 0) -> SheetUpdate:
    """The sheet that shows a finished edit, and one of its results chosen; None, or files that are gone: nothing."""
    if result is None or not result.is_kept:
        return under_way(READY, [])._replace(result=None, chosen=0)
    pairs = zip(result.shown_files, result.requests, strict=True)
    shown = [(file, f"seed {request.seeds[0]}") for file, request in pairs]
    return one_of(result, index)._replace(
        bar=outcomes.edit_summary(result),
        gallery=gr.Gallery(shown, columns=columns(len(shown)), selected_index=None),
        after=gr.Row(visible=True),
        result=result,
    )


def one_of(result: EditResult, index: int) -> SheetUpdate:
    """Show what belongs to one of the results of an edit."""
    return SheetUpdate(
        mask=result.mask_file,
        bundle=result.bundle,
        comparing=gr.Column(visible=True),
        compare=gr.ImageSlider((result.before_file, result.shown_files[index])),
        inside=outcomes.inside(result, index),
        chosen=index,
    )


def columns(count: int) -> int:
    return COLUMNS.get(count, 4)
