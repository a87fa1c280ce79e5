"""Draws pictures larger than those that are encoded: a bicubic enlargement, and what a network adds to it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import TokenizerConfig

Region = tuple[slice, slice]  # rows and columns of a part of a picture


class PlainBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, (B, c, h, w) -> the same shape.

    Nothing is normalised over a picture, so that a part of a picture comes out as it does in the whole.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Enlargement(nn.Module):
    """Pictures (B, 3, S, S) -> n times as large: a bicubic enlargement, and what convolutions add to that.

    They see the pictures and what the decoder's last layers knew besides, at half of its resolution and then at that;
    before training they add nothing. `reach` is how far they see, in places at half resolution: two pixels of S.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        width, fine, times = config.enlarge_channels, config.enlarge_channels // 2, config.enlarge
        self.times, self.reach = times, 2 * config.enlarge_blocks + 4
        self.unshuffle, self.twice, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2), nn.PixelShuffle(times)
        self.conv_deep = nn.Conv2d(config.channels * config.multipliers[0], width, 1)
        self.conv_in = nn.Conv2d(12 + config.refine, width, 3, padding=1)
        self.blocks = nn.Sequential(*(PlainBlock(width) for _ in range(config.enlarge_blocks)))
        self.widen = nn.Conv2d(width, 4 * fine, 3, padding=1)
        self.fine = PlainBlock(fine)
        self.conv_out = nn.Conv2d(fine, 3 * times**2, 3, padding=1)
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, hidden: Tensor, deep: Tensor, region: Region | None = None) -> Tensor:
        """Enlarge pictures (B, 3, S, S), or of a `region`, in places at half resolution, that part of them alone.

        `hidden` (B, refine, S/2, S/2) is what the refinement's last convolution saw, `deep` (B, c, s, s) what the
        decoder's last level gave. A part is made as it would be in the whole picture.
        """
        side, scale = hidden.shape[-1], 2 * self.times  # `scale` pixels are made along a place at half resolution
        rows, columns = region or (slice(0, side), slice(0, side))
        outer_rows, outer_columns = outer = self._around(rows, side), self._around(columns, side)
        known = F.interpolate(self.conv_deep(deep), size=(side, side), mode="nearest")
        x = self.conv_in(cut(torch.cat((self.unshuffle(images), hidden), 1), outer)) + cut(known, outer)
        x = self.fine(self.twice(self.widen(F.silu(self.blocks(x)))))
        made = self.shuffle(self.conv_out(F.silu(x)))
        inside = _within(rows, outer_rows), _within(columns, outer_columns)
        return cut(made, inside, scale) + cut(enlarged(images, self.times), (rows, columns), scale)

    def _around(self, part: slice, side: int) -> slice:
        """Return what must be seen of 0..side to make a part of it."""
        return slice(max(0, part.start - self.reach), min(side, part.stop + self.reach))


def _within(part: slice, outer: slice) -> slice:
    """Return where a part lies in a larger one that holds it."""
    return slice(part.start - outer.start, part.stop - outer.start)


def enlarged(images: Tensor, times: int) -> Tensor:
    """Return pictures (B, 3, S, S) n times as large, by bicubic interpolation.

    Where they vary linearly, their averages (`images.averaged`) are the pictures before; elsewhere nearly.
    """
    return F.interpolate(images, scale_factor=times, mode="bicubic", align_corners=False)


def cut(images: Tensor, region: Region, scale: int = 1) -> Tensor:
    """Return the part of pictures that lies at a region whose places are `scale` pixels wide."""
    rows, columns = (slice(scale * part.start, scale * part.stop) for part in region)
    return images[..., rows, columns]
