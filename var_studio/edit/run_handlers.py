"""The edits that the form of the Edit tab asks for, and their results."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape

import gradio as gr
import numpy as np

from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import cut_to, squares, stages
from var_core.editing.edit_settings import EditSettings
from var_core.engine.pipeline import Pipeline
from var_core.recipe import OTHER_VERSION, EditOrigin, pixel_hash
from var_core.settings import Value, parsed

from ..shared import controls, html
from ..shared.events import buttons, in_words
from ..shared.handover import DrawnSquare
from ..shared.html import STOPPING
from ..shared.models import Models
from ..shared.run import StopFlag
from ..shared.served_files import fresh_folder
from ..shared.visitor_files import VisitorFiles
from . import form as forms
from . import mask_tools, sheet
from . import results as outcomes
from . import workspace as workspaces
from .form import CHANGE, EXTEND, INPAINT, EditForm, FormValues
from .layout import SheetUpdate
from .results import EditJob, EditResult
from .workspace import Canvas, Workspace


@dataclass(frozen=True)
class EditRunHandlers:
    """Handlers of runs and of their results, as functions of the widgets' values.

    They return new values in the order of the outputs.
    """

    models: Models
    cache: str  # where Gradio serves files from
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def outline(self, now: Workspace | None, task: str, unit: str, *amounts: object) -> str:
        """The new canvas, drawn to scale; a word where the numbers are no good yet."""
        try:
            return forms.outline(now, forms.extension(now, unit, *amounts)) if now and task == EXTEND else ""
        except ValueError as error:
            return f"<p>{escape(str(error))}</p>"

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
    ) -> tuple[EditJob, StopFlag, str, str, gr.Button, gr.Button, gr.Row, int]:
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
                redraws=bool(choice["redraws"]),
            )
            mask = workspaces.painted_on(now, canvas) if now else None
            pipe = self.pipe
            edit = forms.edit_asked_for(pipe.spec, now, mask, form, self.models.limits.variations)
            assert now is not None, "an edit has a photo"
            job = EditJob(now.name, pipe.digest, edit, task, now.extras, now.soft)
            forms.check_squares(pipe, job.edit, self.models.limits.squares)
        if forms.misses(job.edit):
            gr.Warning("The box does not hold all that is painted: only what lies inside it is repainted.")
        bar, hidden = html.bar("Waiting for the model …"), gr.Row(visible=False)
        return job, StopFlag(), seed_used, bar, *buttons(running=True), hidden, sheet.NONE

    def watch(self, job: EditJob, stop_flag: StopFlag, last: EditResult | None) -> Iterator[SheetUpdate]:
        """Do an edit; the sheet after scales, and at the end. The stop flag ends it within a scale.

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
                if self.models.desk.turns.goes_on():
                    continue
                if not stop_flag.is_set():
                    bar = outcomes.edit_progress(stage, time.perf_counter() - started)
                    yield sheet.under_way(bar, outcomes.live(stage, outcomes.drawn_so_far(self.pipe, stage)))
                if stop_flag.is_set():
                    yield SheetUpdate(bar=STOPPING)  # again: what was told of this scale may have come later
            if stopped and not kept:
                yield sheet.over(last)._replace(bar=html.bar("Stopped. The photo is as it was."))
                return
            yield SheetUpdate(bar=STOPPING if stop_flag.is_set() else html.bar("Writing the results …", 1.0))
            self.models.desk.turns.free()
            whole = kept if stopped and kept else (job, photos, squares_done, misfit)
            drawn = outcomes.best_first(*whole)
            with fresh_folder(self.cache) as folder:
                result = outcomes.write_results(self.pipe, *drawn, time.perf_counter() - started, folder)
        over = sheet.over(result)
        yield over._replace(bar=html.bar("Stopped: what was drawn by then is kept.", 1.0)) if stopped else over

    def choose(self, result: EditResult | None, chosen: int, event: gr.SelectData) -> SheetUpdate:
        """Show another result. While an edit is under way there is none."""
        if result is None or chosen == sheet.NONE or event.index >= len(result.files):
            return SheetUpdate()
        with in_words():
            return sheet.one_of(result, event.index)

    def send_back(
        self, result: EditResult, index: int
    ) -> tuple[gr.Tabs, str, int, str, Mapping[str, Value], list[str], bool]:
        """The way to the Create tab, with the class, seed and draw of a result in its controls."""
        with in_words():
            self.models.require(result.digest)
        return gr.Tabs(selected="create"), *controls.show(self.pipe.spec, result.requests[index]).all(), True

    def restore(self, path: str, now: Workspace | None) -> FormValues:
        """The settings in the recipe of an edited photo.

        Whether what is painted was redrawn can be told of an extension while its photo lies on the canvas.
        """
        with in_words():
            made = self.files.recipe(path)
            recipe = made.adopted(self.pipe)
            recipe.check(self.pipe)
            if recipe.edited is None:
                raise ValueError("This picture is no edit: restore it in the Create tab.")
        edited, null = recipe.edited, recipe.label == self.pipe.spec.transformer.null_label
        task = EXTEND if any(edited.extend) else INPAINT if null else CHANGE
        if stopped := task == EXTEND and edited.boxes:
            gr.Info("Settings restored, of an extension that was stopped: `edit --like` makes the same picture again.")
        elif recipe is not made:
            gr.Info(f"Settings restored. {OTHER_VERSION}")
        else:
            gr.Info("Settings restored. With the same photo and mask, Run makes the same picture again.")
        box = Box(*edited.boxes[0]) if edited.boxes and not stopped else None
        name = self.pipe.spec.class_name(recipe.label)
        left, top, right, bottom = edited.extend
        extend = (left, top, right, bottom)
        redraws = task == EXTEND and now is not None and _redrew(edited, now)
        sampling, lowered = controls.lowered(self.pipe.spec, recipe.sampling)
        if lowered:
            gr.Info(lowered)
        form = EditForm(task, name, 1, str(recipe.seed), sampling, edited.settings, extend, box, redraws)
        return forms.shown(form)


def _redrew(edited: EditOrigin, now: Workspace) -> bool:
    """Say whether an edit of the photo that lies here drew some of what it showed anew."""
    nothing = [pixel_hash(np.zeros(now.photo.shape[:2], kind)) for kind in (bool, np.uint8)]
    return edited.photo == pixel_hash(now.photo) and edited.mask not in nothing
