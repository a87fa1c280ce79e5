"""The form of the Edit tab, the edits that it asks for, and their results."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from var_core.config import NO_CLASS, Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import guess, squares, stages
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.engine.pipeline import Pipeline
from var_core.recipe import Recipe
from var_core.settings import Value, named, parsed

from ..shared import controls, html
from ..shared.events import buttons, in_words
from ..shared.handover import DrawnSquare
from ..shared.html import READY
from ..shared.models import Models
from ..shared.run import StopFlag
from . import form as forms
from . import layout, mask_tools
from . import results as outcomes
from . import workspace as workspaces
from .form import CHANGE, EXTEND, INPAINT, PIXELS, EditForm
from .layout import SheetUpdate
from .results import EditJob, EditResult
from .workspace import Canvas, Workspace

GUESSES = 3  # classes that are named for a photo
NONE = -1  # no result is chosen: an edit is under way
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}  # of the results, by their number; else 4


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
            if now is None:
                raise ValueError("There is no photo yet: open one, or choose an example.")
            mask, spec = workspaces.painted_on(now, canvas), self.pipe.spec
            found = guess(self.pipe, now.photo, mask, parsed(EditSettings(), settings))[:GUESSES]
        if found[0].gain <= 0:
            return (gr.Radio([], label="It looks like none of the classes of this model.", value=None, visible=True),)
        names = [(f"{spec.class_name(one.label)} {one.share:.0%}", spec.class_name(one.label)) for one in found]
        return (gr.Radio(names, label="Looks like", value=None, visible=True),)

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
    ) -> tuple[EditJob, StopFlag, str, str, gr.Button, gr.Button]:
        """Return before a run its edit and stop flag, the seed it takes, the buttons while it runs.

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
            job = EditJob(now.name if now else "", pipe.digest, forms.edit_asked_for(pipe.spec, now, mask, form))
            squares(pipe, job.edit, job.edit.hole_mask())  # refuses what would be refused later
        if forms.misses(job.edit):
            gr.Warning("The box does not hold all that is painted: only what lies inside it is repainted.")
        return job, StopFlag(), seed_used, html.bar("Waiting for the model …"), *buttons(running=True)

    def watch(
        self, job: EditJob, stop_flag: StopFlag, last: EditResult | None, results: tuple[EditResult, ...]
    ) -> Iterator[SheetUpdate]:
        """Do an edit; the sheet after each scale, and at the end. The stop flag ends it within a scale.

        Then the results of the `last` one come back, as they do after an error.
        """
        started = time.perf_counter()
        squares_done: list[DrawnSquare] = []
        photos: tuple[np.ndarray, ...] = ()
        strangeness = np.zeros(len(job.edit.seeds))
        with in_words():
            self.models.require(job.digest)
            for stage in stages(self.pipe, job.edit):
                if stop_flag.is_set() and not stage.photos:  # what was just finished is not thrown away
                    yield self.over(last, results)._replace(bar=html.bar("Stopped. The photo is as it was."))
                    return
                if stage.photos:
                    squares_done, photos = [*squares_done, DrawnSquare.from_stage(stage)], stage.photos
                    strangeness += stage.strangeness
                bar = outcomes.progress(stage, time.perf_counter() - started)
                yield self._under_way(bar, outcomes.live(stage, outcomes.drawn_so_far(self.pipe, stage)))
            yield SheetUpdate(bar=html.bar("Writing the results …", 1.0))
            drawn = outcomes.best_first(job, photos, squares_done, strangeness)
            result = outcomes.write(self.pipe, *drawn, time.perf_counter() - started, self.cache)
        yield self.over(result, outcomes.finished(results, result))

    def _under_way(self, bar: str, pictures: Sequence[Image.Image]) -> SheetUpdate:
        """The sheet of an edit under way."""
        return SheetUpdate(
            bar=bar,
            gallery=gr.Gallery(pictures, columns=columns(len(pictures)), selected_index=None),
            after=gr.Row(visible=False),
            compare=gr.ImageSlider(visible=False),
            inside="",
            chosen=NONE,
        )

    def over(self, result: EditResult | None, results: tuple[EditResult, ...]) -> SheetUpdate:
        """The sheet that shows a finished edit; None: nothing is shown."""
        if result is None:
            return SheetUpdate(bar=READY, gallery=gr.Gallery([]))
        pairs = zip(result.shown, result.requests, strict=True)
        shown = [(html.unique(picture), f"seed {request.seeds[0]}") for picture, request in pairs]
        gallery = gr.Gallery(shown, columns=columns(len(shown)), selected_index=None)
        small = outcomes.earlier(results)
        before = gr.Gallery(small, visible=bool(small))
        return self._chosen(result, 0)._replace(
            bar=outcomes.summary(result),
            gallery=gallery,
            after=gr.Row(visible=True),
            result=result,
            earlier=before,
            results=results,
        )

    def _chosen(self, result: EditResult, index: int) -> SheetUpdate:
        """Show what belongs to one result."""
        return SheetUpdate(
            download=result.files[index],
            mask=result.mask_file,
            bundle=result.bundle,
            compare=gr.ImageSlider((html.unique(result.before), html.unique(result.shown[index])), visible=True),
            inside=outcomes.inside(result, index),
            chosen=index,
        )

    def choose(self, result: EditResult | None, chosen: int, event: gr.SelectData) -> SheetUpdate:
        """Show another result. While an edit is under way there is none."""
        if result is None or chosen == NONE or event.index >= len(result.files):
            return SheetUpdate()
        return self._chosen(result, event.index)

    def again(self, results: tuple[EditResult, ...], event: gr.SelectData) -> SheetUpdate:
        """The results of an earlier edit."""
        return self.over(results[event.index], results)

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

    def usual_draw(self, class_name: str, sampling: Mapping[str, object]) -> tuple[Mapping[str, object]]:
        """Return the knobs that are at their default for an edit without a class, or with one, at that of the other.

        What has been set otherwise stays.
        """
        spec = self.pipe.spec
        with_class = controls.complete(spec, class_name or "").casefold() != NO_CLASS
        wanted, other = (named(usual_sampling(spec.default_sampling, one)) for one in (with_class, not with_class))
        return ({name: value for name, value in wanted.items() if sampling[name] == other[name] != value},)

    def restore(
        self, path: str
    ) -> tuple[Mapping[str, Value], Mapping[str, Value], Mapping[str, Value], int, str, bool]:
        """The settings in the recipe of an edited photo."""
        with in_words():
            recipe = Recipe.read(Path(path))
            recipe.check(self.pipe)
            if recipe.edited is None:
                raise ValueError("This picture is no edit: restore it in the Create tab.")
        gr.Info("Settings restored. With the same photo and mask, Run makes the same picture again.")
        edited, null = recipe.edited, recipe.label == self.pipe.spec.transformer.null_label
        task = EXTEND if any(edited.extend) else INPAINT if null else CHANGE
        box = mask_tools.shown_box(Box(*edited.boxes[0])) if edited.boxes else ""
        name, sides = self.pipe.spec.class_name(recipe.label), dict(zip(forms.SIDES, edited.extend, strict=True))
        choice: dict[str, Value] = {"task": task, "box": box, "class_name": name, "unit": PIXELS, **sides}
        return choice, named(edited.settings), named(recipe.sampling), 1, str(recipe.seed), True


def columns(count: int) -> int:
    return COLUMNS.get(count, 4)
