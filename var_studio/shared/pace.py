"""Tell how long a picture takes on this machine: as measured, or reckoned from a model's operations before it loads."""

import statistics
import threading
import time
from collections import deque
from typing import NamedTuple

from var_core.clock import matrix_speed
from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.flops import picture_flops
from var_core.words import counted

from . import run

REMEMBERED = 5  # pictures of which the median is told
PATIENCE = 5.0  # seconds that a warm-up may take: whoever is waiting for a slow model needs the machine more


def name_of(pipe: Pipeline) -> str:
    """Return a model's name in the menu: that of its file, if it has one."""
    return pipe.path.stem if pipe.path else pipe.spec.name


class Estimate(NamedTuple):
    """Seconds that a picture takes, and how that is known."""

    seconds: float
    known: str


class Pace:
    """Knows how long pictures take here, by the names of models, for all visitors; filled while the app runs."""

    def __init__(self) -> None:
        self._taken: dict[str, deque[float]] = {}  # seconds a picture
        self._speed: float | None = None  # operations a second of matrix products

    def took(self, name: str, seconds: float, pictures: int) -> None:
        """Note how long a run of a model took."""
        self._taken.setdefault(name, deque(maxlen=REMEMBERED)).append(seconds / pictures)

    def of(self, name: str, spec: ModelSpec) -> Estimate | None:
        """Estimate a picture of a model at its default settings; None before anything was measured."""
        taken = self._taken.get(name)
        if taken:
            return Estimate(statistics.median(taken), f"measured here on {counted(len(taken), 'run')}")
        if self._speed is None:
            return None
        flops = picture_flops(spec.transformer, spec.default_sampling.guidance > 0)
        known = f"reckoned from its {flops / 1e9:.3g} billion operations and the speed of this machine"
        return Estimate(flops / self._speed, known)

    def begin(self, pipe: Pipeline) -> threading.Thread:
        """Measure this machine and warm a model up, in a thread that ends with the app."""
        thread = threading.Thread(target=self._measure, args=(pipe,), daemon=True)
        thread.start()
        return thread

    def _measure(self, pipe: Pipeline) -> None:
        """The first picture of a model takes longest: draw it before a visitor does, and time the next one."""
        if self._speed is None:
            self._speed = matrix_speed(pipe.device, side=1024, repeats=3)
        cold = _seconds(pipe)
        warm = _seconds(pipe) if cold is not None and cold < PATIENCE / 2 else cold
        if warm is not None:
            self.took(name_of(pipe), warm, 1)


def _seconds(pipe: Pipeline) -> float | None:
    """Draw one picture as the Create tab does; its seconds, or None if patience ended first."""
    began = time.perf_counter()
    request = Request((0,), (0,), pipe.spec.default_sampling)
    for made in run.after_each_scale(pipe, request):
        run.pictures(pipe, made)
        if time.perf_counter() - began > PATIENCE:
            return None
    run.with_looks(pipe, made)
    return time.perf_counter() - began


def pace_in_words(estimate: Estimate | None) -> str:
    """Say how long a picture takes, and how that is known."""
    if estimate is None:
        return "How long a picture takes here is being measured."
    return f"A picture takes about {_rounded(estimate.seconds)} here ({estimate.known})."


def short(estimate: Estimate) -> str:
    """Say how long a picture takes in few words."""
    return f"about {_rounded(estimate.seconds)} a picture"


def _rounded(seconds: float) -> str:
    """Two digits, in the unit that people would use."""
    if seconds >= 90:
        return f"{counted(round(seconds / 60), 'minute')}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{max(seconds, 0.01):.2g} s"
