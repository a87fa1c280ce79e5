"""From logits to tokens: guidance, filters, the draw; and the loop that makes every picture, one `Step` a scale."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import Sampling
from ..nn.quantizer import Quantizer
from ..nn.transformer import VAR
from ..schedule import Schedule
from .plan import Plan, moved
from .prefix_cache import CachedRun, PrefixCache

Seed = int | tuple[int, ...]  # of a picture: one for all scales, or one for each


@dataclass(frozen=True)
class Step:
    """One scale of a run, or one cell. Nothing in it changes later."""

    scale: int
    side: int  # of the square of tokens that it draws
    tokens: Tensor  # (B, L_k) int64; in smooth mode the code with the largest share
    keep: Tensor  # (B, L_k) bool
    confidence: Tensor  # (B, L_k): probability of the token in the distribution that was drawn from; 1 where given
    entropy: Tensor  # (B, L_k): entropy of that distribution, in nats; 0 where given
    f_hat: Tensor  # (B, C, s_K, s_K) after this scale


def guide(conditional: Tensor, unconditional: Tensor, strength: float) -> Tensor:
    """(1 + t) * conditional - t * unconditional, of any one shape."""
    return (1 + strength) * conditional - strength * unconditional


def filter_logits(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Logits (B, n, V) with all but the `top_k` largest, then all outside the nucleus of mass `top_p`, at -inf.

    The likeliest token always stays, and so does any that ties with the last one kept.
    """
    count = min(top_k, logits.shape[-1]) if top_k else logits.shape[-1]
    if count == logits.shape[-1] and top_p >= 1:
        return logits
    likeliest = largest(logits, count)
    shares = likeliest.softmax(-1)
    before = shares.cumsum(-1) - shares  # mass of all likelier tokens
    inside = (
        (before < top_p).sum(-1, keepdim=True).clamp_min(1) if top_p < 1 else torch.full_like(before[..., :1], count)
    )
    smallest = likeliest.gather(-1, inside.long() - 1)
    return torch.where(logits < smallest, -torch.inf, logits)


def largest(values: Tensor, count: int) -> Tensor:
    """The `count` largest of each row, falling; (B, n, V) -> (B, n, count)."""
    if values.device.type != "cpu":
        return values.topk(count).values
    negated = -values.numpy()  # NumPy selects and sorts three times faster than torch does on a CPU
    chosen = np.partition(negated, count - 1)[..., :count]
    return torch.from_numpy(-np.sort(chosen))


def chance(seed: int, scale: int) -> np.random.Generator:
    """The random numbers of one picture at one scale: they depend on nothing else."""
    return np.random.Generator(np.random.Philox(key=[seed, scale]))


def seed_at(seed: Seed, scale: int) -> int:
    """The one that a scale is drawn with."""
    return seed[scale] if isinstance(seed, tuple) else seed


def uniforms(seeds: tuple[Seed, ...], scale: int, count: int) -> Tensor:
    """One uniform number in [0, 1) per token, float32 (B, count), made on the CPU so that every device draws alike."""
    drawn = np.stack([chance(seed_at(seed, scale), scale).random(count, dtype=np.float32) for seed in seeds])
    return torch.from_numpy(drawn)


def gumbels(seeds: tuple[Seed, ...], scale: int, count: int, vocabulary: int) -> Tensor:
    """Standard Gumbel noise, float32 (B, count, V)."""
    drawn = np.stack([chance(seed_at(seed, scale), scale).gumbel(size=(count, vocabulary)) for seed in seeds])
    return torch.from_numpy(drawn.astype(np.float32))


def draw(probability: Tensor, uniform: Tensor) -> Tensor:
    """Tokens by the inverse of the cumulative distribution; probability (B, n, V), uniform (B, n) -> int64 (B, n)."""
    cumulative = probability.cumsum(-1)
    total = cumulative[..., -1]
    point = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, point[..., None], right=True)[..., 0]


def mixture(logits: Tensor, noise: Tensor, ratio: float) -> Tensor:
    """Shares of the codes in smooth mode (B, n, V): Gumbel-softmax, hardening from coarse (ratio 0) to fine (1)."""
    temperature = max(0.27 * (1 - 0.95 * ratio), 0.005)
    return ((logits * (1 + ratio) + noise) / temperature).softmax(-1)


def certainty(probability: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Probability of `tokens` (B, n) in distributions (B, n, V), and their entropy in nats; each (B, n)."""
    return probability.gather(-1, tokens[..., None])[..., 0], torch.special.entr(probability).sum(-1)


@dataclass(frozen=True)
class Draw:
    """What a scale's drawing needs besides logits."""

    sampling: Sampling
    seeds: tuple[Seed, ...]
    schedule: Schedule

    def choose(self, probability: Tensor, scale: int, places: Tensor, quantizer: Quantizer) -> tuple[Tensor, Tensor]:
        """Tokens (B, n) and their codes (B, n, C) for distributions (B, n, V) at `places` (n,) of a scale."""
        count, vocabulary = self.schedule.lengths[scale], probability.shape[-1]
        if not self.sampling.smooth:
            noise = moved(uniforms(self.seeds, scale, count), probability.device)[:, places]
            tokens = draw(probability, noise)
            return tokens, quantizer.codes(tokens)
        noise = moved(gumbels(self.seeds, scale, count, vocabulary), probability.device)[:, places]
        shares = mixture(probability.log(), noise, self.schedule.ratio(scale))
        return shares.argmax(-1), shares @ quantizer.codebook

    def distribution(self, logits: Tensor, scale: int) -> Tensor:
        """What is drawn from, (B, n, V), for logits (B, n, V) of a scale."""
        settings = self.sampling
        return filter_logits(logits / settings.heat(scale, self.schedule), settings.top_k, settings.top_p).softmax(-1)


@torch.inference_mode()
def steps(
    var: VAR,
    quantizer: Quantizer,
    labels: Tensor,
    seeds: tuple[Seed, ...],
    sampling: Sampling,
    plan: Plan,
    memory: PrefixCache | None = None,
) -> Iterator[Step]:
    """The loop: yields a `Step` for every scale, coarse to fine; labels int64 (B,), a `Seed` for each picture.

    Labels and plan may lie on the CPU while the networks are elsewhere: then a GPU is never waited for in here.
    Nothing is shared between two runs, so they may interleave, and a run may be dropped half-way. With a `memory`, what
    it knows already is not computed, and it holds both branches of guidance afterwards, whether or not they were mixed.
    """
    nothing = torch.full_like(labels, var.config.null_label)
    strengths = [sampling.strength(scale, var.schedule) for scale in range(len(var.schedule))]
    two = not torch.equal(labels, nothing) and (any(strengths) or memory is not None)  # else both would be equal
    device = quantizer.codebook.device
    both = moved(torch.cat((labels, nothing)) if two else labels, device)
    free = [moved((~keep).any(0).nonzero()[:, 0], device) for keep in plan.keep]  # where not all pictures keep theirs
    plan = plan.to(device)
    reader = memory or CachedRun(var, both)
    if memory:
        memory.begin(var, both)
    chooser = Draw(sampling, seeds, var.schedule)
    f_hat = quantizer.empty(len(labels))
    for scale, length in enumerate(var.schedule.lengths):
        if two and not any(strengths[scale:]):
            reader.keep_rows(len(labels))
        hidden = reader.read(quantizer.next_input(f_hat, scale), scale)
        if len(hidden) > len(labels):  # before the head, which is affine: the same logits for half of its work
            hidden = guide(*hidden.chunk(2), strengths[scale])
        keep, places = plan.keep[scale], free[scale]
        probability = chooser.distribution(var.logits(hidden[:, places]), scale)  # (B, n, V)
        drawn, drawn_codes = chooser.choose(probability, scale, places, quantizer)
        sure, unsure = certainty(probability, drawn)
        given = plan.given(quantizer, f_hat, scale)
        tokens = among(given, keep, places, drawn)
        f_hat = quantizer.add(f_hat, among(quantizer.codes(tokens), keep, places, drawn_codes), scale)
        zeros = torch.zeros_like(keep, dtype=probability.dtype)
        certain = among(zeros + 1, keep, places, sure), among(zeros, keep, places, unsure)
        yield Step(scale, math.isqrt(length), tokens, keep, *certain, f_hat)


def among(given: Tensor, keep: Tensor, places: Tensor, drawn: Tensor) -> Tensor:
    """`given` (B, L_k, ...) where `keep` (B, L_k), else what was `drawn` (B, n, ...) for `places` (n,)."""
    return torch.where(keep.view(keep.shape + (1,) * (given.ndim - 2)), given, given.index_copy(1, places, drawn))
