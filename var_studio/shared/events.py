"""How events run, how errors are told, and what handlers of several tabs return."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Literal, NamedTuple, TypedDict

import gradio as gr
from gradio.components import Component

from . import html
from .html import READY
from .run import StopFlag

Trigger = Callable[..., gr.events.Dependency]  # an event of a widget, or what follows another one: it takes a handler
Unchanged = dict[str, str]  # of what `SKIP` is one
SKIP: Unchanged = gr.skip()  # in the place of a widget's new value: it stays as it is


class EventOptions(TypedDict, total=False):
    """How Gradio runs the handler of an event."""

    show_progress: Literal["full", "minimal", "hidden"]
    api_visibility: Literal["public", "private", "undocumented"]
    concurrency_limit: int | None
    concurrency_id: str


# Our own bar instead of Gradio's spinners, and no entry in its list of public calls.
QUIET: EventOptions = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE: EventOptions = {**QUIET, "concurrency_limit": None}
# One run at a time: two would only slow each other down.
ON_MODEL: EventOptions = {**QUIET, "concurrency_id": "model", "concurrency_limit": 1}


class Renewal(NamedTuple):
    """A tab's answer to another model that is loaded: new values, and the widgets that take them."""

    values: Callable[[], tuple[object, ...]]
    widgets: Sequence[Component]


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
