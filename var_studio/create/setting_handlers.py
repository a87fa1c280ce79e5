"""Handlers of the Create tab that change what the controls say, as functions of the widgets' values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

import gradio as gr

from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.recipe import OTHER_VERSION
from var_core.settings import Value

from ..shared import controls
from ..shared import run as runs
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.handover import DrawnPicture
from ..shared.models import Models
from ..shared.run import Run
from ..shared.visit_pictures import VisitPicture
from ..shared.visitor_files import VisitorFiles
from ..shared.widgets import renewed_sampling
from .layout import freedom_slider, grouping

# New values of the controls of a request, and of the lock of its seed.
SettingsUpdate = tuple[
    str | Unchanged,
    int | Unchanged,
    str | Unchanged,
    Mapping[str, Value] | Unchanged,
    list[str] | Unchanged,
    bool | Unchanged,
]


@dataclass(frozen=True)
class SettingHandlers:
    """Handlers of the settings. They return new values in the order of the outputs."""

    models: Models
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def use(self, run: Run, chosen: int) -> SettingsUpdate:
        """The settings that make the chosen picture again, with the seed locked; the number of pictures stays."""
        with in_words():
            self.models.require(run.digest)
        values = controls.show(self.pipe.spec, runs.alone(run, chosen))
        return values.class_name, SKIP, values.seed, values.sampling, [], True

    def take(self, picture: VisitPicture | None) -> tuple[object, ...]:
        """The way here, and the settings that make a picture of the visit again, if it was made here."""
        if picture is None or not isinstance(made := picture.made, DrawnPicture):
            return SKIP, SKIP, SKIP, SKIP, SKIP, SKIP, SKIP
        with in_words():
            self.models.require(picture.digest)
        values = controls.show(self.pipe.spec, made.request)
        return gr.Tabs(selected="create"), values.class_name, SKIP, values.seed, values.sampling, [], True

    def restore(self, path: str) -> tuple[str, int, str, Mapping[str, Value], list[str], bool, None]:
        """The settings in the recipe of a picture, with the seed locked."""
        with in_words():
            made = self.files.recipe(path)
            recipe = made.adopted(self.pipe)
            values = self._shown(recipe.request(self.pipe))
        then = "Run makes the same picture again." if recipe is made else OTHER_VERSION
        gr.Info(f"Restored: {escape(values.class_name)}, seed {values.seed}. {then}")
        return *values.all(), True, None

    def visit(self, visitor: gr.Request) -> SettingsUpdate:
        """The settings that the page's address asks for."""
        query = dict(visitor.query_params)
        if query.keys().isdisjoint(controls.NAMES):  # a plain visit: do not undo what is being typed already
            return SKIP, SKIP, SKIP, SKIP, SKIP, SKIP
        with in_words():
            request = controls.from_link(self.pipe.spec, query, self.models.limits.pictures)
        return *self._shown(request).all(), "seed" in query

    def _shown(self, request: Request) -> controls.ControlValues:
        """Return what the controls say for a request from elsewhere, whose numbers may be lowered: that is told."""
        sampling, told = controls.lowered(self.pipe.spec, request.sampling)
        if told:
            gr.Info(told)
        return controls.show(self.pipe.spec, replace(request, sampling=sampling))

    def in_group(self, group: str, current: str) -> gr.Dropdown:
        """The classes of a group; the current one stays if it is among them."""
        spec = self.pipe.spec
        names = controls.class_names(spec, group or None)
        return gr.Dropdown(controls.choices(spec, group or None), value=current if current in names else names[0])

    def random_class(self, *groups: str) -> str:
        """Return any class of the group that is chosen in one widget or the other."""
        return controls.random_class(self.pipe.spec, next(filter(None, groups), None))

    def renew(self) -> tuple[gr.Dropdown, gr.Dropdown, gr.Radio, gr.Dropdown, gr.Slider, Mapping[str, object]]:
        """Classes, groups, scales and knobs for the model that is loaded."""
        spec, name = self.pipe.spec, controls.defaults(self.pipe.spec).class_name
        pills, rest = grouping(spec)
        choices = controls.choices(spec, None)
        chosen, also = gr.Dropdown(choices, value=name), gr.Dropdown(choices, value=[])
        return chosen, also, pills, rest, freedom_slider(spec), renewed_sampling(self.models.default_sampling, spec)
