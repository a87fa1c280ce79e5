"""Training a decoder that draws larger pictures than those that are encoded.

Its pictures before they are enlarged go on as `DecoderTask` trains them. Those that are enlarged are asked for what
sharp pictures look like at that size: a second data set, without classes, of pictures that are larger.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..config import TokenizerConfig
from ..findings.run_log import LogRow
from ..images import averaged, tiled, to_float, to_pil
from ..nn.enlargement import Region, cut, enlarged
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..schema import Fields, entry
from .data import BatchSampler, Dataset, PictureSet
from .decoder_task import CELL, SHIFTS, Critic, DecoderSettings, DecoderTask, FeatureDiscriminator, PatchDiscriminator
from .distributed import rank, world
from .features import ImageFeatures, apart, directions
from .sharp import Sharp
from .tokenizer_task import TokenSet, pixel_loss, psnr
from .trainer import Optimisation, channels_last

ROLES = 8  # a picture's role depends on its place in the batch, modulo this
DETAIL = (1, 3, 4, 6)  # places of sharp pictures, which are known at full size
PARTIAL = (0,)  # places of pictures of which only the first scales are decoded
CALM = 10.0  # weight of the finest detail of these, before they are enlarged
FAITHFUL = 2.0  # weight of how far enlarged pictures are, when averaged, from those before
ANCHORED = 0.02  # weight of how far the data's own, enlarged, are from plain enlargements
LATTICE = 0.01  # weight of what lines of their spectrum stand out by, in dB squared
PERIODS = 8  # the longest lattice that is looked for, in pixels: the width of two that are encoded, and more
BESIDE = (2, 3, 4, 5)  # places of a spectrum that a line is compared with
TINY = 1e-3  # power of a line that does not show
FINE = 0.25  # of the weight of the discriminator of features: that of its like at full size
PART = 128  # pixels, the side of what is judged of enlarged pictures, at most
REPORTED, SHOWN = 64, 2  # pictures of each set that a report measures; pictures that it shows of each 16


@dataclass(frozen=True)
class Roles:
    """Places of a part of a batch, bool (b,) each: the sharp pictures, those decoded in part, the data's own."""

    sharp: Tensor
    partial: Tensor

    @classmethod
    def of(cls, size: int, micro_batch: slice) -> "Roles":
        """Return the roles of a part of a batch of `size` pictures."""
        places = torch.arange(size)[micro_batch] % ROLES
        return cls(*(torch.isin(places, torch.tensor(which)) for which in (DETAIL, PARTIAL)))

    @property
    def full(self) -> Tensor:
        return ~self.partial

    @property
    def own(self) -> Tensor:
        return ~self.sharp & ~self.partial


def judged_pixels(config: TokenizerConfig) -> int:
    """Return the side of what is judged of pictures that are drawn: all of small ones, a part of large ones."""
    scale = 2 * config.enlarge
    return min(PART, config.drawn_side) // scale * scale


def check_enlarging(config: TokenizerConfig, settings: DecoderSettings, optimisation: Optimisation) -> None:
    """ValueError unless a decoder of these sizes can be trained to enlarge in this way."""
    if config.enlarge == 1 or not settings.feature_adversarial:
        raise ValueError(
            f"enlarge {config.enlarge}, feature_adversarial {settings.feature_adversarial}: choose 2 or more, and a "
            "weight above 0."
        )
    if config.image_side % CELL or judged_pixels(config) % CELL:
        raise ValueError(
            f"Pictures of {config.image_side} pixels, and parts of {judged_pixels(config)} of those that are drawn, "
            f"cannot be judged: make both n times {CELL}."
        )
    for micro_batch in optimisation.micro_batches(rank(), world()):
        roles = Roles.of(optimisation.batch, micro_batch)
        if not (roles.sharp.any() and roles.own.any()):
            raise ValueError(
                f"batch {optimisation.batch} in {world()} x {optimisation.accumulate} parts: choose parts of {ROLES} "
                "pictures, so that each has some of every kind."
            )


class EnlargingTask(DecoderTask):
    """Losses of `DecoderTask` on pictures before they are enlarged, and of these, on a part of them, at full size.

    What a picture's role is depends on its place in the batch. Some are sharp pictures (`DETAIL`), encoded at the
    smaller side: what is decoded is compared with them. Of some only the first scales are decoded (`PARTIAL`): they
    shall be smooth, so no discriminator sees them, and detail as fine as a pixel is levelled. All others are the
    data's own. Their enlargements must average to what they were before, and stay near plain ones. Two more
    discriminators judge at full size, the sharp ones alone: pulled without true pixels beside them, enlargements of
    what is drawn grow teeth along their edges. Where the spectrum of enlarged pictures has a line, which a lattice
    of pixels makes, that is levelled.
    """

    maps: Critic

    def __init__(
        self,
        tokenizer: Tokenizer,
        data: Dataset,
        tokens: TokenSet,
        settings: DecoderSettings,
        optimisation: Optimisation,
        device: str = "cpu",
        var: VAR | None = None,
        *,
        sharp: Sharp,
    ):
        check_enlarging(tokenizer.config, settings, optimisation)
        self.scale = 2 * tokenizer.config.enlarge  # pixels drawn along a place at half of the encoded resolution
        self.part = judged_pixels(tokenizer.config) // self.scale  # places
        super().__init__(tokenizer, data, tokens, settings, optimisation, device, var)
        self.sharp = sharp
        rows = torch.arange(len(sharp.train))
        self.sharp_sampler = BatchSampler((rows,), optimisation.seed, optimisation.mirror)
        patches, heads = (channels_last(network(), device) for network in (PatchDiscriminator, FeatureDiscriminator))
        self.fine_patches = Critic(patches, settings.adversarial, settings.alone, optimisation)
        self.fine_maps = Critic(heads, FINE * settings.feature_adversarial, settings.alone, optimisation)

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch, and the terms it is made of."""
        rng, size = self.sampler.rng(step), self.optimisation.batch
        roles = Roles.of(size, micro_batch)
        rows, flips = (draw(rng, size)[micro_batch] for draw in (self.sampler.batch, self.sampler.mirrored))
        sharp_rows, sharp_flips = (
            draw(rng, size)[micro_batch] for draw in (self.sharp_sampler.batch, self.sharp_sampler.mirrored)
        )
        region = self.region(rng)
        firsts = rng.integers(1, max(2, len(self.schedule)), size=size)[micro_batch]
        null = self.var.config.null_label if self.var else 0
        labels = torch.where(roles.sharp, null, self.train.labels[rows])
        theirs, ours = self.sharp.tokens.tokens[sharp_flips.long(), sharp_rows], self.tokens.tokens[flips.long(), rows]
        tokens = torch.where(roles.sharp[:, None], theirs, ours).long().to(self.device)
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            f_hat = self.model.quantizer.features(self.schedule.split(tokens))
            if self.var:
                f_hat = self.redrawn(self.var, f_hat, tokens, labels, rng, micro_batch)
            for place in roles.partial.nonzero()[:, 0].tolist():
                f_hat[place] = begun(self.model, tokens[place : place + 1], int(firsts[place]))[0]
        shift = tuple(rng.integers(SHIFTS, size=2).tolist())  # as in `DecoderTask`

        small, made = decoded(self.model, f_hat, region)
        images = self.train.images(rows[~roles.sharp], flips[~roles.sharp])
        images = images.to(self.device, memory_format=torch.channels_last)
        pixels = pixel_loss(small[~roles.sharp], images)
        loss, measured = self.judged(small[roles.own], images[roles.own[~roles.sharp]], shift)
        real = self.sharp_part(sharp_rows[roles.sharp], sharp_flips[roles.sharp], region)
        terms = self.fine_terms(small, made, real, roles, region)
        fine, said = self.judged_fine(made[roles.sharp], real, shift)
        measured |= {"pixels": pixels.item(), **{name: term.item() for name, term in terms.items()}, **said}
        plain = (
            FAITHFUL * terms["faithful"]
            + ANCHORED * terms["anchored"]
            + LATTICE * terms["lattice"]
            + CALM * terms["calm"]
        )
        return loss + pixels + terms["exact"] + terms["smooth"] + plain + fine, measured

    def fine_terms(self, small: Tensor, made: Tensor, real: Tensor, roles: Roles, region: Region) -> dict[str, Tensor]:
        """Return how far parts of enlarged pictures are from sharp ones, from those before, and from plain ones."""
        before = cut(small, region, 2).detach()
        plain = cut(enlarged(small, self.model.config.enlarge), region, self.scale).detach()
        exact = pixel_loss(made[roles.sharp], real)
        some = bool(roles.partial.any())
        return {
            "exact": exact,
            "faithful": (averaged(made, before.shape[-1]) - before)[~roles.sharp].abs().mean(),
            "anchored": pixel_loss(made[roles.own], plain[roles.own]),
            "lattice": lattice(made[roles.full]),
            "smooth": pixel_loss(made[roles.partial], plain[roles.partial]) if some else 0.0 * exact,
            "calm": finest(small[roles.partial]).abs().mean() if some else 0.0 * exact,
        }

    def judged_fine(self, made: Tensor, real: Tensor, shift: tuple[int, ...]) -> tuple[Tensor, dict[str, float]]:
        """Return what the networks say of parts of enlarged pictures (b, 3, p, p): the loss, and its terms.

        `real` are the sharp pictures that they show.
        """
        moved, wanted = (torch.roll(pictures, shift, (2, 3)) for pictures in (made, real))
        fooled = self.fine_patches.fooled([wanted], [moved])
        with torch.no_grad():
            real_maps = directions(self.features, wanted)
        maps = directions(self.features, moved)
        perceived, fooled_maps = apart(maps, real_maps), self.fine_maps.fooled(real_maps, maps)
        measured = {
            "fine_fooled": fooled.item(),
            "fine_fooled_features": fooled_maps.item(),
            "fine_perceptual": perceived.item(),
        }
        loss = self.settings.perceptual * perceived + self.fine_patches.pull * fooled
        return loss + self.fine_maps.pull * fooled_maps, measured

    def region(self, rng: np.random.Generator) -> Region:
        """Draw the part of the pictures that a step looks at, in places at half of the encoded resolution."""
        top, left = rng.integers(self.model.config.image_side // 2 - self.part + 1, size=2).tolist()
        return slice(top, top + self.part), slice(left, left + self.part)

    def sharp_part(self, rows: Tensor, flips: Tensor, region: Region) -> Tensor:
        """Return a part of sharp pictures, (b, 3, p, p), where the model is."""
        part = cut(self.sharp.train.images(rows, flips), region, self.scale)
        return part.to(self.device, memory_format=torch.channels_last)

    def after(self, step: int) -> dict[str, float]:
        """Take one step of all discriminators, on the same pictures."""
        for critic in (self.fine_patches, self.fine_maps):
            critic.learn()
        return super().after(step)

    def report(self, ema: Tokenizer) -> tuple[LogRow, Image.Image]:
        """Return what `enlarging_report` does."""
        return enlarging_report(ema, self.features, self.val, self.sharp.val, self.device)

    def extra_state(self) -> Fields:
        """Return what `DecoderTask` keeps, and what the discriminators of enlarged pictures go on from."""
        fine = {"patches": self.fine_patches.state(), "maps": self.fine_maps.state()}
        return {**super().extra_state(), "fine": fine}

    def load_extra_state(self, state: Fields) -> None:
        """Go on with all discriminators; ValueError if the run's decoder belongs to another tokenizer."""
        super().load_extra_state(state)
        fine = entry(state, "fine", dict)
        self.fine_patches.load(fine["patches"])
        self.fine_maps.load(fine["maps"])


def decoded(model: Tokenizer, f_hat: Tensor, region: Region | None = None) -> tuple[Tensor, Tensor]:
    """Return pictures before they are enlarged (B, 3, S, S), and enlarged, or a part of them; float32, not clamped."""
    deep = model.decoder.deep(model.after_quantizer(f_hat))
    small, hidden = model.decoder.small(deep)
    return small.float(), model.decoder.enlarge(small, hidden, deep, region).float()


def finest(pictures: Tensor) -> Tensor:
    """Return what pictures (B, 3, S, S) lose when they are averaged down to half of their side."""
    return pictures - enlarged(averaged(pictures, pictures.shape[-1] // 2), 2)


def lattice(pictures: Tensor) -> Tensor:
    """Return how far lines stand out of the spectra of pictures (b, 3, p, p), upright or level, in dB squared.

    Looked at are the frequencies of lattices of 2 to `PERIODS` pixels; each is compared with those near it.
    """
    side, grey = pictures.shape[-1], pictures.float().mean(1)
    window = torch.hann_window(side, device=grey.device)
    spectra = torch.fft.rfft(torch.stack((grey, grey.mT)) * window)
    level = 10 * (spectra.real.square() + spectra.imag.square()).mean((1, 2)).add(TINY).log10()  # (2, side/2 + 1)
    lines = torch.arange(side // PERIODS, side // 2 + 1, side // PERIODS)
    beside = torch.stack([lines + sign * step for step in BESIDE for sign in (-1, 1)])
    beside = torch.where(beside > side // 2, side - beside, beside)
    return F.relu(level[:, lines] - level[:, beside].mean(1)).square().mean()


def begun(model: Tokenizer, tokens: Tensor, scales: int) -> Tensor:
    """Return f_hat (B, C, s_K, s_K) of the first scales alone of tokens (B, L)."""
    quantizer = model.quantizer
    f_hat = quantizer.empty(len(tokens))
    for scale, drawn in enumerate(quantizer.schedule.split(tokens)[:scales]):
        f_hat = quantizer.add(f_hat, quantizer.codes(drawn), scale)
    return f_hat


@torch.no_grad()
def enlarging_report(
    tokenizer: Tokenizer, features: ImageFeatures, val: PictureSet, sharp: PictureSet, device: str
) -> tuple[LogRow, Image.Image]:
    """Measure a decoder that enlarges on some val pictures, and on sharp ones; draw a sheet.

    `psnr` and `sharp` are PSNR in dB of pictures averaged to the encoded side, of the data and of sharp ones; `near` is
    the perceptual distance to sharp ones at full size, and `near_plain` that of bicubic enlargements. The sheet shows
    each picture beside its plain enlargement and what is drawn, then pictures of the first scales alone.
    """
    times, side = tokenizer.config.enlarge, tokenizer.config.image_side
    figures: Fields = {}
    near, near_plain, shown = [], [], []
    for name, pictures in (("psnr", val), ("sharp", sharp)):
        decibels = []
        for part in pictures.spread(REPORTED).pixels.split(16):
            images = to_float(part).to(device)
            small = averaged(images, side)
            before, made = decoded(tokenizer, tokenizer.quantizer.features(tokenizer.encode(small)))
            plain = enlarged(before, times).clamp(-1, 1)
            made = made.clamp(-1, 1)
            decibels.append(psnr(averaged(made, side), small))
            truth = images if name == "sharp" else enlarged(images, times)
            if name == "sharp":
                real = directions(features, images)
                near.append(apart(directions(features, made), real))
                near_plain.append(apart(directions(features, plain), real))
            shown.append(torch.stack((truth, plain, made), 1)[:SHOWN].flatten(0, 1).clamp(-1, 1))
        figures[name] = torch.cat(decibels).mean().item()
    figures |= {"near": torch.stack(near).mean().item(), "near_plain": torch.stack(near_plain).mean().item()}
    tokens = torch.cat(tokenizer.encode(to_float(val.spread(4).pixels).to(device)), 1)
    firsts = [count for count in (2, 4, 6, 8) if count < len(tokenizer.quantizer.schedule)]
    shown += [tokenizer.decode(begun(tokenizer, tokens, count)) for count in firsts]
    return figures, tiled(to_pil(torch.cat(shown)), columns=6)
