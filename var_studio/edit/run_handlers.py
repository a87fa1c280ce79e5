"""The form of the Edit tab, the edits that it asks for, and their results."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np

from var_core.config import NO_CLASS, Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import cut_to, guess, squares, stages
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.editing.finding import find
from var_core.engine.pipeline import Pipeline
from var_core.recipe import Recipe, pixel_hash
from var_core.settings import Value, named, parsed

from ..shared import controls, html
from ..shared.events import buttons, in_words
from ..shared.handover import DrawnSquare
from ..shared.models import Models
from ..shared.run import StopFlag
from . import form as forms
from . import layout, mask_tools, sheet, strip
from . import results as outcomes
from . import workspace as workspaces
from .form import CHANGE, EXTEND, INPAINT, REMOVE, EditForm, FormValues
from .layout import SheetUpdate
from .results import EditJob, EditResult
from .workspace import Canvas, Found, PackedMask, Workspace

GUESSES = 3  # classes that are named for a photo


@dataclass(frozen=True)
class RunHandlers:
    """Handlers of the form, of runs and of their results, as functions of the widgets' values.

    They return new values in the order of the outputs.
    """

    models: Models
    cache: str  # where Gradio serves files from

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def outline(self, now: Workspace | None, task: str, unit: str, *amounts: object) -> str:
        """The new canvas, drawn to scale; a word where the numbers are no good yet."""
        try:
            return forms.outline(now, forms.extension(now, unit, *amounts)) if now and task == EXTEND else ""
        except ValueError as error:
            return f"<p>{escape(str(error))}</p>"

    def guess(self, now: Workspace | None, canvas: Canvas | None, settings: Mapping[str, object]) -> tuple[gr.Radio]:
        """Name the likeliest classes of the photo around what is painted, or of its middle, to be taken."""
        with in_words():
            here, spec = workspaces.needed(now), self.pipe.spec
            mask = workspaces.painted_on(here, canvas)
            found = guess(self.pipe, here.photo, mask, parsed(EditSettings(), settings))[:GUESSES]
        if found[0].gain <= 0:
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
            mask = PackedMask.pack(find(pipe, here.photo, label))
        return (Found(pixel_hash(here.photo), mask, pipe.spec.class_name(label)),)

    def ready(
        self,
        now: Workspace | None,
        canvas: Canvas | None,
        lock: bool,
        choice: Mapping[str, object],
        settings: Mapping[str, object],
        sampling: Mapping[str, object],
        count: Value | None,
        seed: str,
    ) -> tuple[EditJob, StopFlag, str, str, gr.Button, gr.Button, gr.Row, gr.Row, int]:
        """Return before a run its edit and stop flag, the seed it takes, the buttons while it runs.

        Results that are shown can no longer be acted on.

        `choice` holds the values of a `Choice` by name, as `settings` and `sampling` do those of their tables.
        """
        seed_used = controls.seed_to_use(str(seed), lock)
        task, sides = str(choice["task"]), (choice[side] for side in forms.SIDES)
        with in_words():
            form = EditForm(
                task=task,
                class_name=str(choice["class_name"] or ""),
                count=count,
                seed=seed_used,
                sampling=parsed(Sampling(), sampling),
                settings=parsed(EditSettings(), settings),
                extend=forms.extension(now, str(choice["unit"]), *sides) if now and task == EXTEND else (0, 0, 0, 0),
                box=mask_tools.box_of(str(choice["box"] or ""), now) if now and task != EXTEND else None,
            )
            mask = workspaces.painted_on(now, canvas) if now else None
            pipe = self.pipe
            edit = forms.edit_asked_for(pipe.spec, now, mask, form)
            assert now is not None, "an edit has a photo"
            job = EditJob(now.name, pipe.digest, edit, task, now.extras)
            squares(pipe, job.edit, job.edit.hole_mask())  # refuses what would be refused later
        if forms.misses(job.edit):
            gr.Warning("The box does not hold all that is painted: only what lies inside it is repainted.")
        actions, hidden = buttons(running=True), gr.Row(visible=False)
        return job, StopFlag(), seed_used, html.bar("Waiting for the model …"), *actions, hidden, hidden, sheet.NONE

    def watch(
        self, job: EditJob, stop_flag: StopFlag, last: EditResult | None, results: tuple[EditResult, ...]
    ) -> Iterator[SheetUpdate]:
        """Do an edit; the sheet after each scale, and at the end. The stop flag ends it within a scale.

        Squares that are done by then are kept. If none is, the results of the `last` edit come back, as they do after
        an error.
        """
        started = time.perf_counter()
        squares_done: list[DrawnSquare] = []
        photos: tuple[np.ndarray, ...] = ()
        kept: tuple[EditJob, tuple[np.ndarray, ...], list[DrawnSquare], np.ndarray] | None = None
        stopped, boxes = False, squares(self.pipe, job.edit, job.edit.hole_mask())
        misfit = np.zeros(len(job.edit.seeds))
        with in_words():
            self.models.require(job.digest)
            for stage in stages(self.pipe, job.edit):
                stopped = stop_flag.is_set() and not stage.photos  # what was just finished is not thrown away
                if stopped:
                    break
                if stage.photos:
                    squares_done = [*squares_done[: outcomes.MOST_SQUARES_SHOWN - 1], DrawnSquare.from_stage(stage)]
                    photos, misfit = stage.photos, misfit + stage.misfit
                extends = any(job.edit.extend)
                if stage.done and extends and (part := cut_to(job.edit, boxes, photos, stage.done)):
                    kept = replace(job, edit=part[0]), part[1], squares_done, misfit
                bar = outcomes.progress(stage, time.perf_counter() - started)
                yield sheet.under_way(bar, outcomes.live(stage, outcomes.drawn_so_far(self.pipe, stage)))
            if stopped and not kept:
                yield sheet.over(last, results)._replace(bar=html.bar("Stopped. The photo is as it was."))
                return
            yield SheetUpdate(bar=html.bar("Writing the results …", 1.0))
            whole = kept if stopped and kept else (job, photos, squares_done, misfit)
            drawn = outcomes.best_first(*whole)
            result = outcomes.write(self.pipe, *drawn, time.perf_counter() - started, self.cache)
        over = sheet.over(result, strip.finished(results, result))
        yield over._replace(bar=html.bar("Stopped: what was drawn by then is kept.", 1.0)) if stopped else over

    def choose(self, result: EditResult | None, chosen: int, event: gr.SelectData) -> SheetUpdate:
        """Show another result. While an edit is under way there is none."""
        if result is None or chosen == sheet.NONE or event.index >= len(result.files):
            return SheetUpdate()
        return sheet.one_of(result, event.index)

    def send_back(self, result: EditResult, index: int) -> tuple[gr.Tabs, str, int, str, Mapping[str, Value], bool]:
        """The way to the Create tab, with the class, seed and draw of a result in its controls."""
        with in_words():
            self.models.require(result.digest)
        return gr.Tabs(selected="create"), *controls.show(self.pipe.spec, result.requests[index]).all(), True

    def renew(self) -> tuple[gr.Dropdown, gr.Slider, gr.Checkbox, gr.Radio, Mapping[str, Value]]:
        """Class, scales and knobs for the model that is loaded."""
        spec = self.pipe.spec
        scales = gr.Slider(maximum=len(spec.tokenizer.sides))
        choices = gr.Dropdown(layout.choices(spec), value=NO_CLASS)
        shown = gr.Checkbox(visible=self.pipe.masked is not None)
        return choices, scales, shown, layout.no_answers(), named(self.models.filling_sampling)

    def usual_draw(self, task: str, class_name: str, sampling: Mapping[str, object]) -> tuple[Mapping[str, object]]:
        """Return the knobs that are at their default for an edit without a class, or with one, at that of the other.

        What has been set otherwise stays.
        """
        spec = self.pipe.spec
        with_class = task != REMOVE and controls.complete(spec, class_name or "").casefold() != NO_CLASS
        wanted, other = (named(usual_sampling(spec.default_sampling, one)) for one in (with_class, not with_class))
        return ({name: value for name, value in wanted.items() if sampling[name] == other[name] != value},)

    def restore(self, path: str) -> FormValues:
        """The settings in the recipe of an edited photo."""
        with in_words():
            recipe = Recipe.read(Path(path))
            recipe.check(self.pipe)
            if recipe.edited is None:
                raise ValueError("This picture is no edit: restore it in the Create tab.")
        edited, null = recipe.edited, recipe.label == self.pipe.spec.transformer.null_label
        task = EXTEND if any(edited.extend) else INPAINT if null else CHANGE
        if stopped := task == EXTEND and edited.boxes:
            gr.Info("Settings restored, of an extension that was stopped: `edit --like` makes the same picture again.")
        else:
            gr.Info("Settings restored. With the same photo and mask, Run makes the same picture again.")
        box = Box(*edited.boxes[0]) if edited.boxes and not stopped else None
        name = self.pipe.spec.class_name(recipe.label)
        left, top, right, bottom = edited.extend
        extend = (left, top, right, bottom)
        form = EditForm(task, name, 1, str(recipe.seed), recipe.sampling, edited.settings, extend, box)
        return forms.shown(form)
