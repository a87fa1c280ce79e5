"""Intervals of figures by the bootstrap: what chance may have done to them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

OFTEN, FEW = 200, 50  # times that rows are resampled; few where a figure takes long
WITHIN = (0.025, 0.975)


@dataclass(frozen=True)
class Interval:
    """A figure, and where it lies for 95 of 100 other choices of as many photos."""

    value: float
    low: float
    high: float


def interval(figure: Callable[[np.ndarray], float], count: int, times: int = OFTEN) -> Interval:
    """Return a figure of all of `count` rows, and its interval by the bootstrap (Efron 1979).

    It is moved to lie around the figure: Fréchet distances of resampled photos, some of them twice, are larger.
    """
    rng = np.random.Generator(np.random.Philox(key=[0, count]))
    found = [figure(rng.integers(count, size=count)) for _ in range(times)]
    value = figure(np.arange(count))
    low, high = (np.quantile(found, WITHIN) - np.mean(found) + value).tolist()
    return Interval(value, low, high)


def said(found: Interval, digits: int) -> str:
    """Return a figure with its interval in words, as "1.20 (1.10 to 1.31)"."""
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"
