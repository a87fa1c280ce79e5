"""Quality of a model: each figure stands beside what real pictures score in its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import Sampling
from ..engine.classifier import token_losses
from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from ..engine.request import Request
from ..images import averaged, averaged_pixels, to_uint8
from ..tables import markdown
from ..training.data import PictureSet
from ..training.tokenizer_task import psnr
from .reference import Measured, Reference


@dataclass(frozen=True)
class Figure:
    """A row of the report: `value` of the model, `real` the same measure on real val pictures, and their ratio."""

    name: str
    value: float
    real: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return how many times as large the model's value is as that of real pictures."""
        return self.value / self.real if self.real else None


def nearest_distance(features: Tensor, among: Tensor) -> Tensor:
    """Return the distance of each row of (N, d) to the nearest row of (M, d), (N,)."""
    return torch.cat([torch.cdist(part, among).min(1).values for part in features.split(256)])


def generated(
    pipe: Pipeline, labels: Tensor, sampling: Sampling, given: Sequence[Tensor] = (), batch: int = 16
) -> Iterator[float | Tensor]:
    """Draw a picture for each label, seeds 0, 1, ...: yields the fraction done, and uint8 (N, S, S, 3) last.

    Pictures larger than those that the model encodes are averaged down to the side of these, S. The first token maps
    may be `given`, each (N, L_k).
    """
    made: list[Tensor] = []
    for rows in torch.arange(len(labels)).split(batch):
        plan = Plan.free(pipe.schedule, len(rows))
        maps = [known[rows] for known in given] + list(plan.tokens[len(given) :])
        request = Request(tuple(labels[rows].tolist()), tuple(rows.tolist()), sampling, Plan.resume(maps, len(given)))
        drawn = torch.from_numpy(np.stack([np.array(image) for image in pipe.run(request).images]))
        made += averaged_pixels(drawn, pipe.spec.tokenizer.image_side)
        yield len(made) / len(labels)
    yield torch.stack(made)


@dataclass(frozen=True)
class Reconstruction:
    """The result of encoding and decoding the val pictures, averaged to the side that they were encoded at, S."""

    pixels: Tensor  # uint8 (N, S, S, 3)
    decibels: Tensor  # PSNR (N,)
    tokens: list[Tensor]  # one map (N, s_k * s_k) of each side
    losses: list[float]  # teacher-forced cross-entropy per map, nats per token


@torch.inference_mode()
def reconstructed(pipe: Pipeline, val: PictureSet) -> Iterator[float | Reconstruction]:
    """Encode and decode val, and let the transformer predict its tokens: yields the fraction done, the result last."""
    pixels, decibels, sequences, losses = [], [], [], []
    for rows in torch.arange(len(val)).split(32):
        images = val.images(rows).to(pipe.device)
        tokens = pipe.pyramids(images)
        back = averaged(pipe.tokenizer.decode(pipe.tokenizer.quantizer.features(tokens)), images.shape[-1])
        losses.append(token_losses(pipe.var, pipe.tokenizer.quantizer, tokens, val.labels[rows]).cpu())
        pixels.append(to_uint8(back))
        decibels.append(psnr(back, images).cpu())
        sequences.append(torch.cat(tokens, 1).cpu())
        yield int(rows[-1] + 1) / len(val)
    by_map = [part.mean().item() for part in pipe.schedule.maps(torch.cat(losses))]
    yield Reconstruction(torch.cat(pixels), torch.cat(decibels), pipe.schedule.maps(torch.cat(sequences)), by_map)


def quality(reference: Reference, val: Measured, rebuilt: Tensor, made: Tensor, by: str = "") -> list[Figure]:
    """Compare reconstructions (N, d) and generated pictures (N, d) with val; `by` ends the figures' names."""
    floor = reference.distance(val.features)
    accuracy, real = (reference.probe.correct(seen, val.labels).float().mean().item() for seen in (made, val.features))
    return [
        Figure(f"Fréchet distance to train, reconstructions{by}", reference.distance(rebuilt), floor),
        Figure(f"Fréchet distance to train, generated{by}", reference.distance(made), floor),
        Figure(f"probe accuracy, generated{by}", accuracy, real),
    ]


def compare(
    reference: Reference, train: Measured, val: Measured, rebuilt: Tensor, made: Tensor, groups: tuple[str, ...]
) -> list[Figure]:
    """Return the figures that need features: reconstructions (N, d) and generated pictures (N, d), labels as val's."""
    real, found = (reference.probe.correct(seen, val.labels) for seen in (val.features, made))
    figures = quality(reference, val, rebuilt, made)
    for group in sorted(set(groups)):
        mine = torch.tensor([groups[label] == group for label in val.labels.tolist()])
        accuracy, limit = (each[mine].float().mean().item() for each in (found, real))
        figures.append(Figure(f"probe accuracy, {group}", accuracy, limit))
    near, real_near = nearest_distance(made, train.features), nearest_distance(val.features, train.features)
    closest, real_closest = (each.quantile(0.01).item() for each in (near, real_near))
    return [
        *figures,
        Figure("distance to nearest train picture, median", near.median().item(), real_near.median().item()),
        Figure("the same, closest 1 %", closest, real_closest),
    ]


def tokenizer_figures(found: Reconstruction, vocabulary: int) -> list[Figure]:
    """Return PSNR, use of the codebook, and the transformer's loss for every scale."""
    every = torch.cat([scale.flatten() for scale in found.tokens])
    figures = [
        Figure("reconstruction PSNR, dB", found.decibels.mean().item()),
        Figure("codes in use", len(every.unique()), vocabulary),
    ]
    for scale, (tokens, loss) in enumerate(zip(found.tokens, found.losses, strict=True), 1):
        figures.append(Figure(f"codes in use, scale {scale}", len(tokens.unique()), vocabulary))
        figures.append(Figure(f"loss, scale {scale}, nats per token", loss, float(np.log(vocabulary))))
    weights = [scale.shape[1] for scale in found.tokens]
    mean = float(np.average(found.losses, weights=weights))
    return [*figures, Figure("loss, all tokens, nats per token", mean, float(np.log(vocabulary)))]


def report(figures: Sequence[Figure]) -> str:
    """Return the report as Markdown."""
    rows = []
    for figure in figures:
        real = "" if figure.real is None else f"{figure.real:.3g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        rows.append((figure.name, f"{figure.value:.4g}", real, ratio))
    return markdown(("measure", "model", "real val pictures, or limit", "ratio"), rows)
