"""How good is a model? Each figure stands beside what real pictures score in its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.pipeline import Pipeline, Request
from ..engine.plan import Plan
from ..engine.sampling import Sampling
from ..images import to_float, to_uint8
from ..training.data import PictureSet
from ..training.features import ImageFeatures
from ..training.tokenizer_task import psnr


@dataclass(frozen=True)
class Figure:
    """One row of the report: `value` of the model, `real` the same measure on real val pictures, and their ratio."""

    name: str
    value: float
    real: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.real if self.real else None


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d) of features, float64, and a factor (n, d) with factor^T factor = covariance."""

    mean: Tensor
    covariance: Tensor
    factor: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Gaussian":
        """Of features (N, d)."""
        wide = features.double()
        mean = wide.mean(0)
        factor = (wide - mean) / (len(wide) - 1) ** 0.5
        covariance = factor.T @ factor
        if len(wide) > len(mean):
            values, vectors = torch.linalg.eigh(covariance)
            factor = values.clamp_min(0).sqrt()[:, None] * vectors.T
        return cls(mean, covariance, factor)


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Fréchet distance |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al. 2017)."""
    few, many = sorted((a, b), key=lambda gaussian: len(gaussian.factor))
    cross = torch.linalg.eigvalsh(few.factor @ many.covariance @ few.factor.T).clamp_min(0).sqrt().sum()
    return float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross)


@dataclass(frozen=True)
class Probe:
    """A linear classifier on features, trained on real pictures."""

    mean: Tensor  # (d,)
    spread: Tensor  # (d,)
    weight: Tensor  # (classes, d)
    bias: Tensor  # (classes,)

    @classmethod
    def fit(cls, features: Tensor, labels: Tensor, classes: int, decay: float = 1e-3, rounds: int = 60) -> "Probe":
        """Logistic regression by L-BFGS; features (N, d), labels (N,)."""
        mean, spread = features.mean(0), features.std(0) + 1e-6
        scaled = (features - mean) / spread
        weight = torch.zeros(classes, features.shape[1], requires_grad=True)
        bias = torch.zeros(classes, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=rounds, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            solver.zero_grad()
            loss = F.cross_entropy(scaled @ weight.T + bias, labels) + decay * weight.square().sum()
            loss.backward()
            return loss

        solver.step(closure)
        return cls(mean, spread, weight.detach(), bias.detach())

    def hits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Whether the likeliest class is the label, bool (N,)."""
        return ((features - self.mean) / self.spread @ self.weight.T + self.bias).argmax(1) == labels


def nearest_distance(features: Tensor, among: Tensor) -> Tensor:
    """Distance of each row of (N, d) to the nearest row of (M, d), (N,)."""
    return torch.cat([torch.cdist(part, among).min(1).values for part in features.split(256)])


@torch.inference_mode()
def features_of(network: ImageFeatures, pixels: Tensor) -> Iterator[float | Tensor]:
    """Features of uint8 pictures (N, S, S, 3): yields the fraction done, and a tensor (N, 1280) last."""
    found = []
    for part in pixels.split(64):
        found.append(network.pooled(to_float(part)))
        yield min(1.0, 64 * len(found) / len(pixels))
    yield torch.cat(found)


def generated(
    pipe: Pipeline, labels: Tensor, sampling: Sampling, given: Sequence[Tensor] = (), batch: int = 16
) -> Iterator[float | Tensor]:
    """A picture for each label, seeds 0, 1, ...: yields the fraction done, and uint8 (N, S, S, 3) last.

    Their first token maps may be `given`, each (N, L_k).
    """
    made = []
    for rows in torch.arange(len(labels)).split(batch):
        plan = Plan.free(pipe.schedule, len(rows))
        maps = [known[rows] for known in given] + list(plan.tokens[len(given) :])
        request = Request(tuple(labels[rows].tolist()), tuple(rows.tolist()), sampling, Plan.resume(maps, len(given)))
        made += [torch.from_numpy(np.array(image)) for image in pipe.run(request).images]
        yield len(made) / len(labels)
    yield torch.stack(made)


@dataclass(frozen=True)
class Reconstruction:
    """What encoding and decoding the val pictures gave."""

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
        back = pipe.tokenizer.decode(pipe.tokenizer.quantizer.features(tokens))
        losses.append(pipe.token_losses(tokens, val.labels[rows]).cpu())
        pixels.append(to_uint8(back))
        decibels.append(psnr(back, images).cpu())
        sequences.append(torch.cat(tokens, 1).cpu())
        yield int(rows[-1] + 1) / len(val)
    by_map = [part.mean().item() for part in pipe.schedule.maps(torch.cat(losses))]
    yield Reconstruction(torch.cat(pixels), torch.cat(decibels), pipe.schedule.maps(torch.cat(sequences)), by_map)


@dataclass(frozen=True)
class Measured:
    """Features (N, d) and labels (N,) of a set of pictures."""

    features: Tensor
    labels: Tensor


def quality(train: Measured, val: Measured, rebuilt: Tensor, made: Tensor, probe: Probe, by: str = "") -> list[Figure]:
    """Distances and hits of reconstructions (N, d) and generated pictures (N, d); `by` ends the figures' names."""
    reference = Gaussian.of(train.features)
    floor = frechet(Gaussian.of(val.features), reference)
    hits, real_hits = (probe.hits(seen, val.labels).float().mean().item() for seen in (made, val.features))
    return [
        Figure(f"Fréchet distance to train, reconstructions{by}", frechet(Gaussian.of(rebuilt), reference), floor),
        Figure(f"Fréchet distance to train, generated{by}", frechet(Gaussian.of(made), reference), floor),
        Figure(f"probe hit rate, generated{by}", hits, real_hits),
    ]


def compare(train: Measured, val: Measured, rebuilt: Tensor, made: Tensor, groups: tuple[str, ...]) -> list[Figure]:
    """The figures that need features: of reconstructions (N, d) and generated pictures (N, d), labels as in val."""
    probe = Probe.fit(train.features, train.labels, len(groups))
    real_hits, hits = probe.hits(val.features, val.labels), probe.hits(made, val.labels)
    figures = quality(train, val, rebuilt, made, probe)
    for group in sorted(set(groups)):
        mine = torch.tensor([groups[label] == group for label in val.labels.tolist()])
        figures.append(
            Figure(f"probe hit rate, {group}", hits[mine].float().mean().item(), real_hits[mine].float().mean().item())
        )
    near, real_near = nearest_distance(made, train.features), nearest_distance(val.features, train.features)
    figures.append(Figure("distance to nearest train picture, median", near.median().item(), real_near.median().item()))
    figures.append(Figure("the same, closest 1 %", near.quantile(0.01).item(), real_near.quantile(0.01).item()))
    return figures


def tokenizer_figures(found: Reconstruction, vocabulary: int) -> list[Figure]:
    """PSNR, use of the codebook, loss of the transformer per scale."""
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


def table(figures: list[Figure]) -> str:
    """The report as Markdown."""
    rows = ["| measure | model | real val pictures, or limit | ratio |", "|---|---|---|---|"]
    for figure in figures:
        real = "" if figure.real is None else f"{figure.real:.3g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        rows.append(f"| {figure.name} | {figure.value:.4g} | {real} | {ratio} |")
    return "\n".join(rows)
