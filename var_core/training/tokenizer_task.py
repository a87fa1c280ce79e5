"""Training of a tokenizer, and which tokenizer a run belongs to."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ..config import TokenizerConfig
from ..findings.run_log import LogRow
from ..images import averaged, tiled, to_pil
from ..nn.quantizer import Quantized
from ..nn.tokenizer import Tokenizer
from ..schema import Fields, entry
from ..weights.checkpoints import load_strict
from .data import BatchSampler, Classes, Dataset, PictureSet
from .distributed import all_reduce_sum, rank, world
from .features import ImageFeatures, perceptual_distance
from .trainer import Optimisation, channels_last


class CodebookMeans:
    """The codebook as running means of the vectors assigned to each code (van den Oord et al. 2017, appendix A.1).

    A code that nothing chooses any more is put onto a random vector of the batch. `weight` > 0 makes the means begin at
    the codebook as it is, as if so many vectors of each step had stood for every code so far.
    """

    def __init__(self, codebook: Tensor, ema_decay: float = 0.99, dead_below: float = 0.1, weight: float = 0.0):
        self.codebook, self.ema_decay, self.dead_below = codebook, ema_decay, dead_below
        self.counts = torch.full_like(codebook[:, 0], weight)  # (V,)
        self.sums = weight * codebook  # (V, C)

    @torch.no_grad()
    def update(self, said: Tensor) -> int:
        """Follow a batch's `tally`; dead codes move to the vectors that it offers. Returns how many were dead."""
        width = self.codebook.shape[1]
        counts, sums, offered = said.split((1, width, width), 1)
        self.counts.mul_(self.ema_decay).add_(counts[:, 0], alpha=1 - self.ema_decay)
        self.sums.mul_(self.ema_decay).add_(sums, alpha=1 - self.ema_decay)
        dead = self.counts < self.dead_below * (1 - self.ema_decay)
        self.counts[dead] = 1 - self.ema_decay
        self.sums[dead] = offered[dead] * (1 - self.ema_decay)
        self.codebook.copy_(self.sums / self.counts[:, None])
        return int(dead.sum())


def tally(tokens: Tensor, vectors: Tensor, indices: Tensor) -> Tensor:
    """Count what a batch, or a part of one, says of each code: (V, 1 + 2C); tallies of all parts add up to the batch's.

    tokens (n,) stood for vectors (n, C). A code has how often it was chosen, the sum of its vectors, and the vector at
    `indices` (V,), which it may be moved to: zeros if that is before the first of this part, or behind the last.
    """
    ones = vectors.new_ones(len(vectors), 1)
    chosen = vectors.new_zeros(len(indices), 1 + vectors.shape[1])
    chosen.index_add_(0, tokens, torch.cat((ones, vectors), 1))
    inside = (indices >= 0) & (indices < len(vectors))
    offered = vectors[indices.clamp(0, len(vectors) - 1)] * inside[:, None]
    return torch.cat((chosen, offered), 1)


def draw_pictures(
    pictures: PictureSet, sampler: BatchSampler, rng: np.random.Generator, size: int, micro_batch: slice
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw row numbers (b,), which are mirrored, bool (b,), and these pictures (b, 3, S, S), of a part of a batch.

    All of the batch of `size` is drawn, so that the parts of all processes are the batch of one.
    """
    rows = sampler.batch(rng, size)[micro_batch]
    flips = sampler.mirrored(rng, size)[micro_batch]
    return rows, flips, pictures.images(rows, flips)


def pixel_loss(decoded: Tensor, images: Tensor) -> Tensor:
    """Return L1 + L2 of pictures (B, 3, S, S)."""
    error = decoded - images
    return error.abs().mean() + error.square().mean()


def deepened(start: Tokenizer, config: TokenizerConfig) -> Tokenizer:
    """Copy `start` with more residual blocks (or as many): the same tokens and pictures until it is trained.

    What is added keeps silent at first: its last convolutions are zero. One of other maps, of which the last is as
    large, or with other `own_codes`, begins with the same networks, but has tokens of its own. ValueError where sizes
    differ otherwise.
    """
    blocks, maps = config.residual_blocks, config.sides
    same = replace(start.config, residual_blocks=blocks, sides=maps, order=config.order, own_codes=config.own_codes)
    fewer = config.residual_blocks < start.config.residual_blocks
    if same != config or fewer or config.sides[-1] != start.config.sides[-1]:
        raise ValueError(
            f"A tokenizer of {start.config} cannot grow into one of {config}: blocks can be added, and all its maps "
            "but the last one be others."
        )
    made = Tokenizer(config)
    known = made.state_dict().keys()
    given = {name: value for name, value in copy.deepcopy(start.state_dict()).items() if name in known}
    load_strict(made, {**made.state_dict(), **given})
    for name, parameter in made.named_parameters():
        if name not in given and name.rsplit(".", 2)[-2] in ("conv2", "project"):
            nn.init.zeros_(parameter)
    return made


@dataclass(frozen=True)
class TokenizerSettings:
    """Weights of the losses of a tokenizer's training."""

    perceptual: float = 0.2
    commitment: float = 0.25


class TokenizerTask:
    """Reconstruction (L1 + L2), perceptual and commitment losses; the codebook follows its vectors.

    With `start` training begins from its weights, see `deepened`.
    """

    KIND = "tokenizer"

    def __init__(
        self,
        config: TokenizerConfig,
        data: Dataset,
        settings: TokenizerSettings,
        optimisation: Optimisation,
        device: str = "cpu",
        start: Tokenizer | None = None,
    ):
        if config.enlarge > 1:
            raise ValueError(
                f"enlarge {config.enlarge}: train the tokenizer without it, and then its decoder to enlarge pictures."
            )
        made = deepened(start, config) if start else Tokenizer(config)
        self.model = channels_last(made, device)
        quantizer = self.model.quantizer
        quantizer.requires_grad_(False)  # the codebook; and convolutions that no scale uses
        for scale in range(len(quantizer.schedule)):
            quantizer.phi(scale).requires_grad_(True)
        self.settings, self.optimisation, self.device = settings, optimisation, device
        self.features = ImageFeatures().to(device)
        self.train, self.val = data.train, data.val
        self.sampler = BatchSampler.over(data.train.labels, data.classes, optimisation.seed, optimisation.mirror)
        uses = optimisation.batch * quantizer.schedule.total / config.vocabulary  # of a code in a step
        known = start is not None and (start.config.sides, start.config.own_codes) == (config.sides, config.own_codes)
        self.means = CodebookMeans(quantizer.codebook.data, weight=uses if known else 0.0)
        self.said: list[Tensor] = []  # tallies of the parts of a step

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch, and the terms it is made of."""
        rng, size = self.sampler.rng(step), self.optimisation.batch
        *_, drawn = draw_pictures(self.train, self.sampler, rng, size, micro_batch)
        images = drawn.to(self.device, memory_format=torch.channels_last)
        f = self.model.features(images).float()
        with torch.autocast(f.device.type, enabled=False):
            found = list(self.model.quantizer.quantize(f))
        weight = self.settings.commitment
        towards = [F.mse_loss(q.f_hat, f.detach()) + weight * F.mse_loss(f, q.f_hat.detach()) for q in found]
        quantizing = torch.stack(towards).mean()
        decoded = self.model.decode_unclamped(f + (found[-1].f_hat - f).detach()).float()
        pixels = pixel_loss(decoded, images)
        perceived = perceptual_distance(self.features, decoded, images)
        self.said.append(self.hear(found, step, micro_batch.start))
        measured = {"pixels": pixels.item(), "perceptual": perceived.item(), "quantizing": quantizing.item()}
        return pixels + self.settings.perceptual * perceived + quantizing, measured

    def hear(self, found: list[Quantized], step: int, first: int) -> Tensor:
        """Return the `tally` of the part of a step's batch that begins at picture `first`."""
        tokens = torch.cat([q.tokens for q in found], 1).flatten()
        vectors = torch.cat([q.residual.detach() for q in found], 1).flatten(0, 1)
        indices = self.offers(self.sampler.rng(step + 2**40)) - first * self.model.quantizer.schedule.total
        return tally(tokens, vectors, torch.from_numpy(indices).to(vectors.device))

    def offers(self, rng: np.random.Generator) -> np.ndarray:
        """Draw for each code a random index into a step's tokens, (V,), among those where it may be chosen."""
        quantizer, batch = self.model.quantizer, self.optimisation.batch
        length, vocabulary = quantizer.schedule.total, len(self.means.counts)
        if not quantizer.own_codes:
            return rng.integers(batch * length, size=vocabulary)
        found = []
        for scale, span in enumerate(quantizer.schedule.spans):
            allowed = quantizer.allowed(scale)
            count = allowed.stop - allowed.start
            found.append(length * rng.integers(batch, size=count) + rng.integers(span.start, span.stop, size=count))
        return np.concatenate(found)

    def after(self, _step: int) -> dict[str, float]:
        """Move the codebook; returns how many codes the batch uses."""
        said, self.said = all_reduce_sum(torch.stack(self.said).sum(0)), []
        self.means.update(said)
        return {"codes": int((said[:, 0] > 0).sum())}

    def report(self, ema: Tokenizer) -> tuple[LogRow, Image.Image]:
        """Return what `reconstruction_report` does."""
        return reconstruction_report(ema, self.val, self.device)

    def extra_state(self) -> Fields:
        """Return sizes, and the running means that the codebook follows."""
        return {"config": asdict(self.model.config), "counts": self.means.counts, "sums": self.means.sums}

    def load_extra_state(self, state: Fields) -> None:
        """Go on with the running means of a run."""
        self.means.counts.copy_(entry(state, "counts", Tensor))
        self.means.sums.copy_(entry(state, "sums", Tensor))


@torch.no_grad()
def reconstruction_report(tokenizer: Tokenizer, val: PictureSet, device: str) -> tuple[LogRow, Image.Image]:
    """Measure PSNR in dB and codebook use per scale on up to 256 val pictures; draw a sheet of pairs."""
    rows = torch.linspace(0, len(val) - 1, min(256, len(val))).long()
    decibels, sequences, shown = [], [], []
    for part in rows.split(32):
        images = val.images(part).to(device)
        tokens = tokenizer.encode(images)
        sequences.append(torch.cat(tokens, 1))
        decoded = averaged(tokenizer.decode(tokenizer.quantizer.features(tokens)), images.shape[-1])
        decibels.append(psnr(decoded, images))
        shown.append(torch.stack((images[:4], decoded[:4]), 1).flatten(0, 1))
    found = torch.cat(sequences)  # (N, L)
    used = [len(tokens.unique()) for tokens in tokenizer.quantizer.schedule.maps(found)]
    figures = {"psnr": torch.cat(decibels).mean().item(), "codes_by_scale": used, "codes": len(found.unique())}
    return figures, tiled(to_pil(torch.cat(shown)), columns=8)


def same_tokenizer(extra: Mapping[str, object], tokenizer: Tokenizer) -> None:
    """ValueError unless the extra state of a run belongs to a tokenizer that gives these very tokens.

    A run that does not say which it belongs to fits.
    """
    ours = tokenizer_hash(tokenizer)
    if extra.get("tokenizer", ours) != ours:
        raise ValueError(
            "The run has learned the tokens of another tokenizer. Name the tokenizer that it was begun with, "
            "or begin a new run."
        )


def same_in_file(stored: Tokenizer, tokenizer: Tokenizer) -> bool:
    """Say whether the tokenizer of a model file, which holds half of the digits, gives the tokens of this one."""
    return tokenizer_hash(stored) == tokenizer_hash(copy.deepcopy(tokenizer).half())


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """Return the SHA-256, in hex, of the weights that decide which tokens a picture gets: all but the decoder's."""
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict().items()):
        if name.startswith(("after_quantizer.", "decoder.")):
            continue
        digest.update(name.encode() + value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB of each picture, (B,); both (B, 3, S, S) in [-1, 1]."""
    return 10 * torch.log10(4 / (images - targets).square().mean((1, 2, 3)).clamp_min(1e-12))


@dataclass(frozen=True)
class TokenSet:
    """The tokens of a split, computed once: of every picture and of its mirror image."""

    tokens: Tensor  # int32 (2, N, L): as it is, mirrored
    labels: Tensor  # int64 (N,)


@dataclass(frozen=True)
class TokenData:
    """The tokens of both splits of a data folder, and its classes."""

    classes: Classes
    train: TokenSet
    val: TokenSet


@torch.inference_mode()
def tokenise(tokenizer: Tokenizer, pictures: PictureSet, device: str = "cpu") -> Iterator[float | TokenSet]:
    """Encode a split, shared out over all processes; yields the fraction done, and the `TokenSet` last."""
    length = sum(side * side for side in tokenizer.config.sides)
    tokens = torch.empty((2, len(pictures), length), dtype=torch.int32)
    for rows in torch.arange(len(pictures)).split(64 * world()):
        part = torch.zeros((2, len(rows), length), dtype=torch.int32)
        for ours in rows.split(64)[rank() : rank() + 1]:  # none where too few are left
            images = pictures.images(ours).to(device, memory_format=torch.channels_last)
            for mirrored, batch in enumerate((images, images.flip(-1))):
                part[mirrored, ours - rows[0]] = torch.cat(tokenizer.encode(batch), 1).to("cpu", torch.int32)
        tokens[:, rows] = all_reduce_sum(part)
        yield int(rows[-1] + 1) / len(pictures)
    yield TokenSet(tokens, pictures.labels)
