"""Reads scale by scale with the transformer: for a plain run, or with a cache that the next run takes up."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..nn.cache import KVCache, QueryCache
from ..nn.masked import MaskedVAR
from ..nn.transformer import VAR, Condition

ROUNDING = 1e-5  # by which what is shown differs, at most, between a run alone and the same run beside others


class CachedRun:
    """One run of the transformer over `labels` int64 (B,)."""

    def __init__(self, var: VAR, labels: Tensor):
        self.var, self.condition, self.cache = var, var.condition(labels), var.new_cache(len(labels), KVCache)

    def read(self, scale_input: Tensor, scale: int, codes: Tensor, known: Tensor) -> Tensor:  # noqa: ARG002
        """Return what the head reads at a scale, float32 (B, L_k, D); scale_input (b, L_k, C) serves B = n * b rows.

        `codes` (b, L_k, C) where `known` bool (b, L_k) are those of given tokens, which next-scale prediction does not
        see.
        """
        return _step(self.var, self.condition, scale_input, scale, self.cache)

    def keep_rows(self, rows: int) -> None:
        """Read on for the first `rows` of the batch alone."""
        self.condition, self.cache = self.condition.first(rows), self.cache.first(rows)


class MaskedRun:
    """One run of the masked path over `labels` int64 (B,), shown what is known of b pictures, B = n * b.

    features (b, C, s_K, s_K) are read where `known`, bool (b, s_K, s_K).
    """

    def __init__(self, masked: MaskedVAR, labels: Tensor, features: Tensor, known: Tensor):
        self.masked, self.condition, self.cache = (
            masked,
            masked.condition(labels),
            masked.new_cache(len(labels), KVCache),
        )
        around = masked.surroundings(features, known)
        masked.begin(self.condition, _repeated(around, len(labels)), self.cache)

    def read(self, scale_input: Tensor, scale: int, codes: Tensor, known: Tensor) -> Tensor:
        """Return what `CachedRun.read` does, having seen the given tokens of the scale."""
        rows = len(self.condition.start)
        scale_input, codes, known = (_repeated(part, rows) for part in (scale_input, codes, known))
        return self.masked.step_masked(self.condition, scale_input, codes, known, scale, self.cache)

    def keep_rows(self, rows: int) -> None:
        """Read on for the first `rows` of the batch alone."""
        self.condition, self.cache = self.condition.first(rows), self.cache.first(rows)


class PrefixCache:
    """Remembers for the next run keys, values, queries, and what the head read, of both branches of guidance.

    A scale that is shown what it was shown last time, after coarser scales for which the same holds, is not computed
    again. The cache belongs to one visitor, and one run at a time may use it; it does not keep the network alive.
    `decoded` maps a scale to the last f_hat (1, C, s_K, s_K) that was decoded there and to its picture, for whoever
    decodes.
    """

    def __init__(self) -> None:
        self._var: Callable[[], VAR | None] = lambda: None
        self._kv: QueryCache | None = None
        self._condition: Condition | None = None
        self.labels = torch.empty(0, dtype=torch.int64)
        self.shown: list[Tensor] = []  # scale_input (b, L_k, C) of each scale read so far
        self.hidden: list[Tensor] = []  # (B, L_k, D) each
        self.decoded: dict[int, tuple[Tensor, np.ndarray]] = {}
        self.reads = 0  # scales computed so far, not counting those remembered
        self.tolerance = 0.0  # by which what is shown may differ from what is remembered

    def begin(self, var: VAR, labels: Tensor) -> None:
        """Turn to a run over `labels` int64 (B,); what was of other labels, or another model, is forgotten."""
        known = self._var()
        if var is known and torch.equal(labels, self.labels):
            return
        if var is not known:
            self.decoded = {}
        self._var, self.labels, self.shown, self.hidden = weakref.ref(var), labels, [], []
        self._condition, self._kv = var.condition(labels), var.new_cache(len(labels), QueryCache)

    @property
    def condition(self) -> Condition:
        """The labels' contribution to the network."""
        assert self._condition is not None, "nothing has begun"
        return self._condition

    @property
    def kv(self) -> QueryCache:
        """Keys, values and queries of the tokens so far."""
        assert self._kv is not None, "nothing has begun"
        return self._kv

    @property
    def var(self) -> VAR:
        """The network of the run."""
        var = self._var()
        assert var is not None, "nothing has begun, or the network is gone"
        return var

    def keep_rows(self, rows: int) -> None:
        """Do nothing: whoever looks inside wants to see both branches at every scale."""

    def read(self, scale_input: Tensor, scale: int, codes: Tensor, known: Tensor) -> Tensor:  # noqa: ARG002
        """Return what `CachedRun.read` does, remembered where it can be."""
        if scale < len(self.shown) and self._knows(scale_input, scale):
            return self.hidden[scale]
        del self.shown[scale:], self.hidden[scale:]
        hidden = _step(self.var, self.condition, scale_input, scale, self.kv)
        self.shown.append(scale_input)
        self.hidden.append(hidden)
        self.reads += 1
        return hidden

    @property
    def nbytes(self) -> int:
        """Bytes of what it holds, but for the pictures in `decoded`."""
        tensors = [*self.shown, *self.hidden] + ([self._kv.store, self._kv.queries] if self._kv else [])
        return sum(tensor.nbytes for tensor in tensors)

    def _knows(self, scale_input: Tensor, scale: int) -> bool:
        return torch.allclose(self.shown[scale], scale_input, rtol=self.tolerance, atol=self.tolerance)

    @torch.inference_mode()
    def spread(self, count: int, scales: int) -> PrefixCache:
        """Make a cache of the first `scales` scales for `count` runs side by side that begin like this one.

        What they are shown may differ by `ROUNDING`, since sums round otherwise in another batch.
        """
        many, var = PrefixCache(), self._var()
        if var is None:  # nothing was read yet, or the network is gone
            return many
        many.begin(var, self.labels.repeat_interleave(count))
        many.tolerance = ROUNDING
        many.shown = [shown.repeat_interleave(count, 0) for shown in self.shown[:scales]]
        many.hidden = [hidden.repeat_interleave(count, 0) for hidden in self.hidden[:scales]]
        end = sum(shown.shape[1] for shown in many.shown)
        for ours, theirs in ((self.kv.store, many.kv.store), (self.kv.queries, many.kv.queries)):
            rows = ours.ndim - 4  # the dimension of the runs
            theirs[..., :end, :].unflatten(rows, (-1, count)).copy_(ours[..., :end, :].unsqueeze(rows + 1))
        return many


def _step(var: VAR, condition: Condition, scale_input: Tensor, scale: int, cache: KVCache) -> Tensor:
    """Take one step of the network, each row of scale_input serving several rows of the condition."""
    return var.step(condition, _repeated(scale_input, len(condition.start)), scale, cache)


def _repeated(values: Tensor, rows: int) -> Tensor:
    """Values (b, ...) for as many rows, a multiple of b: all of them, then all again."""
    return values.repeat(rows // len(values), *(1,) * (values.ndim - 1))
