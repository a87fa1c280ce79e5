"""Guard events of a page: what no widget sends, and errors that nobody has foreseen, become one sentence each."""

import logging
import re
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.context import LocalContext
from gradio.state_holder import SessionState

from var_core.files import FULL, Unwritten

from .events import refusal
from .unchanged_outputs import postprocess_changed

LOG = logging.getLogger(__name__)
STRANGE = "What was sent is not what this app understands: reload the page, and try again."
BROKEN = "That did not work, for a reason that only whoever runs the app can see: reload the page, and try again."
NO_ROOM = "There is no room left on this server for files: tell whoever runs the app."
TOO_EARLY = "There is nothing here yet that this can be done with: run or open something first."
OUT_OF_BOUNDS = re.compile(r"Value \S{1,40} is (greater|less) than \w+ value \S{1,40}\.?")  # a number box says so
MOST_TOLD = 200  # characters of an error in the log
Number, Word = (int, float, type(None)), (str, int, float, type(None))
TYPES: dict[type, tuple[type, ...]] = {
    gr.Textbox: (str, type(None)),
    gr.Number: Number,
    gr.Slider: Number,
    gr.Checkbox: (bool, type(None)),
    gr.Dropdown: Word,
    gr.Radio: Word,
}


def guard(page: gr.Blocks) -> None:
    """Guard all events of a page, before and after it is served."""
    under_way: ContextVar[Any] = ContextVar("under_way")  # the iterator of a handler that yields
    preprocess, call, postprocess = page.preprocess_data, page.call_function, page.postprocess_data

    async def preprocess_data(
        fn: BlockFunction, inputs: list[Any], state: SessionState | None, *others: Any, **more: Any
    ) -> Any:
        check_values(fn.inputs, inputs)
        LocalContext.blocks_config.set(state.blocks_config if state else None)  # tells a canvas whose it is
        try:
            return await preprocess(fn, inputs, state, *others, **more)
        except Exception as error:
            raise _told(error, fn, STRANGE) from error

    async def call_function(fn: BlockFunction, values: list[Any], *others: Any, **more: Any) -> Any:
        early = any(widget.stateful and value is None for widget, value in zip(fn.inputs, values, strict=False))
        try:
            made = await call(fn, values, *others, **more)
        except Exception as error:
            raise _told(error, fn, TOO_EARLY if early else BROKEN) from error
        under_way.set(made.get("iterator"))
        return made

    async def postprocess_data(fn: BlockFunction, values: object, state: SessionState | None) -> Any:
        try:
            return await postprocess_changed(postprocess, fn, values, state)
        except Exception as error:
            # Gradio forgets a run whose pictures cannot be shown, which would keep its place in the queue.
            if run := under_way.get(None):
                await run.aclose()
            raise _told(error, fn, BROKEN) from error

    vars(page).update(preprocess_data=preprocess_data, call_function=call_function, postprocess_data=postprocess_data)


def check_values(widgets: Sequence[object], values: Sequence[object]) -> None:
    """Refuse values that are not of the kind that their widgets send, in one sentence."""
    if len(values) < len(widgets):
        raise refusal(STRANGE)
    for widget, value in zip(widgets, values, strict=False):
        allowed = TYPES.get(type(widget))
        if getattr(widget, "multiselect", False):
            if not (value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))):
                raise refusal(STRANGE)
        elif allowed and not (isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))):
            raise refusal(STRANGE)


def _told(error: Exception, fn: BlockFunction, words: str) -> gr.Error:
    """Return what the visitor is told of an error; the log gets a line of it, unless it is meant for the visitor."""
    if isinstance(error, gr.Error) and not error.print_exception:
        return error
    if isinstance(error, Unwritten):
        return refusal(str(error))
    if isinstance(error, gr.Error) and OUT_OF_BOUNDS.fullmatch(error.message):
        return refusal(error.message)
    words = NO_ROOM if _lacks_room(error) else words
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split()).encode("ascii", "backslashreplace").decode()[:MOST_TOLD]
    LOG.error("%s: %s: %s (%s:%s)", fn.name, type(error).__name__, said, Path(where.filename).name, where.lineno)
    return refusal(words)


def _lacks_room(error: BaseException | None) -> bool:
    """Say whether an error, or what it comes of, is that there is no room for a file."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
