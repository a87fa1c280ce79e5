"""The endpoints on the page: hidden widgets whose events programs call by name. No other event can be called so."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.components.api_component import Api

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.settings import Declared

from ..shared import controls
from ..shared.events import AT_ONCE, ON_MODEL, EventOptions
from ..shared.guarded_widgets import takes_uploads
from ..shared.models import Models
from ..shared.on_model import answered_in_turns
from ..shared.visitor_files import VisitorFiles
from .edits import TASKS, EditEndpoints
from .endpoints import Endpoints
from .values import schema

TABLES: dict[str, type[Declared]] = {"sampling": Sampling, "settings": EditSettings}


def endpoints(models: Models, files: VisitorFiles) -> None:
    """Lay out the endpoints, unseen."""
    with gr.Row(visible=False):
        shown = gr.Gallery(label="pictures", format="png")
        Path(shown.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
        made = Endpoints(models, shown.GRADIO_CACHE, files)
        edits = EditEndpoints(models, shown.GRADIO_CACHE, files)
        status, told, listed = gr.JSON(label="status"), gr.JSON(label="told"), gr.JSON(label="list")
        picture, file = gr.Image(label="picture", format="png"), gr.File(label="trace")
        usual = controls.defaults(models.pipe.spec)
        name, optional = gr.Textbox(usual.class_name, label="class_name"), gr.Textbox("", label="class_name")
        count, seed = gr.Number(1, precision=0, label="count"), gr.Number(0, precision=0, label="seed")
        tables: dict[str, dict[str, Any]] = {label: schema(kind) for label, kind in TABLES.items()}
        sampling, settings = (Api({}, table, label=label) for label, table in tables.items())
        photo, mask = (takes_uploads(gr.File(label=label)) for label in ("photo", "mask"))
        task = gr.Textbox(next(iter(TASKS)), label="task")
        sides = [gr.Number(0, precision=0, label=side) for side in ("left", "top", "right", "bottom")]
        run = [status, shown]
        many = [optional, count, seed, settings, sampling]
        in_turns = partial(answered_in_turns, models.desk, told=made.waiting)
        _endpoint("generate", in_turns(made.generate), [name, count, seed, sampling], run, ON_MODEL)
        _endpoint("edit", in_turns(edits.edit), [photo, mask, task, *many], run, ON_MODEL)
        _endpoint("extend", in_turns(edits.extend), [photo, *sides, *many], run, ON_MODEL)
        _endpoint("encode", in_turns(made.encode), [photo], [told, picture], ON_MODEL)
        _endpoint("trace", in_turns(made.trace), [name, seed, sampling], [file, picture], ON_MODEL)
        _endpoint("classify", in_turns(made.classify), [photo], [listed], ON_MODEL)
        _endpoint("classes", made.classes, [], [listed], AT_ONCE)
        _endpoint("models", made.models, [], [told], AT_ONCE)
        _endpoint("limits", made.limits, [], [told], AT_ONCE)


def _endpoint(
    name: str,
    function: Callable[..., Any],
    inputs: Sequence[Component],
    outputs: Sequence[Component],
    options: EventOptions,
) -> None:
    """Let programs call a function by name."""
    chosen: dict[str, Any] = {**options, "api_visibility": "public", "api_name": name}
    gr.Button(name, visible=False).click(function, list(inputs), list(outputs), **chosen)
