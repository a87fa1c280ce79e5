"""The sheet of the Edit tab: what it shows of an edit under way, and of finished ones."""

from collections.abc import Sequence

import gradio as gr
from PIL import Image

from ..shared.html import READY
from . import results as outcomes
from . import strip
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
        kept=gr.Row(visible=False),
    )


def over(result: EditResult | None, results: tuple[EditResult, ...]) -> SheetUpdate:
    """The sheet that shows a finished edit of all those that there are; None: nothing is shown."""
    if result is None:
        nothing = under_way(READY, [])
        return nothing._replace(result=None, chosen=0, strip=strip.as_html(results, None), results=results)
    pairs = zip(result.shown_files, result.requests, strict=True)
    shown = [(file, f"seed {request.seeds[0]}") for file, request in pairs]
    return one_of(result, 0)._replace(
        bar=outcomes.summary(result),
        gallery=gr.Gallery(shown, columns=columns(len(shown)), selected_index=None),
        after=gr.Row(visible=True),
        result=result,
        strip=strip.as_html(results, result),
        kept=gr.Row(visible=True),
        star=star(result),
        results=results,
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


def star(result: EditResult) -> gr.Button:
    """The button that makes an edit a favourite, or no longer one."""
    return gr.Button("★ Favourite" if result.favourite else "☆ Favourite")


def columns(count: int) -> int:
    return COLUMNS.get(count, 4)
