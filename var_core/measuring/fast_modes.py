"""Modes that trade a little quality for time: what each saves, and what it costs, side by side."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..clock import timed
from ..config import Sampling
from ..engine.pipeline import INT8, Pipeline
from ..engine.request import Request
from ..tables import markdown
from .evaluate import generated
from .reference import Measured, QualityCost, Reference

EXACT = "float32"
DTYPES = (EXACT, INT8)


@dataclass(frozen=True)
class Mode:
    """A way to draw: the settings, and the type of the products."""

    name: str
    sampling: Sampling
    dtype: str = EXACT


def modes(sampling: Sampling) -> list[Mode]:
    """Return the exact mode first, then guidance reused or off at 1, 2, 3 of the last scales, 8-bit products, both."""
    off = {count: replace(sampling, unguided_scales=count) for count in (1, 2, 3)}
    reused = {count: replace(sampling, reused_scales=count) for count in (1, 2, 3)}
    return [
        Mode("exact", sampling),
        *(Mode(f"guidance reused at the last {count}", one) for count, one in reused.items()),
        *(Mode(f"guidance off at the last {count or ''}".strip(), one) for count, one in off.items()),
        Mode(INT8, sampling, INT8),
        Mode(f"{INT8}, guidance reused at the last 3", reused[3], INT8),
        *(Mode(f"{INT8}, guidance off at the last {count}", one, INT8) for count, one in off.items()),
    ]


def seconds(pipes: dict[str, Pipeline], choices: Sequence[Mode], repeats: int) -> list[float]:
    """Return the median time of one picture in each mode, in turns; `pipes` has the model for every dtype."""
    works = [partial(pipes[mode.dtype].run, Request((0,), (0,), mode.sampling)) for mode in choices]
    rounds = [[timed(work, pipes[EXACT].device) for work in works] for _ in range(repeats + 1)]
    return [statistics.median(column) for column in zip(*rounds[1:], strict=True)]  # the first round warms up


def quality_costs(
    pipes: dict[str, Pipeline], choices: Sequence[Mode], reference: Reference, val: Measured
) -> Iterator[float | list[QualityCost]]:
    """Draw pictures in every mode, with val's labels and seeds 0, 1, ...: yields the fraction done, the costs last."""
    found = []
    for number, mode in enumerate(choices):
        for made in generated(pipes[mode.dtype], val.labels, mode.sampling):
            if isinstance(made, float):
                yield (number + made) / len(choices)
            else:
                found.append(reference.quality_cost(reference.features(made), val))
    yield found


def report(choices: Sequence[Mode], times: Sequence[float], found: Sequence[QualityCost]) -> str:
    """Return the table as Markdown; without costs if none were measured."""
    rows = []
    for index, (mode, time) in enumerate(zip(choices, times, strict=True)):
        cells = [mode.name, f"{1e3 * time:.0f}", f"{times[0] / time:.2f}"]
        rows.append([*cells, f"{found[index].distance:.3f}", f"{found[index].accuracy:.3f}"] if found else cells)
    heads = ["mode", "ms a picture", "times as fast"]
    return markdown([*heads, "Fréchet ratio", "accuracy ratio"] if found else heads, rows)
