"""Caches of the keys and values, and queries, of the tokens so far."""

import copy

from torch import Tensor


class KVCache:
    """Keys and values of the tokens so far, for every block; belongs to one run and is passed to each step."""

    def __init__(self, depth: int, batch: int, heads: int, length: int, head_width: int, like: Tensor):
        self.store = like.new_empty((depth, 2, batch, heads, length, head_width))

    def first(self, rows: int) -> "KVCache":
        """The part of the first `rows` of the batch; it shares their memory."""
        part = copy.copy(self)
        part.store = self.store[:, :, :rows]
        return part

    def extend(self, block: int, start: int, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Write k, v (B, H, n, D/H) of one block at `start`; returns all up to there, (B, H, start + n, D/H) each.

        Queries `q`, of the same shape, are let go.
        """
        end = start + k.shape[2]
        self.store[block, 0, :, :, start:end] = k
        self.store[block, 1, :, :, start:end] = v
        return self.store[block, 0, :, :, :end], self.store[block, 1, :, :, :end]

    @property
    def nbytes(self) -> int:
        return self.store.nbytes


class QueryCache(KVCache):
    """A cache that keeps the scaled queries too, (depth, B, H, L, D/H), for looking at the attention afterwards."""

    def __init__(self, depth: int, batch: int, heads: int, length: int, head_width: int, like: Tensor):
        super().__init__(depth, batch, heads, length, head_width, like)
        self.queries = like.new_empty((depth, batch, heads, length, head_width))

    def extend(self, block: int, start: int, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.queries[block, :, :, start : start + q.shape[2]] = q
        return super().extend(block, start, q, k, v)

    @property
    def keys(self) -> Tensor:
        """(depth, B, H, L, D/H)"""
        return self.store[:, 0]
