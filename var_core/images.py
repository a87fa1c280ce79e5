"""The border between PIL pictures and tensors."""

import math

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor


def to_float(pixels: Tensor) -> Tensor:
    """uint8 (B, S, S, 3) -> float32 (B, 3, S, S) in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) in [-1, 1] -> uint8 (B, S, S, 3) on the CPU."""
    levels = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to("cpu", torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous()


def to_pil(images: Tensor) -> list[Image.Image]:
    """Pictures (B, 3, S, S) in [-1, 1] -> B pictures in RGB."""
    return [Image.fromarray(picture) for picture in to_uint8(images).numpy()]


def square(picture: Image.Image, side: int) -> np.ndarray:
    """A picture turned upright, its centre square as uint8 (side, side, 3)."""
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    return np.array(ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS))


def from_pil(pictures: list[Image.Image], side: int) -> Tensor:
    """Pictures, turned upright and cut to their centre squares -> (B, 3, side, side) in [-1, 1]."""
    return to_float(torch.from_numpy(np.stack([square(picture, side) for picture in pictures])))


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
