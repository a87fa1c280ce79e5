"""The endpoints as functions of plain values: requests in, files and plain values out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from var_core.config import NO_CLASS, Sampling
from var_core.editing.edit import stages
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Seed
from var_core.inspection.recording import recorded
from var_core.recipe import slug
from var_core.settings import Declared, Setting, named, parsed, rows

from ..edit import form as forms
from ..edit import results as outcomes
from ..edit import workspace as workspaces
from ..edit.form import CHANGE, EXTEND, INPAINT, REMOVE, EditForm
from ..edit.results import EditJob
from ..shared import controls
from ..shared import run as runs
from ..shared.events import SKIP, Unchanged, in_words
from ..shared.handover import DrawnSquare
from ..shared.limits import Limits
from ..shared.models import Models
from ..shared.run import Run
from ..shared.served_files import fresh_folder
from ..shared.turns import Ahead
from ..shared.visitor_files import VisitorFiles

TASKS = {"inpaint": INPAINT, "remove": REMOVE, "change": CHANGE}
NAMED = 5  # classes that `classify` names
Status = dict[str, Any]  # how far a run is
Pictures = list[Any]  # pictures under way, then the paths of their files


@dataclass(frozen=True)
class Endpoints:
    """The endpoints that programs may call. Runs yield how far they are, with previews, and at last the files."""

    running: Models
    cache: str  # where Gradio serves files from
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.running.pipe

    def generate(
        self, class_name: str, count: int = 1, seed: int = 0, sampling: dict[str, Any] | None = None
    ) -> Iterator[tuple[Status, Pictures]]:
        """Draw pictures of a class, scale by scale. Each PNG holds the recipe that makes it again.

        Parameters:
            class_name: name or number of a class that `classes` lists, or "no class"
            count: number of pictures
            seed: seed of the first picture; picture i has the seed + i
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        pipe = self.pipe
        with in_words():
            given = {**named(self.running.default_sampling), **known(Sampling, sampling)}
            request = controls.read(pipe.spec, class_name, count, seed, given, most=self.running.limits.pictures)
        for run in runs.after_each_scale(pipe, request):
            yield _of_run(run), runs.pictures(pipe, run)
        done = runs.finish(pipe, run, fresh_folder(self.cache))
        yield {**_of_run(done), "done": True}, list(done.files)

    def edit(
        self,
        photo: str,
        mask: str,
        task: str = "inpaint",
        class_name: str = "",
        count: int = 1,
        seed: int = 0,
        settings: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
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
        settings: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
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

    def encode(self, photo: str) -> tuple[dict[str, Any], Image.Image]:
        """Turn the middle square of a picture into token maps, and these into a picture again.

        Parameters:
            photo: the picture's file
        """
        pipe = self.pipe
        with in_words():
            tokens = pipe.encode(_middle(self.files.picture(photo)))
        maps = [level[0].tolist() for level in tokens]
        told = {"model": pipe.spec.name, "digest": pipe.digest, "sides": list(pipe.spec.tokenizer.sides)}
        return {**told, "tokens": maps}, pipe.decode(pipe.summed(tokens))[0]

    def trace(self, class_name: str, seed: int = 0, sampling: dict[str, Any] | None = None) -> tuple[str, Image.Image]:
        """Draw a picture and record it: tokens, certainty, attention of every scale. The Explore tab opens the file.

        Parameters:
            class_name: name or number of a class that `classes` lists, or "no class"
            seed: seed of the picture
            sampling: settings of the draw by name, see `limits`; others are the model's usual ones
        """
        pipe = self.pipe
        with in_words():
            given = {**named(self.running.default_sampling), **known(Sampling, sampling)}
            request = controls.read(pipe.spec, class_name, 1, seed, given)
            found = recorded(pipe, request)
        name = slug(pipe.spec.class_name(request.labels[0]), "picture")
        file = fresh_folder(self.cache) / f"{name}-seed-{request.seeds[0]}.safetensors"
        found.save(file)
        return str(file), Image.fromarray(found.pictures[-1].numpy())

    def classify(self, photo: str) -> list[dict[str, Any]]:
        """Name the classes that a picture may be of, the likeliest first: those under which its tokens are likeliest.

        Parameters:
            photo: the picture's file
        """
        pipe = self.pipe
        with in_words():
            found = pipe.classify(_middle(self.files.picture(photo)))[:NAMED]
        return [
            {"class": pipe.spec.class_name(one.label), "share": round(one.share, 4), "nats": round(one.gain, 2)}
            for one in found
        ]

    def classes(self) -> list[dict[str, Any]]:
        """List the classes of the model that is loaded."""
        spec = self.pipe.spec
        groups = spec.class_groups or ("",) * spec.transformer.classes
        return [
            {"label": label, "name": name, "synonyms": list(synonyms), "group": groups[label]}
            for label in range(spec.transformer.classes)
            for name, *synonyms in [spec.names_of(label)]
        ]

    def models(self) -> dict[str, Any]:
        """Describe the model that is loaded."""
        spec, var = self.pipe.spec, self.pipe.spec.transformer
        return {
            "name": spec.name,
            "digest": self.pipe.digest,
            "pixels": spec.tokenizer.drawn_side,
            "sides": list(spec.tokenizer.sides),
            "classes": var.classes,
            "device": self.pipe.device.type,
            "sampling": named(self.running.default_sampling),
        }

    def limits(self) -> dict[str, list[dict[str, Any]]]:
        """List what a visitor may ask for, and all settings of draws and edits with their bounds."""
        given = named(self.running.limits)
        limits = [{"name": row.name, "value": given[row.name], "is": row.help} for row in rows(Limits)]
        return {"limits": limits, "sampling": _table(Sampling), "settings": _table(EditSettings)}

    def waiting(self, ahead: Ahead) -> tuple[Status, Unchanged]:
        """Say of a run that has not begun how many are before it, and how many seconds these take, if that is known."""
        seconds = None if ahead.seconds is None else round(ahead.seconds, 1)
        status = {**_status(0.0, 0.0, ()), "scale": 0, "of": len(self.pipe.schedule)}
        return {**status, "runs_before": ahead.runs, "seconds_before": seconds}, SKIP

    def _form(
        self,
        task: str,
        class_name: str,
        count: int,
        seed: int,
        settings: Mapping[str, Any] | None,
        sampling: Mapping[str, Any] | None,
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
                    _status(outcomes.fraction(stage), seconds, job.edit.seeds),
                    outcomes.live(stage, outcomes.drawn_so_far(pipe, stage)),
                )
            seconds = time.perf_counter() - started
            result = outcomes.write(pipe, *outcomes.best_first(job, photos, squares, misfit), seconds, self.cache)
        seeds = tuple(request.seeds[0] for request in result.requests)
        yield {**_status(1.0, result.seconds, seeds), "done": True}, list(result.files)


def known(kind: type[Declared], values: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return settings by name; ValueError if that is no table of names, or a name is of none."""
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"settings {str(values)[:40]!r}: give an object of names and values.")
    names = [row.name for row in rows(kind)]
    if unknown := [str(name) for name in values or () if name not in names]:
        raise ValueError(f"There is no setting {unknown[0][:40]!r}: choose from {', '.join(names)}.")
    return values or {}


def _of_run(run: Run) -> Status:
    """Say how far a run is."""
    last = run.progress.last
    scale = {"scale": last.scale + 1, "of": run.progress.scales}
    return {**_status(run.progress.fraction, run.seconds, run.request.seeds), **scale}


def _status(fraction: float, seconds: float, seeds: Sequence[Seed]) -> Status:
    return {"done": False, "fraction": round(fraction, 3), "seconds": round(seconds, 2), "seeds": list(seeds)}


def _middle(picture: Image.Image) -> Image.Image:
    """Return the square in the middle of a picture."""
    width, height = picture.size
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    return picture.crop((left, top, left + short, top + short))


def _table(kind: type[Declared]) -> list[dict[str, Any]]:
    """Return the table of a dataclass of settings, a plain value each."""

    def plain(row: Setting) -> dict[str, Any]:
        return {"name": row.name, "default": row.default, "takes": row.bounds or "true or false", "is": row.help}

    return [plain(row) for row in rows(kind)]
