"""Wire events that need the model: each waits for its turn, tells its place, and ends if nobody listens any more."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple, TypeVar

import gradio as gr
from gradio.context import LocalContext

from . import html
from .events import ON_MODEL, SKIP, Trigger, Widgets, refusal, wire
from .html import READY
from .left_runs import LeftRuns
from .listeners import Listeners
from .run import StopFlag
from .turns import TurnRefused, Turns, Wish, take_turns
from .visitor import address_of, visitor
from .waiting import Ahead, Visitor

Update = TypeVar("Update")
DIRECT = "without a name"  # all who call so at one address are one visitor


class Desk(NamedTuple):
    """The desk at which events that need the model are taken: the turns of all visitors, and who listens."""

    turns: Turns
    listeners: Listeners


def in_turns(
    desk: Desk,
    begin: Callable[[], Iterator[Update]],
    wish: Wish,
    left: LeftRuns | None = None,
) -> Iterator[Update | Ahead]:
    """Yield the steps of a handler, which `begin` begins in its first turn, and an `Ahead` while it has to wait.

    For the event that is being answered; `left` takes over what it leaves unfinished. gr.Error if the queue is full.
    """
    request, event = LocalContext.request.get(None), LocalContext.event_id.get(None)
    who = Visitor(visitor() or DIRECT, address_of(request) if request else "")
    hears = partial(desk.listeners.hear, visitor(), event)
    try:
        take_over = left.taker(desk.turns, hears) if left else None
        yield from take_turns(desk.turns, who, wish, begin, hears, take_over)
    except TurnRefused as error:
        raise refusal(str(error)) from error


def answered_in_turns(
    desk: Desk, function: Callable[..., object], told: Callable[[Ahead], object]
) -> Callable[..., object]:
    """Return a function of plain values, or a generator of them, whose steps wait for their turns.

    While a generator waits for its first it yields what `told` makes of that.
    """
    kind = _kind(function)
    steps: Callable[..., Any] = function

    @wraps(function)
    def once(*values: object, **named: object) -> object:
        def begin() -> Iterator[object]:
            yield function(*values, **named)

        for update in in_turns(desk, begin, Wish(kind, brief=True)):
            if not isinstance(update, Ahead):
                return update
        raise refusal("Nobody listens to the answer: it was not made.")

    @wraps(function)
    def step_by_step(*values: object, **named: object) -> Iterator[object]:
        for update in in_turns(desk, partial(steps, *values, **named), Wish(kind)):
            if not isinstance(update, Ahead):
                yield update
            elif update.runs:
                yield told(update)

    return step_by_step if inspect.isgeneratorfunction(function) else once


def wire_in_turns(
    desk: Desk,
    trigger: Trigger,
    handler: Callable[..., object],
    inputs: Sequence[Widgets],
    outputs: Sequence[Widgets],
    bar: gr.HTML,
    small: bool = False,
    alone: bool = False,
    left: LeftRuns | None = None,
) -> gr.events.Dependency:
    """Wire a handler as `events.wire` does, each of whose steps waits for its turn; `bar` tells the place meanwhile.

    States are read when its first turn comes, not when it is asked for: an event before it may have changed them.
    `small` is the answer to a click, of which a visitor may have more waiting than of runs; an `alone` one waits until
    no run is under way. `left` takes over runs whose visitors leave.
    """
    runs = inspect.isgeneratorfunction(handler)
    handle: Callable[..., Any] = handler
    told = [*outputs] if bar in outputs else [*outputs, bar]
    place = told.index(bar)

    def begin(values: Sequence[object]) -> Iterator[Sequence[object]]:
        given = [*map(_now, inputs, values), *values[len(inputs) :]]
        if runs:
            yield from handle(*given)
        else:
            yield handle(*given)

    @wraps(handler)
    def taking(*values: object) -> Iterator[Sequence[object]]:
        stop, waited = next((value for value in values if isinstance(value, StopFlag)), None), False
        wish = Wish(_kind(handler), brief=not runs, small=small or not runs, alone=alone, stop=stop)
        for update in in_turns(desk, partial(begin, values), wish, left):
            if isinstance(update, Ahead):
                waited = waited or update.runs > 0
                yield _only(place, html.bar(str(update)) if update.runs else SKIP, len(told))
            elif bar in outputs:
                yield update
            else:
                yield *update, READY if waited else SKIP

    return wire(trigger, taking, inputs, told, ON_MODEL)


def _kind(handler: Callable[..., object]) -> str:
    """Return what steps of a handler, which take about as long as one another, are called."""
    return str(getattr(handler, "func", handler).__qualname__)


def _only(place: int, value: object, count: int) -> list[object]:
    """Return an update of so many outputs that changes one of them."""
    return [value if index == place else SKIP for index in range(count)]


def _now(widget: Widgets, value: object) -> object:
    """Return what a visitor's state holds now, or the value of any other widget as it was given."""
    request, page = LocalContext.request.get(None), LocalContext.blocks.get(None)
    if not isinstance(widget, gr.State) or not request or not request.session_hash or not page:
        return value
    return page.state_holder[request.session_hash][widget._id]
