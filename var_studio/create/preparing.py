"""Handlers of the Create tab before a run: what is asked for, as functions of the widgets' values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import gradio as gr

from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.engine.seeds import branched, counted_on
from var_core.inspection.sweep import CLASS, Axis, Sweep
from var_core.settings import parse_int
from var_core.words import from_commas

from ..shared import controls, html
from ..shared import run as runs
from ..shared.events import buttons, in_words
from ..shared.guarded_events import STRANGE
from ..shared.models import Models
from ..shared.run import Run, StopFlag
from ..shared.visit_pictures import VisitPicture
from .layout import FEWEST_ALIKE

Begun = tuple["Asked", StopFlag, str, gr.Button, gr.Button]  # what waits, the bar, and the buttons while it runs


class Asked(NamedTuple):
    """A request that waits for the model of a digest; or a sweep, whose base it is."""

    request: Request
    digest: str
    sweep: Sweep | None = None


@dataclass(frozen=True)
class Preparing:
    """Handlers of what is asked for. They return new values in the order of the outputs."""

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

    def prepare_again(self, picture: VisitPicture | None) -> tuple[object, ...]:
        """Return before a run the sweep of a grid among the pictures of the visit, and the way here."""
        with in_words():
            if picture is None or not isinstance(swept := picture.made, Sweep):
                raise ValueError(STRANGE)
            self.models.require(picture.digest)
        asked, flag, *shown = _begun(Asked(swept.base, picture.digest, swept))
        return asked, flag, gr.Tabs(selected="create"), *shown


def _begun(asked: Asked) -> Begun:
    return asked, StopFlag(), html.bar("Waiting for the model …"), *buttons(running=True)


def _completed(spec: ModelSpec, name: str, texts: list[str]) -> list[str]:
    """Texts of an axis; parts of class names are made whole."""
    return [controls.complete(spec, text) for text in texts] if name == CLASS else texts
