"""Encoder, decoder, and the tokenizer that joins them to the quantizer."""

from dataclasses import replace
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import TokenizerConfig
from .enlargement import Enlargement
from .layers import Downsample, ResidualBlock, SpatialAttention, Upsample
from .quantizer import quantizer_of


class ResolutionLevel(nn.Module):
    """Residual blocks (each followed by attention at the lowest resolution), then a change of resolution."""

    def __init__(self, widths: list[int], groups: int, attend: bool, resample: nn.Module):
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(before, after, groups) for before, after in pairwise(widths))
        self.attentions = nn.ModuleList(
            SpatialAttention(after, groups) if attend else nn.Identity() for after in widths[1:]
        )
        self.resample = resample

    def forward(self, x: Tensor) -> Tensor:
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            x = attention(block(x))
        return self.resample(x)


def middle(width: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(width, width, groups), SpatialAttention(width, groups), ResidualBlock(width, width, groups)
    )


class Encoder(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> (B, C, s_K, s_K). `levels[0]` is the finest."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        groups, blocks = config.norm_groups, config.residual_blocks
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        lowest = len(widths) - 1
        self.unshuffle = nn.PixelUnshuffle(config.stem)
        self.conv_in = nn.Conv2d(3 * config.stem**2, config.channels, 3, padding=1)
        before = [config.channels, *widths[:-1]]
        self.levels = nn.ModuleList(
            ResolutionLevel(
                [before[i], *[width] * blocks], groups, i == lowest, nn.Identity() if i == lowest else Downsample(width)
            )
            for i, width in enumerate(widths)
        )
        self.middle = middle(widths[-1], groups)
        self.norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], config.code_width, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv_in(self.unshuffle(images))
        for level in self.levels:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.middle(x))))


class Refinement(nn.Module):
    """Convolutions at half resolution that add to pictures (B, 3, S, S); they add nothing before training.

    Between the first and the last are `blocks` residual blocks; none of them does anything before training.
    """

    def __init__(self, channels: int, blocks: int, groups: int):
        super().__init__()
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.conv1 = nn.Conv2d(12, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, channels, groups) for _ in range(blocks)))
        self.conv2 = nn.Conv2d(channels, 12, 3, padding=1)
        for last in (self.conv2, *(cast(ResidualBlock, block).conv2 for block in self.blocks)):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        return self.refined(images)[0]

    def refined(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the refined pictures (B, 3, S, S), and what the last convolution saw, (B, channels, S/2, S/2)."""
        hidden = F.silu(self.blocks(self.conv1(self.unshuffle(images))))
        return images + self.shuffle(self.conv2(hidden)), hidden


class Decoder(nn.Module):
    """Features (B, C, s_K, s_K) -> pictures, not yet clamped. `levels[0]` is the finest, run last.

    Pictures are (B, 3, S, S), and `enlarge` times as large where the config says so.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        groups, blocks = config.norm_groups, config.residual_blocks + 1
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        lowest = len(widths) - 1
        self.conv_in = nn.Conv2d(config.code_width, widths[-1], 3, padding=1)
        self.middle = middle(widths[-1], groups)
        before = [*widths[1:], widths[-1]]
        self.levels = nn.ModuleList(
            ResolutionLevel(
                [before[i], *[width] * blocks], groups, i == lowest, nn.Identity() if i == 0 else Upsample(width)
            )
            for i, width in enumerate(widths)
        )
        self.norm_out = nn.GroupNorm(groups, widths[0], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[0], 3 * config.stem**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.stem)
        refinement = (config.refine, config.refine_blocks, groups)
        self.refine = Refinement(*refinement) if config.refine else nn.Identity()
        self.enlarge = Enlargement(config) if config.enlarge > 1 else nn.Identity()

    def forward(self, features: Tensor, enlarge: bool = True) -> Tensor:
        deep = self.deep(features)
        if isinstance(self.enlarge, Enlargement):
            small, hidden = self.small(deep)
            return self.enlarge(small, hidden, deep) if enlarge else small
        return self.refine(self.shuffle(self.conv_out(deep)))

    def deep(self, features: Tensor) -> Tensor:
        """Return what the last convolution before the pixel-shuffle sees, (B, c, S/stem, S/stem)."""
        x = self.middle(self.conv_in(features))
        for level in reversed(self.levels):
            x = level(x)
        return F.silu(self.norm_out(x))

    def small(self, deep: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a decoder that refines has yet to enlarge.

        Pictures (B, 3, S, S), and what the last convolution of the refinement saw, (B, refine, S/2, S/2).
        """
        return cast(Refinement, self.refine).refined(self.shuffle(self.conv_out(deep)))


class Tokenizer(nn.Module):
    """Pictures to tokens and back: encoder, quantizer between two 3x3 convolutions, decoder."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        width = config.code_width
        self.encoder = Encoder(config)
        self.before_quantizer = nn.Conv2d(width, width, 3, padding=1)
        self.quantizer = quantizer_of(config)
        self.after_quantizer = nn.Conv2d(width, width, 3, padding=1)
        self.decoder = Decoder(config)

    def reordered(self, order: str) -> "Tokenizer":
        """A tokenizer with the same weights whose tokens come in another order; ValueError if its maps have none."""
        with torch.device("meta"):
            made = Tokenizer(replace(self.config, order=order))
        for name, part in self.named_children():
            if name == "quantizer":
                made.quantizer.load_state_dict(part.state_dict(), assign=True)
            else:
                setattr(made, name, part)
        return made.train(self.training)

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [-1, 1] -> f (B, C, s_K, s_K)."""
        return self.before_quantizer(self.encoder(images))

    def encode(self, images: Tensor) -> list[Tensor]:
        """Pictures (B, 3, S, S) in [-1, 1] -> K maps of tokens (B, L_k), coarse to fine."""
        return self.quantizer.tokens(self.features(images))

    def decode(self, f_hat: Tensor) -> Tensor:
        """f_hat (B, C, s_K, s_K) -> pictures of side `config.drawn_side`, clamped to [-1, 1]."""
        return self.decode_unclamped(f_hat).clamp(-1, 1)

    def decode_small(self, f_hat: Tensor) -> Tensor:
        """f_hat (B, C, s_K, s_K) -> pictures of side S, those that `decode` enlarges, clamped to [-1, 1]."""
        return self.decoder(self.after_quantizer(f_hat), enlarge=False).clamp(-1, 1)

    def decode_unclamped(self, f_hat: Tensor) -> Tensor:
        """Decode without clamping: what the training loss sees."""
        return self.decoder(self.after_quantizer(f_hat))


class Preview(nn.Module):
    """A cheap look at f_hat: a linear map from each 3x3 neighbourhood of cells to the pixels of the middle one.

    Features (B, C, s_K, s_K) -> pictures (B, 3, CELL * s_K, CELL * s_K), clamped to [-1, 1].
    """

    CELL = 4

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.conv = nn.Conv2d(config.code_width, 3 * self.CELL**2, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(features), self.CELL).clamp(-1, 1)

    @torch.no_grad()
    def fit(self, features: Tensor, images: Tensor) -> None:
        """Least squares to pictures (N, 3, n, n) and their features (N, C, s_K, s_K), with a little ridge."""
        side = self.CELL * features.shape[-1]
        small = F.interpolate(images, size=(side, side), mode="area")
        wanted = (
            F.pixel_unshuffle(small, self.CELL).flatten(2).transpose(1, 2).flatten(0, 1).double()
        )  # (n, 3 * CELL^2)
        seen = F.unfold(features, 3, padding=1).transpose(1, 2).flatten(0, 1).double()  # (n, 9 * C)
        design = torch.cat((seen, torch.ones_like(seen[:, :1])), 1)
        gram = design.T @ design + 1e-3 * len(design) * torch.eye(design.shape[1]).to(design)
        solution = torch.linalg.solve(gram, design.T @ wanted)  # (9 * C + 1, 3 * CELL^2)
        self.conv.weight.copy_(solution[:-1].T.reshape(self.conv.weight.shape))
        assert self.conv.bias is not None
        self.conv.bias.copy_(solution[-1])
