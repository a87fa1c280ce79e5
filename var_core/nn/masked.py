"""The masked path: a transformer that predicts a map while parts of it, and of the picture, are known."""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import TransformerConfig
from .cache import KVCache
from .layers import Block
from .linear import Linear
from .transformer import VAR, C, Condition

PATCH = 2  # cells of the finest map along the side of a token of the surroundings


class MaskedVAR(VAR):
    """A `VAR` that also sees known tokens of the scale that it predicts, and the known surroundings of a hole.

    Two inputs are added to next-scale prediction. At each place of a scale: the code of a token that is known, or a
    learned vector that says "not known" (masked prediction within a scale, as in HMAR, Kumbong et al. 2025). Before
    all scales: one token for every 2 x 2 cells of the picture's features, zeros where the picture is not known; every
    scale attends to these.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        side = self.schedule.sides[-1]
        if self.schedule.by_cell or side % PATCH:
            raise ValueError(f"sides {config.sides}, order {config.order}: choose scales, the last with an even side.")
        self.context = (side // PATCH) ** 2  # tokens of the surroundings
        self.known_embedding = Linear(config.code_width, config.width)
        self.unknown = nn.Parameter(torch.zeros(config.width))
        self.context_embedding = Linear(PATCH**2 * (config.code_width + 1), config.width)
        self.context_position = nn.Parameter(torch.zeros(1, self.context, config.width))

    def surroundings(self, features: Tensor, known: Tensor) -> Tensor:
        """Return what is known of pictures, as `read_masked` and `begin` take it: (B, N, 4 * (C + 1)).

        features (B, C, s_K, s_K), known bool (B, s_K, s_K); features where nothing is known are not read.
        """
        seen = known[:, None].to(features)
        whole = torch.cat((features.masked_fill(~known[:, None], 0.0), seen), 1)
        return F.pixel_unshuffle(whole, PATCH).flatten(2).transpose(1, 2)

    def new_cache(self, batch: int, kind: type[C] = KVCache) -> C:  # type: ignore[assignment]
        config = self.config
        length = self.context + self.schedule.total
        return kind(config.depth, batch, config.heads, length, config.width // config.heads, like=self.context_position)

    def read_masked(
        self, condition: Condition, surroundings: Tensor, teacher_input: Tensor, codes: Tensor, known: Tensor
    ) -> Tensor:
        """Return what the head reads at all places of all scales, float32 (B, L, D).

        surroundings (B, N, 4 * (C + 1)), teacher_input (B, L - L_0, C), codes (B, L, C) of the tokens where `known`,
        bool (B, L), is True; other codes are not read.
        """
        x = torch.cat((self._first(condition), self.code_embedding(teacher_input)), dim=1)
        x = x + self._everywhere() + torch.where(known[..., None], self.known_embedding(codes), self.unknown)
        x = torch.cat((self._around(surroundings), x), dim=1)
        length, mask = self.context, self.schedule.mask().to(x.device)
        whole = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        whole[:length, length:] = False
        whole[length:, length:] = mask
        with self._products():
            for block, modulation in zip(self.blocks, condition.blocks, strict=True):
                x = block(x, modulation, whole)
        return self._hidden(x[:, length:], condition)

    def begin(self, condition: Condition, surroundings: Tensor, cache: KVCache) -> None:
        """Read the surroundings (B, N, 4 * (C + 1)) into a cache, before the first scale."""
        x = self._around(surroundings)
        blocks = cast(Iterable[Block], self.blocks)
        with self._products():
            for number, (block, modulation) in enumerate(zip(blocks, condition.blocks, strict=True)):
                x = block.step(x, modulation, cache, number, 0)

    def step_masked(
        self, condition: Condition, scale_input: Tensor, codes: Tensor, known: Tensor, scale: int, cache: KVCache
    ) -> Tensor:
        """Return what the head reads at one scale, float32 (B, L_k, D); `codes` (B, L_k, C) count where `known`.

        As `step`. A scale that is asked for again replaces what the cache holds of it.
        """
        span = self.schedule.spans[scale]
        here = self.position_embedding[:, span] + self.level_embedding.weight[scale]
        x = (self._first(condition) if scale == 0 else self.code_embedding(scale_input)) + here
        x = x + torch.where(known[..., None], self.known_embedding(codes), self.unknown)
        blocks = cast(Iterable[Block], self.blocks)
        with self._products():
            for number, (block, modulation) in enumerate(zip(blocks, condition.blocks, strict=True)):
                x = block.step(x, modulation, cache, number, self.context + span.start)
        return self._hidden(x, condition)

    def _around(self, surroundings: Tensor) -> Tensor:
        return self.context_embedding(surroundings) + self.context_position


@torch.no_grad()
def masked_from(start: VAR) -> MaskedVAR:
    """A masked path with the weights of another, or of a transformer and small random ones for what it is shown."""
    made = MaskedVAR(start.config)
    for layer in (made.known_embedding, made.context_embedding):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    nn.init.trunc_normal_(made.context_position, std=start.config.width**-0.5 / 3**0.5)
    made.load_state_dict(start.state_dict(), strict=False)
    return made
