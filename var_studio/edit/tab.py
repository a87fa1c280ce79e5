"""The Edit tab: paint over a photo, and have that part repainted, drawn onward, or turned into something else."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import numpy as np

from var_core.config import NO_CLASS
from var_core.editing.canvas import Box
from var_core.editing.edit import Settings, Stage, squares, stages
from var_core.engine.pipeline import Pipeline
from var_core.images import open_mask, open_photo
from var_core.recipe import Recipe

from ..create.tab import Created
from ..shared import controls
from ..shared import run as runs
from ..shared.models import Models
from ..shared.run import StopFlag
from ..shared.widgets import AT_ONCE, ON_MODEL, READY, Drawing, Renewal, buttons, halt, in_words, unchanged
from . import layout as edit_layout
from . import workspace as desk
from .layout import Choice, Controls, How, Masking, Sheet, Table, examples, mask_file
from .workspace import CHANGE, EXTEND, INPAINT, PIXELS, Desk, Done, Job, Square, Wish

NONE = -1  # no result is chosen: an edit is under way
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}  # of the results, by their number; else 4


@dataclass(frozen=True)
class Handlers:
    """What the widgets do, as functions of their values. They return new values in the order of the outputs."""

    models: Models
    cache: str  # where Gradio serves files from

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def open_file(self, path: str, old: Desk | None, canvas: Mapping | None) -> tuple:
        """A photo from a file, onto the canvas."""
        with in_words():
            photo = open_photo(path)
        return self.shown(desk.fresh(Path(path).stem, photo, None, desk.past(old, canvas)))

    def shown(self, now: Desk) -> tuple:
        """The values of the `Table` for a desk, and that of the box, which belonged to another photo."""
        return desk.on_canvas(now), now, gr.Gallery(desk.thumbnails(now), visible=bool(now.past)), ""

    def example(self, old: Desk | None, canvas: Mapping | None, event: gr.SelectData) -> tuple:
        """An example with its mask."""
        photo = examples()[event.index]
        pixels = open_photo(photo)
        mask, _ = open_mask(mask_file(photo), pixels.shape[1::-1])
        return self.shown(desk.fresh(photo.stem, pixels, mask, desk.past(old, canvas)))

    def change_mask(self, act: str, now: Desk | None, canvas: Mapping | None, pixels: object) -> tuple:
        """Invert, clear, grow or shrink what is painted."""
        with in_words():
            here = needed(now)
            return self._masked(here, canvas, desk.changed(desk.painted_on(here, canvas), act, pixels))

    def _masked(self, now: Desk, canvas: Mapping | None, mask: np.ndarray) -> tuple:
        """The canvas and the desk with another mask."""
        after = desk.with_mask(now, canvas, mask)
        return desk.on_canvas(after), after

    def undo_mask(self, now: Desk | None, canvas: Mapping | None) -> tuple:
        """The mask before the strokes since the last change, or before that change."""
        with in_words():
            before = desk.taken_back(needed(now), canvas)
        return desk.on_canvas(before), before

    def redo_mask(self, now: Desk | None, canvas: Mapping | None) -> tuple:
        """The mask that was taken back last."""
        with in_words():
            after = desk.brought_again(needed(now), canvas)
        return desk.on_canvas(after), after

    def add_rectangle(self, now: Desk | None, canvas: Mapping | None, text: str) -> tuple:
        """Paint the rectangle that four numbers name."""
        with in_words():
            here = needed(now)
            mask = desk.with_rectangle(desk.painted_on(here, canvas), desk.corners_of(text or ""))
        return self._masked(here, canvas, mask)

    def look_there(self, now: Desk | None, text: str) -> str:
        """The square around the rectangle that four numbers name, for the model to look at."""
        with in_words():
            return desk.shown_box(desk.square_around(needed(now), desk.corners_of(text or "")))

    def load_mask(self, now: Desk | None, canvas: Mapping | None, path: str) -> tuple:
        """A mask from a file."""
        with in_words():
            here = needed(now)
            mask, found = open_mask(path, here.size)
        if found:
            gr.Info(f"The mask has {found[0]} x {found[1]} pixels, the photo {here.size[0]} x {here.size[1]}: resized.")
        return self._masked(here, canvas, mask)

    def save_mask(self, now: Desk | None, canvas: Mapping | None) -> str:
        """The mask as a file."""
        with in_words():
            here = needed(now)
            return desk.write_mask(here.name, desk.painted_on(here, canvas), runs.folder(self.cache))

    def outline(self, now: Desk | None, task: str, unit: str, *amounts: object) -> str:
        """The new canvas, drawn to scale; a word where the numbers are no good yet."""
        try:
            return desk.outline(now, desk.extension(now, unit, *amounts)) if now and task == EXTEND else ""
        except ValueError as error:
            return f"<p>{escape(str(error))}</p>"

    def ready(self, now: Desk | None, canvas: Mapping | None, lock: bool, *values: object) -> tuple:
        """Before a run: the edit and its stop flag, the seed it takes, the buttons of a run under way."""
        parts_of = (len(Choice._fields), len(How._fields), len(Drawing._fields))
        choice, how, drawing, (count, seed) = _split(values, *parts_of)
        choice = Choice(*choice)
        seed_used = seed if lock else controls.roll()
        with in_words():
            wish = Wish(
                choice.task,
                str(choice.class_name or ""),
                count,
                seed_used,
                controls.read_drawing(*drawing),
                read_settings(*how),
                desk.extension(now, choice.unit, *choice[4:]) if now and choice.task == EXTEND else (0, 0, 0, 0),
                desk.box_of(choice.box or "", now) if now and choice.task != EXTEND else None,
            )
            mask = desk.painted_on(now, canvas) if now else None
            pipe = self.pipe
            job = Job(now.name if now else "", pipe.digest, desk.asked(pipe.spec, now, mask, wish))
            squares(pipe, job.edit, job.edit.unknown())  # refuses what would be refused later
        if desk.misses(job.edit):
            gr.Warning("The box does not hold all that is painted: only what lies inside it is repainted.")
        return job, StopFlag(), str(seed_used), runs.bar("Waiting for the model …"), *buttons(running=True)

    def watch(self, job: Job, stop_flag: StopFlag, last: Done | None, dones: tuple[Done, ...]) -> Iterator[Sheet]:
        """Do an edit; the sheet after each scale, and at the end. The stop flag ends it within a scale.

        Then the results of the `last` one come back, as they do after an error.
        """
        started, squares_done, photos = time.perf_counter(), [], ()
        with in_words():
            self.models.require(job.digest)
            for stage in stages(self.pipe, job.edit):
                if stop_flag.is_set() and not stage.photos:  # what was just finished is not thrown away
                    yield self.over(last, dones)._replace(bar=runs.bar("Stopped. The photo is as it was."))
                    return
                if stage.photos:
                    squares_done, photos = [*squares_done, Square.of(stage)], stage.photos
                bar = desk.progress(stage, time.perf_counter() - started)
                yield self._growing(bar, desk.live(stage, self._drawn(stage)))
            yield unchanged(Sheet)._replace(bar=runs.bar("Writing the results …", 1.0))
            done = desk.write(self.pipe, job, photos, squares_done, time.perf_counter() - started, self.cache)
        yield self.over(done, desk.finished(dones, done))

    def _growing(self, bar: str, pictures: Sequence) -> Sheet:
        """The sheet of an edit under way."""
        return unchanged(Sheet)._replace(
            bar=bar,
            gallery=gr.Gallery(pictures, columns=columns(len(pictures)), selected_index=None),
            after=gr.Row(visible=False),
            compare=gr.ImageSlider(visible=False),
            inside="",
            chosen=NONE,
        )

    def _drawn(self, stage: Stage) -> np.ndarray:
        """What the model has drawn: decoded, or cheap small pictures of it where decoding would hold the run up."""
        if stage.photos:
            return stage.drawn
        f_hat = stage.progress.f_hat
        if len(f_hat) * self.pipe.spec.tokenizer.image_side**2 <= runs.LIVE_PIXELS:
            return self.pipe.pixels(f_hat)
        return np.stack([np.asarray(picture) for picture in self.pipe.preview(f_hat)])

    def over(self, done: Done | None, dones: tuple[Done, ...]) -> Sheet:
        """The sheet that shows a finished edit; None: nothing is shown."""
        if done is None:
            return unchanged(Sheet)._replace(bar=READY, gallery=gr.Gallery([]))
        pairs = zip(done.shown, done.requests, strict=True)
        shown = [(runs.unique(picture), f"seed {request.seeds[0]}") for picture, request in pairs]
        gallery = gr.Gallery(shown, columns=columns(len(shown)), selected_index=None)
        small = desk.earlier(dones)
        before = gr.Gallery(small, visible=bool(small))
        return Sheet(desk.summary(done), gallery, gr.Row(visible=True), *self._chosen(done, 0), done, 0, before, dones)

    def _chosen(self, done: Done, place: int) -> tuple:
        """What belongs to one result: its file, the mask's, that of all, the slider, what is inside."""
        compare = gr.ImageSlider((runs.unique(done.before), runs.unique(done.shown[place])), visible=True)
        return done.files[place], done.mask_file, done.bundle, compare, desk.inside(done, place)

    def choose(self, done: Done | None, chosen: int, event: gr.SelectData) -> tuple:
        """Another result: what belongs to it, and its place. While an edit is under way there is none."""
        if done is None or chosen == NONE or event.index >= len(done.files):
            return (gr.skip(),) * 6
        return *self._chosen(done, event.index), event.index

    def again(self, dones: tuple[Done, ...], event: gr.SelectData) -> Sheet:
        """The results of an earlier edit."""
        return self.over(dones[event.index], dones)

    def take(self, now: Desk, canvas: Mapping | None, done: Done, place: int) -> tuple:
        """Go on from a result: it becomes the photo."""
        with in_words():
            return self.shown(desk.taken(now, canvas, done, place))

    def step_back(self, now: Desk, canvas: Mapping | None, event: gr.SelectData) -> tuple:
        """An earlier photo, with the mask that it had."""
        return self.shown(desk.back(now, canvas, event.index))

    def receive(self, run: runs.Run | None, chosen: int, old: Desk | None, canvas: Mapping | None) -> tuple:
        """A picture from the Create tab, and the way here."""
        if run is None:
            return (gr.skip(),) * 5
        file = Path(run.files[chosen])
        with in_words():
            photo = open_photo(file)
        now = desk.fresh(file.stem, photo, None, desk.past(old, canvas))
        return gr.Tabs(selected="edit"), *self.shown(now)

    def send_back(self, done: Done, place: int) -> tuple:
        """The way to the Create tab, with the class, seed and draw of a result in its controls."""
        with in_words():
            self.models.require(done.digest)
        return gr.Tabs(selected="create"), *controls.show(self.pipe.spec, done.requests[place]), True

    def renew(self) -> tuple:
        """Class, scales and knobs for the model that is loaded."""
        spec = self.pipe.spec
        scales = gr.Slider(maximum=len(spec.tokenizer.sides) + 1)
        choices = gr.Dropdown(edit_layout.choices(spec), value=NO_CLASS)
        return choices, scales, *controls.shown_drawing(self.models.looks)

    def restore(self, path: str) -> tuple:
        """The settings in the recipe of an edited photo."""
        with in_words():
            recipe = Recipe.read(Path(path))
            recipe.check(self.pipe)
            if recipe.edited is None:
                raise ValueError("This picture is no edit: restore it in the Create tab.")
        gr.Info("Settings restored. With the same photo and mask, Run makes the same picture again.")
        edited, null = recipe.edited, recipe.label == self.pipe.spec.transformer.null_label
        task = EXTEND if any(edited.extend) else INPAINT if null else CHANGE
        box = desk.shown_box(Box(*edited.boxes[0])) if edited.boxes else ""
        choice = (task, box, self.pipe.spec.class_name(recipe.label), PIXELS, *edited.extend)
        drawing = controls.shown_drawing(recipe.sampling)
        return *choice, *shown_settings(edited.settings), *drawing, 1, str(recipe.seed), True


def needed(now: Desk | None) -> Desk:
    """The desk; ValueError if there is no photo on it."""
    if now is None:
        raise ValueError("There is no photo yet: open one, or choose an example.")
    return now


def read_settings(*values: object) -> Settings:
    """The `Settings` that values in the order of `How` ask for."""
    fill, first, cover, follow, match, detail, grow, feather, context, harmonise = values
    return Settings(
        str(fill),
        controls.whole("first free scale", first) - 1,
        controls.number("free above", cover),
        bool(follow),
        bool(match),
        bool(detail),
        controls.whole("grow", grow),
        controls.whole("feather", feather),
        controls.number("context", context),
        controls.whole("harmonise", harmonise),
    )


def shown_settings(settings: Settings) -> tuple:
    """The inverse of `read_settings`."""
    s = settings
    seam = (s.match, s.detail, s.grow, s.feather)
    return s.fill, s.first_free_scale + 1, s.min_cover, s.follow, *seam, s.context, s.harmonise


def _split(values: Sequence, *lengths: int) -> Iterator[Sequence]:
    """Values cut into pieces of these lengths, and the rest."""
    start = 0
    for length in lengths:
        yield values[start : start + length]
        start += length
    yield values[start:]


def columns(count: int) -> int:
    return COLUMNS.get(count, 4)


# ------------------------------------------------------------------------------------------------ wiring it


class Edited(NamedTuple):
    """What others use of this tab: the button that leads to Explore, the results, and the place of the one chosen."""

    explore: gr.Button
    done: gr.State
    chosen: gr.State
    renewal: Renewal


def tab(models: Models, tabs: gr.Tabs, create: Created) -> Edited:
    """Lay out the tab and wire it; `tabs` holds it and the Create tab."""
    with gr.Row(elem_id="edit", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            given = edit_layout.controls_of(models.pipe.spec, lambda: models.looks)
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            table, sheet, onward = edit_layout.stage()
    Path(table.canvas.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    handlers = Handlers(models, table.canvas.GRADIO_CACHE)
    laid = [*table, given.choice.box]
    _wire_photo(handlers, table, given, sheet, onward.take)
    _wire_mask(handlers, table, given.masking, given.choice.box)
    _wire_choice(handlers, table, given.choice, given.outline)
    freed = [given.how.first_free_scale, given.how.min_cover]
    given.choice.task.input(desk.usual, [given.choice.task, *freed], freed, **AT_ONCE)  # not when it is restored
    _wire_runs(handlers, table, given, sheet)
    settings = [*given.choice, *given.how, *given.drawing, *given.seeding]
    given.restore.upload(handlers.restore, given.restore, settings, **AT_ONCE)
    here = [table.desk, table.canvas]
    create.stage.send.click(handlers.receive, [create.stage.run, create.stage.chosen, *here], [tabs, *laid], **AT_ONCE)
    sent = [tabs, *create.settings, create.lock]
    onward.send.click(handlers.send_back, [sheet.done, sheet.chosen], sent, **AT_ONCE)
    renewed = [given.choice.class_name, given.how.first_free_scale, *given.drawing]
    return Edited(onward.explore, sheet.done, sheet.chosen, Renewal(handlers.renew, renewed))


def _wire_photo(handlers: Handlers, table: Table, given: Controls, sheet: Sheet, take: gr.Button) -> None:
    here, laid = [table.desk, table.canvas], [*table, given.choice.box]
    given.opened.upload(handlers.open_file, [given.opened, *here], laid, **AT_ONCE)
    given.shelf.select(handlers.example, here, laid, **AT_ONCE)
    take.click(handlers.take, [*here, sheet.done, sheet.chosen], laid, **AT_ONCE)
    table.past.select(handlers.step_back, here, laid, **AT_ONCE)
    chosen = [sheet.download, sheet.mask, sheet.bundle, sheet.compare, sheet.inside, sheet.chosen]
    sheet.gallery.select(handlers.choose, [sheet.done, sheet.chosen], chosen, **AT_ONCE)
    sheet.earlier.select(handlers.again, sheet.dones, list(sheet), **AT_ONCE)


def _wire_mask(handlers: Handlers, table: Table, masking: Masking, box: gr.Textbox) -> None:
    here, both = [table.desk, table.canvas], [table.canvas, table.desk]
    for act in ("invert", "clear", "grow", "shrink"):
        act_now = partial(handlers.change_mask, act)
        getattr(masking, act).click(act_now, [*here, masking.pixels], both, **AT_ONCE)
    masking.add.click(handlers.add_rectangle, [*here, masking.corners], both, **AT_ONCE)
    masking.undo.click(handlers.undo_mask, here, both, **AT_ONCE)
    masking.redo.click(handlers.redo_mask, here, both, **AT_ONCE)
    masking.look.click(handlers.look_there, [table.desk, masking.corners], box, **AT_ONCE)
    masking.upload.upload(handlers.load_mask, [*here, masking.upload], both, **AT_ONCE)
    saved = masking.save.click(handlers.save_mask, here, masking.file, **AT_ONCE)
    saved.success(None, None, None, js="() => document.querySelector('#mask_file').click()")
    table.desk.change(desk.picker, table.desk, masking.picker, **AT_ONCE)


def _wire_choice(handlers: Handlers, table: Table, choice: Choice, outline: gr.HTML) -> None:
    numbers = [choice.unit, choice.left, choice.top, choice.right, choice.bottom]
    for widget in (choice.task, *numbers, table.desk):
        widget.change(handlers.outline, [table.desk, choice.task, *numbers], outline, **AT_ONCE)


def _wire_runs(handlers: Handlers, table: Table, given: Controls, sheet: Sheet) -> None:
    seeding, actions = given.seeding, given.actions
    job, stop_flag = gr.State(), gr.State()
    settings = [*given.choice, *given.how, *given.drawing, seeding.count, seeding.seed]
    asked, results = [table.desk, table.canvas, seeding.lock, *settings], [sheet.done, sheet.dones]

    def begin(trigger: Callable) -> None:
        prepared = trigger(handlers.ready, asked, [job, stop_flag, seeding.seed, sheet.bar, *actions], **AT_ONCE)
        running = prepared.success(handlers.watch, [job, stop_flag, *results], list(sheet), **ON_MODEL)
        running.failure(handlers.over, results, list(sheet), **AT_ONCE)
        running.then(partial(buttons, running=False), None, list(actions), **AT_ONCE)

    begin(actions.run.click)
    actions.stop.click(halt, stop_flag, sheet.bar, **AT_ONCE)
