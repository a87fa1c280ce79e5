"""Ask the model of the Edit tab about a photo, and set the form by its answers: classes, knobs, what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr
import numpy as np

from var_core.config import NO_CLASS
from var_core.editing.edit import guess
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.editing.finding import find_class
from var_core.engine.pipeline import Pipeline
from var_core.recipe import pixel_hash
from var_core.settings import named, parsed

from ..shared import controls
from ..shared.events import in_words
from ..shared.models import Models
from ..shared.widgets import renewed_sampling
from . import layout
from . import workspace as workspaces
from .form import EXTEND, INPAINT, REMOVE
from .workspace import Canvas, Found, PackedMask, Workspace

GUESSES = 3  # classes that are named for a photo


@dataclass(frozen=True)
class AskingHandlers:
    """Handlers of what is asked of the model before a run, as functions of the widgets' values.

    They return new values in the order of the outputs.
    """

    models: Models

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def guess(self, now: Workspace | None, canvas: Canvas | None, settings: Mapping[str, object]) -> tuple[gr.Radio]:
        """Name the likeliest classes of the photo around what is painted, or of its middle, to be taken."""
        with in_words():
            here, spec = workspaces.needed(now), self.pipe.spec
            mask = workspaces.painted_on(here, canvas)
            found = guess(self.pipe, here.photo, mask, parsed(EditSettings(), settings))[:GUESSES]
        if found[0].nats <= 0:
            return (gr.Radio([], label="It looks like none of the classes of this model.", value=None, visible=True),)
        names = [(f"{spec.class_name(one.label)} {one.share:.0%}", spec.class_name(one.label)) for one in found]
        return (gr.Radio(names, label="Looks like", value=None, visible=True),)

    def find(self, now: Workspace | None, choice: Mapping[str, object]) -> tuple[Found]:
        """Look for what the photo shows: of the class that is chosen for it, else of the likeliest one."""
        pipe, name = self.pipe, str(choice["class_name"] or "")
        with in_words():
            here = workspaces.needed(now)
            label, null = pipe.spec.transformer.null_label, pipe.spec.transformer.null_label
            if choice["task"] in (INPAINT, EXTEND):  # else the class says what it becomes, or nothing
                label = pipe.spec.label(controls.complete(pipe.spec, name))
            if label == null:
                label = guess(pipe, here.photo, np.zeros(here.photo.shape[:2], bool), EditSettings())[0].label
            mask = PackedMask.pack(find_class(pipe, here.photo, label))
        return (Found(pixel_hash(here.photo), mask, pipe.spec.class_name(label)),)

    def renew(self) -> tuple[gr.Dropdown, gr.Slider, gr.Checkbox, gr.Radio, Mapping[str, object]]:
        """Class, scales and knobs for the model that is loaded."""
        spec = self.pipe.spec
        scales = gr.Slider(maximum=len(spec.tokenizer.sides))
        choices = gr.Dropdown(layout.class_choices(spec), value=NO_CLASS)
        shown = gr.Checkbox(visible=self.pipe.masked is not None)
        return choices, scales, shown, layout.no_answers(), renewed_sampling(self.models.filling_sampling, spec)

    def usual_draw(self, task: str, class_name: str, sampling: Mapping[str, object]) -> tuple[Mapping[str, object]]:
        """Return the knobs that are at their default for an edit without a class, or with one, at that of the other.

        What has been set otherwise stays.
        """
        spec = self.pipe.spec
        with_class = task != REMOVE and controls.complete(spec, class_name or "").casefold() != NO_CLASS
        wanted, other = (named(usual_sampling(spec.default_sampling, one)) for one in (with_class, not with_class))
        return ({name: value for name, value in wanted.items() if sampling[name] == other[name] != value},)
