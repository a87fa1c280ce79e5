"""How events run, how errors are told, and what handlers of several tabs return."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import NamedTuple, TypeVar

import gradio as gr

from . import html
from .html import READY
from .run import StopFlag

Kind = TypeVar("Kind", bound=NamedTuple)

# Our own bar instead of Gradio's spinners, and no entry in its list of public calls.
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = {**QUIET, "concurrency_limit": None}
# One run at a time: two would only slow each other down.
ON_MODEL = {**QUIET, "concurrency_id": "model", "concurrency_limit": 1}


class Renewal(NamedTuple):
    """What a tab changes when another model is loaded: new values, and the widgets that take them."""

    values: Callable[[], tuple]
    widgets: list


def refusal(text: str) -> gr.Error:
    """An error that the page tells, and the log does not."""
    return gr.Error(escape(text, quote=False), print_exception=False)


@contextmanager
def in_words() -> Iterator[None]:
    """A ValueError from the core, whose text is written for the user, becomes a message on the page."""
    try:
        yield
    except ValueError as error:
        raise refusal(str(error)) from error


def halt(stop_flag: StopFlag | None) -> str:
    """Set the stop flag of the run under way."""
    if stop_flag is None:
        return READY
    stop_flag.set()
    return html.bar("Stopping after this scale …")


def buttons(running: bool) -> tuple[gr.Button, gr.Button]:
    """Run and Stop, as they show while something runs or does not."""
    return gr.Button(visible=not running), gr.Button(visible=running)


def unchanged(kind: type[Kind]) -> Kind:
    """A tuple of widgets' values that changes none."""
    return kind(*[gr.skip()] * len(kind._fields))
