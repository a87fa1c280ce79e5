"""Scaling laws: how loss and error fall as the transformer grows, with fits beside the paper's (section 4.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..config import TransformerConfig
from ..flops import training_flops
from ..schedule import Schedule
from ..tables import markdown
from .run_log import read_log

MEASURES = ("loss_last", "loss_mean", "error_last", "error_mean")
LAWFUL = 0.9  # least fall together, as a correlation, of what is called a law
BASE = 3  # depth whose learning rate is the one given


@dataclass(frozen=True)
class ScalingPoint:
    """A model at one moment of its training. Losses are nats per token on val, errors the fraction of wrong tokens."""

    depth: int
    parameters: int  # without embeddings and head, as the paper counts
    step: int
    seconds: float
    flops: float  # floating-point operations of the training so far
    loss_last: float
    loss_mean: float
    error_last: float
    error_mean: float


@dataclass(frozen=True)
class PowerLaw:
    """y = factor * x ** exponent, and the correlation of log y with log x."""

    factor: float
    exponent: float
    correlation: float

    @classmethod
    def fit(cls, x: Sequence[float], y: Sequence[float]) -> "PowerLaw":
        """Fit by least squares on the logarithms; ValueError unless there are two different x, and all are above 0."""
        if len(set(x)) < 2 or min(*x, *y) <= 0:
            raise ValueError(f"a power law needs two different sizes and values above 0; these are {x} and {y}.")
        across, along = np.log(x), np.log(y)
        exponent, shift = np.polyfit(across, along, 1)
        flat = np.ptp(along) == 0
        correlation = 0.0 if flat else float(np.corrcoef(across, along)[0, 1])
        return cls(float(np.exp(shift)), float(exponent), correlation)

    @property
    def lawful(self) -> bool:
        """Say whether y falls with x nearly as the fit says."""
        return self.correlation <= -LAWFUL

    def __call__(self, x: float) -> float:
        return self.factor * x**self.exponent

    def __str__(self) -> str:
        return f"{self.factor:.3g} N^{self.exponent:.3g}" if self.lawful else "no law"


# Of parameters in billions, as (a * N) ** b there, with about this correlation; arXiv 2404.02905, figure 5.
PAPER = {
    "loss_last": PowerLaw(2.0**-0.23, -0.23, -0.998),
    "loss_mean": PowerLaw(2.5**-0.20, -0.20, -0.998),
    "error_last": PowerLaw(490.0**-0.016, -0.016, -0.998),
    "error_mean": PowerLaw(650.0**-0.010, -0.010, -0.998),
}


def rate_of(config: TransformerConfig, rate: float) -> float:
    """Return the learning rate of a size when `rate` is that of depth 3: with 1 / width, which goes with the depth.

    Yang et al. (2022, table 3) scale the rate of inner matrices so for Adam; here all weights have it.
    """
    return rate * BASE / config.depth


def parameters(config: TransformerConfig) -> int:
    """Count those of the blocks and their AdaLN, without embeddings and head."""
    width, hidden = config.width, config.mlp_ratio * config.width
    attention = 4 * width**2 + 3 * width + config.heads  # q and v have biases, and so has the projection
    feed_forward = 2 * width * hidden + hidden + width
    modulation = 6 * width**2 + 6 * width
    return config.depth * (attention + feed_forward + modulation)


def seen(schedule: Schedule, most_per_scale: int) -> int:
    """Return how many tokens of a picture a training step sees; see `TransformerSettings`."""
    return sum(min(length, most_per_scale or length) for length in schedule.lengths)


def points_of(run: Path, config: TransformerConfig, batch: int, tokens: int) -> list[ScalingPoint]:
    """Read from the log of a transformer's run a point for every time that it was measured on val."""
    each = float(batch * training_flops(config, tokens))
    rows: list[dict[str, Any]] = [*read_log(run)]
    return [
        ScalingPoint(
            config.depth,
            parameters(config),
            row["step"],
            row["seconds"],
            row["step"] * each,
            loss_last=row["loss_by_scale"][-1],
            loss_mean=row["val_loss"],
            error_last=row["error_by_scale"][-1],
            error_mean=row["val_error"],
        )
        for row in rows
        if "val_loss" in row
    ]


def trained(points: Iterable[ScalingPoint]) -> list[ScalingPoint]:
    """Return the last point of every size, from the smallest to the largest."""
    last = {point.depth: point for point in sorted(points, key=lambda point: point.step)}
    return [last[depth] for depth in sorted(last)]


def laws(points: Iterable[ScalingPoint]) -> dict[str, PowerLaw]:
    """Fit every measure against parameters, in billions, at the end of each model's training."""
    last = trained(points)
    sizes = [point.parameters / 1e9 for point in last]
    return {name: PowerLaw.fit(sizes, [getattr(point, name) for point in last]) for name in MEASURES}


def frontier(points: Iterable[ScalingPoint], measure: str) -> list[ScalingPoint]:
    """Return the points that no other reaches with fewer operations, by rising operations."""
    best: list[ScalingPoint] = []
    for point in sorted(points, key=lambda point: (point.flops, getattr(point, measure))):
        if not best or getattr(point, measure) < getattr(best[-1], measure):
            best.append(point)
    return best


def best_by_compute(points: Iterable[ScalingPoint], measure: str) -> list[tuple[int, float]]:
    """Return parameters of the size that is best, and up to how many operations of training it is, as these grow."""
    found = groupby(frontier(points, measure), key=lambda point: point.parameters)
    return [(size, max(point.flops for point in best)) for size, best in found]


def compute_law(points: Iterable[ScalingPoint], measure: str) -> PowerLaw:
    """Fit the `frontier` of a measure against operations; ValueError if that has fewer than two points."""
    front = frontier(points, measure)
    return PowerLaw.fit([point.flops for point in front], [getattr(point, measure) for point in front])


def report(points: Sequence[ScalingPoint]) -> str:
    """Return the last point of every size, and the laws, as Markdown."""
    named = {name: name.replace("_", ", ") for name in MEASURES}
    heads = ["depth", "parameters", "steps", "TFLOP", "loss, last scale", "loss, mean", "error, last scale"]
    sizes = [
        (
            p.depth,
            f"{p.parameters:,}",
            p.step,
            f"{p.flops / 1e12:.1f}",
            *(f"{getattr(p, n):.4f}" for n in MEASURES),
        )
        for p in trained(points)
    ]
    found = [
        (named[name], f"{law}", f"{law.correlation:.3f}", f"{PAPER[name].factor:.3g} N^{PAPER[name].exponent:.3g}")
        for name, law in laws(points).items()
    ]
    fronts = {name: compute_law(points, name) for name in MEASURES if len(frontier(points, name)) > 1}
    exponents = [
        (named[name], f"{law.exponent:.3g}" if law.lawful else "no law", f"{law.correlation:.3f}")
        for name, law in fronts.items()
    ]
    best = [(f"{size:,}", f"{most:.2g}") for size, most in best_by_compute(points, "loss_mean")]
    tables = [
        markdown([*heads, "error, mean"], sizes),
        markdown(["measure", "ours, N in billions", "correlation", "the paper's"], found),
        markdown(["best for so much training", "exponent of operations", "correlation"], exponents),
        markdown(["parameters", "best by mean loss up to so many operations"], best),
    ]
    return "\n\n".join(tables)
