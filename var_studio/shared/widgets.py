"""What the tabs share: how events run, how errors are told, and the controls of the draw."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import NamedTuple, TypeVar

import gradio as gr

from var_core.engine.sampling import Sampling

from . import controls
from . import run as runs
from .run import StopFlag

Kind = TypeVar("Kind", bound=NamedTuple)

READY = runs.bar("Ready")

# Our own bar instead of Gradio's spinners, and no entry in its list of public calls.
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = {**QUIET, "concurrency_limit": None}
# One run at a time: two would only slow each other down.
ON_MODEL = {**QUIET, "concurrency_id": "model", "concurrency_limit": 1}


class Actions(NamedTuple):
    """Only one of the two shows at a time."""

    run: gr.Button
    stop: gr.Button


class Drawing(NamedTuple):
    """The widgets whose values make a `Sampling`, in the order of `controls.DRAWING`."""

    guidance: gr.Slider
    ramp: gr.Slider
    temperature: gr.Slider
    cooling: gr.Slider
    top_k: gr.Number
    top_p: gr.Slider
    smooth: gr.Checkbox
    unguided_scales: gr.Slider


class Renewal(NamedTuple):
    """What a tab changes when another model is loaded: new values, and the widgets that take them."""

    values: Callable[[], tuple]
    widgets: list


class Chance(NamedTuple):
    """Where chance starts, and whether it shall start there again."""

    seed: gr.Textbox
    lock: gr.Checkbox


class Seeding(NamedTuple):
    """How many pictures, and where chance starts."""

    count: gr.Slider
    seed: gr.Textbox
    lock: gr.Checkbox


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


def slider(label: str, info: str, ends: tuple[float, float], value: float, step: float, prefix: str = "") -> gr.Slider:
    """A slider whose id is its label in lower case, after a prefix."""
    name = prefix + label.lower().replace("-", "_").replace(" ", "_")
    return gr.Slider(*ends, value, step=step, label=label, info=info, elem_id=name)


def seeding(label: str, most: int, count: int, prefix: str = "") -> Seeding:
    """How many and which seed, with a button that rolls one."""
    with gr.Group():
        many = slider(label, "How many at once.", (1, most), count, 1, prefix)
        return Seeding(many, *chance("Where chance starts. Picture i takes seed + i.", prefix))


def chance(info: str, prefix: str = "") -> Chance:
    """Which seed, with a button that rolls one."""
    with gr.Row(elem_classes="seeds"):
        seed = gr.Textbox("0", max_lines=1, label="Seed", info=info, elem_id=f"{prefix}seed")
        dice = gr.Button("Roll", size="sm", min_width=64, elem_classes="dice", elem_id=f"{prefix}dice")
    lock = gr.Checkbox(label="Keep this seed", info="Off: every run rolls a new one.", elem_id=f"{prefix}lock")
    dice.click(lambda: (controls.roll(), True), None, [seed, lock], **AT_ONCE)
    seed.input(lambda: True, None, lock, **AT_ONCE)  # who types a seed wants that one
    return Chance(seed, lock)


def subject(choices: list[tuple[str, str]], value: str, info: str, name: str) -> gr.Dropdown:
    """A class; what is typed stays as it is, so that a misspelt one is answered with the nearest ones."""
    return gr.Dropdown(choices, value=value, allow_custom_value=True, label="Class", info=info, elem_id=name)


def actions(prefix: str = "") -> Actions:
    """Run, and Stop in its place while something runs."""
    with gr.Row(elem_classes="actions"):
        run = gr.Button("Run", variant="primary", size="lg", elem_classes="run", elem_id=f"{prefix}run")
        stop = gr.Button("Stop", variant="stop", size="lg", elem_id=f"{prefix}stop", visible=False)
    return Actions(run, stop)


def drawing(looks: Callable[[], Sampling], prefix: str = "") -> tuple[Drawing, Callable]:
    """How tokens are drawn, and the way back to what is usual for the model that is loaded, which `looks` knows.

    Second, what to wire to what follows that way back.
    """
    usual = looks()
    widgets = Drawing(
        slider("Guidance", "How strongly the class pulls; 0 is off.", (0, 30), usual.guidance, 0.1, prefix),
        slider("Guidance ramp", "The share of it that grows with the scales.", (0, 1), usual.ramp, 0.1, prefix),
        slider("Temperature", "Below 1 safer, above 1 bolder.", (0.05, 5), usual.temperature, 0.05, prefix),
        slider("Cooling", "The share of it that is gone at the last scale.", (0, 0.95), usual.cooling, 0.05, prefix),
        gr.Number(usual.top_k, label="Top-k", info="Only the k likeliest codes; 0 is off.", elem_id=f"{prefix}top_k"),
        slider("Top-p", "Only the likeliest codes up to this share; 1 is off.", (0, 1), usual.top_p, 0.01, prefix),
        gr.Checkbox(
            usual.smooth,
            label="Smooth",
            info="Blends codes by probability: softer, less varied.",
            elem_id=f"{prefix}smooth",
        ),
        slider("Scales without guidance", "So many last scales: faster, but less of the class.", (0, 10), 0, 1, prefix),
    )
    reset = gr.Button("Reset to defaults", size="sm", elem_id=f"{prefix}reset")
    restored = reset.click(lambda: controls.shown_drawing(looks()), None, list(widgets), **AT_ONCE)
    return widgets, restored.then


def halt(stop_flag: StopFlag | None) -> str:
    """Set the stop flag of the run under way."""
    if stop_flag is None:
        return READY
    stop_flag.set()
    return runs.bar("Stopping after this scale …")


def buttons(running: bool) -> tuple[gr.Button, gr.Button]:
    """Run and Stop, as they show while something runs or does not."""
    return gr.Button(visible=not running), gr.Button(visible=running)


def unchanged(kind: type[Kind]) -> Kind:
    """A tuple of widgets' values that changes none."""
    return kind(*[gr.skip()] * len(kind._fields))
