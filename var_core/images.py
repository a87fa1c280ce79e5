"""The border between PIL pictures and tensors."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from .picture_reading import flat


def to_float(pixels: Tensor) -> Tensor:
    """uint8 (B, S, S, 3) -> float32 (B, 3, S, S) in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) in [-1, 1] -> uint8 (B, S, S, 3) on the CPU."""
    levels = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to("cpu", torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous()


def averaged(images: Tensor, side: int) -> Tensor:
    """Pictures (B, 3, n * side, n * side) -> (B, 3, side, side), each pixel the mean of n x n."""
    times, rest = divmod(images.shape[-1], side)
    assert times and not rest, f"{images.shape[-1]} pixels are no multiple of {side}"
    return images if times == 1 else F.avg_pool2d(images, times)


def averaged_pixels(pixels: Tensor, side: int) -> Tensor:
    """uint8 (B, n * side, n * side, 3) -> uint8 (B, side, side, 3), each pixel the mean of n x n."""
    return pixels if pixels.shape[1] == side else to_uint8(averaged(to_float(pixels), side))


def to_pil(images: Tensor) -> list[Image.Image]:
    """Pictures (B, 3, S, S) in [-1, 1] -> B pictures in RGB."""
    return [Image.fromarray(picture) for picture in to_uint8(images).numpy()]


def square(picture: Image.Image, side: int) -> np.ndarray:
    """Turn a picture upright and return its centre square as uint8 (side, side, 3)."""
    return np.array(ImageOps.fit(flat(picture), (side, side), Image.Resampling.LANCZOS))


def from_pil(pictures: list[Image.Image], side: int) -> Tensor:
    """Pictures, turned upright and cut to their centre squares -> (B, 3, side, side) in [-1, 1]."""
    return to_float(torch.from_numpy(np.stack([square(picture, side) for picture in pictures])))


def tiled(pictures: list[Image.Image], columns: int, gap: int = 2) -> Image.Image:
    """Lay pictures of one size in rows on white, `gap` pixels apart; ValueError if there are none."""
    if not pictures:
        raise ValueError("no pictures to put into a grid.")
    width, height = pictures[0].size
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * (width + gap), index // columns * (height + gap)))
    return sheet
