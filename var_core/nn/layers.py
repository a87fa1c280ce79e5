"""Blocks without policy: the tokenizer's convolution blocks, AdaLN transformer blocks."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cache import KVCache
from .linear import Linear


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU, 3x3 convolution, twice, beside a shortcut; (B, in, h, w) -> (B, out, h, w)."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(hidden)))


class SpatialAttention(nn.Module):
    """One-head attention among all positions of a feature map; (B, c, h, w) -> the same shape."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=-1)  # each (B, h*w, c)
        mixed = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]  # (B, h*w, c)
        return x + self.project(mixed.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Module):
    """Halve the side: pad right and bottom by one, then a stride-2 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double the side: nearest neighbour, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Attention(nn.Module):
    """Self-attention on L2-normalised queries and keys with a learned log-scale per head; keys have no bias."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.log_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(4.0)))
        self.project = Linear(width, width)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, n, D) -> scaled queries, keys, values, each (B, H, n, D/H)."""
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        qkv = self.qkv(x, bias).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scale = self.log_scale.clamp_max(math.log(100.0)).exp()
        lengths = torch.linalg.vector_norm(qkv[:2], dim=-1, keepdim=True).clamp_min(1e-12)
        q, k = qkv[:2] * (torch.stack((scale, torch.ones_like(scale)))[:, None] / lengths)
        return q, k, qkv[2]

    def mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend and project; q (B, H, n, D/H), k and v (B, H, m, D/H), mask bool (n, m) -> (B, n, D)."""
        if mask is not None and q.requires_grad and q.device.type == "cpu":
            mixed = masked_attention(q, k.to(q), v.to(q), mask, scale=1.0)
        else:
            mixed = F.scaled_dot_product_attention(q, k.to(q), v.to(q), mask, scale=1.0)
        return self.project(mixed.transpose(1, 2).flatten(2))


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Do what `F.scaled_dot_product_attention` does in plain products: on a CPU the gradients of those are faster."""
    scores = (q @ k.transpose(-1, -2)).float() * scale  # (B, H, n, m)
    return scores.masked_fill(~mask, -math.inf).softmax(-1).to(v) @ v


class FeedForward(nn.Module):
    """Linear, GELU (tanh form), Linear."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    """Transformer block whose gains, scales and shifts come from the class (AdaLN).

    `modulation` (B, 6, D) holds, in this order: gamma1, gamma2, scale1, scale2, shift1, shift2;
    x + gamma * f(LayerNorm(x) * (1 + scale) + shift), first for attention, then for the feed-forward layer.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int):
        super().__init__()
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, mlp_ratio * width)

    def attention_input(self, x: Tensor, modulation: Tensor) -> Tensor:
        return modulate(x, modulation[:, 2:3], modulation[:, 4:5])

    def forward(self, x: Tensor, modulation: Tensor, mask: Tensor) -> Tensor:
        """All scales at once, x (B, L, D), under the block-causal mask (L, L)."""
        q, k, v = self.attention.queries_keys_values(self.attention_input(x, modulation))
        return self.after_attention(x, self.attention.mix(q, k, v, mask), modulation)

    def step(self, x: Tensor, modulation: Tensor, cache: KVCache, block: int, start: int) -> Tensor:
        """One scale, x (B, L_k, D), which sees what the cache holds and itself."""
        q, k, v = self.attention.queries_keys_values(self.attention_input(x, modulation))
        keys, values = cache.extend(block, start, q, k, v)
        return self.after_attention(x, self.attention.mix(q, keys, values), modulation)

    def after_attention(self, x: Tensor, attended: Tensor, modulation: Tensor) -> Tensor:
        middle = torch.addcmul(x, modulation[:, 0:1], attended)
        fed = self.feed_forward(modulate(middle, modulation[:, 3:4], modulation[:, 5:6]))
        return torch.addcmul(middle, modulation[:, 1:2], fed)


def compile_block(block: Block) -> None:
    """Let torch.compile fuse what surrounds a block's products, with one graph for all scales but the first.

    Of use where weights are as they were made: on a GPU, where most of a step's time goes into starting kernels. Needs
    what torch.compile needs (a C++ compiler; on a GPU Triton), and takes up to a minute at the first picture.
    """
    attention = block.attention
    for owner, name in ((attention, "queries_keys_values"), (block, "after_attention")):
        setattr(owner, name, torch.compile(getattr(owner, name), dynamic=True))


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """LayerNorm(x) * (1 + scale) + shift; x (B, n, D), scale and shift (B, 1, D)."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)
