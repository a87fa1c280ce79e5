"""Handlers of the Create tab that make pictures and go on from them, as functions of the widgets' values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import gradio as gr
from PIL import Image

from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.engine.seeds import branched, counted_on
from var_core.files import Unwritten
from var_core.inspection.sweep import CLASS, Axis, Sweep
from var_core.picture_reading import open_photo
from var_core.settings import parse_int
from var_core.words import from_commas

from ..shared import controls, downloads, html
from ..shared import run as runs
from ..shared.events import SKIP, buttons, in_words
from ..shared.html import READY
from ..shared.models import Models
from ..shared.run import Run, StopFlag
from ..shared.served_files import fresh_folder
from .layout import FEWEST_ALIKE, StageUpdate

COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}  # of the stage, by the number of pictures; else 4
MOST_IN_A_ROW = 6  # pictures of a class among several; eight go into two rows
Begun = tuple["Asked", StopFlag, str, gr.Button, gr.Button]  # what waits, the bar, and the buttons while it runs


class Asked(NamedTuple):
    """A request that waits for the model of a digest; or a sweep, whose base it is."""

    request: Request
    digest: str
    sweep: Sweep | None = None


@dataclass(frozen=True)
class RunHandlers:
    """Handlers of runs. They return new values in the order of the outputs."""

    models: Models
    cache: str  # where Gradio serves files from

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    @property
    def most(self) -> int:
        """Return how many pictures one run may make."""
        return self.models.limits.pictures

    def prepare(
        self,
        lock: bool,
        class_name: str,
        count: float,
        seed: str,
        sampling: Mapping[str, object],
        also: Sequence[str] | None = None,
    ) -> tuple[Asked, StopFlag, str, str, str, gr.Button, gr.Button]:
        """Return before a run its request and stop flag, the class and seed it takes, the buttons while it runs."""
        pipe = self.pipe
        with in_words():
            chosen = controls.seed_to_use(seed, lock)
            request = controls.read(pipe.spec, class_name, count, chosen, sampling, also, self.most)
        shown = controls.show(pipe.spec, request)
        asked, flag, bar, run, stop = _begun(Asked(request, pipe.digest))
        return asked, flag, shown.class_name, shown.seed, bar, run, stop

    def prepare_alike(self, run: Run | None, chosen: int, freedom: float, count: float) -> Begun:
        """Return before a run the request for pictures like the chosen one, with so many of its scales drawn anew.

        They are as many as Pictures says, or `FEWEST_ALIKE`; the settings of the controls stay as they are.
        """
        with in_words():
            if run is None:
                raise ValueError("There is no picture yet: press Run first.")
            self.models.require(run.digest)
            own, scales = runs.alone(run, chosen), len(self.pipe.schedule)
            wanted = min(max(parse_int("pictures", count), FEWEST_ALIKE), self.most)
            anew = parse_int("how free", freedom)
            if not 0 <= anew <= scales:
                raise ValueError(f"how free {anew} is out of range: choose 0 (the same) to {scales}.")
            first = branched(own.seeds[0], scales - anew, int(controls.roll()), scales)
            many = wanted if anew else 1  # all would be the same
            seeds = tuple(counted_on(first, number) for number in range(many))
        return _begun(Asked(Request(own.labels * many, seeds, own.sampling), run.digest))

    def prepare_grid(
        self,
        names: tuple[str, str],
        texts: tuple[str, str],
        class_name: str,
        seed: str,
        sampling: Mapping[str, object],
    ) -> Begun:
        """Return before a run the sweep over the settings of these names and the values in these texts."""
        spec = self.pipe.spec
        with in_words():
            base = controls.read(spec, class_name, 1, seed, sampling)
            axes = [
                Axis.read(spec, name, _completed(spec, name, from_commas(text)))
                for name, text in zip(names, texts, strict=True)
                if name
            ]
            if not axes:
                raise ValueError("Choose a setting to compare, and its values.")
            swept = Sweep(spec, base, *axes)
            if swept.count > (most := self.models.limits.cells):
                raise ValueError(f"This grid has {swept.count} pictures, of at most {most}: give fewer values.")
            for cell in swept.cells:
                cell.check(spec)
        return _begun(Asked(base, self.pipe.digest, swept))

    def watch(self, asked: Asked, stop_flag: StopFlag) -> Iterator[StageUpdate]:
        """Make a request's pictures; the stage after each scale, and at the end. The flag ends it within a scale."""
        if stop_flag.is_set():  # while it waited for its turn
            yield StageUpdate(bar=READY)
            return
        with in_words():
            self.models.require(asked.digest)
        pipe = self.pipe
        going = runs.over_a_grid(pipe, asked.sweep) if asked.sweep else runs.after_each_scale(pipe, asked.request)
        for run in going:
            yield self._under_way(run)
            if stop_flag.is_set():
                break
        yield self._over(run)

    def choose(self, run: Run, event: gr.SelectData) -> StageUpdate:
        """Show another picture of the run: its strip, its files, its index. While a run is under way there is none yet.

        Another model that has been loaded since cannot say what its scales look like.
        """
        if run is None or event.index >= len(run.files):
            return StageUpdate()
        with in_words():
            return self._chosen(run, event.index)

    def _under_way(self, run: Run) -> StageUpdate:
        """The stage of a run under way; of a sweep, which may have many pictures, after each part."""
        progress = run.progress
        whole = progress.last.scale + 1 == progress.scales
        shown = _gallery(self.pipe, run, runs.pictures(self.pipe, run)) if whole or not run.sweep else SKIP
        return StageUpdate(shown, bar=runs.progress(run), strip="", after=gr.Column(visible=False), chosen=0)

    def _over(self, run: Run) -> StageUpdate:
        """The stage of a run that has ended, by itself or by Stop."""
        with in_words(), fresh_folder(self.cache) as folder:
            done = runs.finish(self.pipe, run, folder)
        return self._finished(done)

    def show_again(self, found: object) -> Iterator[StageUpdate]:
        """Show a run that ended earlier, if its files are still there and its model is loaded.

        What was only asked for, and cut off, is made again from its seeds: the same pictures.
        """
        if isinstance(found, Asked):
            yield from self.watch(found, StopFlag())
            return
        assert isinstance(found, Run), "nothing else is kept"
        with in_words():
            self.models.require(found.digest)
            yield self._finished(found)

    def _finished(self, done: Run) -> StageUpdate:
        count, sheet = len(done.files), gr.DownloadButton(value=done.sheet or None, visible=bool(done.sheet))
        first = self._chosen(done, 0)
        packed = _if_there_is_room(lambda: downloads.packed(self.pipe, done))
        return first._replace(
            gallery=_gallery(self.pipe, done, done.files),
            bar=runs.summary(done),
            after=gr.Column(visible=True),
            everything=gr.DownloadButton(
                f"Download all {count} (ZIP)", value=packed, visible=count > 1 and packed is not None
            ),
            sheet=sheet,
            run=done,
        )

    def _chosen(self, run: Run, index: int) -> StageUpdate:
        """The stage once a picture of a run that is over is chosen; ValueError if its file is gone."""
        file, ours = run.files[index], run.digest == self.pipe.digest
        picture = Image.fromarray(open_photo(file))
        where = f"Picture {index + 1} of {len(run.files)}" if len(run.files) > 1 else "This picture"
        words = f"{where}: {runs.named(self.pipe, run, index)}" if ours else where
        large = _if_there_is_room(lambda: downloads.enlarged(file))
        return StageUpdate(
            strip=runs.strip(self.pipe, run, index) if ours else "",
            marked=_marked(words, index if len(run.files) > 1 else None),
            download=gr.DownloadButton(f"Download {picture.width} px", value=file),
            large=gr.DownloadButton(_enlarged_words(picture.width), value=large, visible=large is not None),
            chosen=index,
        )


def _if_there_is_room(write: Callable[[], str]) -> str | None:
    """Return the file that something writes; None, and a word to the visitor, if there is no room for it."""
    try:
        return write()
    except Unwritten as error:
        gr.Warning(str(error))
        return None


def _begun(asked: Asked) -> Begun:
    return asked, StopFlag(), html.bar("Waiting for the model …"), *buttons(running=True)


def _completed(spec: ModelSpec, name: str, texts: list[str]) -> list[str]:
    """Texts of an axis; parts of class names are made whole."""
    return [controls.complete(spec, text) for text in texts] if name == CLASS else texts


def _gallery(pipe: Pipeline, run: Run, pictures: Sequence[str | Image.Image]) -> gr.Gallery:
    """The pictures of a run, with words under them where they differ in more than their seeds.

    Each of several classes has rows of its own, and so has each row of a sweep.
    """
    count, classes = len(run.request.seeds), len(set(run.request.labels))
    columns = COLUMNS.get(count, 4)
    shown: list[str | Image.Image | tuple[str | Image.Image, str | None]] = list(pictures)
    if run.sweep:
        columns = run.sweep.columns
        shown = [(picture, run.sweep.words_of(index)) for index, picture in enumerate(pictures)]
    elif classes > 1:
        each = count // classes
        columns = each if 1 < each <= MOST_IN_A_ROW else columns
        shown = [(picture, runs.named(pipe, run, index)) for index, picture in enumerate(pictures)]
    return gr.Gallery(shown, columns=columns, selected_index=None)


def _marked(words: str, index: int | None) -> str:
    """Say which picture is chosen, and draw a line around it in the gallery."""
    if index is None:
        return f'<p role="status">{escape(words)}</p>'
    place = f"#gallery .grid-container > :nth-child({index + 1}) .thumbnail-lg"
    line = f"<style>{place} {{ outline: 3px solid var(--color-accent); outline-offset: 2px }}</style>"
    return f'{line}<p role="status">{escape(words)}</p>'


def _enlarged_words(side: int) -> str:
    return f"Download {downloads.TIMES * side} px (resized)"
