"""The Explore tab's widgets, laid out."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import gradio as gr

from var_core.config import ModelSpec, Sampling
from var_core.settings import Value, named

from ..shared import controls, widgets
from ..shared.events import SKIP, Trigger, Unchanged, buttons
from ..shared.guarded_widgets import upload_button
from ..shared.widgets import SettingWidgets
from . import trace_files
from .messages import PageMessage
from .session import ExploreSession


class Source(NamedTuple):
    """The widgets that say what to look at."""

    class_name: gr.Dropdown
    seed: gr.Textbox
    lock: gr.Checkbox
    run: gr.Button
    stop: gr.Button
    picture: gr.UploadButton
    file: gr.UploadButton
    shelf: gr.Gallery


class Export(NamedTuple):
    """The buttons that save the picture, the hidden one that hands the file over, and one that keeps it for later."""

    gif: gr.Button
    mp4: gr.Button
    sheet: gr.Button
    trace: gr.Button
    file: gr.DownloadButton
    keep: gr.Button


class View(NamedTuple):
    """The widgets that handlers change: the tabs, the bar, the channel to the page, the session, the controls."""

    tabs: gr.Tabs
    bar: gr.HTML
    channel: gr.HTML
    session: gr.State
    run: gr.Button
    stop: gr.Button
    class_name: gr.Dropdown
    seed: gr.Textbox
    sampling: SettingWidgets


class ViewUpdate(NamedTuple):
    """New values for the widgets of `View`, in its order."""

    tabs: gr.Tabs | Unchanged = SKIP
    bar: str | Unchanged = SKIP
    channel: PageMessage | Unchanged = SKIP
    session: ExploreSession | Unchanged = SKIP
    run: gr.Button | Unchanged = SKIP
    stop: gr.Button | Unchanged = SKIP
    class_name: str | Unchanged = SKIP
    seed: str | Unchanged = SKIP
    sampling: Mapping[str, Value] | Unchanged = SKIP

    def with_buttons(self, running: bool) -> "ViewUpdate":
        """Return the update that also shows Stop while something runs, else Run."""
        run, stop = buttons(running)
        return self._replace(run=run, stop=stop)

    def with_sampling(self, sampling: Sampling) -> "ViewUpdate":
        """Return the update that also shows how something was drawn."""
        return self._replace(sampling=named(sampling))


SAME = ViewUpdate()


def left_column(
    spec: ModelSpec, default_sampling: Callable[[], Sampling]
) -> tuple[Source, SettingWidgets, Trigger, Export]:
    """The left column, with the knobs at `default_sampling`; third, what happens when they are reset."""
    name = controls.defaults(spec).class_name
    with gr.Group(elem_id="explore_subject"):
        info = "What to draw, or what your picture shows."
        class_name = widgets.subject(controls.choices(spec, None), str(name), info, "explore_class")
        seeding = widgets.seed_widgets("The same seed gives the same picture.", "explore_")
    run, stop = widgets.actions("explore_")
    picture = upload_button("Open a picture of yours", size="sm", file_types=["image"], elem_id="explore_picture")
    gr.HTML("<p>Or look at one of these:</p>", apply_default_css=False, elem_classes="note")
    shelf = gr.Gallery(
        trace_files.trace_thumbnails(trace_files.shipped()),
        show_label=False,
        columns=3,
        height="auto",
        allow_preview=False,
        interactive=False,
        format="png",
        buttons=[],
        elem_id="explore_shelf",
    )
    with gr.Accordion("How it draws", open=True, elem_id="explore_drawing"):
        gr.HTML("<p>Every knob acts at once, with the same seed.</p>", apply_default_css=False, elem_classes="note")
        sampling, reset = widgets.sampling_widgets(default_sampling, spec, "explore_")
    with gr.Accordion("Save and open", open=True, elem_id="explore_files"):
        export, file = _files()
    source = Source(class_name, *seeding, run, stop, picture, file, shelf)
    return source, sampling, reset, export


def _files() -> tuple[Export, gr.UploadButton]:
    """Lay out what keeps and saves the picture, and what opens a trace."""
    keep = gr.Button("Keep with your pictures", size="sm", elem_id="explore_keep")
    with gr.Row(elem_classes="tight"):
        gif, mp4, sheet = (
            gr.Button(text, size="sm", min_width=60, elem_id=f"explore_{name}")
            for name, text in (("gif", "GIF"), ("mp4", "MP4"), ("sheet", "Contact sheet"))
        )
    trace = gr.Button("Save the trace", size="sm", elem_id="explore_trace")
    file = upload_button("Open a trace", size="sm", file_types=[".safetensors"], elem_id="explore_file")
    ready = gr.DownloadButton(visible="hidden", elem_id="explore_ready")
    return Export(gif, mp4, sheet, trace, ready, keep), file
