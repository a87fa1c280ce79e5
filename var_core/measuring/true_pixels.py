"""Distance of what was drawn to what was truly there, as a frozen network sees both."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import to_float
from ..training.features import ImageFeatures


def unit_maps(network: ImageFeatures, pixels: np.ndarray) -> list[Tensor]:
    """Return feature maps of a picture uint8 (H, W, 3), (1, c, h, w) each, of unit length at every place."""
    maps = network.stages(to_float(torch.from_numpy(np.ascontiguousarray(pixels))[None]))
    return [F.normalize(values, dim=1) for values in maps]


def distance_within(ours: list[Tensor], theirs: list[Tensor], covered: Tensor) -> float:
    """Return the mean squared distance of unit features in the part that was drawn, summed over maps."""
    total = 0.0
    for a, b in zip(ours, theirs, strict=True):
        weights = coverage_at(covered, a)
        total += float(((a - b).square().sum(1)[0] * weights).sum() / weights.sum())
    return total


def coverage_at(covered: Tensor, features: Tensor) -> Tensor:
    """Return the share of each place of a feature map (1, c, h, w) that was drawn, (h, w); covered (1, 1, H, W)."""
    height, width = features.shape[-2:]
    return F.adaptive_avg_pool2d(covered, (height, width))[0, 0]
