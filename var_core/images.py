"""The border between PIL pictures and tensors."""

import math

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor


def to_pil(images: Tensor) -> list[Image.Image]:
    """Pictures (B, 3, S, S) in [-1, 1] -> B pictures in RGB."""
    levels = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to("cpu", torch.uint8)
    return [Image.fromarray(picture) for picture in levels.permute(0, 2, 3, 1).contiguous().numpy()]


def from_pil(pictures: list[Image.Image], side: int) -> Tensor:
    """Pictures, turned upright and cut to their centre squares -> (B, 3, side, side) in [-1, 1]."""
    upright = [ImageOps.exif_transpose(p).convert("RGB") for p in pictures]
    fitted = [ImageOps.fit(p, (side, side), Image.Resampling.LANCZOS) for p in upright]
    pixels = torch.from_numpy(np.stack([np.asarray(p) for p in fitted]))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def grid(pictures: list[Image.Image], columns: int, gap: int = 2) -> Image.Image:
    """Pictures of one size in rows on white, `gap` pixels apart; ValueError if there are none."""
    if not pictures:
        raise ValueError("no pictures to put into a grid.")
    width, height = pictures[0].size
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % columns * (width + gap), place // columns * (height + gap)))
    return sheet
