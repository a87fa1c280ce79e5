"""Modes that trade a little quality for time: what each saves, and what it costs, side by side."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from ..clock import timed
from ..engine.pipeline import INT8, Pipeline, Request
from ..engine.sampling import Sampling
from ..training.features import ImageFeatures
from .evaluate import Gaussian, Measured, Probe, features_of, frechet, generated

EXACT = "float32"
DTYPES = (EXACT, INT8)


@dataclass(frozen=True)
class Mode:
    """A way to draw: the settings, and the type of the products."""

    name: str
    sampling: Sampling
    dtype: str = EXACT


def modes(sampling: Sampling) -> list[Mode]:
    """The exact one first, then guidance off at 1, 2, 3 of the last scales, 8-bit products, and both."""
    off = {count: replace(sampling, unguided_scales=count) for count in (1, 2, 3)}
    return [
        Mode("exact", sampling),
        *(Mode(f"guidance off at the last {count or ''}".strip(), one) for count, one in off.items()),
        Mode(INT8, sampling, INT8),
        *(Mode(f"{INT8}, guidance off at the last {count}", one, INT8) for count, one in off.items()),
    ]


def seconds(pipes: dict[str, Pipeline], ways: Sequence[Mode], repeats: int) -> list[float]:
    """Median time of one picture in each mode, in turns; `pipes` has the model for every dtype."""
    works = [partial(pipes[way.dtype].run, Request((0,), (0,), way.sampling)) for way in ways]
    rounds = [[timed(work, pipes[EXACT].device) for work in works] for _ in range(repeats + 1)]
    return [statistics.median(column) for column in zip(*rounds[1:], strict=True)]  # the first round warms up


@dataclass(frozen=True)
class Price:
    """Fréchet distance to the train pictures, as a multiple of val's, and hit rate as a share of val's."""

    distance: float
    hits: float


@dataclass(frozen=True)
class Ruler:
    """What prices are measured with: real pictures, seen by a network."""

    network: ImageFeatures
    train: Gaussian
    val: Measured
    probe: Probe

    @classmethod
    def of(cls, network: ImageFeatures, train: Measured, val: Measured, classes: int) -> "Ruler":
        return cls(network, Gaussian.of(train.features), val, Probe.fit(train.features, train.labels, classes))

    def price(self, features: Tensor) -> Price:
        """Of pictures with val's labels, by their features (N, d)."""
        floor = frechet(Gaussian.of(self.val.features), self.train)
        real, hits = (self.probe.hits(seen, self.val.labels).float().mean() for seen in (self.val.features, features))
        return Price(frechet(Gaussian.of(features), self.train) / floor, float(hits / real))


def prices(pipes: dict[str, Pipeline], ways: Sequence[Mode], ruler: Ruler) -> Iterator[float | list[Price]]:
    """Pictures in every mode, with val's labels and seeds 0, 1, ...: yields the fraction done, the prices last."""
    found = []
    for number, way in enumerate(ways):
        for made in generated(pipes[way.dtype], ruler.val.labels, way.sampling):
            if isinstance(made, float):
                yield (number + made) / len(ways)
        *_, features = features_of(ruler.network, made)
        found.append(ruler.price(features))
    yield found


def report(ways: Sequence[Mode], times: Sequence[float], found: Sequence[Price]) -> str:
    """The table as Markdown; without prices if none were measured."""
    lines = ["| mode | ms a picture | times as fast |" + " Fréchet ratio | hit ratio |" * bool(found)]
    lines.append("|---" * (5 if found else 3) + "|")
    for place, (way, time) in enumerate(zip(ways, times, strict=True)):
        cells = [way.name, f"{1e3 * time:.0f}", f"{times[0] / time:.2f}"]
        cells += [f"{found[place].distance:.3f}", f"{found[place].hits:.3f}"] if found else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
