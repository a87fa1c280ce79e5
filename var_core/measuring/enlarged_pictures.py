"""Measures what a decoder draws at more pixels than are encoded, beside other ways to enlarge."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..images import averaged, to_float, to_uint8
from ..nn.tokenizer import Tokenizer
from ..tables import markdown
from ..training.data import PictureSet
from ..training.features import ImageFeatures, apart, directions
from .bootstrap import Interval, interval, said
from .reference import Gaussian, frechet

Draw = Callable[[Tensor], Tensor]  # f_hat (B, C, s_K, s_K) -> uint8 (B, D, D, 3)

PART = 16  # pictures that are decoded together
SHARPENED = ImageFilter.UnsharpMask(radius=1.5, percent=100, threshold=0)
MIDDLE = 0.75  # of the side: the square whose spectrum is taken; pictures of 224 pixels reach further at 256
DETAIL = (0.25, 0.5)  # cycles a pixel: what a picture of half the size cannot hold
BESIDE = range(2, 6)  # places of a spectrum that a line is compared with, on both sides


def enlarged_by(pixels: Tensor, side: int, resample: Image.Resampling, sharpen: bool = False) -> Tensor:
    """Enlarge pictures uint8 (B, S, S, 3) to another side with Pillow, and sharpen them by an unsharp mask if asked."""
    made = [Image.fromarray(picture).resize((side, side), resample) for picture in pixels.numpy()]
    if sharpen:
        made = [picture.filter(SHARPENED) for picture in made]
    return torch.from_numpy(np.stack([np.array(picture) for picture in made]))


def before_enlarging(tokenizer: Tokenizer) -> Draw:
    """Return what draws with a decoder, at the side of what is encoded: as its last part finds it where it enlarges."""

    @torch.inference_mode()
    def draw(f_hat: Tensor) -> Tensor:
        return to_uint8(tokenizer.decode_small(f_hat))

    return draw


@torch.inference_mode()
def decoded_pixels(tokenizer: Tokenizer, f_hat: Tensor) -> Tensor:
    """Decode f_hat (B, C, s_K, s_K) to uint8 (B, D, D, 3)."""
    return to_uint8(tokenizer.decode(f_hat))


def ways_to_draw(tokenizer: Tokenizer, against: Tokenizer | None = None) -> dict[str, Draw]:
    """Return a decoder that enlarges, and ways to enlarge what a decoder draws, by name.

    These enlarge the pictures of the decoder `against`, which draws the same tokens, or by default those that the
    decoder itself has before it enlarges them. ValueError if it does not enlarge, or `against` has other tokens.
    """
    config, side = tokenizer.config, tokenizer.config.drawn_side
    if config.enlarge == 1:
        raise ValueError(f"This model draws {side} pixels, as many as it encodes: choose one that draws more.")
    if against is not None and not same_codes(tokenizer, against):
        raise ValueError("The other model has other tokens: choose one with the same codebook and sides.")
    small = before_enlarging(against or tokenizer)
    kinds = {
        "bicubic": (Image.Resampling.BICUBIC, False),
        "Lanczos": (Image.Resampling.LANCZOS, False),
        "Lanczos, sharpened": (Image.Resampling.LANCZOS, True),
    }
    begun = "the other model's" if against else "before it enlarges"
    rivals = {
        f"{begun}, {name}": lambda f_hat, kind=kind: enlarged_by(small(f_hat), side, *kind)
        for name, kind in kinds.items()
    }
    return {"the model": lambda f_hat: decoded_pixels(tokenizer, f_hat), **rivals}


def same_codes(tokenizer: Tokenizer, other: Tokenizer) -> bool:
    """Say whether two tokenizers mean the same by a token: equal sides and equal weights of the quantizer."""
    ours, theirs = tokenizer.quantizer.state_dict(), other.quantizer.state_dict()
    return tokenizer.config.sides == other.config.sides and all(
        name in theirs and ours[name].shape == theirs[name].shape and torch.equal(ours[name], theirs[name])
        for name in ours
    )


@dataclass(frozen=True)
class EnlargedScore:
    """LogRow of one way to draw: `frechet` by the name of the network, `near` the mean perceptual distance."""

    way: str
    frechet: dict[str, float]
    near: Interval


def mean_of(values: np.ndarray) -> Interval:
    """Return the mean of values (N,), and its interval."""
    return interval(lambda rows: float(values[rows].mean()), len(values))


def pooled(network: ImageFeatures, pixels: Tensor) -> Tensor:
    """Return features (N, 1280) of pictures uint8 (N, D, D, 3), seen at their full size."""
    found = [network.pooled(to_float(part), part.shape[1]) for part in pixels.split(PART)]
    return torch.cat(found)


@torch.inference_mode()
def rebuilt(
    tokenizer: Tokenizer, ways: dict[str, Draw], train: PictureSet, val: PictureSet, networks: Sequence[ImageFeatures]
) -> Iterator[float | list[EnlargedScore]]:
    """Encode sharp pictures of val, averaged down, and draw them at full size again in every way.

    Fréchet distances are to the sharp pictures of train, by all networks at full size; `near` by the last. The last row
    is val itself. Yields the fraction done, and the scores last.
    """
    side, judge = tokenizer.config.image_side, networks[-1]
    parts = val.pixels.split(PART)
    work, done = len(parts) * (len(ways) + 1) + len(train.pixels.split(PART)), 0
    pictures: dict[str, list[Tensor]] = {name: [] for name in ways}
    near: dict[str, list[float]] = {name: [] for name in ways}
    for part in parts:
        images = to_float(part)
        f_hat = tokenizer.quantizer.features(tokenizer.encode(averaged(images, side)))
        for name, draw in ways.items():
            made = draw(f_hat)
            pictures[name].append(made)
            for ours, true in zip(to_float(made), images, strict=True):
                near[name].append(apart(directions(judge, ours[None]), directions(judge, true[None])).item())
            done += 1
            yield done / work
    reference: dict[str, list[Tensor]] = {network.name: [] for network in networks}
    for part in train.pixels.split(PART):
        for network in networks:
            reference[network.name].append(pooled(network, part))
        done += 1
        yield done / work
    gaussians = {name: Gaussian.of(torch.cat(found)) for name, found in reference.items()}

    def distances(pixels: Tensor) -> dict[str, float]:
        return {n.name: frechet(Gaussian.of(pooled(n, pixels)), gaussians[n.name]) for n in networks}

    scores = []
    for name in ways:
        scores.append(EnlargedScore(name, distances(torch.cat(pictures[name])), mean_of(np.array(near[name]))))
    yield [*scores, EnlargedScore("the pictures themselves", distances(val.pixels), Interval(0.0, 0.0, 0.0))]


def spectra(pixels: Tensor) -> np.ndarray:
    """Return the mean power spectrum of the middles of pictures uint8 (N, D, D, 3), float64 (side, side).

    Of their brightness under a Hann window, so that borders do not count; frequency zero comes first.
    """
    side = round(MIDDLE * pixels.shape[1])
    before = (pixels.shape[1] - side) // 2
    middle = pixels[:, before : before + side, before : before + side].double() / 255
    grey = middle @ torch.tensor([0.299, 0.587, 0.114]).double()
    window = torch.hann_window(side, periodic=False).double()
    weighed = (grey - grey.mean((1, 2), keepdim=True)) * window * window[:, None]
    return torch.fft.fft2(weighed).abs().square().mean(0).numpy()


def frequencies(side: int) -> np.ndarray:
    """Return the frequency of each place of a spectrum, in cycles a pixel, (side, side)."""
    along = np.fft.fftfreq(side)
    return np.hypot(along, along[:, None])


def radial_difference(ours: np.ndarray, theirs: np.ndarray, rings: int = 16) -> list[tuple[float, float]]:
    """Compare two spectra ring by ring over DETAIL: (frequency in cycles a pixel, difference in dB) each."""
    radius, edges = frequencies(len(ours)), np.linspace(*DETAIL, rings + 1)
    found = []
    for low, high in pairwise(edges):
        ring = (radius >= low) & (radius < high)
        found.append((float(low + high) / 2, float(10 * np.log10(ours[ring].mean() / theirs[ring].mean()))))
    return found


def highest_line(spectrum: np.ndarray) -> tuple[float, float]:
    """Find the line of a spectrum that stands out most: (frequency in cycles a pixel, dB above its neighbours).

    A lattice of pixels in pictures makes such lines, upright or level; the lowest frequencies, which fall steeply,
    and the mirrored half are left out.
    """
    side, best = len(spectrum), (0.0, -np.inf)
    for profile in (spectrum.mean(0), spectrum.mean(1)):
        level = 10 * np.log10(profile)
        for at in range(side // 16, side // 2 + 1):
            beside = [level[(at + sign * step) % side] for step in BESIDE for sign in (-1, 1)]
            best = max(best, (at / side, float(level[at] - np.median(beside))), key=lambda found: found[1])
    return best


@dataclass(frozen=True)
class SpectrumScore:
    """The spectrum of pictures beside that of sharp ones: see `radial_difference`, and `highest_line`."""

    way: str
    rings: list[tuple[float, float]]
    line: tuple[float, float]

    @classmethod
    def of(cls, way: str, pixels: Tensor, real: np.ndarray) -> "SpectrumScore":
        """Compare pictures uint8 (N, D, D, 3) with a spectrum of sharp ones."""
        ours = spectra(pixels)
        return cls(way, radial_difference(ours, real), highest_line(ours))

    def cells(self) -> tuple[str, ...]:
        """Return the score as cells of a table: see `spectrum_table`."""
        mean, far = np.mean([level for _, level in self.rings]), max(self.rings, key=lambda ring: abs(ring[1]))
        return self.way, f"{mean:+.1f}", f"{far[1]:+.1f} at {far[0]:.2f}", f"{self.line[1]:.1f} at {self.line[0]:.2f}"


def rebuilt_table(scores: Sequence[EnlargedScore]) -> str:
    """Return what `rebuilt` found as Markdown."""
    networks = list(scores[0].frechet)
    rows = [(s.way, *(f"{s.frechet[name]:.1f}" for name in networks), said(s.near, 3)) for s in scores]
    distances = (f"Fréchet distance, {name}" for name in networks)
    return markdown(("reconstructions", *distances, f"perceptual distance, {networks[-1]}"), rows)


def spectrum_table(group: str, scores: Sequence[SpectrumScore]) -> str:
    """Return spectra of the pictures of a group as Markdown: from a quarter of a cycle a pixel to its half."""
    at = "dB, at cycles a pixel"
    head = (f"generated, {group}", "mean difference, dB", f"largest difference, {at}", f"highest line, {at}")
    return markdown(head, [score.cells() for score in scores])


def generated_pictures(
    pipe: Pipeline, labels: Sequence[int], ways: dict[str, Draw]
) -> Iterator[float | dict[str, Tensor]]:
    """Draw a picture for each label, seeds 0, 1, ..., at full size in every way.

    Yields the fraction done, and uint8 (N, D, D, 3) by the name of the way last.
    """
    made: dict[str, list[Tensor]] = {name: [] for name in ways}
    for rows in torch.arange(len(labels)).split(PART):
        chosen = tuple(rows.tolist())
        *_, last = pipe.steps(Request(tuple(labels[row] for row in chosen), chosen, pipe.spec.default_sampling))
        for name, draw in ways.items():
            made[name].append(draw(last.f_hat))
        yield (chosen[-1] + 1) / len(labels)
    yield {name: torch.cat(parts) for name, parts in made.items()}


def blind_pairs(ours: Tensor, theirs: Tensor, columns: int = 4) -> tuple[Image.Image, list[str]]:
    """Lay pictures uint8 (N, D, D, 3) of two ways in pairs, left and right by chance, numbered by row and column.

    Returns the sheet, and for each pair on which side ours stands.
    """
    rng = np.random.Generator(np.random.Philox(key=[0, len(ours)]))
    left = rng.integers(2, size=len(ours)).astype(bool)
    side, gap = ours.shape[1], 12
    rows = -(-len(ours) // columns)
    sheet = np.full((rows * (side + gap) - gap, columns * (2 * side + gap) - gap, 3), 255, np.uint8)
    for index, (a, b) in enumerate(zip(ours.numpy(), theirs.numpy(), strict=True)):
        top, begin = index // columns * (side + gap), index % columns * (2 * side + gap)
        sheet[top : top + side, begin : begin + 2 * side] = np.hstack((a, b) if left[index] else (b, a))
    return Image.fromarray(sheet), ["left" if found else "right" for found in left]
