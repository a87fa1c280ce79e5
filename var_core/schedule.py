"""Where each scale lies in the sequence of tokens, and who may look at whom."""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """The sides s_k of the token maps (the paper calls them `patch_nums`), coarse to fine."""

    sides: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.sides)

    @property
    def lengths(self) -> tuple[int, ...]:
        """L_k = s_k^2, the number of tokens of each scale."""
        return tuple(side * side for side in self.sides)

    @property
    def total(self) -> int:
        """L, the number of tokens of all scales."""
        return sum(self.lengths)

    @property
    def spans(self) -> tuple[slice, ...]:
        """Where each scale's tokens stand in the sequence of all L."""
        ends = list(accumulate(self.lengths))
        return tuple(slice(end - length, end) for end, length in zip(ends, self.lengths, strict=True))

    def levels(self) -> Tensor:
        """The scale that each of the L tokens belongs to, int64 (L,)."""
        return torch.repeat_interleave(torch.arange(len(self)), torch.tensor(self.lengths))

    def mask(self) -> Tensor:
        """Block-causal mask, bool (L, L), True where row may attend to column: its own scale and all coarser ones."""
        levels = self.levels()
        return levels[:, None] >= levels[None, :]

    def ratio(self, scale: int) -> float:
        """k / (K - 1): 0 at the coarsest scale, 1 at the finest (and for a schedule of one scale)."""
        return scale / (len(self) - 1) if len(self) > 1 else 1.0

    def split(self, sequence: Tensor) -> list[Tensor]:
        """A sequence (B, L, ...) as K pieces (B, L_k, ...)."""
        return list(sequence.split(self.lengths, dim=1))


@cache
def averaging(full: int, side: int) -> Tensor:
    """Weights (side, full) of area resizing along one axis. Not every device has it for sides that do not divide."""
    with torch.inference_mode(False):  # kept for later calls, also for those that train
        weights = torch.zeros(side, full)
        for row in range(side):
            first, last = row * full // side, -(-(row + 1) * full // side)
            weights[row, first:last] = 1 / (last - first)
    return weights
