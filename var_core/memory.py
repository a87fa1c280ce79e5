"""Reading scale by scale with the transformer: for a plain run, or with a memory that the next run takes up."""

from __future__ import annotations

import torch
from torch import Tensor

from .layers import KVCache, QueryCache
from .transformer import VAR, Condition

ROUNDING = 1e-5  # by which what is shown differs, at most, between a run alone and the same run beside others


class Reader:
    """One run of the transformer over `labels` int64 (B,)."""

    def __init__(self, var: VAR, labels: Tensor):
        self.var, self.condition, self.cache = var, var.condition(labels), var.new_cache(len(labels))

    def read(self, scale_input: Tensor, scale: int) -> Tensor:
        """What the head reads at a scale, float32 (B, L_k, D); scale_input (b, L_k, C) serves all of B = n * b rows."""
        return _step(self.var, self.condition, scale_input, scale, self.cache)


class Memory:
    """What a run leaves to the next one: keys, values, queries, and what the head read, of both branches of guidance.

    A scale that is shown what it was shown last time, after coarser scales for which the same holds, is not computed
    again. The memory belongs to one visitor, and one run at a time may use it. `decoded` maps a scale to the last f_hat
    (1, C, s_K, s_K) that was decoded there and to its picture, for whoever decodes.
    """

    def __init__(self):
        self.var: VAR | None = None
        self.labels = torch.empty(0, dtype=torch.int64)
        self.shown: list[Tensor] = []  # scale_input (b, L_k, C) of each scale read so far
        self.hidden: list[Tensor] = []  # (B, L_k, D) each
        self.decoded: dict[int, tuple[Tensor, object]] = {}
        self.reads = 0  # scales computed so far, not counting those remembered
        self.tolerance = 0.0  # by which what is shown may differ from what is remembered

    def begin(self, var: VAR, labels: Tensor) -> None:
        """Turn to a run over `labels` int64 (B,); what was of other labels, or another model, is forgotten."""
        if var is self.var and torch.equal(labels, self.labels):
            return
        if var is not self.var:
            self.decoded = {}
        self.var, self.labels, self.shown, self.hidden = var, labels, [], []
        self.condition, self.cache = var.condition(labels), var.new_cache(len(labels), QueryCache)

    def read(self, scale_input: Tensor, scale: int) -> Tensor:
        """As `Reader.read`, remembered where it can be."""
        if scale < len(self.shown) and self._knows(scale_input, scale):
            return self.hidden[scale]
        del self.shown[scale:], self.hidden[scale:]
        hidden = _step(self.var, self.condition, scale_input, scale, self.cache)
        self.shown.append(scale_input)
        self.hidden.append(hidden)
        self.reads += 1
        return hidden

    def _knows(self, scale_input: Tensor, scale: int) -> bool:
        return torch.allclose(self.shown[scale], scale_input, rtol=self.tolerance, atol=self.tolerance)

    @torch.inference_mode()
    def spread(self, count: int, scales: int) -> Memory:
        """A memory of the first `scales` scales for `count` runs side by side that begin like this one.

        What they are shown may differ by `ROUNDING`, since sums round otherwise in another batch.
        """
        many = Memory()
        if self.var is None:  # nothing was read yet
            return many
        many.begin(self.var, self.labels.repeat_interleave(count))
        many.tolerance = ROUNDING
        many.shown = [shown.repeat_interleave(count, 0) for shown in self.shown[:scales]]
        many.hidden = [hidden.repeat_interleave(count, 0) for hidden in self.hidden[:scales]]
        end = sum(shown.shape[1] for shown in many.shown)
        many.cache.store[..., :end, :] = self.cache.store[..., :end, :].repeat_interleave(count, 2)
        many.cache.queries[..., :end, :] = self.cache.queries[..., :end, :].repeat_interleave(count, 1)
        return many


def _step(var: VAR, condition: Condition, scale_input: Tensor, scale: int, cache: KVCache) -> Tensor:
    rows = len(condition.start)
    return var.step(condition, scale_input.repeat(rows // len(scale_input), 1, 1), scale, cache)
