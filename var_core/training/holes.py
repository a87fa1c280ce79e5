"""Random holes in pictures, and which tokens of a pyramid are known beside them: what the masked path learns from."""

import numpy as np
import torch
from torch import Tensor

from ..schedule import Schedule, averaging

MORE_KNOWN = 0.4  # probability that some tokens inside the hole are known, too
COVERS = (0.02, 0.25, 0.5)  # of a cell: where more is covered its token is free, one convention for each picture
STRICT = 5  # fewer scales than this may be kept unless a cell is covered wholly


def random_hole(side: int, rng: np.random.Generator) -> np.ndarray:
    """A hole in a square of cells, bool (side, side): a rectangle, an ellipse, strokes, borders, or single cells."""
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    hole = np.zeros((side, side), bool)
    kind = rng.choice(["rectangle", "ellipse", "strokes", "border", "cells"], p=[0.25, 0.25, 0.2, 0.25, 0.05])
    if kind == "border":
        sides = np.flatnonzero(rng.random(4) < 0.4)
        sides = sides if len(sides) else rng.integers(4, size=1)
        width = max(1, round(side * rng.uniform(0.1, 0.6 if len(sides) == 1 else 0.35)))
        edges = (rows < width, rows > side - width, columns < width, columns > side - width)
        for edge in sides:
            hole |= edges[edge]
    elif kind == "strokes":
        for _ in range(rng.integers(1, 5)):
            row, column, angle = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(0, 2 * np.pi)
            radius = rng.uniform(0.8, max(0.8, 0.15 * side))
            for _ in range(rng.integers(2, max(3, side))):
                hole |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
                angle += rng.normal(0, 0.4)
                row, column = row + np.sin(angle), column + np.cos(angle)
    elif kind == "cells":
        hole = rng.random((side, side)) < rng.random()
    else:
        height, width = side * rng.uniform(0.15, 0.9, size=2)
        top, left = rng.uniform(-0.1 * side, side - 0.7 * height), rng.uniform(-0.1 * side, side - 0.7 * width)
        down, right = (rows - top) / height * 2 - 1, (columns - left) / width * 2 - 1
        hole = down**2 + right**2 < 1 if kind == "ellipse" else (abs(down) < 1) & (abs(right) < 1)
        if rng.random() < 0.1:
            hole = ~hole
    if not hole.any():
        hole[tuple(rng.integers(side, size=2))] = True
    return hole


def known_tokens(hole: np.ndarray | None, schedule: Schedule, rng: np.random.Generator) -> Tensor:
    """Which tokens of all scales are known, bool (L,), beside a hole of cells, bool (s_K, s_K); None: all is a hole.

    Which tokens a hole frees follows one of several conventions; in some pictures single tokens inside it are known.
    """
    found, cover, strict = [], rng.choice(COVERS), int(rng.integers(STRICT))
    more = hole is None or rng.random() < MORE_KNOWN
    for scale, (side, length) in enumerate(zip(schedule.sides, schedule.lengths, strict=True)):
        if hole is None:
            known = torch.zeros(length, dtype=torch.bool)
        else:
            weights = averaging(len(hole), side)
            covered = (weights @ torch.from_numpy(hole).float() @ weights.T).flatten()
            known = covered <= min((1.0 if scale < strict else cover) + 1e-6, 1 - 1e-5)  # as in `Plan.inpaint`
        if more and rng.random() < 0.7:
            known = known | torch.from_numpy(rng.random(length) < rng.random())
        found.append(known)
    return torch.cat(found)
