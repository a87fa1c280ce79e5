"""The VAR transformer: all scales at once for training, one scale at a time for drawing.

A schedule of cells makes of it, with no other change, a transformer that predicts one token after the other.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import TransformerConfig
from ..schedule import Schedule
from .cache import KVCache
from .layers import Block, modulate
from .linear import Linear

PARTS = {  # what a transformer can be trained without -> its weights
    "positions": ("position_embedding",),
    "levels": ("level_embedding.weight",),
    "class-adaln": ("shared_modulation.weight", "block_modulations.*.weight", "head_modulation.weight"),
}


C = TypeVar("C", bound=KVCache)


@dataclass(frozen=True)
class Condition:
    """Contribution of a class to the network; the same for every scale, so computed once a picture."""

    start: Tensor  # (B, D)
    blocks: tuple[Tensor, ...]  # depth times (B, 6, D)
    head: Tensor  # (B, 2, D)

    def first(self, rows: int) -> "Condition":
        """The part of the first `rows` of the batch."""
        return Condition(self.start[:rows], tuple(block[:rows] for block in self.blocks), self.head[:rows])


class VAR(nn.Module):
    """Next-scale prediction (Tian et al. 2024, section 3). Labels are class ids; `config.null_label` is "no class"."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.schedule = Schedule.of(config)
        width = config.width
        self.class_embedding = embedding(config.classes + 1, width)
        self.start = nn.Parameter(torch.empty(1, self.schedule.lengths[0], width))
        self.position_embedding = nn.Parameter(torch.empty(1, self.schedule.total, width))
        self.level_embedding = embedding(len(self.schedule), width)
        self.code_embedding = Linear(config.code_width, width)
        self.block_modulations: nn.Parameter | nn.ModuleList
        if config.shared_adaln:
            self.shared_modulation = Linear(width, 6 * width)
            self.block_modulations = nn.Parameter(torch.empty(config.depth, 1, 6, width))
        else:
            self.block_modulations = nn.ModuleList(Linear(width, 6 * width) for _ in range(config.depth))
        self.blocks = nn.ModuleList(Block(width, config.heads, config.mlp_ratio) for _ in range(config.depth))
        self.head_modulation = Linear(width, 2 * width)
        self.head = Linear(width, config.vocabulary)

    def condition(self, labels: Tensor) -> Condition:
        """Modulations of every block for labels, int64 (B,)."""
        start = self.class_embedding(labels)
        active = F.silu(start)
        with self._products():
            if isinstance(self.block_modulations, nn.Parameter):
                shared = self.shared_modulation(active).unflatten(-1, (6, -1))
                blocks = tuple(own + shared for own in self.block_modulations)
            else:
                blocks = tuple(layer(active).unflatten(-1, (6, -1)) for layer in self.block_modulations)
            return Condition(start, blocks, self.head_modulation(active).unflatten(-1, (2, -1)))

    def new_cache(self, batch: int, kind: type[C] = KVCache) -> C:  # type: ignore[assignment]
        """An empty cache for a run of `batch` rows; pass it to every step of that run and to no other."""
        config, length = self.config, self.schedule.total
        width = config.width // config.heads
        return kind(config.depth, batch, config.heads, length, width, like=self.position_embedding)

    def forward(self, labels: Tensor, teacher_input: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits (B, L, V) of all scales given the coarser ones; labels (B,), teacher_input (B, L - L_0, C).

        With `positions`, int64 (n,) ascending, as if only those tokens of the sequence existed: logits (B, n, V). Under
        autocast the head's products are of its type, too, as in the authors' training.
        """
        condition = self.condition(labels)
        return self.head(self.read(condition, teacher_input, positions)).float()

    def read(self, condition: Condition, teacher_input: Tensor, positions: Tensor | None = None) -> Tensor:
        """Do as `forward`, but return what the head reads instead of logits: float32 (B, L, D), or (B, n, D).

        teacher_input may stop short of the last scales, which then do not exist.
        """
        x = torch.cat((self._first(condition), self.code_embedding(teacher_input)), dim=1)
        length = x.shape[1]
        x, mask = x + self._everywhere()[:, :length], self.schedule.mask()[:length, :length].to(x.device)
        if positions is not None:
            x, mask = x[:, positions], mask[positions][:, positions]
        with self._products():
            for block, modulation in zip(self.blocks, condition.blocks, strict=True):
                x = block(x, modulation, mask)
        return self._hidden(x, condition)

    def step(self, condition: Condition, scale_input: Tensor, scale: int, cache: KVCache) -> Tensor:
        """Return what the head reads at one scale, float32 (B, L_k, D): `logits` makes logits of it.

        scale_input (B, L_k, C) is `Quantizer.next_input`, unread at scale 0. Scales must come in order, each once per
        cache.
        """
        span = self.schedule.spans[scale]
        here = self.position_embedding[:, span] + self.level_embedding.weight[scale]  # (1, L_k, D)
        x = (self._first(condition) if scale == 0 else self.code_embedding(scale_input)) + here
        with self._products():
            blocks = cast(Iterable[Block], self.blocks)
            for number, (block, modulation) in enumerate(zip(blocks, condition.blocks, strict=True)):
                x = block.step(x, modulation, cache, number, span.start)
        return self._hidden(x, condition)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits, float32 (B, n, V), for what the head reads, float32 (B, n, D)."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(hidden)

    def _products(self) -> AbstractContextManager[torch.autocast | None]:
        """Blocks loaded in float16 or bfloat16 multiply in it; what runs from block to block stays float32."""
        bias = cast(Block, self.blocks[0]).feed_forward.fc1.bias
        return nullcontext() if bias.dtype == torch.float32 else torch.autocast(bias.device.type, bias.dtype)

    def _first(self, condition: Condition) -> Tensor:
        return condition.start[:, None] + self.start  # (B, L_0, D)

    def _everywhere(self) -> Tensor:
        levels = self.schedule.levels().to(self.position_embedding.device)
        return self.position_embedding + self.level_embedding(levels)  # (1, L, D)

    def _hidden(self, x: Tensor, condition: Condition) -> Tensor:
        scale, shift = condition.head.float().split(1, dim=1)  # each (B, 1, D)
        return modulate(x.float(), scale, shift)


def embedding(count: int, width: int) -> nn.Embedding:
    """An embedding that waits for its weights: to draw normal numbers on the meta device takes seconds of imports."""
    return nn.Embedding(count, width, _weight=torch.empty(count, width))


@torch.no_grad()
def initialise(model: VAR) -> VAR:
    """Starting weights for training: blocks begin close to the identity, so depth costs no stability.

    With gains of 1 from the start the first block drowns what the tokens say, and wide networks learn slowly.
    """
    width, depth = model.config.width, model.config.depth
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.trunc_normal_(module.weight, std=width**-0.5 / 3**0.5)
    for block in cast(Iterable[Block], model.blocks):
        for layer in (block.attention.project, block.feed_forward.fc2):
            layer.weight.div_((2 * depth) ** 0.5)
    for embedding in (model.start, model.position_embedding):
        nn.init.trunc_normal_(embedding, std=width**-0.5 / 3**0.5)
    model.head.weight.mul_(0.02)
    model.head_modulation.weight.mul_(0.5)
    if isinstance(model.block_modulations, nn.Parameter):
        nn.init.trunc_normal_(model.block_modulations, std=width**-0.5)
        model.block_modulations[:, :, 2:].mul_(0.5)
        model.block_modulations[:, :, :2].mul_(1e-5)
    else:
        for layer in cast(Iterable[Linear], model.block_modulations):
            layer.weight[2 * width :].mul_(0.5)
            layer.weight[: 2 * width].mul_(1e-5)
    return model


@torch.no_grad()
def randomise(model: VAR) -> VAR:
    """Random weights under which all blocks act, as they do after training: for measuring and trying things out."""
    initialise(model)
    if isinstance(model.block_modulations, nn.Parameter):
        model.block_modulations[:, :, :2].fill_(1.0)
    else:
        for layer in cast(Iterable[Linear], model.block_modulations):
            layer.bias[: 2 * model.config.width].fill_(1.0)
    return model


def leave_out(model: VAR, names: Iterable[str]) -> None:
    """Train a network without some of `PARTS`: their weights are zero and stay so.

    Without "class-adaln" gains, scales and shifts are the same for every class, which is then told by the first token
    alone.
    """
    patterns = [pattern for name in names for pattern in PARTS[name]]
    for name, parameter in model.named_parameters():
        if any(fnmatch(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False).zero_()
