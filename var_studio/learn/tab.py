"""The Learn tab: why scale by scale, on a live picture, in a race, and in numbers measured here and published there."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import gradio as gr

from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection import levels
from var_core.inspection import race as races
from var_core.inspection.race import Lane
from var_core.weights import checkpoints

from ..shared import controls, html, widgets
from ..shared import run as runs
from ..shared.events import AT_ONCE, QUIET, SKIP, Renewal, Unchanged, buttons, halt, in_words
from ..shared.examples import example_shelf, examples
from ..shared.guarded_widgets import upload_button
from ..shared.handover import ExploreHandover
from ..shared.models import Models
from ..shared.on_model import wire_in_turns
from ..shared.run import StopFlag
from ..shared.visitor_files import VisitorFiles
from . import lessons

RASTER = lessons.DATA / "raster.safetensors"
EVERY = 0.1  # seconds between two looks at a race
RUNNERS = (("VAR", "scale by scale"), ("Raster order", "token by token"))
ANOTHER = '<div class="ln"><p>Another model is loaded now: choose a picture to see how it takes that apart.</p></div>'


class Racers:
    """The two models that race: the one that comes with the app, and one of its size that draws in raster order."""

    def __init__(self, models: Models):
        self.models, self._loading = models, threading.Lock()
        own = checkpoints.find(checkpoints.DEFAULT)
        self.spec, self.digest = checkpoints.read_spec(own), checkpoints.file_digest(own)

    @staticmethod
    def here() -> bool:
        """Say whether both files are there."""
        return checkpoints.DEFAULT in checkpoints.available() and RASTER.is_file()

    @cached_property
    def _own(self) -> Pipeline:
        return Pipeline.load(options=self.models.options)

    @cached_property
    def _raster(self) -> Pipeline:
        return Pipeline.load(str(RASTER), self.models.options)

    @property
    def pipes(self) -> tuple[Pipeline, Pipeline]:
        """Loaded when they are needed first; the app's own model is not loaded twice."""
        loaded = self.models.pipe
        with self._loading:
            return (loaded if loaded.digest == self.digest else self._own), self._raster


class Live(NamedTuple):
    """The widgets of the live picture; the path of its photo, and the digest of the model that took it apart."""

    bar: gr.HTML
    view: gr.HTML
    path: gr.State
    made: gr.State


class LiveUpdate(NamedTuple):
    """New values for the widgets of `Live`, in its order."""

    bar: str | Unchanged = SKIP
    view: str | Unchanged = SKIP
    path: str | Unchanged = SKIP
    made: str | Unchanged = SKIP


class Track(NamedTuple):
    """The widgets of the race; what it was for, and the digest of the model that won it."""

    bar: gr.HTML
    view: gr.HTML
    inside: gr.Button
    asked: gr.State
    digest: gr.State


class TrackUpdate(NamedTuple):
    """New values for the widgets of `Track`, in its order."""

    bar: str | Unchanged = SKIP
    view: str | Unchanged = SKIP
    inside: gr.Button | Unchanged = SKIP
    asked: Request | Unchanged = SKIP
    digest: str | Unchanged = SKIP


class Course(NamedTuple):
    """The widgets that say what is raced for."""

    class_name: gr.Dropdown
    seed: gr.Textbox
    lock: gr.Checkbox


@dataclass(frozen=True)
class LiveHandlers:
    """Handlers of the live picture, as functions of the widgets' values."""

    models: Models
    files: VisitorFiles

    def enter(self, path: str | None, made: str | None) -> Iterator[LiveUpdate]:
        """Show on a visit the picture as the loaded model takes it apart, unless it shows that already."""
        shown_first = path or next(map(str, examples()), None)
        if made == self.models.pipe.digest or shown_first is None:
            yield LiveUpdate()
            return
        yield from self.take_apart(shown_first)

    def choose(self, event: gr.SelectData) -> Iterator[LiveUpdate]:
        """An example."""
        yield from self.take_apart(str(examples()[event.index]))

    def take_apart(self, path: str) -> Iterator[LiveUpdate]:
        """A photo, scale by scale."""
        pipe, found = self.models.pipe, []
        with in_words():
            photo = self.files.picture(path)
        for level in levels.levels(pipe, photo, pipe.decode if runs.decodes_live(pipe) else pipe.preview):
            found.append(level)
            fraction = len(found) / len(pipe.schedule)
            yield LiveUpdate(bar=html.bar(f"scale {len(found)} of {len(pipe.schedule)}", fraction))
        yield LiveUpdate("", lessons.pyramid(found, pipe.spec.tokenizer.vocabulary), path, pipe.digest)

    def renew(self) -> tuple[str, None]:
        """Empty the view when another model is loaded."""
        return ANOTHER, None


@dataclass(frozen=True)
class RaceHandlers:
    """Handlers of the race, as functions of the widgets' values."""

    racers: Racers

    def line_up(
        self, class_name: str, seed: str, lock: bool
    ) -> tuple[Request, StopFlag, str, str, str, gr.Button, gr.Button]:
        """Return before a race its request and stop flag, the class and seed it takes, the buttons while it runs."""
        with in_words():
            knobs = controls.defaults(self.racers.spec).sampling
            asked = controls.read(self.racers.spec, class_name, 1, controls.seed_to_use(seed, lock), knobs)
        shown = controls.show(self.racers.spec, asked)
        return asked, StopFlag(), shown.class_name, shown.seed, html.bar("On your marks …"), *buttons(running=True)

    def run(self, asked: Request, stop_flag: StopFlag) -> Iterator[TrackUpdate]:
        """The race; the stop flag ends it."""
        if stop_flag.is_set():  # while it waited for its turn
            yield TrackUpdate(bar="")
            return
        with in_words():
            pipes = self.racers.pipes
        told = 0.0
        lanes: tuple[Lane, ...] = ()
        for lanes in races.race([(pipe, asked) for pipe in pipes]):
            if stop_flag.is_set():
                break
            if time.perf_counter() - told > EVERY:
                yield self._seen(pipes, lanes)
                told = time.perf_counter()
        if all(lane.done for lane in lanes):
            yield self._seen(pipes, lanes)._replace(
                bar=html.bar(lessons.result(lanes), 1.0),
                inside=gr.Button(visible=True),
                asked=asked,
                digest=pipes[0].digest,
            )
        else:
            yield self._seen(pipes, lanes)._replace(bar=html.bar("Stopped."))

    def _seen(self, pipes: tuple[Pipeline, ...], lanes: tuple[Lane, ...]) -> TrackUpdate:
        """The race as it is."""
        pictures = [html.shrunk(races.picture(pipe, lane)) for pipe, lane in zip(pipes, lanes, strict=True)]
        view = lessons.track(RUNNERS, lanes, pictures)
        fraction = sum(lane.steps for lane in lanes) / sum(len(lane.schedule) for lane in lanes)
        return TrackUpdate(html.bar("Racing …", fraction), view, inside=gr.Button(visible=False))


# ------------------------------------------------------------------------------------------------ laying it out


def tab(models: Models, files: VisitorFiles, here: gr.Tab, explored: ExploreHandover) -> Renewal:
    """Lay out the tab, which stands in `here`, and wire it."""
    with gr.Column(elem_id="learn", elem_classes="tab"):
        _lesson("pyramid")
        live, upload, shelf, look = _live()
        racers = Racers(models) if Racers.here() else None
        if racers:
            _lesson("race")
            course, actions, track = _track(racers.spec)
        rest = gr.HTML(elem_id="ln_measured", apply_default_css=False)
    handlers, seen = LiveHandlers(models, files), gr.State(False)
    # one visitor at a time, so that it is drawn once; sent to each visitor once
    here.select(lambda sent: (gr.skip() if sent else lessons.measured(), True), seen, [rest, seen], **QUIET)
    _wire_live(handlers, live, upload, shelf, here)
    explored.opens_photo(look.click, [live.path])
    if racers:
        _wire_race(RaceHandlers(racers), course, actions, track)
        explored.opens_race(track.inside.click, [track.asked, track.digest])
    return Renewal(handlers.renew, [live.view, live.made])


def _lesson(name: str) -> None:
    gr.HTML(lessons.lesson(name), apply_default_css=False)


def _live() -> tuple[Live, gr.UploadButton, gr.Gallery, gr.Button]:
    """The live picture."""
    with gr.Row(elem_classes="ln-choose"):
        shelf = example_shelf("ln_examples")
        with gr.Column(min_width=180, elem_classes="ln-ways"):
            upload = upload_button("Open a picture of yours", size="sm", file_types=["image"], elem_id="ln_open")
            look = gr.Button("Look inside in Explore", size="sm", elem_id="ln_inside")
    bar = gr.HTML(elem_id="ln_bar")
    view = gr.HTML(elem_id="ln_pyramid", apply_default_css=False)
    return Live(bar, view, gr.State(), gr.State()), upload, shelf, look


def _track(spec: ModelSpec) -> tuple[Course, widgets.Actions, Track]:
    """The race."""
    name = controls.defaults(spec).class_name
    with gr.Row(elem_classes="ln-course"):
        with gr.Column(min_width=200, elem_classes="ln-what"):
            chosen = widgets.subject(controls.choices(spec, None), name, "What both paint.", "ln_class")
            run = gr.Button("Start the race", variant="primary", elem_classes="run", elem_id="ln_run")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="ln_stop")
            inside = gr.Button("Look inside VAR's picture", visible=False, size="sm", elem_id="ln_winner")
        with gr.Column(min_width=200, elem_classes="ln-seed"), gr.Group():
            seeding = widgets.seed_widgets("The same seed gives the same picture.", "ln_")
    bar = gr.HTML(elem_id="ln_race_bar")
    view = gr.HTML(lessons.track(RUNNERS), elem_id="ln_track", apply_default_css=False)
    return Course(chosen, *seeding), widgets.Actions(run, stop), Track(bar, view, inside, gr.State(), gr.State())


def _wire_live(handlers: LiveHandlers, live: Live, upload: gr.UploadButton, shelf: gr.Gallery, here: gr.Tab) -> None:
    in_turns = partial(wire_in_turns, handlers.models.desk, outputs=list(live), bar=live.bar, small=True)
    for wired in (
        partial(in_turns, here.select, handlers.enter, [live.path, live.made]),
        partial(in_turns, shelf.select, handlers.choose, []),
        partial(in_turns, upload.upload, handlers.take_apart, [upload]),
    ):
        wired().failure(lambda: "", None, live.bar, **AT_ONCE)


def _wire_race(handlers: RaceHandlers, course: Course, actions: widgets.Actions, track: Track) -> None:
    asked, stop_flag = gr.State(), gr.State()
    begun = [asked, stop_flag, course.class_name, course.seed, track.bar, *actions]
    ready = actions.run.click(handlers.line_up, list(course), begun, **AT_ONCE)
    desk = handlers.racers.models.desk
    running = wire_in_turns(desk, ready.success, handlers.run, [asked, stop_flag], list(track), track.bar)
    running.then(partial(buttons, running=False), None, list(actions), **AT_ONCE)
    running.failure(lambda: "", None, track.bar, **AT_ONCE)
    actions.stop.click(halt, stop_flag, [track.bar, actions.stop], **AT_ONCE)
