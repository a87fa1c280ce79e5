"""Widgets that several tabs have: the subject, the seed, Run and Stop, and the controls of the draw."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypedDict

import gradio as gr

from var_core.config import ModelSpec, Sampling
from var_core.settings import Declared, Setting, named, rows

from . import controls, setting_pictures
from .events import AT_ONCE, Trigger, wire

Knob = gr.Checkbox | gr.Dropdown | gr.Number | gr.Slider
MOST_CHOICES = 100_000  # shown in a list: else those past the hundredth are found by typing alone
SettingWidgets = dict[str, Knob]  # of a table of settings, by name


class Told(TypedDict, total=False):
    """Words that every widget of a setting says, and its id and class on the page."""

    label: str
    info: str
    elem_id: str
    elem_classes: str


class Actions(NamedTuple):
    """Run and Stop, of which only one shows at a time."""

    run: gr.Button
    stop: gr.Button


class SeedWidgets(NamedTuple):
    """The seed, and whether the next run takes it again."""

    seed: gr.Textbox
    lock: gr.Checkbox


class Seeding(NamedTuple):
    """The number of pictures, their first seed, and whether the next run takes it again."""

    how_many: gr.Slider
    seed: gr.Textbox
    lock: gr.Checkbox


def setting_widgets(settings: Declared, prefix: str = "", **most: float) -> SettingWidgets:
    """Return the widgets of a table of settings by name, in its order; ids are names after a prefix.

    `most` says, by name, where a slider ends that does not end where the table says.
    """
    table = rows(type(settings))
    return {row.name: _setting_widget(row, getattr(settings, row.name), prefix, most.get(row.name)) for row in table}


def _setting_widget(row: Setting, value: Any, prefix: str, most: float | None) -> Knob:
    told: Told = {"label": row.label, "info": row.help, "elem_id": f"{prefix}{row.name}"}
    if row.name in setting_pictures.VALUES:
        told["elem_classes"] = setting_pictures.CLASS
    if row.kind is bool:
        return gr.Checkbox(value, **told)
    if row.choices:
        words = row.choice_words or row.choices
        return gr.Dropdown(list(zip(words, row.choices, strict=True)), value=value, **told)
    if row.typed:  # without bounds: what lies beyond is refused with a sentence that says more than Gradio's
        return gr.Number(value, **told)
    return gr.Slider(row.low, most or row.most_shown or row.high, value, step=row.step, **told)


def seeding(label: str, most: int, count: int, prefix: str = "") -> Seeding:
    """Lay out the number of pictures and their seed, with a button that rolls one."""
    with gr.Group():
        name = f"{prefix}{label.lower()}"
        many = gr.Slider(1, most, count, step=1, label=label, info="How many at once.", elem_id=name)
        info = "The same seed gives the same picture; each next picture takes the next seed."
        return Seeding(many, *seed_widgets(info, prefix))


def seed_widgets(info: str, prefix: str = "") -> SeedWidgets:
    """Lay out the seed, with a button that rolls one."""
    with gr.Row(elem_classes="seeds"):
        seed = gr.Textbox("0", max_lines=1, label="Seed", info=info, elem_id=f"{prefix}seed")
        dice = gr.Button("Roll", size="sm", min_width=64, elem_classes="dice", elem_id=f"{prefix}dice")
    lock = gr.Checkbox(label="Keep this seed", info="Off: every run rolls a new one.", elem_id=f"{prefix}lock")
    dice.click(lambda: (controls.roll(), True), None, [seed, lock], **AT_ONCE)
    seed.input(lambda: True, None, lock, **AT_ONCE)  # who types a seed wants that one
    return SeedWidgets(seed, lock)


def subject(choices: list[tuple[str, str]], value: str, info: str, name: str) -> gr.Dropdown:
    """A class; what is typed stays as it is, so that a misspelt one is answered with the nearest ones."""
    return gr.Dropdown(
        choices,
        value=value,
        allow_custom_value=True,
        num_choices_shown=MOST_CHOICES,
        label="Class",
        info=info,
        elem_id=name,
        elem_classes="class-search",  # see `static/scripts/page/class_search.js`
    )


def actions(prefix: str = "") -> Actions:
    """Run, and Stop in its place while something runs."""
    with gr.Row(elem_classes="actions"):
        run = gr.Button("Run", variant="primary", size="lg", elem_classes="run", elem_id=f"{prefix}run")
        stop = gr.Button("Stop", variant="stop", size="lg", elem_id=f"{prefix}stop", visible=False)
    return Actions(run, stop)


def sampling_widgets(
    default_sampling: Callable[[], Sampling], spec: ModelSpec, prefix: str = ""
) -> tuple[SettingWidgets, Trigger]:
    """Lay out how tokens are drawn, and the way back to the `default_sampling` of the model that is loaded.

    Second, what to wire to what follows that way back.
    """
    widgets = setting_widgets(
        default_sampling(), prefix, **dict.fromkeys(controls.NUMBERS_OF_SCALES, controls.scales_of(spec))
    )
    reset = gr.Button("Reset to defaults", size="sm", elem_id=f"{prefix}reset")
    restored = wire(reset.click, lambda: [named(default_sampling())], [], [widgets], AT_ONCE)
    return widgets, restored.then


def renewed_sampling(sampling: Sampling, spec: ModelSpec) -> Mapping[str, object]:
    """Return new values for the controls of the draw by name, for another model that is loaded."""
    most = controls.scales_of(spec)
    ends = {name: gr.Slider(value=getattr(sampling, name), maximum=most) for name in controls.NUMBERS_OF_SCALES}
    return {**named(sampling), **ends}
