"""Tells codebooks apart, and gives their codes colours."""

import hashlib

import cv2
import numpy as np
import torch
from torch import Tensor


def codebook_hash(codebook: Tensor) -> str:
    """Return what tells a codebook (V, C) from others: 12 hex digits."""
    return hashlib.sha256(codebook.detach().float().cpu().numpy().tobytes()).hexdigest()[:12]


def colours(codebook: Tensor) -> Tensor:
    """A colour for each code of a codebook (V, C): uint8 (V, 3), near for near codes.

    The three directions in which the codes differ most become lightness and the two axes of colour of CIELAB; each is
    stretched so that it is used evenly.
    """
    codes = codebook.detach().double().cpu()
    centred = codes - codes.mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)
    axes = directions.flip(1)[:, :3]
    axes = axes * axes.sum(0).sign().where(axes.sum(0) != 0, torch.ones(()).double())  # an eigenvector has two signs
    order = (centred @ axes).argsort(0).argsort(0)  # (V, 3): ranks along each axis
    even = torch.nn.functional.pad(order.float() / max(1, len(codes) - 1), (0, 3 - axes.shape[1]), value=0.5)
    low, high = torch.tensor([30.0, -40.0, -40.0]), torch.tensor([90.0, 40.0, 40.0])  # wider, more would leave sRGB
    lab = (low + even * (high - low)).numpy()[None].astype(np.float32)
    return torch.from_numpy((cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)[0] * 255).round().astype(np.uint8))
