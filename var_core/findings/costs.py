"""Costs of a picture against the side n of its token map: the ways to draw it, rows, and their exponents.

The paper (section 3, appendix) counts attention without a cache: O(n^4) by scales, O(n^6) by cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..config import SCALES, TransformerConfig
from .scaling import PowerLaw

SIDE_RATIO = 1.4  # of one scale's side to that before it, about
MEASURES = ("flops", "attention", "seconds")
COUNT, FORMULA = "counted", "computed"


@dataclass(frozen=True)
class DrawingWay:
    """A way to draw a picture; `exponent` is the paper's, of attention, where it tells one."""

    name: str
    order: str
    cached: bool
    exponent: int | None = None

    def config(self, size: TransformerConfig, side: int) -> TransformerConfig:
        """Return a transformer of a size for maps that reach this side."""
        return replace(size, sides=geometric_sides(side) if self.order == SCALES else (side,), order=self.order)


WAYS = (
    DrawingWay("scales", SCALES, True),
    DrawingWay("raster", "raster", True),
    DrawingWay("scales, no cache", SCALES, False, 4),
    DrawingWay("raster, no cache", "raster", False, 6),
)


@dataclass(frozen=True)
class Cost:
    """Cost of one picture drawn one way, without guidance and decoder."""

    way: str
    side: int
    tokens: int
    steps: int
    flops: float  # floating-point operations
    attention: float  # those of them that compare queries with keys, and mix values
    source: str  # of the flops: "counted" while it was drawn, or "computed"
    seconds: float  # least of some repeats; nan where it was not drawn


def geometric_sides(side: int) -> tuple[int, ...]:
    """Return sides from 1 to this one, about a geometric series; for 16: 1, 2, 3, 5, 6, 9, 12, 16."""
    count = math.ceil(math.log(side) / math.log(SIDE_RATIO))
    return tuple(sorted({round(side ** (k / count)) for k in range(count + 1)}))


def exponent(costs: Sequence[Cost], way: str, measure: str) -> float:
    """Return p of the fit y = a * n^p of a measure over a way's sides; nan where fewer than two were measured."""
    known = [row for row in costs if row.way == way and not math.isnan(getattr(row, measure))]
    if len(known) < 2:
        return math.nan
    return PowerLaw.fit([row.side for row in known], [getattr(row, measure) for row in known]).exponent
