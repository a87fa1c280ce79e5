"""A run as it advances: its pictures, its files, and how to tell about it. No widgets here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.engine.progress import Progress
from var_core.engine.request import Request
from var_core.engine.seeds import seed_text
from var_core.inspection.sweep import Sweep
from var_core.picture_files import save_whole
from var_core.picture_reading import open_photo
from var_core.recipe import Recipe, slug
from var_core.words import counted

from . import copying, html

# Decoding costs by the pixel: up to here every scale of a run is decoded, beyond it only the last one.
LIVE_PIXELS = 3 * 128 * 128
Looks = dict[tuple[int, int, bool], Image.Image]  # by number of the picture, of its scales, and whether it is enlarged
GONE = "These pictures are no longer kept: press Use these settings, then Run, and they are drawn again."


@dataclass(frozen=True)
class Run:
    """A request to the model of a digest, and how far it has come, in `seconds`.

    `files`, of the pictures that have begun, once it is over. Of a `sweep` the request has the labels and the seeds
    of all cells, and of their settings only the first ones. While it is under way it has what was decoded of it.
    """

    request: Request
    digest: str
    progress: Progress
    seconds: float
    files: tuple[str, ...] = ()
    sweep: Sweep | None = None
    sheet: str = ""  # file of all pictures of the sweep on one
    looks: Looks = field(default_factory=dict, compare=False)

    @property
    def is_kept(self) -> bool:
        """Say whether its files are still there."""
        return all(Path(file).is_file() for file in self.files)

    def need_files(self) -> None:
        """Raise ValueError if its files are gone."""
        if not self.is_kept:
            raise ValueError(GONE)

    def complete(self, index: int) -> bool:
        """Say whether a picture that has begun has all its scales."""
        return len(self.progress.of(index)) == self.progress.scales


class StopFlag:
    """Lets one event end the run that another is making; kept with its visitor.

    It is what `threading.Event` is, less the lock: `gr.State` copies its value deeply, which an Event does not survive.
    """

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set


def after_each_scale(pipe: Pipeline, request: Request) -> Iterator[Run]:
    """Run a request; yield the run after each of its scales."""
    started, looks = time.perf_counter(), Looks()
    for progress in pipe.stream(request):
        yield Run(request, pipe.digest, progress, time.perf_counter() - started, looks=looks)


def over_a_grid(pipe: Pipeline, sweep: Sweep) -> Iterator[Run]:
    """Make the pictures of all cells of a sweep; yield the run after each scale of each part."""
    started, cells = time.perf_counter(), sweep.cells
    labels, seeds = (tuple(getattr(cell, name)[0] for cell in cells) for name in ("labels", "seeds"))
    whole = Request(labels, seeds, cells[0].sampling)
    for progress in sweep.stream(pipe):
        yield Run(whole, pipe.digest, progress, time.perf_counter() - started, sweep=sweep)


def decodes_live(pipe: Pipeline, count: int = 1) -> bool:
    """Say whether so many pictures are decoded after every scale; of larger ones a cheap preview is shown instead."""
    return count * pipe.spec.tokenizer.image_side**2 <= LIVE_PIXELS


def pictures(pipe: Pipeline, run: Run) -> list[Image.Image]:
    """The run's pictures as far as it has come, decoded; or cheap small ones where decoding would hold it up."""
    f_hat = run.progress.f_hat
    if not decodes_live(pipe, len(f_hat)):
        return [html.unique(image) for image in pipe.preview(f_hat)]
    return [html.unique(_look(pipe, run, index, run.complete(index)).copy()) for index in range(len(f_hat))]


def with_looks(pipe: Pipeline, run: Run) -> Run:
    """Decode what `finish` writes of a run, which counts as its time, and what `strip` shows of its first picture."""
    started = time.perf_counter()
    for index in range(run.progress.begun):
        _look(pipe, run, index, enlarge=True)
    seconds = run.seconds + time.perf_counter() - started
    for scales in range(1, len(run.progress.of(0)) if decodes_live(pipe) else 0):
        _look(pipe, run, 0, enlarge=False, scales=scales)
    return replace(run, seconds=seconds)


def _look(pipe: Pipeline, run: Run, index: int, enlarge: bool, scales: int | None = None) -> Image.Image:
    """One picture of a run after so many scales, by default all so far; each is decoded once."""
    steps = run.progress.of(index)[:scales]
    known = index, len(steps), enlarge
    if known not in run.looks:
        run.looks[known] = (pipe.decode if enlarge else pipe.decode_small)(steps[-1].f_hat)[0]
    return run.looks[known]


def finish(pipe: Pipeline, run: Run, folder: Path) -> Run:
    """Decode a run and write its pictures into a folder, each with its recipe if all its scales are there."""
    started = time.perf_counter()
    images = [_look(pipe, run, index, enlarge=True) for index in range(run.progress.begun)]
    files = [folder / f"{_stem(pipe, run, index)}.png" for index in range(len(images))]
    for index, (image, file) in enumerate(zip(images, files, strict=True)):
        if run.complete(index):
            Recipe.of(pipe, alone(run, index), 0).save(image, file)
        else:  # a recipe would promise pixels that only the whole picture has
            save_whole(image, file)
    sheet = folder / "grid.png" if run.sweep else None
    if run.sweep and sheet:
        save_whole(run.sweep.sheet(images), sheet)
    seconds = run.seconds + time.perf_counter() - started
    return replace(run, files=tuple(map(str, files)), seconds=seconds, sheet=str(sheet or ""))


def _stem(pipe: Pipeline, run: Run, index: int) -> str:
    part = "" if run.complete(index) else f"-scale-{len(run.progress.of(index))}-of-{run.progress.scales}"
    stem = Recipe.of(pipe, alone(run, index), 0).stem
    if run.sweep:  # of which all pictures may have one class and one seed
        stem = f"{index + 1:02d}-{slug(run.sweep.words_of(index), 'cell')}-{stem}"
    return stem + part


def alone(run: Run, index: int) -> Request:
    """The request that repeats one picture of a run."""
    if run.sweep:
        return run.sweep.cells[index]
    return Request((run.request.labels[index],), (run.request.seeds[index],), run.request.sampling)


def picture_title(pipe: Pipeline, run: Run, index: int) -> str:
    """Say which picture of a run one is: its class and seed, and what it has of its own in a sweep."""
    request = alone(run, index)
    words = f"{pipe.spec.class_name(request.labels[0])}, seed {seed_text(request.seeds[0])}"
    return f"{words} ({run.sweep.words_of(index)})" if run.sweep else words


def progress(run: Run) -> str:
    """The bar of a run under way."""
    progress, tokens = run.progress, run.progress.last.side**2
    return html.bar(
        f"{scale(progress)}, {counted(tokens, 'token')} · {run.seconds:.1f} s{_parted(run)}", progress.fraction
    )


def summary(run: Run) -> str:
    """The bar of a run that is over."""
    progress = run.progress
    if progress.complete:
        return html.bar(f"{counted(len(run.files), 'picture')} in {run.seconds:.1f} s{_parted(run)}", 1.0)
    return html.bar(f"stopped after {scale(progress)} · {run.seconds:.1f} s{_parted(run)}", progress.fraction)


def scale(progress: Progress) -> str:
    """Say which scale was made last; also of which pictures, where they are made in parts."""
    now = f"scale {progress.last.scale + 1} of {progress.scales}"
    if progress.at_once == progress.count:
        return now
    first, end = progress.under_way.start + 1, progress.under_way.stop
    which = f"picture {end}" if first == end else f"pictures {first} to {end}"
    return f"{which} of {progress.count}, {now}"


def parted(progress: Progress) -> str:
    """Say why pictures are made in parts; nothing where they are not."""
    if progress.at_once == progress.count:
        return ""
    return f" · {counted(progress.at_once, 'picture')} at a time: memory is short"


def _parted(run: Run) -> str:
    return "" if run.sweep else parted(run.progress)  # cells are parted because their settings differ


def strip(pipe: Pipeline, run: Run, index: int, host_paths: bool = True) -> str:
    """One picture of a finished run at every scale, side by side, under a line that says what it is.

    Without `host_paths` nothing tells where on this machine the model lies. ValueError if its file is gone.
    """
    steps, live, seen = run.progress.of(index), decodes_live(pipe), replace(run, looks={**run.looks})
    shown = [
        *(
            _look(pipe, seen, index, enlarge=False, scales=n) if live else pipe.preview(steps[n - 1].f_hat)[0]
            for n in range(1, len(steps))
        ),
        html.shrunk(Image.fromarray(open_photo(run.files[index]))),
    ]
    captions = (f"{step.side}×{step.side}" for step in steps)  # noqa: RUF001
    frames = html.frames(map(html.frame, shown, captions))
    request = alone(run, index)
    title = f"{escape(pipe.spec.class_name(request.labels[0]))} <span>seed {seed_text(request.seeds[0])}</span>"
    offered = f'<p class="copies">{copying.copy_buttons(pipe, request, host_paths)}</p>'
    if len(run.request.labels) > 1 and run.sweep is None:
        everything = copying.copy_buttons(pipe, run.request, host_paths)
        offered += f'<p class="copies">All {len(run.request.labels)}: {everything}</p>'
    return f'<section class="strip"><h2>{title}</h2>{offered}{frames}</section>'
