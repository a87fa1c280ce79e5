"""Scaling laws: how loss and error fall as the transformer grows, with fits beside the paper's (section 4.2)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ..config import TokenizerConfig, TransformerConfig
from ..schedule import Schedule

MEASURES = ("loss_last", "loss_mean", "error_last", "error_mean")
LAWFUL = 0.9  # least fall together, as a correlation, of what is called a law
BASE = 3  # depth whose learning rate is the one given


@dataclass(frozen=True)
class Point:
    """A model at one moment of its training. Losses are nats per token on val, errors the share of wrong tokens."""

    depth: int
    parameters: int  # without embeddings and head, as the paper counts
    step: int
    seconds: float
    operations: float  # floating-point operations of the training so far
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
        """Least squares on the logarithms; ValueError unless there are two different x, and all are above 0."""
        if len(set(x)) < 2 or min(*x, *y) <= 0:
            raise ValueError(f"a power law needs two different sizes and values above 0; these are {x} and {y}.")
        across, along = np.log(x), np.log(y)
        exponent, shift = np.polyfit(across, along, 1)
        flat = np.ptp(along) == 0
        correlation = 0.0 if flat else float(np.corrcoef(across, along)[0, 1])
        return cls(float(np.exp(shift)), float(exponent), correlation)

    @property
    def lawful(self) -> bool:
        """Whether y falls with x nearly as the fit says."""
        return self.correlation <= -LAWFUL

    def __call__(self, x: float) -> float:
        return self.factor * x**self.exponent


# Of parameters in billions, as (a * N) ** b there, with about this correlation; arXiv 2404.02905, figure 5.
PAPER = {
    "loss_last": PowerLaw(2.0**-0.23, -0.23, -0.998),
    "loss_mean": PowerLaw(2.5**-0.20, -0.20, -0.998),
    "error_last": PowerLaw(490.0**-0.016, -0.016, -0.998),
    "error_mean": PowerLaw(650.0**-0.010, -0.010, -0.998),
}


def sized(depth: int, codes: TokenizerConfig, classes: int) -> TransformerConfig:
    """The transformer of a depth by the published shape rules: heads = depth, width = 64 * depth."""
    sizes = (depth, 64 * depth, depth, codes.vocabulary, codes.code_width)
    return TransformerConfig(codes.sides, classes, *sizes, order=codes.order)


def rate_of(config: TransformerConfig, rate: float) -> float:
    """The learning rate of a size when `rate` is that of depth 3: with 1 / width, which goes with the depth.

    So do Yang et al. (2022, table 3) for Adam and inner matrices; here all weights do.
    """
    return rate * BASE / config.depth


def parameters(config: TransformerConfig) -> int:
    """Of the blocks and their AdaLN, without embeddings and head."""
    width, hidden = config.width, config.mlp_ratio * config.width
    attention = 4 * width**2 + 3 * width + config.heads  # q and v have biases, and so has the projection
    feed_forward = 2 * width * hidden + hidden + width
    modulation = 6 * width**2 + 6 * width
    return config.depth * (attention + feed_forward + modulation)


def operations(config: TransformerConfig, tokens: int) -> float:
    """Floating-point operations of training on a picture of which so many tokens are seen: forward, twice backward."""
    width = config.width
    linear = config.depth * (4 + 2 * config.mlp_ratio) * width**2 + width * (config.vocabulary + config.code_width)
    attention = 2 * config.depth * tokens * width  # under the mask about half of it, which no library skips here
    modulation = config.depth * 6 * width**2 + 2 * width**2  # once a picture
    return 6.0 * (tokens * (linear + attention) + modulation)


def seen(schedule: Schedule, most_per_scale: int) -> int:
    """Tokens of a picture that a training step sees; see `TransformerTask`."""
    return sum(min(length, most_per_scale or length) for length in schedule.lengths)


def points_of(run: Path, config: TransformerConfig, batch: int, tokens: int) -> list[Point]:
    """What the log of a transformer's training run says of it, wherever it was measured on val."""
    each = batch * operations(config, tokens)
    logged = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Point(
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
        for row in logged
        if "val_loss" in row
    ]


def trained(points: Iterable[Point]) -> list[Point]:
    """The last point of every size, from the smallest to the largest."""
    last = {point.depth: point for point in sorted(points, key=lambda point: point.step)}
    return [last[depth] for depth in sorted(last)]


def laws(points: Iterable[Point]) -> dict[str, PowerLaw]:
    """The fit of every measure against parameters, in billions, at the end of each model's training."""
    last = trained(points)
    sizes = [point.parameters / 1e9 for point in last]
    return {name: PowerLaw.fit(sizes, [getattr(point, name) for point in last]) for name in MEASURES}


def frontier(points: Iterable[Point], measure: str) -> list[Point]:
    """The points that no other reaches with fewer operations, by rising operations."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.operations, getattr(point, measure))):
        if not best or getattr(point, measure) < getattr(best[-1], measure):
            best.append(point)
    return best


def reigns(points: Iterable[Point], measure: str) -> list[tuple[int, float]]:
    """Parameters of the size that is best, and up to how many operations of training it is, as these grow."""
    found = groupby(frontier(points, measure), key=lambda point: point.parameters)
    return [(size, max(point.operations for point in best)) for size, best in found]


def compute_law(points: Iterable[Point], measure: str) -> PowerLaw:
    """The fit of the `frontier` of a measure against operations; ValueError if that has fewer than two points."""
    front = frontier(points, measure)
    return PowerLaw.fit([point.operations for point in front], [getattr(point, measure) for point in front])


def report(points: Sequence[Point]) -> str:
    """The last point of every size, and the laws, as Markdown."""
    lines = ["| depth | parameters | steps | TFLOP | loss, last scale | loss, mean | error, last scale | error, mean |"]
    lines.append("|---" * 8 + "|")
    for point in trained(points):
        values = " | ".join(f"{getattr(point, name):.4f}" for name in MEASURES)
        lines.append(
            f"| {point.depth} | {point.parameters:,} | {point.step} | {point.operations / 1e12:.1f} | {values} |"
        )
    lines += ["", "| measure | ours, N in billions | correlation | the paper's |", "|---|---|---|---|"]
    for name, law in laws(points).items():
        ours, theirs = (f"{each.factor:.3g} N^{each.exponent:.3g}" for each in (law, PAPER[name]))
        lines.append(
            f"| {name.replace('_', ', ')} | {ours if law.lawful else 'no law'} | {law.correlation:.3f} | {theirs} |"
        )
    lines += ["", "| best for so much training | exponent of operations | correlation |", "|---|---|---|"]
    for name in (name for name in MEASURES if len(frontier(points, name)) > 1):
        law = compute_law(points, name)
        exponent = f"{law.exponent:.3g}" if law.lawful else "no law"
        lines.append(f"| {name.replace('_', ', ')} | {exponent} | {law.correlation:.3f} |")
    lines += ["", "| parameters | best by mean loss up to so many operations |", "|---|---|"]
    lines += [f"| {size:,} | {most:.2g} |" for size, most in reigns(points, "loss_mean")]
    return "\n".join(lines)
