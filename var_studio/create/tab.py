"""The Create tab: pick a class, press Run, watch the pictures sharpen scale by scale."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component

from ..shared.events import AT_ONCE, Renewal, Trigger, Widgets, buttons, halt, wire
from ..shared.handover import CreateHandover, Giving
from ..shared.html import READY
from ..shared.left_runs import LeftRuns
from ..shared.models import Models
from ..shared.on_model import wire_in_turns
from ..shared.run import Run
from ..shared.visitor_files import VisitorFiles
from ..shared.widgets import Actions
from .giving import pictures_of
from .handlers import CreateRunHandlers
from .layout import (
    GridControls,
    Helpers,
    PictureButtons,
    RequestControls,
    RunStage,
    StageUpdate,
    settings_column,
    stage_column,
)
from .preparing import Begun
from .setting_handlers import SettingHandlers


def tab(models: Models, files: VisitorFiles) -> CreateHandover:
    """Lay out the tab and wire it."""
    with gr.Row(elem_id="create", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            settings, helpers, grid, actions = settings_column(models)
        with gr.Column(scale=7, min_width=320, elem_id="stage", elem_classes="stage"):
            stage, onward = stage_column(models)
    Path(stage.gallery.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    handlers = SettingHandlers(models, files)
    _wire_settings(handlers, settings, helpers)
    controls_and_lock: list[Widgets] = [*settings, helpers.lock]
    wire(onward.use.click, handlers.use, [stage.run, stage.chosen], controls_and_lock, AT_ONCE)
    runs_of = CreateRunHandlers(models, stage.gallery.GRADIO_CACHE)
    left = LeftRuns(lambda update: found if isinstance(found := update.run, Run) else None)
    asked, begin = _wire_runs(runs_of, left, settings, helpers, grid, actions, stage, onward)
    for button in (stage.download, stage.sheet):
        button.click(runs_of.check_files, stage.run, None, **AT_ONCE)
    for asked_for, write, file in (
        (stage.large, runs_of.larger, onward.larger_file),
        (stage.everything, runs_of.everything, onward.packed_file),
    ):
        written = asked_for.click(write, [stage.run, stage.chosen], file, **AT_ONCE)
        written.success(None, None, None, js=f"() => document.querySelector('#{file.elem_id}').click()")

    def draws(trigger: Trigger, tabs: gr.Tabs, shown: gr.State) -> None:
        begin(trigger, runs_of.prepare_again, [shown], [tabs])

    groups: list[Widgets] = [helpers.group, helpers.groups]
    return CreateHandover(
        send=onward.send,
        explore=onward.explore,
        asked=asked,
        run=stage.run,
        chosen=stage.chosen,
        controls=controls_and_lock,
        renewal=Renewal(
            handlers.renew, [settings.class_name, settings.also, *groups, onward.freedom, settings.sampling]
        ),
        visit=partial(_visit, handlers, controls_and_lock),
        shows=partial(_shows, runs_of, left, stage),
        gives=Giving(stage.run.change, [stage.run], lambda run: pictures_of(models.pipe, run)),
        left=left,
        uses=partial(_uses, handlers, controls_and_lock),
        draws=draws,
    )


def _wire_settings(handlers: SettingHandlers, settings: RequestControls, helpers: Helpers) -> None:
    locked: list[Widgets] = [*settings, helpers.lock]
    for group in (helpers.group, helpers.groups):
        group.input(handlers.in_group, [group, settings.class_name], settings.class_name, **AT_ONCE)
    helpers.random_class.click(handlers.random_class, [helpers.group, helpers.groups], settings.class_name, **AT_ONCE)
    wire(helpers.restore.upload, handlers.restore, [helpers.restore], [*locked, helpers.restore], AT_ONCE)


def _wire_runs(
    handlers: CreateRunHandlers,
    left: LeftRuns,
    settings: RequestControls,
    helpers: Helpers,
    grid: GridControls,
    actions: Actions,
    stage: RunStage,
    onward: PictureButtons,
) -> tuple[gr.State, Callable[..., None]]:
    """Wire what makes pictures.

    Return the state that holds what was asked for last, and a function that wires an event after which a run begins: it
    takes the handler that prepares this, its inputs, and the widgets that it changes besides those of all runs.
    """
    asked, stop_flag = gr.State(), gr.State()
    in_turns = partial(wire_in_turns, handlers.models.desk, bar=stage.bar)

    def begin(
        trigger: Trigger, prepare: Callable[..., object], inputs: Sequence[Widgets], shown: Sequence[Widgets] = ()
    ) -> None:
        ready = wire(trigger, prepare, inputs, [asked, stop_flag, *shown, stage.bar, *actions], AT_ONCE)
        running = in_turns(ready.success, handlers.watch, [asked, stop_flag], list(stage), left=left)
        running.failure(lambda: READY, None, stage.bar, **AT_ONCE)
        running.then(partial(buttons, running=False), None, list(actions), **AT_ONCE)

    def prepare_grid(
        x: str, x_values: str, y: str, y_values: str, class_name: str, seed: str, sampling: Mapping[str, object]
    ) -> Begun:
        return handlers.prepare_grid((x, y), (x_values, y_values), class_name, seed, sampling)

    seen: list[Widgets] = [settings.class_name, settings.seed]
    begin(actions.run.click, handlers.prepare, [helpers.lock, *settings], seen)
    of_run: list[Widgets] = [stage.run, stage.chosen, onward.freedom, settings.how_many]
    begin(onward.alike.click, handlers.prepare_alike, of_run)
    axes: list[Widgets] = [grid.x, grid.x_values, grid.y, grid.y_values]
    begin(grid.draw.click, prepare_grid, [*axes, *seen, settings.sampling])
    actions.stop.click(halt, stop_flag, [stage.bar, actions.stop], **AT_ONCE)
    in_turns(stage.gallery.select, handlers.choose, [stage.run], list(stage))
    return asked, begin


def _visit(handlers: SettingHandlers, locked: Sequence[Widgets], trigger: Trigger) -> None:
    """When a page is opened its settings are those of its address."""
    answered = wire(trigger, handlers.visit, [], locked, AT_ONCE)
    answered.then(None, None, None, js="() => globalThis.opened()")


def _shows(
    handlers: CreateRunHandlers,
    left: LeftRuns,
    stage: RunStage,
    trigger: Trigger,
    find: Callable[[object], object],
    given: Component,
) -> None:
    def shown(value: object) -> Iterator[StageUpdate]:
        yield from handlers.show_again(find(value))

    wire_in_turns(handlers.models.desk, trigger, shown, [given], list(stage), bar=stage.bar, left=left)


def _uses(
    handlers: SettingHandlers, locked: Sequence[Widgets], trigger: Trigger, tabs: gr.Tabs, shown: gr.State
) -> None:
    """Wire an event after which the controls say how the picture of a visit was made, if it was made here."""
    wire(trigger, handlers.take, [shown], [tabs, *locked], AT_ONCE)
