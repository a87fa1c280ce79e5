"""Which tokens are drawn at each step, where they lie in the sequence and in the picture, and who may look at whom."""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import torch
from torch import Tensor

from .config import SCALES, TokenizerConfig, TransformerConfig


@dataclass(frozen=True)
class Schedule:
    """The sides s_k of the token maps (the paper calls them `patch_nums`), coarse to fine; a step draws a whole map.

    In any other `order` than "scales" there is one map, and a step draws one cell of it: K = s * s "scales" of one
    token each.
    """

    sides: tuple[int, ...]
    order: str = SCALES

    @classmethod
    def of(cls, config: TokenizerConfig | TransformerConfig) -> "Schedule":
        """Return the schedule of a network."""
        return cls(config.sides, config.order)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def by_cell(self) -> bool:
        """Say whether a step is a cell, not a map."""
        return self.order != SCALES

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """L_k, the number of tokens of each step: s_k^2, or 1."""
        return (1,) * self.sides[0] ** 2 if self.by_cell else tuple(side * side for side in self.sides)

    @cached_property
    def total(self) -> int:
        """L, the number of tokens of all steps."""
        return sum(self.lengths)

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """Return where each step's tokens stand in the sequence of all L."""
        ends = list(accumulate(self.lengths))
        return tuple(slice(end - length, end) for end, length in zip(ends, self.lengths, strict=True))

    @cached_property
    def cells(self) -> tuple[int, ...]:
        """Return the cell of each of the L tokens: all maps row by row, one map after the other, count 0 to L - 1."""
        return PATHS[self.order](self.sides[0]) if self.by_cell else tuple(range(self.total))

    def levels(self) -> Tensor:
        """The step that each of the L tokens belongs to, int64 (L,)."""
        return torch.repeat_interleave(torch.arange(len(self)), torch.tensor(self.lengths))

    def mask(self) -> Tensor:
        """Block-causal mask, bool (L, L), True where row may attend to column: its own step and all before it."""
        levels = self.levels()
        return levels[:, None] >= levels[None, :]

    def ratio(self, scale: int) -> float:
        """k / (K - 1): 0 at the coarsest scale, 1 at the finest (for a schedule of one scale, and at every cell)."""
        return scale / (len(self) - 1) if len(self) > 1 and not self.by_cell else 1.0

    def split(self, sequence: Tensor) -> list[Tensor]:
        """A sequence (B, L, ...) as K pieces (B, L_k, ...)."""
        return list(sequence.split(self.lengths, dim=1))

    def maps(self, sequence: Tensor) -> list[Tensor]:
        """A sequence (B, L, ...) as one piece (B, s * s, ...) for each token map, in the order of the steps."""
        return list(sequence.split([side * side for side in self.sides], dim=1))

    def visit(self, cells: Tensor) -> list[Tensor]:
        """Split what is said of every cell (B, L, ...), see `cells`, into K pieces (B, L_k, ...) for the steps."""
        return self.split(cells[:, list(self.cells)])


def raster(side: int) -> tuple[int, ...]:
    """Row by row from the top, each from the left."""
    return tuple(range(side * side))


def spiral(side: int) -> tuple[int, ...]:
    """Return the cells from the top left corner clockwise around the edge, and on inwards to the middle."""
    rows = [tuple(range(row * side, (row + 1) * side)) for row in range(side)]
    path: list[int] = []
    while rows:
        path += rows[0]
        rows = list(zip(*rows[1:], strict=True))[::-1]  # what is left, turned so that the next edge is on top
    return tuple(path)


def z_curve(side: int) -> tuple[int, ...]:
    """Quarter after quarter, each visited likewise (Morton 1966); the side is a power of two."""
    places = [(0, 0)]
    for half in (2**power for power in range(side.bit_length() - 1)):
        corners = [(down, right) for down in (0, half) for right in (0, half)]
        places = [(down + row, right + column) for down, right in corners for row, column in places]
    return tuple(row * side + column for row, column in places)


PATHS = {"raster": raster, "spiral": spiral, "z-curve": z_curve}  # order -> cells of a map of a side, as visited


@cache
def averaging(full: int, side: int) -> Tensor:
    """Weights (side, full) of area resizing along one axis. Not every device has it for sides that do not divide."""
    with torch.inference_mode(False):  # kept for later calls, also for those that train
        weights = torch.zeros(side, full)
        for row in range(side):
            first, last = row * full // side, -(-(row + 1) * full // side)
            weights[row, first:last] = 1 / (last - first)
    return weights
