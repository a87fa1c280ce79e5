"""The endpoints that edit photos."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from var_core.config import NO_CLASS, Sampling
from var_core.editing.edit import stages
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.schema import Fields
from var_core.settings import parsed

from ..edit import form as forms
from ..edit import results as outcomes
from ..edit import workspace as workspaces
from ..edit.form import CHANGE, EXTEND, INPAINT, REMOVE, EditForm
from ..edit.results import EditJob
from ..shared.events import in_words
from ..shared.handover import DrawnSquare
from ..shared.served_files import fresh_folder
from .values import Pictures, Served, Status, known, status_of

TASKS = {"inpaint": INPAINT, "remove": REMOVE, "change": CHANGE}


class EditEndpoints(Served):
    """The endpoints that edit photos. Runs yield how far they are, with previews, and at last the files."""

    def edit(
        self,
        photo: str,
        mask: str,
        task: str = "inpaint",
        class_name: str = "",
        count: int = 1,
        seed: int = 0,
        settings: Fields | None = None,
        sampling: Fields | None = None,
    ) -> Iterator[tuple[Status, Pictures]]:
        """Repaint a part of a photo. Every pixel outside the mask stays as it is.

        Parameters:
            photo: the photo's file
            mask: file of a picture of the photo's size, white where it is to be repainted
            task: "inpaint" fits what is around, "remove" takes away, "change" makes the class of it
            class_name: class of what is drawn; may be left out but for "change"
            count: number of variations
            seed: seed of the first variation
            settings: settings of the edit by name, see `limits`; others are the task's usual ones
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        with in_words():
            if task not in TASKS:
                raise ValueError(f"task '{task}': choose one of {', '.join(TASKS)}.")
            form = self._form(TASKS[task], class_name, count, seed, settings, sampling)
            job = self._job(photo, mask, form)
        yield from self._edited(job)

    def extend(
        self,
        photo: str,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        class_name: str = "",
        count: int = 1,
        seed: int = 0,
        settings: Fields | None = None,
        sampling: Fields | None = None,
    ) -> Iterator[tuple[Status, Pictures]]:
        """Draw a photo onward beyond its edges.

        Parameters:
            photo: the photo's file
            left: pixels to add to the left
            top: pixels to add above
            right: pixels to add to the right
            bottom: pixels to add below
            class_name: class of what is in the photo; may be left out
            count: number of variations
            seed: seed of the first variation
            settings: settings of the edit by name, see `limits`; others are the usual ones
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        with in_words():
            form = self._form(EXTEND, class_name, count, seed, settings, sampling)
            job = self._job(photo, None, form, (left, top, right, bottom))
        yield from self._edited(job)

    def _form(
        self,
        task: str,
        class_name: str,
        count: int,
        seed: int,
        settings: Mapping[str, object] | None,
        sampling: Mapping[str, object] | None,
    ) -> EditForm:
        """Return the form that asks for an edit; ValueError if a setting is unknown or out of range."""
        name = class_name or NO_CLASS
        usual = usual_sampling(self.running.default_sampling, name != NO_CLASS)
        draw = parsed(usual, known(Sampling, sampling))
        chosen = parsed(forms.USUAL[task], known(EditSettings, settings))
        return EditForm(task, name, count, str(seed), draw, chosen, (0, 0, 0, 0))

    def _job(
        self, photo: str, mask: str | None, form: EditForm, extend: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> EditJob:
        """Open the files of an edit; ValueError if one cannot be read, or nothing is asked for."""
        pipe, opened = self.pipe, self.files.photo(photo)
        hole = self.files.mask(mask, opened.size)[0] if mask else np.zeros(opened.size[::-1], bool)
        workspace = workspaces.laid_out(Path(photo).stem, opened, hole)
        if any(extend):
            form = replace(form, extend=forms.extension(workspace, forms.PIXELS, *extend))
        edit = forms.edit_asked_for(pipe.spec, workspace, hole, form, self.running.limits.variations)
        forms.check_squares(pipe, edit, self.running.limits.squares)
        return EditJob(workspace.name, pipe.digest, edit, form.task, opened.extras)

    def _edited(self, job: EditJob) -> Iterator[tuple[Status, Pictures]]:
        """Do an edit; how far it is and previews after each scale, and at last its files, best first."""
        pipe, started = self.pipe, time.perf_counter()
        squares: list[DrawnSquare] = []
        photos: tuple[np.ndarray, ...] = (job.edit.photo,) * len(job.edit.seeds)
        misfit = np.zeros(len(job.edit.seeds))
        with in_words():
            for stage in stages(pipe, job.edit):
                if stage.photos:
                    squares = [*squares[: outcomes.MOST_SQUARES_SHOWN - 1], DrawnSquare.from_stage(stage)]
                    photos, misfit = stage.photos, misfit + stage.misfit
                seconds = time.perf_counter() - started
                yield (
                    status_of(outcomes.fraction(stage), seconds, job.edit.seeds),
                    outcomes.live(stage, outcomes.drawn_so_far(pipe, stage)),
                )
            seconds = time.perf_counter() - started
            drawn = outcomes.best_first(job, photos, squares, misfit)
            with fresh_folder(self.cache) as folder:
                result = outcomes.write_results(pipe, *drawn, seconds, folder)
        seeds = tuple(request.seeds[0] for request in result.requests)
        yield {**status_of(1.0, result.seconds, seeds), "done": True}, list(result.files)
