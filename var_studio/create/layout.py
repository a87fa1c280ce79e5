"""The widgets of the Create tab: settings on the left, the stage with the pictures on the right."""

from typing import NamedTuple

import gradio as gr

from var_core.config import ModelSpec
from var_core.inspection import sweep
from var_core.schedule import Schedule

from ..shared import controls, downloads, html, widgets
from ..shared.events import SKIP, Unchanged
from ..shared.first_picture import FIRST_WORDS, shipped_picture
from ..shared.guarded_widgets import upload_button
from ..shared.html import READY
from ..shared.models import Models
from ..shared.run import Run
from ..shared.widgets import Actions, SettingWidgets

MOST_PILLS = 8
FEWEST_ALIKE = 4  # pictures that "More like this" draws, where so many may be
ALL_NAMES = [(sweep.title_of(name), name) for name in sweep.NAMES]
GRID_HELP = (
    "One picture for every pair of values: those of the first setting from left to right, those of the second from "
    "top to bottom. All else is as set above, with one seed. Put commas between values."
)


class RequestControls(NamedTuple):
    """The widgets whose values make a request, in the order in which `controls.read` takes them."""

    class_name: gr.Dropdown
    how_many: gr.Slider
    seed: gr.Textbox
    sampling: SettingWidgets
    also: gr.Dropdown


class Helpers(NamedTuple):
    """The widgets that change the settings, or how they are chosen."""

    group: gr.Radio
    groups: gr.Dropdown
    random_class: gr.Button
    lock: gr.Checkbox
    restore: gr.UploadButton


class GridControls(NamedTuple):
    """The widgets that ask for pictures over two settings."""

    x: gr.Dropdown
    x_values: gr.Textbox
    y: gr.Dropdown
    y_values: gr.Textbox
    draw: gr.Button


class RunStage(NamedTuple):
    """The widgets that show a run, then the run itself and the index of the picture chosen in it."""

    gallery: gr.Gallery
    bar: gr.HTML
    strip: gr.HTML
    after: gr.Column
    marked: gr.HTML
    download: gr.DownloadButton
    large: gr.Button
    everything: gr.Button
    sheet: gr.DownloadButton
    run: gr.State
    chosen: gr.State


class StageUpdate(NamedTuple):
    """New values for the widgets of `RunStage`, in its order."""

    gallery: gr.Gallery | Unchanged = SKIP
    bar: str | Unchanged = SKIP
    strip: str | Unchanged = SKIP
    after: gr.Column | Unchanged = SKIP
    marked: str | Unchanged = SKIP
    download: gr.DownloadButton | Unchanged = SKIP
    large: gr.Button | Unchanged = SKIP
    everything: gr.Button | Unchanged = SKIP
    sheet: gr.DownloadButton | Unchanged = SKIP
    run: Run | Unchanged = SKIP
    chosen: int | Unchanged = SKIP


class PictureButtons(NamedTuple):
    """The widgets that go on from the chosen picture."""

    alike: gr.Button
    freedom: gr.Slider
    use: gr.Button
    send: gr.Button
    explore: gr.Button
    larger_file: gr.DownloadButton  # what is written once it is asked for, and the next one
    packed_file: gr.DownloadButton


def settings_column(models: Models) -> tuple[RequestControls, Helpers, GridControls, Actions]:
    """Lay out the left column."""
    spec = models.pipe.spec
    usual = controls.defaults(spec)
    group, groups, class_name, random_class, also = _subject(spec, usual.class_name)
    seeding = widgets.seeding("Pictures", models.limits.pictures, usual.count)
    actions = widgets.actions()
    with gr.Accordion("How it draws", open=False, elem_id="drawing"):
        sampling, _ = widgets.sampling_widgets(lambda: models.default_sampling, spec)
    with gr.Accordion("Compare settings in a grid", open=False, elem_id="comparing"):
        grid = _grid()
    upload = upload_button("Restore from a picture", size="sm", file_types=["image"], elem_id="restore")
    helpers = Helpers(group, groups, random_class, seeding.lock, upload)
    return RequestControls(class_name, seeding.how_many, seeding.seed, sampling, also), helpers, grid, actions


def grouping(spec: ModelSpec) -> tuple[gr.Radio, gr.Dropdown]:
    """The groups of a model's classes: as pills where they are few, else in a list. Only one of the two shows."""
    names = controls.groups(spec)
    choices, pills = [("All", ""), *((name.capitalize(), name) for name in names)], 1 < len(names) <= MOST_PILLS
    radio = gr.Radio(choices if pills else [("All", "")], value="", label="Group", show_label=False, visible=pills)
    return radio, gr.Dropdown(choices, value="", label="Group", visible=len(names) > MOST_PILLS)


def _subject(spec: ModelSpec, name: str) -> tuple[gr.Radio, gr.Dropdown, gr.Dropdown, gr.Button, gr.Dropdown]:
    """Lay out the choice of what to draw."""
    with gr.Group(elem_id="subject"):
        group, groups = grouping(spec)
        group.elem_id, group.elem_classes, groups.elem_id = "group", ["pills"], "groups"
        choices = controls.choices(spec, None)
        class_name = widgets.subject(choices, name, "What to draw. Type to search.", "class")
        random_class = gr.Button("Surprise me", size="sm", elem_id="random_class")
        also = gr.Dropdown(
            choices,
            value=[],
            multiselect=True,
            num_choices_shown=widgets.MOST_CHOICES,
            label="And also",
            info="More classes for the same run: as many pictures of each, with the same seeds.",
            elem_id="also",
            elem_classes="class-search",
        )
    return group, groups, class_name, random_class, also


def _grid() -> GridControls:
    """Lay out what asks for pictures over two settings."""
    gr.HTML(f"<p>{GRID_HELP}</p>", apply_default_css=False, elem_classes="note")
    with gr.Group():
        x = gr.Dropdown(ALL_NAMES, value="guidance", label="From left to right", elem_id="grid_x")
        x_values = gr.Textbox("1, 2, 4, 8", label="Values", max_lines=1, elem_id="grid_x_values")
    with gr.Group():
        y = gr.Dropdown(
            [("Nothing", ""), *ALL_NAMES], value="temperature", label="From top to bottom", elem_id="grid_y"
        )
        y_values = gr.Textbox("0.6, 1, 1.4", label="Values", max_lines=1, elem_id="grid_y_values")
    return GridControls(x, x_values, y, y_values, gr.Button("Draw the grid", size="sm", elem_id="grid_run"))


def stage_column(models: Models) -> tuple[RunStage, PictureButtons]:
    """Lay out the right column."""
    first, growth = shipped_picture()
    bar = gr.HTML(html.bar(FIRST_WORDS) if first else READY, elem_id="bar")
    gallery = gr.Gallery(
        first,
        format="png",  # the default, webp, would lose pixels and recipes
        show_label=False,
        interactive=False,
        object_fit="contain",
        columns=1,
        height="auto",
        buttons=["download", "download_all", "fullscreen"],
        elem_id="gallery",
    )
    with gr.Column(visible=False, elem_classes="after", elem_id="after") as after:
        marked = gr.HTML(elem_id="marked")
        with gr.Row(elem_classes="onward"):
            download = gr.DownloadButton("Download PNG", size="sm", elem_id="download")
            large = gr.Button(f"Download ×{downloads.TIMES}", size="sm", elem_id="large")  # noqa: RUF001
            everything = gr.Button("Download all", size="sm", elem_id="everything")
            sheet = gr.DownloadButton("Download the grid", size="sm", elem_id="sheet", visible=False)
        with gr.Row(elem_classes="onward"):
            use = gr.Button("Use these settings", size="sm", elem_id="use_settings")
            send = gr.Button("Edit this", size="sm", elem_id="send")
            explore = gr.Button("Look inside", size="sm", elem_id="look_inside")
        with gr.Row(elem_classes="onward"):
            alike = gr.Button("More like this", size="sm", variant="primary", elem_id="alike")
            freedom = freedom_slider(models.pipe.spec)
    strip = gr.HTML(growth, elem_id="strip")
    larger_file = gr.DownloadButton(visible="hidden", elem_id="larger_file")
    packed_file = gr.DownloadButton(visible="hidden", elem_id="packed_file")
    stage = RunStage(gallery, bar, strip, after, marked, download, large, everything, sheet, gr.State(), gr.State(0))
    return stage, PictureButtons(alike, freedom, use, send, explore, larger_file, packed_file)


def freedom_slider(spec: ModelSpec) -> gr.Slider:
    """Return a slider for the number of the finest scales that are drawn anew, for a model."""
    scales = len(Schedule.of(spec.tokenizer))
    text = f"How many of the {scales} scales, the finest first, are drawn anew; {scales - 1} keeps only the idea."
    return gr.Slider(
        0,
        scales - 1,
        (scales + 1) // 2,
        step=1,
        label="How free",
        info=text,
        elem_id="freedom",
    )
