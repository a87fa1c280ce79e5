"""The Create tab: pick a class, press Run, watch the pictures sharpen scale by scale."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.components import Component

from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.recipe import OTHER_VERSION
from var_core.settings import Value, named

from ..shared import controls, html, widgets
from ..shared import run as runs
from ..shared.events import AT_ONCE, SKIP, Renewal, Trigger, Unchanged, Widgets, buttons, halt, in_words, wire
from ..shared.first_picture import FIRST_WORDS, shipped_picture
from ..shared.guarded_widgets import upload_button
from ..shared.handover import CreateHandover
from ..shared.html import READY
from ..shared.models import Models
from ..shared.on_model import wire_in_turns
from ..shared.run import Run, StopFlag
from ..shared.served_files import fresh_folder
from ..shared.visitor_files import VisitorFiles
from ..shared.widgets import Actions, SettingWidgets

MOST_PILLS = 8
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}  # of the stage, by the number of pictures; else 4

# New values of the controls of a request, and of the lock of its seed.
SettingsUpdate = tuple[
    str | Unchanged, int | Unchanged, str | Unchanged, Mapping[str, Value] | Unchanged, bool | Unchanged
]


class RequestControls(NamedTuple):
    """The widgets whose values make a request, in the order in which `controls.read` takes them."""

    class_name: gr.Dropdown
    how_many: gr.Slider
    seed: gr.Textbox
    sampling: SettingWidgets


class Helpers(NamedTuple):
    """The widgets that change the settings, or how they are chosen."""

    group: gr.Radio
    groups: gr.Dropdown
    random_class: gr.Button
    lock: gr.Checkbox
    restore: gr.UploadButton


class RunStage(NamedTuple):
    """The widgets that show a run, then the run itself and the index of the picture chosen in it."""

    gallery: gr.Gallery
    bar: gr.HTML
    strip: gr.HTML
    after: gr.Row
    download: gr.DownloadButton
    run: gr.State
    chosen: gr.State


class StageUpdate(NamedTuple):
    """New values for the widgets of `RunStage`, in its order."""

    gallery: gr.Gallery | Unchanged = SKIP
    bar: str | Unchanged = SKIP
    strip: str | Unchanged = SKIP
    after: gr.Row | Unchanged = SKIP
    download: str | Unchanged = SKIP
    run: Run | Unchanged = SKIP
    chosen: int | Unchanged = SKIP


class PictureButtons(NamedTuple):
    """The buttons that go on from the chosen picture."""

    again: gr.Button
    send: gr.Button
    explore: gr.Button


class Asked(NamedTuple):
    """A request that waits for the model of a digest."""

    request: Request
    digest: str


@dataclass(frozen=True)
class CreateHandlers:
    """Handlers of the tab, as functions of the widgets' values. They return new values in the order of the outputs."""

    models: Models
    cache: str  # where Gradio serves files from
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    @property
    def most(self) -> int:
        """Return how many pictures one run may make."""
        return self.models.limits.pictures

    def prepare(
        self, lock: bool, class_name: str, count: float, seed: str, sampling: Mapping[str, object]
    ) -> tuple[Asked, StopFlag, str, str, str, gr.Button, gr.Button]:
        """Return before a run its request and stop flag, the class and seed it takes, the buttons while it runs."""
        pipe = self.pipe
        with in_words():
            request = controls.read(pipe.spec, class_name, count, controls.seed_to_use(seed, lock), sampling, self.most)
        shown = controls.show(pipe.spec, request)
        asked, bar = Asked(request, pipe.digest), html.bar("Waiting for the model …")
        return asked, StopFlag(), shown.class_name, shown.seed, bar, *buttons(running=True)

    def watch(self, asked: Asked, stop_flag: StopFlag) -> Iterator[StageUpdate]:
        """Make a request's pictures; the stage after each scale, and at the end. The flag ends it within a scale."""
        if stop_flag.is_set():  # while it waited for its turn
            yield StageUpdate(bar=READY)
            return
        with in_words():
            self.models.require(asked.digest)
        for run in runs.after_each_scale(self.pipe, asked.request):
            yield self._under_way(run)
            if stop_flag.is_set():
                break
        yield self._over(run)

    def choose(self, run: Run, event: gr.SelectData) -> tuple[str | Unchanged, str | Unchanged, int | Unchanged]:
        """Show another picture of the run: its strip, its file, its index. While a run is under way there is none yet.

        Another model that has been loaded since cannot say what its scales look like.
        """
        if run is None or event.index >= len(run.files):
            return SKIP, SKIP, SKIP
        if run.digest != self.pipe.digest:
            return "", run.files[event.index], event.index
        with in_words():
            return runs.strip(self.pipe, run, event.index), run.files[event.index], event.index

    def repeat(self, run: Run, chosen: int) -> SettingsUpdate:
        """The settings that make the chosen picture again, with the seed locked."""
        with in_words():
            self.models.require(run.digest)
        return *controls.show(self.pipe.spec, runs.alone(run, chosen)).all(), True

    def restore(self, path: str) -> tuple[str, int, str, Mapping[str, Value], bool, None]:
        """The settings in the recipe of a picture, with the seed locked."""
        with in_words():
            made = self.files.recipe(path)
            recipe = made.adopted(self.pipe)
            values = controls.show(self.pipe.spec, recipe.request(self.pipe))
        then = "Run makes the same picture again." if recipe is made else OTHER_VERSION
        gr.Info(f"Restored: {escape(values.class_name)}, seed {values.seed}. {then}")
        return *values.all(), True, None

    def visit(self, visitor: gr.Request) -> SettingsUpdate:
        """The settings that the page's address asks for."""
        query = dict(visitor.query_params)
        if query.keys().isdisjoint(controls.NAMES):  # a plain visit: do not undo what is being typed already
            return SKIP, SKIP, SKIP, SKIP, SKIP
        with in_words():
            request = controls.from_link(self.pipe.spec, query, self.most)
        return *controls.show(self.pipe.spec, request).all(), "seed" in query

    def in_group(self, group: str, current: str) -> gr.Dropdown:
        """The classes of a group; the current one stays if it is among them."""
        spec = self.pipe.spec
        names = controls.classes(spec, group or None)
        return gr.Dropdown(controls.choices(spec, group or None), value=current if current in names else names[0])

    def random_class(self, *groups: str) -> str:
        """Return any class of the group that is chosen in one widget or the other."""
        return controls.random_class(self.pipe.spec, next(filter(None, groups), None))

    def renew(self) -> tuple[gr.Dropdown, gr.Radio, gr.Dropdown, Mapping[str, Value]]:
        """Class, groups and knobs for the model that is loaded."""
        spec, name = self.pipe.spec, controls.defaults(self.pipe.spec).class_name
        pills, rest = _grouping(spec)
        chosen = gr.Dropdown(controls.choices(spec, None), value=name)
        return chosen, pills, rest, named(self.models.default_sampling)

    def _under_way(self, run: Run) -> StageUpdate:
        """The stage of a run under way."""
        shown = gr.Gallery(runs.pictures(self.pipe, run), columns=_columns(run), selected_index=None)
        return StageUpdate(shown, bar=runs.progress(run), strip="", after=gr.Row(visible=False), chosen=0)

    def _over(self, run: Run) -> StageUpdate:
        """The stage of a run that has ended, by itself or by Stop."""
        return self._finished(runs.finish(self.pipe, run, fresh_folder(self.cache)))

    def show_again(self, run: Run) -> StageUpdate:
        """Show a run that ended earlier, if its files are still there and its model is loaded."""
        with in_words():
            self.models.require(run.digest)
            return self._finished(run)

    def _finished(self, done: Run) -> StageUpdate:
        shown = gr.Gallery(list(done.files), columns=_columns(done), selected_index=None)
        bar, strip = runs.summary(done), runs.strip(self.pipe, done, 0)
        return StageUpdate(shown, bar, strip, gr.Row(visible=True), done.files[0], run=done, chosen=0)


def tab(models: Models, files: VisitorFiles) -> CreateHandover:
    """Lay out the tab and wire it."""
    with gr.Row(elem_id="create", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            settings, helpers, actions = _settings(models)
        with gr.Column(scale=7, min_width=320, elem_id="stage", elem_classes="stage"):
            stage, onward = _stage()
    Path(stage.gallery.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    handlers = CreateHandlers(models, stage.gallery.GRADIO_CACHE, files)
    _wire_settings(handlers, settings, helpers)
    _wire_runs(handlers, settings, helpers, actions, stage, onward.again)
    renewed: list[Widgets] = [settings.class_name, helpers.group, helpers.groups, settings.sampling]
    controls_and_lock: list[Widgets] = [*settings, helpers.lock]
    visit = partial(_visit, handlers, controls_and_lock)
    return CreateHandover(
        send=onward.send,
        explore=onward.explore,
        run=stage.run,
        chosen=stage.chosen,
        controls=controls_and_lock,
        renewal=Renewal(handlers.renew, renewed),
        visit=visit,
        shows=partial(_shows, handlers, stage),
    )


def _settings(models: Models) -> tuple[RequestControls, Helpers, Actions]:
    """The left column."""
    spec = models.pipe.spec
    usual = controls.defaults(spec)
    group, groups, class_name, random_class = _subject(spec, usual.class_name)
    seeding = widgets.seeding("Pictures", models.limits.pictures, usual.count)
    actions = widgets.actions()
    with gr.Accordion("How it draws", open=False, elem_id="drawing"):
        sampling, _ = widgets.sampling_widgets(lambda: models.default_sampling)
    upload = upload_button("Restore from a picture", size="sm", file_types=["image"], elem_id="restore")
    helpers = Helpers(group, groups, random_class, seeding.lock, upload)
    return RequestControls(class_name, seeding.how_many, seeding.seed, sampling), helpers, actions


def _grouping(spec: ModelSpec) -> tuple[gr.Radio, gr.Dropdown]:
    """The groups of a model's classes: as pills where they are few, else in a list. Only one of the two shows."""
    names = controls.groups(spec)
    choices, pills = [("All", ""), *((name.capitalize(), name) for name in names)], 1 < len(names) <= MOST_PILLS
    radio = gr.Radio(choices if pills else [("All", "")], value="", label="Group", show_label=False, visible=pills)
    return radio, gr.Dropdown(choices, value="", label="Group", visible=len(names) > MOST_PILLS)


def _subject(spec: ModelSpec, name: str) -> tuple[gr.Radio, gr.Dropdown, gr.Dropdown, gr.Button]:
    """Lay out the choice of what to draw."""
    with gr.Group(elem_id="subject"):
        group, groups = _grouping(spec)
        group.elem_id, group.elem_classes, groups.elem_id = "group", ["pills"], "groups"
        class_name = widgets.subject(controls.choices(spec, None), name, "What to draw. Type to search.", "class")
        random_class = gr.Button("Surprise me", size="sm", elem_id="random_class")
    return group, groups, class_name, random_class


def _stage() -> tuple[RunStage, PictureButtons]:
    """The right column."""
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
    with gr.Row(visible=False, elem_classes="after") as after:
        download = gr.DownloadButton("Download PNG", size="sm", elem_id="download")
        again = gr.Button("Same again", size="sm", elem_id="again")
        send = gr.Button("Edit this", size="sm", elem_id="send")
        explore = gr.Button("Look inside", size="sm", elem_id="look_inside")
    strip = gr.HTML(growth, elem_id="strip")
    stage = RunStage(gallery, bar, strip, after, download, gr.State(), gr.State(0))
    return stage, PictureButtons(again, send, explore)


def _wire_settings(handlers: CreateHandlers, settings: RequestControls, helpers: Helpers) -> None:
    locked: list[Widgets] = [*settings, helpers.lock]
    for group in (helpers.group, helpers.groups):
        group.input(handlers.in_group, [group, settings.class_name], settings.class_name, **AT_ONCE)
    helpers.random_class.click(handlers.random_class, [helpers.group, helpers.groups], settings.class_name, **AT_ONCE)
    wire(helpers.restore.upload, handlers.restore, [helpers.restore], [*locked, helpers.restore], AT_ONCE)


def _wire_runs(
    handlers: CreateHandlers,
    settings: RequestControls,
    helpers: Helpers,
    actions: Actions,
    stage: RunStage,
    again: gr.Button,
) -> None:
    asked, stop_flag = gr.State(), gr.State()
    in_turns = partial(wire_in_turns, handlers.models.desk, bar=stage.bar)

    def begin(trigger: Trigger) -> None:
        shown = [settings.class_name, settings.seed, stage.bar, *actions]
        ready = wire(trigger, handlers.prepare, [helpers.lock, *settings], [asked, stop_flag, *shown], AT_ONCE)
        running = in_turns(ready.success, handlers.watch, [asked, stop_flag], list(stage))
        running.failure(lambda: READY, None, stage.bar, **AT_ONCE)
        running.then(partial(buttons, running=False), None, list(actions), **AT_ONCE)

    repeated = wire(again.click, handlers.repeat, [stage.run, stage.chosen], [*settings, helpers.lock], AT_ONCE)
    begin(actions.run.click)
    begin(repeated.success)
    actions.stop.click(halt, stop_flag, stage.bar, **AT_ONCE)
    in_turns(stage.gallery.select, handlers.choose, [stage.run], [stage.strip, stage.download, stage.chosen])


def _visit(handlers: CreateHandlers, locked: Sequence[Widgets], trigger: Trigger) -> None:
    """When a page is opened its settings are those of its address."""
    answered = wire(trigger, handlers.visit, [], locked, AT_ONCE)
    answered.then(None, None, None, js="() => globalThis.opened()")


def _shows(
    handlers: CreateHandlers, stage: RunStage, trigger: Trigger, find: Callable[[object], Run], given: Component
) -> None:
    def shown(value: object) -> StageUpdate:
        return handlers.show_again(find(value))

    wire_in_turns(handlers.models.desk, trigger, shown, [given], list(stage), bar=stage.bar)


def _columns(run: Run) -> int:
    return COLUMNS.get(len(run.request.seeds), 4)
