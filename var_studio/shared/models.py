"""The model that the app runs, for all its visitors."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from var_core.config import AUTO, LoadOptions, Sampling
from var_core.editing.edit_settings import usual_sampling
from var_core.engine.pipeline import Pipeline, part_of_threads
from var_core.engine.two_models import finished
from var_core.inspection.atlas import Atlas
from var_core.weights import checkpoints
from var_core.weights.registry import MODELS

from .cache_slot import CacheSlot, atlas_of
from .events import refusal
from .limits import HOME, Limits
from .listeners import Listeners
from .on_model import Desk
from .pace import Estimate, Pace, name_of
from .turns import Turns

Loader = Callable[[str, LoadOptions, Path | None], Pipeline]
PATIENCE = 60.0  # seconds that whoever needs the model waits for one that is being loaded


class ModelInUse(NamedTuple):
    """A model, and what belongs to it: what its last run remembers, and the atlas of its codes."""

    pipe: Pipeline
    slot: CacheSlot
    atlas: Atlas | None
    alone: Pipeline  # the same, without a second model that finishes what it begins

    @classmethod
    def of(cls, pipe: Pipeline) -> "ModelInUse":
        """Return a model with all that belongs to it; ValueError if its atlas is damaged."""
        return cls(pipe, CacheSlot(), atlas_of(pipe), pipe)


class Models:
    """The model that is loaded, for all visitors. While another one takes its place, who needs it waits."""

    def __init__(
        self,
        pipe: Pipeline,
        options: LoadOptions = AUTO,
        folder: Path | None = None,
        limits: Limits = HOME,
        pace: Pace | None = None,
    ):
        """`options` are those that other models are loaded with, `limits` what a visitor may ask of any.

        `pace` knows how long pictures take.
        """
        self.options, self.folder, self.limits = options, folder, limits
        self.pace = pace or Pace()
        self.desk = Desk(Turns(limits, models=pipe.lanes, shares=part_of_threads()), Listeners())
        self._loaded: ModelInUse | None = ModelInUse.of(pipe)  # None: another one is being loaded
        self._lost, self._changed = False, threading.Condition()  # lost: none could be loaded any more

    def _set(self, loaded: ModelInUse | None, lost: bool = False) -> None:
        if loaded:
            self.desk.turns.models = loaded.pipe.lanes
        with self._changed:
            self._loaded, self._lost = loaded, lost
            self._changed.notify_all()

    def _now(self) -> ModelInUse:
        with self._changed:
            self._changed.wait_for(lambda: self._loaded or self._lost, PATIENCE)
            loaded, lost = self._loaded, self._lost
        if lost:
            raise refusal("No model could be loaded: start the app again.")
        if loaded is None:
            raise refusal("Another model is being loaded: try again in a moment.")
        return loaded

    @property
    def is_loaded(self) -> bool:
        """Say whether a model is there at this moment: False while another one takes its place."""
        return self._loaded is not None

    @property
    def pipe(self) -> Pipeline:
        return self._now().pipe

    @property
    def slot(self) -> CacheSlot:
        return self._now().slot

    @property
    def atlas(self) -> Atlas | None:
        return self._now().atlas

    @property
    def name(self) -> str:
        """The loaded model's name in the menu: that of its file, if it has one."""
        return name_of(self.pipe)

    @property
    def filling_sampling(self) -> Sampling:
        """Return how the model draws an edit without a class by default."""
        return usual_sampling(self.default_sampling, False)

    @property
    def default_sampling(self) -> Sampling:
        """Return the settings with which the loaded model draws best."""
        return self.pipe.spec.default_sampling

    @property
    def names(self) -> list[str]:
        """List the models to choose from: the one that is loaded, others that are here, and those that can be had."""
        return list(dict.fromkeys((self.name, *checkpoints.available(self.folder), *MODELS)))

    def here(self, name: str) -> bool:
        """Say whether a model's file is here."""
        return name in checkpoints.available(self.folder)

    @property
    def finishers(self) -> list[str]:
        """List the models here that can finish what the loaded one begins: with its tokenizer and its classes.

        And with as much guidance: it has to mean the same for both.
        """
        ours = self.pipe.spec
        found = (name for name in checkpoints.available(self.folder) if name != self.name)
        specs = {name: checkpoints.read_spec(checkpoints.find(name, self.folder)) for name in found}
        return [
            name
            for name, spec in specs.items()
            if spec.tokenizer == ours.tokenizer
            and spec.transformer.classes == ours.transformer.classes
            and spec.default_sampling.guidance == ours.default_sampling.guidance
        ]

    def finish_with(self, name: str, scale: int) -> None:
        """Let another model draw the scales from `scale` (from 1) on; with no name the loaded one draws all again.

        ValueError if it cannot: all stays as it is.
        """
        now = self._now()
        second = now.alone.loader(name, self.options, self.folder) if name else None
        pipe = finished(now.alone, second, scale - 1) if second else now.alone
        self._set(now._replace(pipe=pipe, slot=CacheSlot()))

    def estimate(self, name: str) -> Estimate | None:
        """Estimate how long a picture takes with a model of the menu; None before anything was measured."""
        if name == self.name:
            return self.pace.of(name, self.pipe.spec)
        if self.here(name):
            return self.pace.of(name, checkpoints.read_spec(checkpoints.find(name, self.folder)))
        return self.pace.of(name, MODELS[name].spec) if name in MODELS else None

    def require(self, digest: str) -> None:
        """ValueError unless this is the model that is loaded: what one has drawn means nothing to another."""
        if digest != self.pipe.digest:
            raise ValueError("Another model is loaded than the one that this belongs to: load that one, or begin anew.")

    def change(self, name: str) -> None:
        """Load another model in place of this one, which is freed first; ValueError: this one stays."""
        found = checkpoints.read_spec(checkpoints.find(name, self.folder))  # fails before anything is given up
        found.need_scales("the app")
        before, load = str(self.pipe.path or self.pipe.spec.name), self.pipe.loader
        self._set(None)
        failure = self._tried(load, name)
        if failure and self._tried(load, before):
            self._set(None, lost=True)
        if isinstance(failure, ValueError):
            raise failure
        if failure:
            reason = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
            raise ValueError(f"{name} could not be loaded ({reason}): is it too large for this machine?") from failure

    def _tried(self, load: Loader, name: str) -> Exception | None:
        """Load and take a model; what went wrong, without what it had loaded."""
        try:
            self._set(ModelInUse.of(load(name, self.options, self.folder)))
        except Exception as error:  # a CPU and each kind of GPU tell in their own way that memory is short
            return error.with_traceback(None)
        return None
