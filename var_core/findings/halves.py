"""Completion of pictures of which one half is hidden, scale by scale and in raster order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Score = Mapping[str, str | float]  # as `edit_scores.Scores`, read from a report
# Of the edit benchmark: nothing but the visible half says what belongs there, and both orders draw it once.
PLAIN = "ours, no class, drawn once by the path that generates"


@dataclass(frozen=True)
class Halves:
    """LogRow of pictures of which a half was drawn anew; seams as in `var_core.measuring.edit_scores`."""

    kind: str
    scales_distance: float  # Fréchet, to train, of a VAR
    raster_distance: float
    scales_seam: float
    raster_seam: float


def side_by_side(scales: Iterable[Score], raster: Iterable[Score]) -> list[Halves]:
    """Join the scores of two reports of the edit benchmark, a row for each kind of mask that both have."""
    first, second = ({row["kind"]: row for row in scores if row["method"] == PLAIN} for scores in (scales, raster))
    return [
        Halves(
            str(kind), *(round(float(row[kind][name]), 4) for name in ("frechet", "seam") for row in (first, second))
        )
        for kind in first
        if kind in second
    ]
