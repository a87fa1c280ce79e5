"""Says which tokens are given and which are free, at each scale: a task is a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ..schedule import Schedule, averaging

if TYPE_CHECKING:
    from ..nn.quantizer import Quantizer


UNLEANT = 3  # last scales, which hold texture: there nothing leans towards a source


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; nobody waits until it has arrived on a GPU."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Plan:
    """K maps of tokens (B, L_k) int64, and of `keep` (B, L_k) bool: True = given. Other tokens are not read.

    With a `target`, features f (B, C, s_K, s_K), given tokens follow it: at each scale they are quantized anew from
    what the run has left of it, so that they correct what drawn neighbours have spilt over them. `tokens` then only say
    what they would be if nothing were drawn.

    With `shown`, a model with a masked path draws seeing the given tokens of the scale that it draws, and where those
    of the last scale are given the picture that all `tokens` make; see `MaskedVAR`.

    With a `source`, features f (B, C, s_K, s_K) of what was there, free tokens lean towards it: at each scale the codes
    that would bring the run nearest to it gain `likeness` in their logits, less at finer scales and nothing at the last
    three (logit nudging, arXiv 2604.14591).
    """

    tokens: Sequence[Tensor]  # held as tuples
    keep: Sequence[Tensor]
    target: Tensor | None = None
    shown: bool = False
    source: Tensor | None = None
    likeness: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "keep", tuple(self.keep))
        shapes, others = [t.shape for t in self.tokens], [t.shape for t in self.keep]
        if shapes != others:
            raise ValueError(f"plan with tokens of shapes {shapes} but keep of shapes {others}: they must be equal.")

    def check(self, schedule: Schedule, vocabulary: int) -> None:
        """ValueError unless the maps are of a schedule's lengths, and the tokens that are read in the codebook."""
        if (found := [t.shape[1] for t in self.tokens]) != list(schedule.lengths):
            raise ValueError(f"a plan for {found} tokens, but this model has {list(schedule.lengths)}.")
        for scale, (tokens, keep) in enumerate(zip(self.tokens, self.keep, strict=True)):
            for token in tokens[(keep | self.shown) & ((tokens < 0) | (tokens >= vocabulary))].tolist():
                raise ValueError(
                    f"token {token} at scale {scale} is not in the codebook: choose 0 to {vocabulary - 1}."
                )

    @property
    def batch(self) -> int:
        return len(self.tokens[0])

    @property
    def kept(self) -> Tensor:
        """All of `keep` in one sequence, bool (B, L)."""
        return torch.cat(tuple(self.keep), 1)

    def to(self, device: torch.device) -> Plan:
        """Return the plan on a device."""
        return self._mapped(lambda each: moved(each, device))

    def part(self, rows: slice | list[int]) -> Plan:
        """Return the plan of some of its pictures, in this order."""
        return self._mapped(lambda each: each[rows])

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Plan:
        """Return the plan with all of its tensors changed."""
        target, source = (None if f is None else change(f) for f in (self.target, self.source))
        tokens, keep = (tuple(change(each) for each in maps) for maps in (self.tokens, self.keep))
        return replace(self, tokens=tokens, keep=keep, target=target, source=source)

    def given(self, quantizer: Quantizer, f_hat: Tensor, scale: int) -> Tensor:
        """Tokens (B, L_k) to use at a scale where `keep` says so; f_hat (B, C, s_K, s_K) of the coarser scales."""
        if self.target is None:
            return self.tokens[scale]
        return quantizer.nearest(quantizer.pool(self.target - f_hat, scale), scale)

    def leant(self, logits: Tensor, quantizer: Quantizer, f_hat: Tensor, scale: int, positions: Tensor) -> Tensor:
        """Logits (B, n, V) at `positions` (n,) of a scale, which lean towards the source if there is one."""
        scales = len(self.tokens)
        push = self.likeness * max(0.0, 1 - scale / max(1, scales - UNLEANT))
        if self.source is None or not push:
            return logits
        nearest = quantizer.nearest(quantizer.pool(self.source - f_hat, scale), scale)[:, positions]
        return logits.scatter_add(-1, nearest[..., None], torch.full_like(logits[..., :1], push))

    @classmethod
    def joined(cls, plans: Sequence[Plan]) -> Plan:
        """Plans of one schedule as one batch, in order.

        All must have a target, or none, and a source, or none; be shown, or none; and lean equally.
        """
        target = _joined("target", [plan.target for plan in plans])
        source = _joined("source", [plan.source for plan in plans])
        if len({plan.shown for plan in plans}) > 1:
            raise ValueError("Some of the plans are shown and some are not: join those that are alike.")
        if len({plan.likeness for plan in plans}) > 1:
            raise ValueError("The plans lean differently towards their sources: join those that are alike.")
        tokens = [torch.cat(maps) for maps in zip(*(plan.tokens for plan in plans), strict=True)]
        keep = [torch.cat(maps) for maps in zip(*(plan.keep for plan in plans), strict=True)]
        return cls(tokens, keep, target, plans[0].shown, source, plans[0].likeness)

    @classmethod
    def free(cls, schedule: Schedule, batch: int) -> Plan:
        """Nothing is given: generation."""
        tokens = [torch.zeros((batch, length), dtype=torch.int64) for length in schedule.lengths]
        return cls(tokens, [torch.zeros_like(t, dtype=torch.bool) for t in tokens])

    @classmethod
    def resume(cls, tokens: list[Tensor], scale: int) -> Plan:
        """Keep the scales before `scale`, draw from there on; `len(tokens)` keeps all: reconstruction."""
        if type(scale) is not int or not 0 <= scale <= len(tokens):
            raise ValueError(f"resume at scale {scale}: choose 0 (draw all) to {len(tokens)} (keep all).")
        return cls(tokens, [torch.full_like(t, k < scale, dtype=torch.bool) for k, t in enumerate(tokens)])

    @classmethod
    def resample(
        cls, tokens: list[Tensor], scale: int, positions: Tensor, later: Literal["free", "keep"] = "free"
    ) -> Plan:
        """Draw one scale's tokens at `positions` (n,) anew; later scales are drawn anew too ("free"), or kept."""
        if later not in ("free", "keep"):
            raise ValueError(f"later '{later}': choose free or keep.")
        _check(scale, positions, tokens)
        keep = [torch.full_like(t, k <= scale or later == "keep", dtype=torch.bool) for k, t in enumerate(tokens)]
        keep[scale][:, positions] = False
        return cls(tokens, keep)

    @classmethod
    def inpaint(
        cls,
        tokens: list[Tensor],
        coverage: Tensor,
        schedule: Schedule,
        *,
        min_coverage: float,
        first_free_scale: int,
        target: Tensor | None = None,
        shown: bool = False,
    ) -> Plan:
        """Draw what a mask covers, keep the rest of the tokens of a picture whose hole has been filled.

        `coverage` (S, S) in [0, 1] is the fraction of each pixel that is to be repainted; see `free_cells`.
        """
        freed = free_cells(coverage, schedule, min_coverage, first_free_scale)
        kept = ~freed[None].to(tokens[0].device)  # (1, L), cell by cell
        keep = [part.expand_as(given) for part, given in zip(schedule.visit(kept), tokens, strict=True)]
        return cls(tokens, keep, target, shown)

    def replace(self, scale: int, positions: Tensor, values: Tensor) -> Plan:
        """Return the plan with the tokens of one scale at `positions` (n,) given as `values` (n,) in every picture.

        A plan that followed a target keeps the tokens that it holds from then on.
        """
        _check(scale, positions, self.tokens)
        tokens, keep = self.tokens[scale].clone(), self.keep[scale].clone()
        tokens[:, positions], keep[:, positions] = values, True
        maps, kept = _with(self.tokens, scale, tokens), _with(self.keep, scale, keep)
        return replace(self, tokens=maps, keep=kept, target=None)


def free_cells(coverage: Tensor, schedule: Schedule, min_coverage: float, first_free_scale: int) -> Tensor:
    """Return which cells of all scales a mask frees, bool (L,), cell by cell, for `coverage` (S, S) of each pixel.

    A token is free if more than `min_coverage` of its cell is covered; before `first_free_scale` only if all of it is
    (where steps are cells, none is coarse, and this plays no part). Where a mask is too thin for that, the most covered
    cells of the finest scale are free, so that what is painted always changes.
    """
    if not (0 <= min_coverage <= 1 and 0 <= first_free_scale <= len(schedule)):
        raise ValueError(
            f"min_coverage {min_coverage}, first_free_scale {first_free_scale}: choose a coverage of 0 to 1 and a "
            f"scale of 0 to {len(schedule)}."
        )
    strict = 0 if schedule.by_cell else first_free_scale
    freed = []
    for scale, side in enumerate(schedule.sides):
        weights = averaging(len(coverage), side).to(coverage)
        fraction = (weights @ coverage @ weights.T).flatten()  # (side * side,)
        most = min_coverage if scale >= strict else 1.0
        free = fraction > min(most + 1e-6, 1 - 1e-5)  # rounding must not keep what is covered wholly
        if scale == len(schedule.sides) - 1 and not free.any():
            free = fraction > max(0.5 * float(fraction.max()), 1e-6)
        freed.append(free)
    return torch.cat(freed)


def _joined(name: str, features: Sequence[Tensor | None]) -> Tensor | None:
    """Join features of plans; ValueError if some have them and some have none."""
    found = [f for f in features if f is not None]
    if len(found) not in (0, len(features)):
        raise ValueError(f"{len(found)} of {len(features)} plans have a {name}: join those with and those without.")
    return torch.cat(found) if found else None


def _check(scale: int, positions: Tensor, tokens: Sequence[Tensor]) -> None:
    """ValueError unless a scale and positions (n,) in it are there."""
    if not 0 <= scale < len(tokens):
        raise ValueError(f"scale {scale}: choose 0 to {len(tokens) - 1}.")
    last = tokens[scale].shape[1] - 1
    if len(positions) and not 0 <= int(positions.min()) <= int(positions.max()) <= last:
        raise ValueError(f"positions {positions.tolist()}: scale {scale} has 0 to {last}.")


def _with(values: Sequence[Tensor], index: int, value: Tensor) -> tuple[Tensor, ...]:
    """Values with the one at an index exchanged."""
    return (*values[:index], value, *values[index + 1 :])
