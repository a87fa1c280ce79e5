"""Outputs of an event that stay as they are, told to the page without work.

A handler gives values of the widgets that it changes. For each of the others Gradio would make the whole widget anew
in its visitor's name, which took a third of what a busy server did besides its runs.
"""

from collections.abc import Awaitable, Callable, Sequence
from copy import copy

import gradio as gr
from gradio.blocks import Block, BlockFunction
from gradio.state_holder import SessionState

Postprocess = Callable[..., Awaitable[list[object]]]  # of a function, what it gave, and a session


async def postprocess_changed(
    postprocess: Postprocess, fn: BlockFunction, values: object, state: SessionState | None
) -> list[object]:
    """Return what the page is told of an event's outputs; `postprocess`, Gradio's own, sees those that change."""
    places = changed(fn.outputs, values)
    if places is None:
        return await postprocess(fn, values, state)
    told: list[object] = [None if widget.stateful else gr.skip() for widget in fn.outputs]
    if places:
        assert isinstance(values, dict), "else the places are not known"
        part = copy(fn)
        part.outputs = [fn.outputs[place] for place in places]
        given = [values[widget] for widget in part.outputs]
        made = await postprocess(part, given if len(given) > 1 else given[0], state)
        for place, one in zip(places, made, strict=True):
            told[place] = one
    return told


def changed(outputs: Sequence[Block], values: object) -> list[int] | None:
    """List the places of the outputs that a handler has given values; None: they are not given by widget."""
    if not isinstance(values, dict) or not values or not all(widget in outputs for widget in values):
        return None
    return [place for place, widget in enumerate(outputs) if widget in values and not _stays(values[widget])]


def _stays(value: object) -> bool:
    """Say whether a handler's value means that a widget stays as it is; arrays compare place by place."""
    return isinstance(value, dict) and value == gr.skip()
