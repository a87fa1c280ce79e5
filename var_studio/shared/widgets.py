"""Widgets that several tabs have: the subject, the seed, Run and Stop, and the controls of the draw."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from var_core.engine.sampling import Sampling

from . import controls
from .events import AT_ONCE, Trigger


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


class Chance(NamedTuple):
    """Where chance starts, and whether it shall start there again."""

    seed: gr.Textbox
    lock: gr.Checkbox


class Seeding(NamedTuple):
    """How many pictures, and where chance starts."""

    how_many: gr.Slider
    seed: gr.Textbox
    lock: gr.Checkbox


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


def drawing(default_sampling: Callable[[], Sampling], prefix: str = "") -> tuple[Drawing, Trigger]:
    """How tokens are drawn, and the way back to the `default_sampling` of the model that is loaded.

    Second, what to wire to what follows that way back.
    """
    usual = default_sampling()
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
    restored = reset.click(lambda: controls.shown_drawing(default_sampling()), None, list(widgets), **AT_ONCE)
    return widgets, restored.then
