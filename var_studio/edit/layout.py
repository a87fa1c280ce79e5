"""The Edit tab's widgets, laid out."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from var_core.config import NO_CLASS, ModelSpec, Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.picture_files import KINDS, PNG

from ..shared import controls, palette, widgets
from ..shared.events import AT_ONCE, SKIP, Trigger, Unchanged
from ..shared.examples import example_shelf
from ..shared.guarded_widgets import takes_canvases, upload_button
from ..shared.html import HOLD, READY
from ..shared.visitor_files import VisitorFiles
from ..shared.widgets import Actions, Seeding, SettingWidgets
from . import form as forms
from .form import EXTEND, INPAINT, PIXELS, REMOVE, TASKS, UNITS
from .results import EditResult

MARKING = (palette.MARK, palette.MARK_ALPHA)
BRUSH_SIZE = 24  # radius in pixels of the screen


class Choice(NamedTuple):
    """The widgets that say what to do."""

    task: gr.Radio
    box: gr.Textbox
    class_name: gr.Dropdown
    redraws: gr.Checkbox  # while extending, what is painted too
    unit: gr.Radio
    left: gr.Number
    top: gr.Number
    right: gr.Number
    bottom: gr.Number


class Guessing(NamedTuple):
    """The button that asks what a photo shows, the answers, of which one can be taken, and the one that paints it."""

    ask: gr.Button
    answers: gr.Radio
    find: gr.Button


class MaskLook(NamedTuple):
    """The widgets that say how the canvas shows the mask: its colour as CSS has it, its opacity in per cent."""

    colour: gr.Radio
    opacity: gr.Slider


class Masking(NamedTuple):
    """The widgets that change the mask, and its look."""

    invert: gr.Button
    clear: gr.Button
    undo: gr.Button
    redo: gr.Button
    pixels: gr.Number
    grow: gr.Button
    shrink: gr.Button
    upload: gr.UploadButton
    save: gr.Button
    file: gr.DownloadButton
    picker: gr.HTML
    corners: gr.Textbox
    add: gr.Button
    look: gr.Button
    mask_look: MaskLook


class Sheet(NamedTuple):
    """The widgets that show an edit's results, then the edit itself and the result chosen."""

    bar: gr.HTML
    gallery: gr.Gallery
    after: gr.Row
    mask: gr.DownloadButton
    bundle: gr.DownloadButton
    comparing: gr.Column
    compare: gr.ImageSlider
    inside: gr.HTML
    result: gr.State
    chosen: gr.State


class SheetUpdate(NamedTuple):
    """New values for the widgets of `Sheet`, in its order."""

    bar: str | Unchanged = SKIP
    gallery: gr.Gallery | Unchanged = SKIP
    after: gr.Row | Unchanged = SKIP
    mask: str | Unchanged = SKIP
    bundle: str | Unchanged = SKIP
    comparing: gr.Column | Unchanged = SKIP
    compare: gr.ImageSlider | Unchanged = SKIP
    inside: str | Unchanged = SKIP
    result: EditResult | Unchanged | None = SKIP
    chosen: int | Unchanged = SKIP


class Table(NamedTuple):
    """The photo: on the canvas, in memory, and what lay there before."""

    canvas: gr.ImageEditor
    workspace: gr.State
    past: gr.Gallery


class Controls(NamedTuple):
    """The widgets of the left column."""

    opened: gr.UploadButton
    shelf: gr.Gallery
    choice: Choice
    guessing: Guessing
    outline: gr.HTML
    seeding: Seeding
    actions: Actions
    masking: Masking
    settings: SettingWidgets  # of `EditSettings`
    sampling: SettingWidgets
    after_reset: Trigger  # what follows the way back to the default sampling
    restore: gr.UploadButton


class ResultButtons(NamedTuple):
    """The buttons that go on from a result; hidden ones hand over its file, or all, of the kind that is chosen."""

    download: gr.Button
    kind: gr.Radio
    everything: gr.Button
    file: gr.DownloadButton
    take: gr.Button
    send: gr.Button
    explore: gr.Button
    use: gr.Button


def left_column(
    spec: ModelSpec, filling_sampling: Callable[[], Sampling], masked: bool, most: int = forms.MOST_VARIATIONS
) -> Controls:
    """The left column, with the knobs of the draw at `filling_sampling`, for at `most` so many variations.

    `masked`: the model has a masked path.
    """
    opened = upload_button("Open a photo", variant="secondary", file_types=["image"], elem_id="open")
    shelf = example_shelf("examples")
    task, outline, name, guessing, redraws, unit, sides = _choice(spec)
    seeding = widgets.seeding("Variations", most, min(4, most), "edit_")
    actions = widgets.actions("edit_")
    with gr.Accordion("Mask", open=False, elem_id="masking"):
        masking, box = _masking()
    choice = Choice(task, box, name, redraws, unit, *sides)
    with gr.Accordion("How it edits", open=False, elem_id="editing"):
        settings = widgets.setting_widgets(EditSettings(), first_free_scale=len(spec.tokenizer.sides))
        settings["shown"].visible = masked
    with gr.Accordion("How it draws", open=False, elem_id="edit_drawing"):
        sampling, after_reset = widgets.sampling_widgets(filling_sampling, spec, "edit_")
    restore = upload_button("Restore settings from a result", size="sm", file_types=["image"], elem_id="edit_restore")
    return Controls(
        opened, shelf, choice, guessing, outline, seeding, actions, masking, settings, sampling, after_reset, restore
    )


def class_choices(spec: ModelSpec) -> list[tuple[str, str]]:
    """The classes for the dropdown, "no class" first."""
    return sorted(controls.choices(spec, None), key=lambda choice: choice[1] != NO_CLASS)


def no_answers() -> gr.Radio:
    """Return the answers of "What is this?" before it is asked."""
    return gr.Radio([], value=None, visible=False)


def _choice(
    spec: ModelSpec,
) -> tuple[gr.Radio, gr.HTML, gr.Dropdown, Guessing, gr.Checkbox, gr.Radio, list[gr.Number]]:
    """Lay out what a task needs: the task, the outline, the class, what Extend redraws, and its unit and four sides."""
    with gr.Group(elem_id="what"):
        task = gr.Radio(
            list(TASKS), value=INPAINT, label="Task", show_label=False, elem_id="task", elem_classes="pills"
        )
        hint = gr.HTML(f"<p>{forms.HINTS[INPAINT]}</p>", elem_id="hint")
        class_name = widgets.subject(class_choices(spec), NO_CLASS, forms.CLASS_HINTS[INPAINT], "into")
        with gr.Row(elem_classes="tight"):
            ask = gr.Button("What is this?", size="sm", min_width=60, elem_id="guess")
            find = gr.Button("Paint it for me", size="sm", min_width=60, elem_id="find")
        answers = gr.Radio([], label="Looks like", visible=False, elem_id="guesses", elem_classes="pills")
        with gr.Column(visible=False, elem_id="sides") as sides:
            unit = gr.Radio(
                list(UNITS), value=PIXELS, label="Unit", show_label=False, elem_id="unit", elem_classes="pills"
            )
            with gr.Row(elem_classes="tight"):
                numbers = [  # without bounds: Gradio would refuse what lies beyond also where it is not needed
                    gr.Number(0, label=name.capitalize(), min_width=60, elem_id=f"extend_{name}")
                    for name in forms.SIDES
                ]
            outline = gr.HTML(elem_id="outline")
            redraws = gr.Checkbox(
                label="Redraw what is painted, too",
                info="Off: the photo stays as it is, whatever is painted on it.",
                elem_id="redraws",
            )
    task.change(
        lambda chosen: (
            f"<p>{forms.HINTS[chosen]}</p>",
            gr.Dropdown(info=forms.CLASS_HINTS[chosen], visible=chosen != REMOVE),
            gr.Button(visible=chosen != REMOVE),
            gr.Column(visible=chosen == EXTEND),
        ),
        task,
        [hint, class_name, ask, sides],
        **AT_ONCE,
    )
    return task, outline, class_name, Guessing(ask, answers, find), redraws, unit, numbers


def _masking() -> tuple[Masking, gr.Textbox]:
    """Everything that changes the mask besides the brush, and the square that the model sees."""
    with gr.Row(elem_classes="tight"):
        undo = gr.Button("Undo", size="sm", min_width=56, elem_id="undo")
        redo = gr.Button("Redo", size="sm", min_width=56, elem_id="redo")
        invert = gr.Button("Invert", size="sm", min_width=56, elem_id="invert")
        clear = gr.Button("Clear", size="sm", min_width=56, elem_id="clear")
    with gr.Row(elem_classes="tight"):
        pixels = gr.Number(8, label="Pixels", min_width=60, elem_id="mask_pixels")
        grow = gr.Button("Grow", size="sm", min_width=60, elem_id="grow")
        shrink = gr.Button("Shrink", size="sm", min_width=60, elem_id="shrink")
    picker = gr.HTML(elem_id="picker")
    corners = gr.Textbox(
        label="Rectangle",
        info="Drag it on the small photo, or type left, top, right, bottom in pixels.",
        elem_id="corners",
    )
    with gr.Row(elem_classes="tight"):
        add = gr.Button("Paint it", size="sm", min_width=60, elem_id="add")
        look = gr.Button("Look only there", size="sm", min_width=60, elem_id="look")
    box = gr.Textbox(
        label="Where the model looks",
        info="A square: left, top, side. Empty: around the mask. Extend chooses its own.",
        elem_id="box",
    )
    with gr.Row(elem_classes="tight"):
        upload = upload_button("Load a mask", size="sm", min_width=60, file_types=["image"], elem_id="load_mask")
        save = gr.Button("Save the mask", size="sm", min_width=60, elem_id="save_mask")
    file = gr.DownloadButton(visible="hidden", elem_id="mask_file")
    mask_look = _mask_look()
    acts = (invert, clear, undo, redo, pixels, grow, shrink, upload, save, file, picker, corners, add, look)
    return Masking(*acts, mask_look), box


def _mask_look() -> MaskLook:
    """Lay out how the canvas shows the mask."""
    marks = list(palette.MARKS.items())
    colour = gr.Radio(marks, value=palette.MARK, label="Colour", elem_id="mask_colour", elem_classes="pills")
    alpha = round(100 * palette.MARK_ALPHA)
    opacity = gr.Slider(
        10, 100, alpha, step=5, label="Opacity", info="Of the mask, in per cent.", elem_id="mask_opacity"
    )
    return MaskLook(colour, opacity)


def right_column(files: VisitorFiles) -> tuple[Table, Sheet, ResultButtons]:
    """The right column."""
    canvas = gr.ImageEditor(
        label="Painted = will be repainted",
        sources=(),
        transforms=(),
        layers=False,
        format="png",
        brush=gr.Brush(default_size=BRUSH_SIZE, colors=[MARKING], default_color=MARKING, color_mode="fixed"),
        eraser=gr.Eraser(default_size=BRUSH_SIZE),
        canvas_size=(1, 1),  # no photo: no canvas
        height="min(640px, 62vh, 90vw)",
        buttons=["fullscreen"],
        elem_id="canvas",
    )
    takes_canvases(canvas, files)
    past = _shelf("Before that: click to step back", "past")
    bar = gr.HTML(READY, elem_id="edit_bar")
    gallery = gr.Gallery(
        format="png",
        show_label=False,
        interactive=False,
        object_fit="contain",
        columns=1,
        height="auto",
        buttons=["fullscreen"],  # a large photo is shown smaller; its file has its own button
        elem_id="results",
    )
    with gr.Row(visible=False, elem_classes="after") as after:
        with gr.Row(elem_classes="tight downloading"):
            download = gr.Button("Download", size="sm", elem_id="edit_download")
            kind = gr.Radio(
                list(KINDS),
                value=PNG,
                label="File type",
                show_label=False,
                container=False,
                elem_id="edit_kind",
                elem_classes="pills",
            )
        mask = gr.DownloadButton("Download mask", size="sm", elem_id="edit_mask")
        everything = gr.Button("Download all", size="sm", elem_id="edit_everything")
        take = gr.Button("Use as input", size="sm", elem_id="take")
        use = gr.Button("Use these settings", size="sm", elem_id="edit_use_settings")
        send = gr.Button("Create with these", size="sm", elem_id="send_back")
        explore = gr.Button("Look inside", size="sm", elem_id="edit_look_inside")
    with gr.Column(visible=False, elem_id="comparing", elem_classes="compared") as comparing:
        compare = gr.ImageSlider(label="Before and after", format="png", interactive=False, elem_id="compare")
        gr.HTML(HOLD, apply_default_css=False)
    file = gr.DownloadButton(visible="hidden", elem_id="edit_file")
    bundle = gr.DownloadButton(visible="hidden", elem_id="edit_bundle")
    inside = gr.HTML(elem_id="inside")
    sheet = Sheet(bar, gallery, after, mask, bundle, comparing, compare, inside, gr.State(), gr.State(0))
    going_on = ResultButtons(download, kind, everything, file, take, send, explore, use)
    return Table(canvas, gr.State(), past), sheet, going_on


def _shelf(label: str, name: str) -> gr.Gallery:
    """A row of small pictures to click on, hidden while it is empty."""
    return gr.Gallery(
        label=label,
        columns=8,
        height="auto",
        allow_preview=False,
        interactive=False,
        visible=False,
        format="png",
        buttons=[],
        elem_id=name,
    )
