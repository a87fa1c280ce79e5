"""Training the decoder on, alone: tokens and what a transformer has learned of them stay, pictures get sharper.

A patch discriminator is added to the losses of the tokenizer's training (Esser et al. 2021, section 3.1), and if wished
one that sees the features of a frozen network (Sauer et al. 2021).
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ..config import Sampling
from ..engine.plan import Plan
from ..engine.request import Request
from ..engine.sampling import steps
from ..findings.run_log import LogRow
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..schedule import Schedule
from ..schema import Fields, entry
from ..weights.checkpoints import load_strict
from .data import BatchSampler, Dataset
from .distributed import differentiate, wrap_ddp
from .features import CHANNELS, ImageFeatures, apart, directions, perceptual_distance
from .tokenizer_task import TokenSet, draw_pictures, pixel_loss, reconstruction_report, same_tokenizer, tokenizer_hash
from .trainer import Optimisation, autocast, channels_last

COOLING = 0.7  # at most, when it draws
DRAWN = 3  # scales, at most, that a transformer draws of a picture
CELL = 2 ** len(CHANNELS)  # pixels, the side of what the last map of features says in one vector
SHIFTS = CELL  # pixels, at most, by which pictures are moved before they are judged


class PatchDiscriminator(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> how real each patch of 36 pixels looks, (B, 1, S/8, S/8)."""

    def __init__(self, width: int = 64):
        super().__init__()
        slope = nn.LeakyReLU(0.2)
        layers: list[nn.Module] = [
            *(nn.PixelUnshuffle(4), nn.Conv2d(48, width, 3, padding=1), slope),
            *(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), slope),
            *(nn.Conv2d(2 * width, 2 * width, 3, padding=1), slope),
            nn.Conv2d(2 * width, 1, 1),
        ]
        for index, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                layers[index] = nn.utils.parametrizations.spectral_norm(layer)
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class FeatureDiscriminator(nn.Module):
    """Feature maps of a frozen network, every vector of length 1 -> how real each looks, (B, J, S/16, S/16).

    One small head for each of the J maps (Sauer et al. 2021), of which each is twice as large as the next.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        folds = (CELL >> stage for stage in range(1, len(CHANNELS) + 1))  # bring every map to the last one's side
        self.heads = nn.ModuleList(self.head(*sizes, width) for sizes in zip(CHANNELS, folds, strict=True))

    @staticmethod
    def head(channels: int, fold: int, width: int) -> nn.Sequential:
        sizes = ((channels * fold**2, width, 1), (width, width, 3), (width, 1, 1))
        first, second, last = (
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(given, made, size, padding=size // 2))
            for given, made, size in sizes
        )
        return nn.Sequential(nn.PixelUnshuffle(fold), first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), last)

    def forward(self, *maps: Tensor) -> Tensor:
        scaled = (map * map.shape[1] ** 0.5 for map in maps)
        return torch.cat([head(map) for head, map in zip(self.heads, scaled, strict=True)], 1)


class Critic:
    """A discriminator with its own training (hinge loss), one step for each of the decoder's, on the same pictures.

    For its first `alone` steps it only learns, so that it has something to say.
    """

    def __init__(self, network: nn.Module, weight: float, alone: int, optimisation: Optimisation):
        self.network, self.weight, self.alone, self.precision = network, weight, alone, optimisation.precision
        self.ddp = wrap_ddp(network)
        self.solver = torch.optim.AdamW(
            network.parameters(), lr=optimisation.learning_rate, betas=(0.5, 0.9), weight_decay=0.0
        )
        self.seen: list[tuple[Sequence[Tensor], Sequence[Tensor]]] = []  # of the parts of a step

    @property
    def pull(self) -> float:
        """Return the weight of its loss for the decoder, by now."""
        learned = max((state["step"] for state in self.solver.state.values()), default=0)
        return self.weight * (learned >= self.alone)

    def fooled(self, real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
        """Return the decoder's loss for what it made; both are kept for `learn`."""
        self.seen.append((real, [given.detach() for given in made]))
        self.network.requires_grad_(False).eval()
        return -self.network(*made).float().mean()

    def learn(self) -> None:
        """Take one step on the pictures seen since the last one."""
        self.network.requires_grad_(True)
        differentiate(self.ddp, self.seen, self.told_apart)
        self.solver.step()
        self.solver.zero_grad(set_to_none=True)
        self.seen = []

    def told_apart(self, pair: tuple[Sequence[Tensor], Sequence[Tensor]]) -> Tensor:
        """Return the discriminator's loss on what is real and what was made."""
        self.network.train(pair is self.seen[0])  # so that its spectral norms are followed once a step
        with autocast(self.network, self.precision):
            real, made = self.ddp(*map(torch.cat, zip(*pair, strict=True))).float().chunk(2)
        return F.relu(1 - real).mean() + F.relu(1 + made).mean()

    def state(self) -> Fields:
        """Return what its training goes on from."""
        return {"discriminator": self.network.state_dict(), "discriminator_optimizer": self.solver.state_dict()}

    def load(self, state: Fields) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(entry(state, "discriminator", dict))
        self.solver.load_state_dict(entry(state, "discriminator_optimizer", dict))


def refined(
    tokenizer: Tokenizer,
    refine: int = 0,
    refine_blocks: int = 0,
    enlarge: int = 0,
    enlarge_channels: int = 0,
    enlarge_blocks: int = 0,
) -> Tokenizer:
    """Copy a tokenizer to one that refines with so many channels and residual blocks, and for now decodes as before.

    Its pictures may also be enlarged, by plain interpolation until it is trained. 0 is as many as it has. ValueError
    for other channels than it has already, fewer blocks, or another enlargement than it has already.
    """
    old = tokenizer.config
    config = replace(old, refine=refine or old.refine, refine_blocks=refine_blocks or old.refine_blocks)
    if old.refine and (config.refine != old.refine or config.refine_blocks < old.refine_blocks):
        raise ValueError(
            f"refine {config.refine}, refine_blocks {config.refine_blocks}: the tokenizer has {old.refine} and "
            f"{old.refine_blocks}; choose as many channels, and as many blocks or more."
        )
    config = replace(
        config,
        enlarge=enlarge or old.enlarge,
        enlarge_channels=enlarge_channels or old.enlarge_channels,
        enlarge_blocks=enlarge_blocks or old.enlarge_blocks,
    )
    names = ("enlarge", "enlarge_channels", "enlarge_blocks")
    if old.enlarge > 1 and any(getattr(config, name) != getattr(old, name) for name in names):
        has = ", ".join(f"{name} {getattr(old, name)}" for name in names)
        raise ValueError(f"The tokenizer enlarges already: choose {has}, or leave all of that out.")
    copied = Tokenizer(config)
    load_strict(copied, {**copied.state_dict(), **copy.deepcopy(tokenizer.state_dict())})
    return copied


@dataclass(frozen=True)
class DecoderSettings:
    """Weights of the losses of a decoder's training, and for how many first steps discriminators learn alone."""

    perceptual: float = 0.5
    adversarial: float = 0.1
    feature_adversarial: float = 0.0  # above 0 there is a discriminator of features
    alone: int = 200


class DecoderTask:
    """Reconstruction (L1 + L2), perceptual and adversarial (hinge) losses of pictures decoded from given tokens.

    With a discriminator of features the perceptual loss sees pictures whole.
    The decoder is that of `tokenizer` itself, see `refined`. With a `var`, half of the pictures have their last tokens
    drawn by it: it decides them one by one, so that together they say less than those of a real picture, and the
    decoder learns what such tokens are likely to mean.
    """

    KIND = "decoder"

    def __init__(
        self,
        tokenizer: Tokenizer,
        data: Dataset,
        tokens: TokenSet,
        settings: DecoderSettings,
        optimisation: Optimisation,
        device: str = "cpu",
        var: VAR | None = None,
    ):
        self.model = channels_last(tokenizer, device).requires_grad_(False)
        for part in (self.model.after_quantizer, self.model.decoder):
            part.requires_grad_(True)
        self.settings, self.optimisation, self.device = settings, optimisation, device
        self.features = ImageFeatures().to(device)
        patches = channels_last(PatchDiscriminator(), device)
        self.patches = Critic(patches, settings.adversarial, settings.alone, optimisation)
        self.maps: Critic | None = None
        if settings.feature_adversarial:
            if (side := tokenizer.config.image_side) % CELL:
                raise ValueError(f"Features of {side} x {side} pixels cannot be judged: make it n times {CELL}.")
            heads = channels_last(FeatureDiscriminator(), device)
            self.maps = Critic(heads, settings.feature_adversarial, settings.alone, optimisation)
        self.train, self.val, self.tokens = data.train, data.val, tokens
        self.schedule = Schedule.of(self.model.config)
        self.sampler = BatchSampler.over(data.train.labels, data.classes, optimisation.seed, optimisation.mirror)
        self.var = var and var.to(device)

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch, and the terms it is made of."""
        rng = self.sampler.rng(step)
        rows, flips, drawn = draw_pictures(self.train, self.sampler, rng, self.optimisation.batch, micro_batch)
        images = drawn.to(self.device, memory_format=torch.channels_last)
        tokens = self.tokens.tokens[flips.long(), rows].long().to(self.device)
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            f_hat = self.model.quantizer.features(self.schedule.split(tokens))
            if self.var:
                f_hat = self.redrawn(self.var, f_hat, tokens, self.train.labels[rows], rng, micro_batch)
        decoded = self.model.decode_unclamped(f_hat).float()
        pixels = pixel_loss(decoded, images)
        judged, measured = self.judged(decoded, images, tuple(rng.integers(SHIFTS, size=2).tolist()))
        return pixels + judged, {"pixels": pixels.item(), **measured}

    def judged(self, made: Tensor, images: Tensor, shift: tuple[int, ...]) -> tuple[Tensor, dict[str, float]]:
        """Return what the networks say of pictures (b, 3, S, S) beside real ones: the loss, and its terms.

        They see the pictures moved by a few pixels down and to the right, `shift`: else their strides press a grid into
        what is decoded.
        """
        moved, wanted = (torch.roll(pictures, shift, (2, 3)) for pictures in (made, images))
        fooled = self.patches.fooled([wanted], [moved])
        loss, measured = self.patches.pull * fooled, {"fooled": fooled.item()}
        if self.maps:
            with torch.no_grad():
                real = directions(self.features, wanted)
            seen = directions(self.features, moved)
            perceived, fooled = apart(seen, real), self.maps.fooled(real, seen)
            loss = loss + self.maps.pull * fooled
            measured["fooled_features"] = fooled.item()
        else:
            perceived = perceptual_distance(self.features, moved, wanted)
        return loss + self.settings.perceptual * perceived, {**measured, "perceptual": perceived.item()}

    def redrawn(
        self, var: VAR, f_hat: Tensor, tokens: Tensor, labels: Tensor, rng: np.random.Generator, micro_batch: slice
    ) -> Tensor:
        """Return f_hat (b, C, s_K, s_K) of tokens (b, L), for half of them with up to DRAWN last scales drawn anew."""
        size, scales = self.optimisation.batch, len(self.schedule)
        chosen, seeds = rng.random(size)[micro_batch] < 0.5, rng.integers(2**62, size=size)[micro_batch]
        firsts = scales - 1 - rng.integers(min(DRAWN, scales), size=size)[micro_batch]
        sampling = Sampling(guidance=0.0, cooling=COOLING * rng.random())
        rows = torch.from_numpy(chosen.nonzero()[0])
        if not len(rows):
            return f_hat
        plans = [
            Plan.resume(self.schedule.split(own), int(first))
            for own, first in zip(tokens[rows].split(1), firsts[chosen], strict=True)
        ]
        labels_of, seeds_of = tuple(labels[rows].tolist()), tuple(seeds[chosen].tolist())
        *_, last = steps(var, self.model.quantizer, Request(labels_of, seeds_of, sampling, Plan.joined(plans)))
        return f_hat.index_copy(0, rows.to(f_hat.device), last.f_hat)

    def after(self, _step: int) -> dict[str, float]:
        """Take one step of the discriminators, on the same pictures."""
        for critic in filter(None, (self.patches, self.maps)):
            critic.learn()
        return {}

    @torch.no_grad()
    def report(self, ema: Tokenizer) -> tuple[LogRow, Image.Image]:
        """Return what `reconstruction_report` does."""
        return reconstruction_report(ema, self.val, self.device)

    def extra_state(self) -> Fields:
        """Return sizes, which tokenizer the decoder belongs to, and what the discriminators go on from."""
        return {
            "config": asdict(self.model.config),
            "tokenizer": tokenizer_hash(self.model),
            **self.patches.state(),
            "maps": self.maps and self.maps.state(),
            "drawn": self.var is not None,
        }

    def load_extra_state(self, state: Fields) -> None:
        """Go on with the discriminators; ValueError if the run's decoder belongs to another tokenizer."""
        same_tokenizer(state, self.model)
        self.patches.load(state)
        if self.maps and state["maps"]:
            self.maps.load(entry(state, "maps", dict))
