"""Linear layers, and how their weights can lie for faster products on a CPU: packed, in 8 bits, or in a mapped file."""

import math
import mmap
import platform
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
        self.weight = None  # type: ignore[assignment]

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
