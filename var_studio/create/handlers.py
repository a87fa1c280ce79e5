"""Handlers of the Create tab that make pictures and show them, as functions of the widgets' values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

import gradio as gr
from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.picture_reading import open_photo

from ..shared import downloads
from ..shared import run as runs
from ..shared.events import SKIP, in_words
from ..shared.html import READY, STOPPING
from ..shared.run import Run, StopFlag
from ..shared.served_files import fresh_folder
from .layout import StageUpdate
from .preparing import Asked, Preparing

COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}  # of the stage, by the number of pictures; else 4
MOST_IN_A_ROW = 6  # pictures of a class among several; eight go into two rows


@dataclass(frozen=True)
class CreateRunHandlers(Preparing):
    """Handlers of runs, from what is asked for to what is shown of it."""

    def watch(self, asked: Asked, stop_flag: StopFlag) -> Iterator[StageUpdate]:
        """Make a request's pictures; the stage after scales, and at the end. The flag ends it within a scale."""
        if stop_flag.is_set():  # while it waited for its turn
            yield StageUpdate(bar=READY)
            return
        with in_words():
            self.models.require(asked.digest)
        pipe = self.pipe
        going = runs.over_a_grid(pipe, asked.sweep) if asked.sweep else runs.after_each_scale(pipe, asked.request)
        for run in going:
            if self.models.desk.turns.goes_on():
                continue
            if not stop_flag.is_set():
                yield self._under_way(run)
            if stop_flag.is_set():
                yield StageUpdate(bar=STOPPING)  # again: what was told of this scale may have come later
                break
        yield self._over(run)

    def choose(self, run: Run, event: gr.SelectData) -> StageUpdate:
        """Show another picture of the run: its strip, its files, its index. While a run is under way there is none yet.

        Another model that has been loaded since cannot say what its scales look like.
        """
        if run is None or event.index >= len(run.files):
            return StageUpdate()
        with in_words():
            run.need_files()
            return self._chosen(run, event.index)

    def check_files(self, run: Run | None) -> None:
        """Say so if the files of a run are gone that the browser is about to fetch."""
        with in_words():
            if run:
                run.need_files()

    def larger(self, run: Run, index: int) -> str:
        """Write a larger copy of the picture that is chosen; its path."""
        with in_words():
            run.need_files()
            return downloads.write_enlarged(run.files[index])

    def everything(self, run: Run, _index: int) -> str:
        """Write a ZIP of all pictures of the run; its path."""
        with in_words():
            run.need_files()
            return downloads.packed(run)

    def _under_way(self, run: Run) -> StageUpdate:
        """The stage of a run under way; of a sweep, which may have many pictures, after each part."""
        progress = run.progress
        whole = progress.last.scale + 1 == progress.scales
        shown = _gallery(self.pipe, run, runs.pictures(self.pipe, run)) if whole or not run.sweep else SKIP
        return StageUpdate(shown, bar=runs.progress(run), strip="", after=gr.Column(visible=False), chosen=0)

    def _over(self, run: Run) -> StageUpdate:
        """The stage of a run that has ended, by itself or by Stop."""
        with in_words(), fresh_folder(self.cache) as folder:
            run = runs.with_looks(self.pipe, run)
            self.models.desk.turns.free()
            done = runs.finish(self.pipe, run, folder)
            if len(done.files) > 1:
                downloads.write_table(self.pipe, done)
        return self._finished(done)._replace(run=replace(done, looks={}))

    def show_again(self, found: object) -> Iterator[StageUpdate]:
        """Show a run that ended earlier, if its model is loaded.

        What was only asked for, and cut off, is made again from its seeds, and so is a run whose files are gone: they
        give the same pictures.
        """
        if isinstance(found, Run) and found.is_kept:
            with in_words():
                self.models.require(found.digest)
                yield self._finished(found)
            return
        asked = _asked_for(found) if isinstance(found, Run) else found
        assert isinstance(asked, Asked), "nothing else is kept"
        yield from self.watch(asked, StopFlag())

    def _finished(self, done: Run) -> StageUpdate:
        count, sheet = len(done.files), gr.DownloadButton(value=done.sheet or None, visible=bool(done.sheet))
        first = self._chosen(done, 0)
        return first._replace(
            gallery=_gallery(self.pipe, done, done.files),
            bar=runs.summary(done),
            after=gr.Column(visible=True),
            everything=gr.Button(f"Download all {count} (ZIP)", visible=count > 1),
            sheet=sheet,
            run=done,
        )

    def _chosen(self, run: Run, index: int) -> StageUpdate:
        """The stage once a picture of a run that is over is chosen; ValueError if its file is gone."""
        file, ours = run.files[index], run.digest == self.pipe.digest
        picture = Image.fromarray(open_photo(file))
        where = f"Picture {index + 1} of {len(run.files)}" if len(run.files) > 1 else "This picture"
        words = f"{where}: {runs.picture_title(self.pipe, run, index)}" if ours else where
        return StageUpdate(
            strip=runs.strip(self.pipe, run, index, self.models.limits.host_paths) if ours else "",
            marked=_marked(words, index if len(run.files) > 1 else None),
            download=gr.DownloadButton(f"Download {picture.width} px", value=file),
            large=gr.Button(f"Download {downloads.TIMES * picture.width} px (resized)"),
            chosen=index,
        )


def _asked_for(run: Run) -> Asked:
    """Return what a run was asked for with."""
    return Asked(run.sweep.base if run.sweep else run.request, run.digest, run.sweep)


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
        shown = [(picture, runs.picture_title(pipe, run, index)) for index, picture in enumerate(pictures)]
    return gr.Gallery(shown, columns=columns, selected_index=None)


def _marked(words: str, index: int | None) -> str:
    """Say which picture is chosen, and draw a line around it in the gallery."""
    if index is None:
        return f'<p role="status">{escape(words)}</p>'
    place = f"#gallery .grid-container > :nth-child({index + 1}) .thumbnail-lg"
    line = f"<style>{place} {{ outline: 3px solid var(--color-accent); outline-offset: 2px }}</style>"
    return f'{line}<p role="status">{escape(words)}</p>'
