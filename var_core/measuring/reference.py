"""Measures against real pictures: how a frozen network sees these, and a classifier trained on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import to_float
from ..training.features import ImageFeatures

T = TypeVar("T")


def result_of(work: Iterator[float | T]) -> T:
    """Carry out work that yields the fraction done, and its result last; return the result."""
    *_, result = work
    assert not isinstance(result, float)
    return result


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) of features, float64, and a factor (n, d) of their covariance, factor^T factor, with n at most d."""

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Gaussian":
        """Fit features (N, d)."""
        wide = features.double()
        mean = wide.mean(0)
        factor = (wide - mean) / (len(wide) - 1) ** 0.5
        if len(wide) > len(mean):
            values, vectors = torch.linalg.eigh(factor.T @ factor)
            factor = values.clamp_min(0).sqrt()[:, None] * vectors.T
        return cls(mean, factor)

    @property
    def variance(self) -> Tensor:
        """Return the sum of all features' variances, the covariance's trace."""
        return self.factor.square().sum()


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Return the Fréchet distance |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al. 2017).

    With factors F of the covariances, the last term's trace is the sum of the singular values of F_a F_b^T.
    """
    few, many = sorted((a, b), key=lambda gaussian: len(gaussian.factor))
    product = few.factor @ many.factor.T
    cross = torch.linalg.eigvalsh(product @ product.T).clamp_min(0).sqrt().sum()
    return float((a.mean - b.mean).square().sum() + a.variance + b.variance - 2 * cross)


@dataclass(frozen=True)
class Probe:
    """A linear classifier on features, trained on real pictures."""

    mean: Tensor  # (d,)
    spread: Tensor  # (d,)
    weight: Tensor  # (classes, d)
    bias: Tensor  # (classes,)

    @classmethod
    def fit(
        cls, features: Tensor, labels: Tensor, classes: int, weight_decay: float = 1e-3, rounds: int = 60
    ) -> "Probe":
        """Fit by logistic regression with L-BFGS; features (N, d), labels (N,)."""
        mean, spread = features.mean(0), features.std(0) + 1e-6
        scaled = (features - mean) / spread
        weight = torch.zeros(classes, features.shape[1], requires_grad=True)
        bias = torch.zeros(classes, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=rounds, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            solver.zero_grad()
            loss = F.cross_entropy(scaled @ weight.T + bias, labels) + weight_decay * weight.square().sum()
            loss.backward()
            return loss

        solver.step(closure)
        return cls(mean, spread, weight.detach(), bias.detach())

    def correct(self, features: Tensor, labels: Tensor) -> Tensor:
        """Say whether the likeliest class is the label, bool (N,)."""
        return ((features - self.mean) / self.spread @ self.weight.T + self.bias).argmax(1) == labels


@torch.inference_mode()
def features_of(network: ImageFeatures, pixels: Tensor) -> Iterator[float | Tensor]:
    """Compute features of uint8 pictures (N, S, S, 3): yields the fraction done, and a tensor (N, 1280) last."""
    found = []
    for part in pixels.split(64):
        found.append(network.pooled(to_float(part)))
        yield min(1.0, 64 * len(found) / len(pixels))
    yield torch.cat(found)


@dataclass(frozen=True)
class Measured:
    """Features (N, d) and labels (N,) of a set of pictures."""

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class QualityCost:
    """Fréchet distance to the train pictures and accuracy of the probe, both as multiples of what val has."""

    distance: float
    accuracy: float


@dataclass(frozen=True)
class Reference:
    """A network, how it sees the real train pictures, and a probe of their classes."""

    network: ImageFeatures
    train: Gaussian
    probe: Probe

    @classmethod
    def of(cls, network: ImageFeatures, train: Measured, classes: int) -> "Reference":
        """Return the reference for pictures of so many classes."""
        return cls(network, Gaussian.of(train.features), Probe.fit(train.features, train.labels, classes))

    def features(self, pixels: Tensor) -> Tensor:
        """Return features (N, d) of pictures uint8 (N, S, S, 3)."""
        return result_of(features_of(self.network, pixels))

    def distance(self, features: Tensor) -> float:
        """Return the Fréchet distance of pictures to the train pictures, by their features (N, d)."""
        return frechet(Gaussian.of(features), self.train)

    def quality_cost(self, features: Tensor, val: Measured) -> QualityCost:
        """Compare pictures with val's labels, by their features (N, d), with val itself."""
        floor = self.distance(val.features)
        real, made = (self.probe.correct(seen, val.labels).float().mean() for seen in (val.features, features))
        return QualityCost(self.distance(features) / floor, float(made / real))
