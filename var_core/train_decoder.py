"""Training the decoder on, alone: tokens and what a transformer has learned of them stay, pictures get sharper.

A patch discriminator is added to the losses of the tokenizer's training (Esser et al. 2021, section 3.1).
"""

import copy
from dataclasses import asdict, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .checkpoints import load_strict
from .data import Classes, Draws, PictureSet
from .features import ImageFeatures, perceptual_distance
from .plan import Plan
from .processes import differentiate, joined
from .sampling import Sampling, steps
from .schedule import Schedule
from .train import Optimisation, autocast
from .train_tokenizer import TokenSet, draw_pictures, fingerprint, pixel_loss, reconstruction_report, same_tokenizer
from .transformer import VAR
from .vqvae import Tokenizer

COOLING = 0.7  # at most, when it draws
DRAWN = 3  # scales, at most, that a transformer draws of a picture
SHIFTS = 8  # pixels, at most, by which pictures are moved before they are judged


class PatchDiscriminator(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> how real each patch of 36 pixels looks, (B, 1, S/8, S/8)."""

    def __init__(self, width: int = 64):
        super().__init__()
        slope = nn.LeakyReLU(0.2)
        layers = [
            *(nn.PixelUnshuffle(4), nn.Conv2d(48, width, 3, padding=1), slope),
            *(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), slope),
            *(nn.Conv2d(2 * width, 2 * width, 3, padding=1), slope),
            nn.Conv2d(2 * width, 1, 1),
        ]
        for place, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                layers[place] = nn.utils.parametrizations.spectral_norm(layer)
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def refined(tokenizer: Tokenizer, channels: int = 0, blocks: int = 0) -> Tokenizer:
    """A copy of a tokenizer that refines with so many channels and residual blocks, and for now decodes as before.

    0 is as many as it has. ValueError for other channels than it has already, or fewer blocks.
    """
    old = tokenizer.config
    config = replace(old, refine=channels or old.refine, refine_blocks=blocks or old.refine_blocks)
    if old.refine and (config.refine != old.refine or config.refine_blocks < old.refine_blocks):
        raise ValueError(
            f"refine {config.refine}, refine_blocks {config.refine_blocks}: the tokenizer has {old.refine} and "
            f"{old.refine_blocks}; choose as many channels, and as many blocks or more."
        )
    copied = Tokenizer(config)
    load_strict(copied, {**copied.state_dict(), **copy.deepcopy(tokenizer.state_dict())})
    return copied


class DecoderTask:
    """Reconstruction (L1 + L2), perceptual and adversarial (hinge) losses of pictures decoded from given tokens.

    For the first `alone` steps only the discriminator learns from its loss, so that it has something to say.
    The decoder is that of `tokenizer` itself, see `refined`. With a `var`, half of the pictures have their last tokens
    drawn by it: it decides them one by one, so that together they say less than those of a real picture, and the
    decoder learns what such tokens are likely to mean.
    """

    KIND = "decoder"

    def __init__(
        self,
        tokenizer: Tokenizer,
        train: PictureSet,
        val: PictureSet,
        tokens: TokenSet,
        classes: Classes,
        optimisation: Optimisation,
        device: str = "cpu",
        perceptual: float = 0.5,
        adversarial: float = 0.1,
        alone: int = 200,
        var: VAR | None = None,
    ):
        self.model = tokenizer.to(device, memory_format=torch.channels_last).requires_grad_(False)
        for part in (self.model.after_quantizer, self.model.decoder):
            part.requires_grad_(True)
        self.optimisation, self.device = optimisation, device
        self.perceptual, self.adversarial, self.alone = perceptual, adversarial, alone
        self.features = ImageFeatures().to(device)
        self.judge = PatchDiscriminator().to(device, memory_format=torch.channels_last)
        self.judging = joined(self.judge)
        self.judge_optimizer = torch.optim.AdamW(
            self.judge.parameters(), lr=optimisation.learning_rate, betas=(0.5, 0.9), weight_decay=0.0
        )
        self.train, self.val, self.tokens = train, val, tokens
        self.schedule = Schedule.of(self.model.config)
        self.draws = Draws.over(train.labels, classes, optimisation.seed, optimisation.mirror)
        self.var = var and var.to(device)
        self.seen: list[tuple[Tensor, Tensor]] = []  # real and decoded pictures of the parts of a step

    def loss(self, step: int, share: slice) -> tuple[Tensor, dict[str, float]]:
        chance = self.draws.generator(step)
        rows, flips, drawn = draw_pictures(self.train, self.draws, chance, self.optimisation.batch, share)
        images = drawn.to(self.device, memory_format=torch.channels_last)
        tokens = self.tokens.tokens[flips.long(), rows].long().to(self.device)
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            f_hat = self.model.quantizer.features(self.schedule.split(tokens))
            if self.var:
                f_hat = self.drawn(f_hat, tokens, self.train.labels[rows], chance, share)
        decoded = self.model.decode_unclamped(f_hat).float()
        pixels = pixel_loss(decoded, images)
        # Both networks see the pictures moved by a few pixels, else their strides press a grid into what is decoded.
        shift = tuple(chance.integers(SHIFTS, size=2).tolist())
        moved, wanted = (torch.roll(pictures, shift, (2, 3)) for pictures in (decoded, images))
        perceived = perceptual_distance(self.features, moved, wanted)
        self.judge.requires_grad_(False).eval()
        fooled = -self.judge(moved).float().mean()
        self.seen.append((wanted, moved.detach()))
        weight = self.adversarial * (step >= self.alone)
        measured = {"pixels": pixels.item(), "perceptual": perceived.item(), "fooled": fooled.item()}
        return pixels + self.perceptual * perceived + weight * fooled, measured

    def drawn(self, f_hat: Tensor, tokens: Tensor, labels: Tensor, chance: np.random.Generator, share: slice) -> Tensor:
        """f_hat (b, C, s_K, s_K) of tokens (b, L), but of half of them with up to DRAWN last scales drawn anew."""
        size, scales = self.optimisation.batch, len(self.schedule)
        chosen, seeds = chance.random(size)[share] < 0.5, chance.integers(2**62, size=size)[share]
        firsts = scales - 1 - chance.integers(min(DRAWN, scales), size=size)[share]
        sampling = Sampling(guidance=0.0, cooling=COOLING * chance.random())
        rows = torch.from_numpy(chosen.nonzero()[0])
        if not len(rows):
            return f_hat
        plans = [
            Plan.resume(self.schedule.split(own), int(first))
            for own, first in zip(tokens[rows].split(1), firsts[chosen], strict=True)
        ]
        asked = (labels[rows], tuple(seeds[chosen].tolist()), sampling, Plan.joined(plans))
        *_, last = steps(self.var, self.model.quantizer, *asked)
        return f_hat.index_copy(0, rows.to(f_hat.device), last.f_hat)

    def after(self, _step: int) -> dict[str, float]:
        """One step of the discriminator, on the same pictures."""
        self.judge.requires_grad_(True)
        differentiate(self.judging, self.seen, self.told_apart)
        self.judge_optimizer.step()
        self.judge_optimizer.zero_grad(set_to_none=True)
        self.seen = []
        return {}

    def told_apart(self, pictures: tuple[Tensor, Tensor]) -> Tensor:
        """The discriminator's loss on real and decoded pictures, each (b, 3, S, S)."""
        self.judge.train(pictures is self.seen[0])  # so that its spectral norms are followed once a step
        with autocast(self.judge, self.optimisation.precision):
            real, made = self.judging(torch.cat(pictures)).float().chunk(2)
        return F.relu(1 - real).mean() + F.relu(1 + made).mean()

    @torch.no_grad()
    def report(self, average: Tokenizer) -> tuple[dict, Image.Image]:
        """As that of the tokenizer's training."""
        return reconstruction_report(average, self.val, self.device)

    def extra_state(self) -> dict:
        return {
            "config": asdict(self.model.config),
            "tokenizer": fingerprint(self.model),
            "judge": self.judge.state_dict(),
            "judge_optimizer": self.judge_optimizer.state_dict(),
            "drawn": self.var is not None,
        }

    def load_extra_state(self, state: dict) -> None:
        """ValueError if the run's decoder belongs to another tokenizer."""
        same_tokenizer(state, self.model)
        self.judge.load_state_dict(state["judge"])
        self.judge_optimizer.load_state_dict(state["judge_optimizer"])
