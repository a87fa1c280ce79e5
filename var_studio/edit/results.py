"""The results of an edit: their files, and what the page shows of them. No widgets."""

import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing.edit import HALF, Edit, EditStage
from var_core.editing.photo_file import NO_EXTRAS, Extras
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.files import replacing
from var_core.picture_files import PNG, QUICKLY, as_kind, save_whole
from var_core.recipe import Recipe
from var_core.words import counted

from ..shared import html
from ..shared import run as runs
from ..shared.handover import DrawnEdit, DrawnSquare, KeptSquare
from ..shared.kept_photo import Photo
from ..shared.palette import MARK_ALPHA, MARK_RGB
from . import form as forms
from .form import EXTEND, INPAINT, EditForm
from .workspace import Canvas, PackedLevels, PackedMask, Workspace, laid_out, past

MOST_SQUARES_SHOWN = 8
GONE = "The pictures of this edit are no longer kept: run it again."
DECODED = 2  # scales of a drawing, the last ones
WRITERS = 2  # files that are written at the same time: each takes up to 400 MB meanwhile
NOTHING = 232  # level of all colours where there is no photo: black would look like one
LARGEST_PREVIEW = 2048  # the same of results on the page; their files are whole


@dataclass(frozen=True, eq=False)
class EditJob:
    """An edit that waits for the model of a digest, and the name of its photo."""

    name: str
    digest: str
    edit: Edit
    task: str = INPAINT  # as the form calls it
    extras: Extras = NO_EXTRAS  # what else the photo's file holds
    soft: PackedLevels | None = None  # of the mask, if it has soft edges, whether or not the edit is soft

    def form(self, pipe: Pipeline) -> EditForm:
        """Return the form that asks for it."""
        edit = self.edit
        box = edit.boxes[0] if edit.boxes and not any(edit.extend) else None  # an extension has squares of its own
        task = INPAINT if self.task == EXTEND and not any(edit.extend) else self.task  # it was stopped before
        name, seed = pipe.spec.class_name(edit.labels[0]), str(min(edit.seeds))
        redraws = any(edit.extend) and bool(edit.painted.any())
        return EditForm(task, name, len(edit.seeds), seed, edit.sampling, edit.settings, edit.extend, box, redraws)


@dataclass(frozen=True, eq=False, kw_only=True)
class EditResult(DrawnEdit):
    """A finished edit: the files that hold its results, and what the page shows of them."""

    form: EditForm  # what was asked for
    words: str  # the same, for people
    photo: str  # its `pixel_hash`
    painted: PackedMask  # both before the photo was extended
    soft: PackedLevels | None  # of that mask, as in the job
    before_file: str  # what the page shows of the photo, smaller if it is large, and of the results
    shown_files: tuple[str, ...]
    files: tuple[str, ...]
    mask_file: str
    bundle: str  # all of these files in one
    seconds: float

    @property
    def nbytes(self) -> int:
        """Return how many bytes of memory its masks take."""
        return self.painted.nbytes + (self.soft.nbytes if self.soft else 0)

    @property
    def is_kept(self) -> bool:
        """Say whether its files are still there."""
        return Path(self.bundle).parent.is_dir()

    def need_files(self) -> None:
        """Raise ValueError if its files are gone."""
        if not self.is_kept:
            raise ValueError(GONE)

    @property
    def before(self) -> Image.Image:
        """Return what the page shows of the photo; ValueError if it is no longer kept."""
        return _page_picture(self.before_file)

    @property
    def shown(self) -> tuple[Image.Image, ...]:
        """Return what the page shows of the results; ValueError if they are no longer kept."""
        return tuple(map(_page_picture, self.shown_files))


def _page_picture(file: str) -> Image.Image:
    if not Path(file).is_file():
        raise ValueError(GONE)
    return Image.open(file)


def _page_file(picture: Image.Image, file: Path) -> str:
    """Write what the page shows of a picture; return where."""
    save_whole(picture, file, **QUICKLY)
    return str(file)


def drawn_so_far(pipe: Pipeline, stage: EditStage) -> np.ndarray:
    """Return what the model has drawn, uint8 (n, s, s, 3), or a cheap preview where decoding would hold the run up.

    One variation is drawn several times, and the first scales tell little: only the last ones are decoded.
    """
    if stage.drawn is not None:
        return stage.drawn
    f_hat, progress = stage.progress.f_hat, stage.progress
    live = runs.decodes_live(pipe, len(f_hat)) and progress.last.scale >= progress.scales - DECODED
    return np.stack([np.asarray(picture) for picture in (pipe.decode_small if live else pipe.preview)(f_hat)])


def live(stage: EditStage, drawn: np.ndarray) -> list[Image.Image]:
    """The square under work as it grows: what is known of it, and what is drawn, uint8 (n, s, s, 3), in the hole.

    Of the first n variations, if the others have not begun.
    """
    weight = stage.work.hole.coverage[..., None]
    size = stage.work.hole.coverage.shape[::-1]
    shown = []
    for seen, picture in zip(stage.work.views, drawn, strict=False):
        large = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
        mixed = (seen + weight * (large.astype(np.float32) - seen)).round().astype(np.uint8)
        shown.append(html.unique(Image.fromarray(mixed)))
    return shown


def best_first(
    job: EditJob, photos: tuple[np.ndarray, ...], squares: Sequence[DrawnSquare], misfit: np.ndarray
) -> tuple[EditJob, tuple[np.ndarray, ...], list[DrawnSquare]]:
    """Return an edit, its photos and squares with the variations of the least `misfit` (B,) first."""
    order = np.argsort(misfit, kind="stable").tolist()
    labels, seeds = (tuple(values[row] for row in order) for values in (job.edit.labels, job.edit.seeds))
    edit = replace(job.edit, labels=labels, seeds=seeds)
    return replace(job, edit=edit), tuple(photos[row] for row in order), [square.of(order) for square in squares]


def write_results(
    pipe: Pipeline,
    job: EditJob,
    photos: tuple[np.ndarray, ...],
    squares: Sequence[DrawnSquare],
    seconds: float,
    folder: Path,
) -> EditResult:
    """The results as PNG files with their recipes, the mask beside them, and all in one ZIP file."""
    edit = job.edit
    first = Recipe.of_edit(pipe, edit, 0)  # hashing a large photo takes a while: once is enough
    assert first.edited, "the recipe of an edit"

    def written(number: int) -> tuple[str, str]:
        photo, label, seed = photos[number], edit.labels[number], edit.seeds[number]
        recipe = replace(first, label=label, class_name=pipe.spec.class_name(label), seed=seed)
        file, picture = folder / f"{job.name}-{recipe.stem}.png", job.extras.picture(edit, photo)
        recipe.save(picture, file, PNG, job.extras.exif_of(picture), job.extras.icc, job.extras.xmp)
        return str(file), _page_file(job.extras.shown(photo, LARGEST_PREVIEW), folder / f"shown-{number}.png")

    with ThreadPoolExecutor(WRITERS) as pool:
        files, shown_files = zip(*pool.map(written, range(len(photos))), strict=True)
    mask_file, bundle = write_mask(job.name, edit.told_mask, folder), folder / f"{job.name}-edits.zip"
    _pack(bundle, (*files, mask_file))
    requests = tuple(
        Request((label,), (seed,), edit.sampling) for label, seed in zip(edit.labels, edit.seeds, strict=True)
    )
    told = edit.told_mask
    form, before = job.form(pipe), job.extras.shown(_before(edit), LARGEST_PREVIEW)
    return EditResult(
        name=job.name,
        digest=job.digest,
        requests=requests,
        squares=tuple(KeptSquare.of(square, folder / f"square-{n}.npz") for n, square in enumerate(squares)),
        form=form,
        words=forms.form_in_words(form, pipe.spec.default_sampling),
        photo=first.edited.photo,
        painted=PackedMask.pack(told if told.dtype == bool else told > HALF),
        soft=job.soft,
        before_file=_page_file(before, folder / "before.png"),
        shown_files=shown_files,
        files=files,
        mask_file=mask_file,
        bundle=str(bundle),
        seconds=seconds,
    )


def _before(edit: Edit) -> np.ndarray:
    """Return the photo as it was, uint8 (H, W, 3); where it was extended there is nothing yet."""
    left, top, right, bottom = edit.extend
    height, width = edit.photo.shape[:2]
    inside = np.s_[top : height - bottom, left : width - right]
    before = np.full_like(edit.photo, NOTHING)
    before[inside] = edit.photo[inside]
    return before


def write_mask(name: str, mask: np.ndarray, folder: Path) -> str:
    """The mask as a black and white PNG, or with the greys, uint8, of a soft one; its path."""
    path = folder / f"{name}-mask.png"
    save_whole(Image.fromarray(mask), path)
    return str(path)


def bundle_of(result: EditResult, kind: str) -> str:
    """Return the ZIP file of all results as a kind of file, and the mask; made if need be."""
    bundle = Path(result.bundle)
    if kind != PNG:
        bundle = bundle.with_name(f"{bundle.stem}-{kind.lower()}.zip")
    if not bundle.exists():
        _pack(bundle, (*(as_kind(Path(file), kind) for file in result.files), result.mask_file))
    return str(bundle)


def _pack(bundle: Path, files: Iterable[Path | str]) -> None:
    """Put files into a ZIP file, under their own names."""
    with replacing(bundle) as part, zipfile.ZipFile(part, "w") as packed:
        for file in files:
            packed.write(file, Path(file).name)


def edit_progress(stage: EditStage, seconds: float) -> str:
    """The bar of an edit under way."""
    turn = f"pass {stage.turn + 1} of {stage.turns}, " if stage.turns > 1 else ""
    turn += f"candidate {stage.candidate + 1} of {stage.candidates}, " if stage.candidates > 1 else ""
    progress, done = stage.progress, fraction(stage)
    left = seconds / done - seconds if done else 0.0
    more = f", about {left:.0f} s left" if stage.turns > 1 and stage.turn and left >= 1 else ""
    return html.bar(f"{turn}{runs.scale(progress)} · {seconds:.1f} s{more}{runs.parted(progress)}", done)


def fraction(stage: EditStage) -> float:
    """Return how much of an edit is done, 0 to 1."""
    return (stage.turn + (stage.candidate + stage.progress.fraction) / stage.candidates) / stage.turns


def edit_summary(result: EditResult) -> str:
    """The bar of an edit that is over."""
    return html.bar(f"{counted(len(result.files), 'variation')} in {result.seconds:.1f} s", 1.0)


def inside(result: EditResult, index: int) -> str:
    """Show of every pass what was free at every scale, what the model saw, and what it drew before pasting."""
    shown = result.squares[:MOST_SQUARES_SHOWN]
    parts = []
    passes = shown[-1].turn + 1
    for square in shown:
        which = f" (pass {square.turn + 1} of {passes})" if passes > 1 else ""
        words = "cells in colour; the others kept the photo"
        parts.append(_figures(f"What was drawn anew at every scale{which}", words, _masks(square)))
        pictures = ((square.views[index], "what the model saw"), (square.drawn[index], "what it drew"))
        frames = [html.frame(html.shrunk(Image.fromarray(pixels)), caption) for pixels, caption in pictures]
        parts.append(_figures(f"What the model really drew{which}", "before it was pasted back", frames))
    return "".join(parts)


def _masks(square: KeptSquare) -> list[str]:
    """The free cells of every scale over the picture, as small pictures."""
    seen, frames = np.asarray(html.shrunk(Image.fromarray(square.views[0]))), []
    for free in square.free:
        large = Image.fromarray(free).resize(seen.shape[1::-1], Image.Resampling.NEAREST)
        marked = (1 - MARK_ALPHA) * seen + MARK_ALPHA * np.array(MARK_RGB)
        tinted = np.where(np.asarray(large)[..., None], marked, 0.6 * seen + 0.4 * 255)
        caption = f"{len(free)}×{len(free)}: {free.sum()} of {free.size}"  # noqa: RUF001
        frames.append(html.frame(Image.fromarray(tinted.astype(np.uint8)), caption))
    return frames


def _figures(title: str, words: str, frames: Sequence[str]) -> str:
    return (
        f'<section class="strip"><h2>{escape(title)} <span>{escape(words)}</span></h2>{html.frames(frames)}</section>'
    )


def used_as_input(workspace: Workspace | None, canvas: Canvas | None, result: EditResult, photo: Photo) -> Workspace:
    """The workspace with a result's `photo` on it, and the mask it was made with, unless it was extended."""
    everything = past(workspace, canvas)
    if any(result.form.extend):
        return laid_out(result.name, photo, None, everything)
    return laid_out(result.name, photo, result.painted.unpack(), everything, soft=result.soft)
