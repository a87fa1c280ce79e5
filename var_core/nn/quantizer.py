"""Multi-scale residual quantizer: features become K token maps over one codebook, and back (paper, algorithms 1, 2).

And the plain quantizer of a single map, which is what came before: for tokens that are predicted cell by cell.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import SCALES, TokenizerConfig
from ..schedule import Schedule, averaging


@dataclass(frozen=True)
class Quantized:
    """Result of quantizing one token map."""

    tokens: Tensor  # (B, s_k * s_k) int64, in the order of the steps
    residual: Tensor  # (B, s_k * s_k, C): the vectors that were quantized
    f_hat: Tensor  # (B, C, s_K, s_K) after this map


class Quantizer(nn.Module):
    """Codes and features. All scales share `codebook` (V, C); a few convolutions `phis` are shared out over them."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.schedule, self.own_codes = Schedule.of(config), config.own_codes
        width = config.code_width
        # not normal_: on the meta device that imports a compiler, seconds before the app can start
        self.codebook = nn.Parameter(torch.empty(config.vocabulary, width).uniform_(-math.sqrt(3), math.sqrt(3)))
        count = 0 if self.schedule.by_cell else config.phis
        self.phis = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(count))

    def phi(self, scale: int) -> nn.Module:
        """The convolution of a scale: that whose tick is nearest to k / (K - 1)."""
        count = len(self.phis)
        margin = (1 / 3 if count == 4 else 1 / 2) / count
        ticks = torch.linspace(margin, 1 - margin, count, dtype=torch.float64)
        return self.phis[int((ticks - self.schedule.ratio(scale)).abs().argmin())]

    def empty(self, batch: int) -> Tensor:
        """f_hat before the first scale: zeros (B, C, s_K, s_K)."""
        side = self.schedule.sides[-1]
        return self.codebook.new_zeros(batch, self.codebook.shape[1], side, side)

    def codes(self, tokens: Tensor) -> Tensor:
        """tokens (B, L_k) -> their vectors (B, L_k, C)."""
        return F.embedding(tokens, self.codebook)

    def add(self, f_hat: Tensor, codes: Tensor, scale: int) -> Tensor:
        """f_hat with one scale's codes (B, L_k, C) added: upsampled (bicubic), smoothed by phi, summed."""
        side, full = self.schedule.sides[scale], self.schedule.sides[-1]
        coarse = codes.transpose(1, 2).unflatten(-1, (side, side))  # (B, C, s_k, s_k)
        h = coarse if side == full else F.interpolate(coarse, size=(full, full), mode="bicubic")
        return f_hat + 0.5 * h + 0.5 * self.phi(scale)(h)

    def pool(self, features: Tensor, scale: int) -> Tensor:
        """Features (B, C, s_K, s_K) averaged down to the side of a scale, as a sequence (B, L_k, C)."""
        side, full = self.schedule.sides[scale], features.shape[-1]
        weights = averaging(full, side).to(features)
        small = features if side == full else weights @ features @ weights.T  # (B, C, s_k, s_k)
        return small.flatten(2).transpose(1, 2)

    def next_input(self, f_hat: Tensor, scale: int) -> Tensor:
        """Return what the transformer is shown before it predicts `scale`: f_hat of the coarser ones, (B, L_k, C)."""
        return self.pool(f_hat, scale)

    def allowed(self, scale: int) -> slice:
        """The codes that a scale may use: all, or its equal part of them."""
        vocabulary, scales = len(self.codebook), len(self.schedule.sides)
        if not self.own_codes:
            return slice(0, vocabulary)
        return slice(scale * vocabulary // scales, (scale + 1) * vocabulary // scales)

    def nearest(self, vectors: Tensor, scale: int) -> Tensor:
        """Index of the nearest code that a scale may use, by squared Euclidean distance; (B, n, C) -> int64 (B, n)."""
        flat, allowed = vectors.flatten(0, 1), self.allowed(scale)
        codes = self.codebook[allowed]
        # the squared length of the vector is the same for every code and drops out
        distance = torch.addmm(codes.square().sum(1), flat, codes.T, alpha=-2)
        return distance.argmin(1).view(vectors.shape[:2]) + allowed.start

    def quantize(self, f: Tensor) -> Iterator[Quantized]:
        """Quantize features (B, C, s_K, s_K), coarse to fine; each scale takes what the coarser ones left over."""
        f_hat = self.empty(len(f))
        for scale in range(len(self.schedule)):
            residual = self.pool(f - f_hat, scale)
            tokens = self.nearest(residual.detach(), scale)
            f_hat = self.add(f_hat, self.codes(tokens), scale)
            yield Quantized(tokens, residual, f_hat)

    def tokens(self, f: Tensor) -> list[Tensor]:
        """The tokens of features (B, C, s_K, s_K): K pieces (B, L_k), coarse to fine."""
        return self.schedule.split(torch.cat([found.tokens for found in self.quantize(f)], 1))

    def features(self, tokens: list[Tensor]) -> Tensor:
        """f_hat (B, C, s_K, s_K) of a whole pyramid of tokens."""
        f_hat = self.empty(len(tokens[0]))
        for scale, drawn in enumerate(tokens):
            f_hat = self.add(f_hat, self.codes(drawn), scale)
        return f_hat

    def teacher_input(self, tokens: list[Tensor]) -> Tensor:
        """The transformer's inputs for scales 1..K-1 when all coarser tokens are the given ones, (B, L - L_0, C)."""
        f_hat = self.empty(len(tokens[0]))
        inputs = []
        for scale in range(1, len(self.schedule)):
            f_hat = self.add(f_hat, self.codes(tokens[scale - 1]), scale - 1)
            inputs.append(self.next_input(f_hat, scale))
        return torch.cat(inputs, dim=1)

    def corrected(self, tokens: list[Tensor], wrong: list[Tensor], where: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return what the transformer is shown, and should say, when tokens are wrong and finer scales make up for it.

        `wrong` tokens replace those of a pyramid, each map (B, L_k), `where` it says so, bool (B, L_k).
        Returns `teacher_input` of what that makes (B, L - L_0, C), and for every position the token (B, L) whose
        code is nearest to that of the pyramid's own and what the coarser wrong ones have left missing.
        """
        right = shown = self.empty(len(tokens[0]))
        inputs: list[Tensor] = []
        wanted: list[Tensor] = []
        for scale, given in enumerate(tokens):
            if scale:
                before = scale - 1
                used = torch.where(where[before], wrong[before], wanted[before])
                right = self.add(right, self.codes(tokens[before]), before)
                shown = self.add(shown, self.codes(used), before)
                inputs.append(self.next_input(shown, scale))
            wanted.append(self.nearest(self.codes(given) + self.pool(right - shown, scale), scale))
        return torch.cat(inputs, 1), torch.cat(wanted, 1)


class CellQuantizer(Quantizer):
    """Codes and features of a single map whose cells come one by one: each holds its own code, as it is."""

    def phi(self, scale: int) -> nn.Module:  # noqa: ARG002
        """Nothing is smoothed."""
        return nn.Identity()

    def add(self, f_hat: Tensor, codes: Tensor, scale: int) -> Tensor:
        """f_hat with one step's code (B, 1, C) in its cell."""
        row, column = self._cell(scale)
        filled = f_hat.clone()
        filled[:, :, row, column] = codes[:, 0]
        return filled

    def pool(self, features: Tensor, scale: int) -> Tensor:
        """Return what features (B, C, s, s) hold in the cell of a step, (B, 1, C)."""
        row, column = self._cell(scale)
        return features[:, None, :, row, column]

    def next_input(self, f_hat: Tensor, scale: int) -> Tensor:
        """Return what the transformer is shown before it predicts a step: the code in the cell before it, (B, 1, C)."""
        return self.pool(f_hat, max(scale - 1, 0))

    def quantize(self, f: Tensor) -> Iterator[Quantized]:
        """Quantize features (B, C, s, s), all cells at once: none depends on another."""
        vectors = f.flatten(2).transpose(1, 2)[:, list(self.schedule.cells)]  # (B, L, C)
        tokens = self.nearest(vectors.detach(), 0)
        yield Quantized(tokens, vectors, self._filled(self.codes(tokens)))

    def features(self, tokens: list[Tensor]) -> Tensor:
        """f_hat (B, C, s, s) of the tokens of all cells."""
        return self._filled(self.codes(torch.cat(tokens, dim=1)))

    def teacher_input(self, tokens: list[Tensor]) -> Tensor:
        """The transformer's inputs for steps 1..K-1: the codes of those before them, (B, L - 1, C)."""
        return self.codes(torch.cat(tokens[:-1], dim=1))

    def _cell(self, scale: int) -> tuple[int, int]:
        return divmod(self.schedule.cells[scale], self.schedule.sides[0])

    def _filled(self, codes: Tensor) -> Tensor:
        """Codes (B, L, C) of all steps in their cells, (B, C, s, s)."""
        cells, side = self.schedule.cells, self.schedule.sides[0]
        visited = sorted(range(len(cells)), key=cells.__getitem__)  # the step of each cell
        return codes[:, visited].transpose(1, 2).unflatten(-1, (side, side))


def quantizer_of(config: TokenizerConfig) -> Quantizer:
    """The quantizer of a tokenizer's order."""
    return (Quantizer if config.order == SCALES else CellQuantizer)(config)
