"""Which tokens are given and which are free, at each scale: a task is a value."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """K maps of tokens (B, L_k) int64, and of `keep` (B, L_k) bool: True = given. Other tokens are not read."""

    tokens: tuple[Tensor, ...]
    keep: tuple[Tensor, ...]

    def __post_init__(self):
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "keep", tuple(self.keep))
        shapes, others = [t.shape for t in self.tokens], [t.shape for t in self.keep]
        if shapes != others:
            raise ValueError(f"plan with tokens of shapes {shapes} but keep of shapes {others}: they must be equal.")

    @property
    def batch(self) -> int:
        return len(self.tokens[0])

    def to(self, device: torch.device) -> Plan:
        """The same plan on a device."""
        return Plan([t.to(device) for t in self.tokens], [k.to(device) for k in self.keep])

    @classmethod
    def free(cls, schedule: Schedule, batch: int) -> Plan:
        """Nothing is given: generation."""
        tokens = [torch.zeros((batch, length), dtype=torch.int64) for length in schedule.lengths]
        return cls(tokens, [torch.zeros_like(t, dtype=torch.bool) for t in tokens])

    @classmethod
    def resume(cls, tokens: list[Tensor], scale: int) -> Plan:
        """Keep the scales before `scale`, draw from there on; `len(tokens)` keeps all: reconstruction."""
        if not 0 <= scale <= len(tokens):
            raise ValueError(f"resume at scale {scale}: choose 0 (draw all) to {len(tokens)} (keep all).")
        return cls(tokens, [torch.full_like(t, k < scale, dtype=torch.bool) for k, t in enumerate(tokens)])

    def replace(self, scale: int, positions: Tensor, values: Tensor) -> Plan:
        """This plan with the tokens of one scale at `positions` (n,) given as `values` (n,) in every picture."""
        if not 0 <= scale < len(self.tokens):
            raise ValueError(f"scale {scale}: choose 0 to {len(self.tokens) - 1}.")
        tokens, keep = self.tokens[scale].clone(), self.keep[scale].clone()
        if len(positions) and not 0 <= int(positions.min()) <= int(positions.max()) < tokens.shape[1]:
            raise ValueError(f"positions {positions.tolist()}: scale {scale} has 0 to {tokens.shape[1] - 1}.")
        tokens[:, positions], keep[:, positions] = values, True
        return Plan(_with(self.tokens, scale, tokens), _with(self.keep, scale, keep))


def _with(values: tuple[Tensor, ...], place: int, value: Tensor) -> tuple[Tensor, ...]:
    return (*values[:place], value, *values[place + 1 :])
