"""Blocks without policy: the tokenizer's convolution blocks, AdaLN transformer blocks, a cache of keys and values."""

import copy
import math
import mmap
import platform
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
    """One-head attention among all places of a feature map; (B, c, h, w) -> the same shape."""

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


class Packed:
    """Products (..., in) -> (..., out) with a float32 weight (out, in) laid out for oneDNN on an x86 CPU.

    How much is gained depends on the CPU: on some by AMD they took 0.15 to 0.45 of the time, on others 0.75.
    """

    def __init__(self, weight: Tensor):
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)

    def __call__(self, x: Tensor, shift: Tensor | None) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, shift, "none", [], "")


class Int8:
    """Products (..., in) -> (..., out) of 8-bit numbers: a weight (out, in) rounded with one scale for each output.

    Each row of the input is rounded by its own largest value, so that no picture depends on its batch-mates. Where the
    CPU adds two 8-bit products in 16 bits (no VNNI), rows are rounded to 7 bits, since the sums would overflow.
    """

    def __init__(self, weight: Tensor):
        self.scale = weight.detach().abs().amax(1).clamp_min(1e-12) / 127  # (out,)
        rounded = (weight.detach() / self.scale[:, None]).round().to(torch.int8)
        self.weight = torch.ops.onednn.qlinear_prepack(rounded, None)
        self.zeros = torch.zeros_like(self.scale, dtype=torch.int64)
        self.levels = 127 if torch.cpu._is_vnni_supported() else 63

    def __call__(self, x: Tensor, shift: Tensor | None) -> Tensor:
        rows = x.flatten(0, -2)
        largest = torch.linalg.vector_norm(rows, math.inf, dim=-1, keepdim=True).clamp_min(1e-12)
        step, middle = 1 / self.levels, self.levels + 1
        rounded = (rows * (self.levels / largest)).round_().add_(middle).to(torch.uint8)
        product = torch.ops.onednn.qlinear_pointwise(
            rounded, step, middle, self.weight, self.scale, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        scaled = product * largest if shift is None else torch.addcmul(shift, product, largest)
        return scaled.view(*x.shape[:-1], -1)


class Linear(nn.Linear):
    """A linear layer, (..., in) -> (..., out), whose weight can be laid out for faster products on a CPU.

    `file` is set where the weight lies in a mapped file and is seldom used: its pages leave the memory after each use.
    """

    product: Packed | Int8 | None = None
    file: mmap.mmap | None = None

    def lay_out(self, kind: Callable[[Tensor], Packed | Int8]) -> None:
        """Put another form in the weight's place: from then on it can be neither trained nor saved."""
        self.product = kind(self.weight)
        self.weight = None

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias` (out,) is for a layer that has none of its own."""
        shift = self.bias if bias is None else bias
        if self.product is not None:
            return self.product(x, shift)
        multiplied = F.linear(x, self.weight, shift)
        if self.file is not None:
            self.file.madvise(mmap.MADV_DONTNEED)
        return multiplied


def pack(module: nn.Module) -> None:
    """Lay out all linear layers of a network that are float32 on an x86 CPU, but for those left in a file."""
    if torch.backends.mkldnn.is_available() and platform.machine().lower() in ("x86_64", "amd64"):
        for layer in _as_made(module):
            if layer.weight.dtype == torch.float32:
                layer.lay_out(Packed)


def to_int8(module: nn.Module) -> None:
    """Round all linear layers of a network on the CPU to 8 bits; ValueError where the CPU, or torch, cannot."""
    if not hasattr(torch.ops.onednn, "qlinear_prepack") or platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError("int8 needs an x86 CPU: choose dtype auto or float32.")
    for layer in _as_made(module):
        layer.lay_out(Int8)


def _as_made(module: nn.Module) -> list[Linear]:
    """The linear layers of a network whose weights lie in memory in plain form."""
    linear = [layer for layer in module.modules() if isinstance(layer, Linear)]
    return [layer for layer in linear if layer.product is None and layer.file is None]


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
        learning = mask is not None and q.requires_grad and q.device.type == "cpu"
        mixed = (masked_attention if learning else F.scaled_dot_product_attention)(q, k.to(q), v.to(q), mask, scale=1.0)
        return self.project(mixed.transpose(1, 2).flatten(2))


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float) -> Tensor:
    """As `F.scaled_dot_product_attention`, in plain products: on a CPU the gradients of those are faster."""
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
    attention.queries_keys_values = torch.compile(attention.queries_keys_values, dynamic=True)
    block.after_attention = torch.compile(block.after_attention, dynamic=True)


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """LayerNorm(x) * (1 + scale) + shift; x (B, n, D), scale and shift (B, 1, D)."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)
