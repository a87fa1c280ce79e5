"""Find what a class is in a photo, as a mask: where the model's tokens speak for the class.

Token by token, a class gains or loses likelihood over no class (as in AREdit, Wang et al. 2025, which edits there).
That is coarse; GrabCut (Rother et al. 2004) draws its outline along the photo's edges.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from ..engine.classifier import token_losses
from ..engine.pipeline import Pipeline
from ..images import to_float
from .canvas import Box, filled_view, view

Array = np.ndarray
COARSEST = 3  # cells along a side: coarser scales say nothing about where
SMOOTHED = 1 / 21  # of a side
MOST_SIDE_CUT = 384  # pixels of the photo's longer side, in which the outline is drawn
SURE, SURELY_NOT = 0.7, 0.25  # of the way from the threshold to the most evidence, and from none to the threshold
ROUNDS = 5


def find_class(pipe: Pipeline, photo: Array, label: int) -> Array:
    """Return where a photo uint8 (H, W, 3) shows a class, bool (H, W).

    ValueError if nothing in it speaks for the class, or the model does not draw scale by scale.
    """
    pipe.spec.need_scales("where it sees a class")
    height, width = photo.shape[:2]
    shrunk = min(1.0, MOST_SIDE_CUT / max(height, width))
    size = (max(1, round(width * shrunk)), max(1, round(height * shrunk)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    whole = max(size)
    box = Box((size[0] - whole) // 2, (size[1] - whole) // 2, whole)
    pixels, hole = view(small, np.zeros(size[::-1], bool), box, pipe.spec.tokenizer.image_side)
    if not hole.known.any():
        raise ValueError(f"A photo of {width} x {height} pixels is too thin to look for something: paint it by hand.")
    seen = filled_view(pixels, hole.mask, "navier-stokes")
    speaks = evidence(pipe, seen, label)
    if float(speaks[hole.known].max()) <= 0:
        raise ValueError(f"Nothing in this photo speaks for {pipe.spec.class_name(label)}: paint it by hand.")
    large = cv2.resize(speaks, (whole, whole), interpolation=cv2.INTER_CUBIC)
    here = large[-box.top : size[1] - box.top, -box.left : size[0] - box.left]
    mask = outlined(small, here).astype(np.uint8)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def evidence(pipe: Pipeline, pixels: Array, label: int) -> Array:
    """Return what speaks for a class in a picture uint8 (S, S, 3): float32 (S, S), nats over no class, all scales."""
    with torch.inference_mode():
        tokens = pipe.pyramids(to_float(torch.from_numpy(pixels)[None]))
    null = pipe.spec.transformer.null_label
    without, given = (
        token_losses(pipe.var, pipe.tokenizer.quantizer, tokens, torch.tensor([one]))[0] for one in (null, label)
    )
    nats: Tensor = (without - given).float().cpu()
    total = np.zeros(pixels.shape[:2], np.float32)
    for scale, cells in zip(pipe.schedule.sides, nats.split(list(pipe.schedule.lengths)), strict=True):
        if scale >= COARSEST:
            total += cv2.resize(cells.view(scale, scale).numpy(), pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(total, (0, 0), max(1.0, len(pixels) * SMOOTHED))


def outlined(pixels: Array, speaks: Array) -> Array:
    """Return a mask, bool (h, w), of what has the most evidence `speaks` (h, w), with an outline along pixels' edges.

    pixels uint8 (h, w, 3). Where GrabCut finds nothing to part, the evidence's own outline.
    """
    spread = float(speaks.max() - speaks.min())
    levels = np.round((speaks - speaks.min()) / max(spread, 1e-6) * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    parts = np.full(levels.shape, cv2.GC_PR_BGD, np.uint8)
    parts[levels > threshold] = cv2.GC_PR_FGD
    parts[levels > threshold + SURE * (255 - threshold)] = cv2.GC_FGD
    parts[levels < SURELY_NOT * threshold] = cv2.GC_BGD
    plain = levels > threshold
    if not {cv2.GC_FGD, cv2.GC_BGD} <= set(np.unique(parts).tolist()):
        return plain
    cv2.setRNGSeed(0)  # its mixtures of colours begin at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    nowhere = (0, 0, 0, 0)  # the rectangle that it would begin with, without a mask
    cv2.grabCut(np.ascontiguousarray(pixels[..., ::-1]), parts, nowhere, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = (parts == cv2.GC_FGD) | (parts == cv2.GC_PR_FGD)
    return cut if cut.any() and not cut.all() else plain
