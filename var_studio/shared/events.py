"""Wire events, tell errors, and return what handlers of several tabs return."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import Any, Literal, NamedTuple, TypedDict, cast

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from .html import READY, STOPPING
from .run import StopFlag

Trigger = Callable[..., gr.events.Dependency]  # an event of a widget, or what follows another one: it takes a handler
Unchanged = dict[str, str]  # of what `SKIP` is one
SKIP: Unchanged = gr.skip()  # in the place of a widget's new value: it stays as it is
Widgets = Block | Mapping[str, Component]  # a widget, or those of a table of settings by name


class EventOptions(TypedDict, total=False):
    """Options with which Gradio runs the handler of an event."""

    show_progress: Literal["full", "minimal", "hidden"]
    api_visibility: Literal["public", "private", "undocumented"]
    concurrency_limit: int | None
    concurrency_id: str
    trigger_mode: Literal["once", "multiple", "always_last"]


# Our own bar instead of Gradio's spinners, and no entry in its list of public calls.
QUIET: EventOptions = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE: EventOptions = {**QUIET, "concurrency_limit": None}
# What is clicked once more before the answer is there waits for that: it would be lost otherwise.
REPEATED: EventOptions = {**AT_ONCE, "trigger_mode": "always_last"}
# Who may begin is decided by `turns`, which holds for every way in, and goes round.
ON_MODEL: EventOptions = {**AT_ONCE, "concurrency_id": "model"}


class Renewal(NamedTuple):
    """A tab's answer to another model that is loaded: new values, and the widgets that take them."""

    values: Callable[[], tuple[object, ...]]
    widgets: Sequence[Widgets]


def wire(
    trigger: Trigger,
    handler: Callable[..., object],
    inputs: Sequence[Widgets],
    outputs: Sequence[Widgets],
    options: EventOptions,
) -> gr.events.Dependency:
    """Wire a handler that takes the values of `inputs`, and gives new ones of `outputs`, in their order.

    Widgets of a table stand for one value: a mapping by name, which may leave out those that stay as they are.
    """
    by_name = any(isinstance(given, Mapping) for given in inputs)
    handle: Callable[..., Any] = handler  # gives updates, one or one after another

    def arguments(values: tuple[object, ...]) -> Sequence[object]:
        if not by_name:
            return values
        found = cast(Mapping[Block, object], values[0])
        return [_value(given, found) for given in inputs]

    if inspect.isgeneratorfunction(handler):  # Gradio looks whether it is one

        @wraps(handler)
        def called(*values: object) -> Iterator[dict[Block, object]]:
            for update in handle(*arguments(values)):
                yield _by_widget(outputs, update)
    else:

        @wraps(handler)
        def called(*values: object) -> dict[Block, object]:
            return _by_widget(outputs, handle(*arguments(values)))

    if by_name:
        del called.__wrapped__  # Gradio gives it one dictionary: the handler takes more
    return trigger(called, set(_each(inputs)) if by_name else list(inputs), _each(outputs), **options)


def _value(given: Widgets, values: Mapping[Block, object]) -> object:
    """Return the value of a widget, or the values of a table by name."""
    if isinstance(given, Mapping):
        return {name: values[widget] for name, widget in given.items()}
    return values[given]


def _by_widget(outputs: Sequence[Widgets], update: Sequence[object]) -> dict[Block, object]:
    """Return the new values of an update by the widget that takes them; never nothing, which Gradio would not take."""
    found: dict[Block, object] = {}
    for taking, value in zip(outputs, update, strict=True):
        if not isinstance(taking, Mapping):
            found[taking] = value
        elif isinstance(value, Mapping) and value != SKIP:
            found |= {taking[name]: new for name, new in value.items()}
    return found or {widget: SKIP for widget in _each(outputs)[:1]}


def _each(widgets: Sequence[Widgets]) -> list[Block]:
    """Return every single widget, those of tables too."""
    each = (given.values() if isinstance(given, Mapping) else (given,) for given in widgets)
    return [widget for several in each for widget in several]


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


def halt(stop_flag: StopFlag | None) -> tuple[str, gr.Button]:
    """Set the stop flag of the run under way; say so in the bar, and let Stop be pressed no more until the next run."""
    if stop_flag is None:
        return READY, gr.Button()
    stop_flag.set()
    return STOPPING, gr.Button(interactive=False)


def buttons(running: bool) -> tuple[gr.Button, gr.Button]:
    """Run and Stop, as they show while something runs or does not."""
    return gr.Button(visible=not running), gr.Button(visible=running, interactive=True)
