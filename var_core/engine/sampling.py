"""Steps from logits to tokens: guidance, filters, the draw; and the loop that makes every picture, a `Step` a scale."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import Sampling
from ..nn.masked import MaskedVAR
from ..nn.quantizer import Quantizer
from ..nn.transformer import VAR
from ..schedule import Schedule
from .plan import Plan, moved
from .prefix_cache import CachedRun, MaskedRun, PrefixCache
from .request import Request, Seed, seed_at


@dataclass(frozen=True)
class Distribution:
    """The distributions that a scale's n tokens were drawn from, where not all pictures kept theirs."""

    probability: Tensor  # (B, n, V)
    positions: Tensor  # (n,) int64: their positions in the scale


@dataclass(frozen=True)
class Step:
    """One scale of a run, or one cell. Nothing in it changes later.

    `confidence` and `entropy` are computed when they are first asked for. `Pipeline.steps` yields steps that can tell;
    `Pipeline.stream` and `run` keep steps without their distributions, which are large.
    """

    scale: int
    side: int  # of the square of tokens that it draws
    tokens: Tensor  # (B, L_k) int64; in smooth mode the code of the largest weight
    keep: Tensor  # (B, L_k) bool
    f_hat: Tensor  # (B, C, s_K, s_K) after this scale
    distribution: Distribution | None = None

    @cached_property
    def confidence(self) -> Tensor:
        """Probability of each token in the distribution that it was drawn from, (B, L_k); 1 where it was given."""
        found = self._distribution
        return self._among(1.0, certainty(found.probability, self.tokens[:, found.positions])[0])

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy in nats of the distribution that each token was drawn from, (B, L_k); 0 where it was given."""
        found = self._distribution
        return self._among(0.0, certainty(found.probability, self.tokens[:, found.positions])[1])

    @property
    def _distribution(self) -> Distribution:
        if self.distribution is None:
            raise ValueError("This step is kept without its distribution: ask the steps of Pipeline.steps.")
        return self.distribution

    def _among(self, given: float, drawn: Tensor) -> Tensor:
        """A number where tokens are given, else what is `drawn` (B, n)."""
        filled = torch.full_like(self.keep, given, dtype=drawn.dtype)
        return among(filled, self.keep, self._distribution.positions, drawn)


def guide(conditional: Tensor, unconditional: Tensor, strength: float | Tensor) -> Tensor:
    """(1 + t) * conditional - t * unconditional, of any one shape; t of one that goes with it."""
    return (1 + strength) * conditional - strength * unconditional


class Guidance:
    """Mixes both branches of a run of `rows` pictures, scale after scale, in order.

    At the last `Sampling.reused_scales` the branch without a class is not asked: the difference that it made at the
    scale before them, enlarged, is added instead. The finest third of the scales is led away from what the scale before
    it has come to, enlarged, by `Sampling.spatial_guidance`.
    """

    def __init__(self, sampling: Sampling, schedule: Schedule, rows: int):
        self.strengths = [sampling.strength(scale, schedule) for scale in range(len(schedule))]
        self.rows = rows
        self.first_reused = max(1, len(schedule) - sampling.reused_scales)
        self.difference: Tensor | None = None
        self.spatial = 0.0 if schedule.by_cell else sampling.spatial_guidance
        self.first_spatial = max(1, len(schedule) - len(schedule) // 3)
        # What was mixed at the scale before, and what its branch with a class has read, where the next needs them.
        self.before: tuple[Tensor, Tensor] | None = None

    def needs_both(self, scale: int) -> bool:
        """Say whether this scale or a later one asks the branch without a class."""
        return any(self.strengths[scale:]) and scale < self.first_reused

    def mix(self, hidden: Tensor, scale: int) -> Tensor:
        """Return what the head is to read, (rows, L_k, D), of what a run has read: as much, or of both branches.

        Before the head, which is affine: the same logits for half of its work.
        """
        mixed = self._of_branches(hidden, scale)
        leads = self.spatial and scale + 1 >= self.first_spatial
        before, self.before = self.before, (mixed, hidden[: self.rows]) if leads else None
        if before is None:
            return mixed
        guided, plain = before  # of a scale without guidance, that of the scale before is not taken away
        return guide(mixed, at_length(guided if self.strengths[scale] else plain, mixed.shape[1]), self.spatial)

    def _of_branches(self, hidden: Tensor, scale: int) -> Tensor:
        """Mix both branches, or add the difference that is reused."""
        strength = self.strengths[scale]
        if len(hidden) > self.rows:
            conditional, unconditional = hidden.chunk(2)
            if scale < self.first_reused:
                self.difference = conditional - unconditional if scale == self.first_reused - 1 else None
                return guide(conditional, unconditional, strength)
            hidden = conditional
        if scale < self.first_reused or self.difference is None or not strength:
            return hidden
        return hidden + strength * at_length(self.difference, hidden.shape[1])


def at_length(hidden: Tensor, length: int) -> Tensor:
    """Return what was read at a scale, (B, L_k, D), at the size of another one, (B, length, D): bilinear."""
    before, side = math.isqrt(hidden.shape[1]), math.isqrt(length)
    cells = hidden.transpose(1, 2).unflatten(2, (before, before))
    whole = F.interpolate(cells, size=(side, side), mode="bilinear", align_corners=False)
    return whole.flatten(2).transpose(1, 2)


def filter_logits(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Logits (B, n, V) with all but the `top_k` largest, then all outside the nucleus of mass `top_p`, at -inf.

    The likeliest token always stays, and so does any that ties with the last one kept.
    """
    count = min(top_k, logits.shape[-1]) if top_k else logits.shape[-1]
    if count == logits.shape[-1] and top_p >= 1:
        return logits
    likeliest = largest(logits, count)
    masses = likeliest.softmax(-1)
    before = masses.cumsum(-1) - masses  # mass of all likelier tokens
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


def generator(seed: int, scale: int) -> np.random.Generator:
    """Make the random numbers of one picture at one scale: they depend on nothing else."""
    return np.random.Generator(np.random.Philox(key=[seed, scale]))


def uniforms(seeds: tuple[Seed, ...], scale: int, count: int) -> Tensor:
    """One uniform number in [0, 1) per token, float32 (B, count), made on the CPU so that every device draws alike."""
    drawn = np.stack([generator(seed_at(seed, scale), scale).random(count, dtype=np.float32) for seed in seeds])
    return torch.from_numpy(drawn)


def gumbels(seeds: tuple[Seed, ...], scale: int, count: int, vocabulary: int) -> Tensor:
    """Standard Gumbel noise, float32 (B, count, V)."""
    drawn = np.stack([generator(seed_at(seed, scale), scale).gumbel(size=(count, vocabulary)) for seed in seeds])
    return torch.from_numpy(drawn.astype(np.float32))


def sample_tokens(probability: Tensor, uniform: Tensor) -> Tensor:
    """Tokens by the inverse of the cumulative distribution; probability (B, n, V), uniform (B, n) -> int64 (B, n)."""
    cumulative = probability.cumsum(-1)
    total = cumulative[..., -1]
    point = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, point[..., None], right=True)[..., 0]


def mixture(logits: Tensor, noise: Tensor, ratio: float) -> Tensor:
    """Weights of the codes in smooth mode (B, n, V): Gumbel-softmax, hardening from coarse (ratio 0) to fine (1)."""
    temperature = max(0.27 * (1 - 0.95 * ratio), 0.005)
    return ((logits * (1 + ratio) + noise) / temperature).softmax(-1)


def certainty(probability: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Probability of `tokens` (B, n) in distributions (B, n, V), and their entropy in nats; each (B, n)."""
    return probability.gather(-1, tokens[..., None])[..., 0], torch.special.entr(probability).sum(-1)


@dataclass(frozen=True)
class TokenSampler:
    """Draws the tokens of a scale from logits, with the settings and seeds of a request."""

    sampling: Sampling
    seeds: tuple[Seed, ...]
    schedule: Schedule

    def choose(self, probability: Tensor, scale: int, positions: Tensor, quantizer: Quantizer) -> tuple[Tensor, Tensor]:
        """Tokens (B, n) and their codes (B, n, C) for distributions (B, n, V) at `positions` (n,) of a scale."""
        count, vocabulary = self.schedule.lengths[scale], probability.shape[-1]
        if not self.sampling.smooth:
            noise = moved(uniforms(self.seeds, scale, count), probability.device)[:, positions]
            tokens = sample_tokens(probability, noise)
            return tokens, quantizer.codes(tokens)
        noise = moved(gumbels(self.seeds, scale, count, vocabulary), probability.device)[:, positions]
        weights = mixture(probability.log(), noise, self.schedule.ratio(scale))
        return weights.argmax(-1), weights @ quantizer.codebook

    def distribution(self, logits: Tensor, scale: int) -> Tensor:
        """Probabilities (B, n, V) to draw from, for logits (B, n, V) of a scale."""
        settings = self.sampling
        return filter_logits(logits / settings.heat(scale, self.schedule), settings.top_k, settings.top_p).softmax(-1)


@torch.inference_mode()
def steps(var: VAR, quantizer: Quantizer, request: Request, cache: PrefixCache | None = None) -> Iterator[Step]:
    """Make a request's pictures: the loop, which yields a `Step` for every scale, coarse to fine.

    A plan may lie on the CPU while the networks are elsewhere: then a GPU is never waited for in here. Nothing is
    shared between two runs, so they may interleave, and a run may be dropped half-way. With a `cache`, what it knows
    already is not computed, and it holds both branches of guidance afterwards, whether or not they were mixed. A
    masked path draws what is asked for by a plan, and is shown what that gives; it has no use for a `cache`.
    """
    sampling, labels = request.sampling, torch.tensor(request.labels)
    plan = request.plan or Plan.free(var.schedule, len(labels))
    nothing = torch.full_like(labels, var.config.null_label)
    guidance = Guidance(sampling, var.schedule, len(labels))
    # else both branches would be equal
    two = not torch.equal(labels, nothing) and (any(guidance.strengths) or cache is not None)
    device = quantizer.codebook.device
    both = moved(torch.cat((labels, nothing)) if two else labels, device)
    free = [moved((~keep).any(0).nonzero()[:, 0], device) for keep in plan.keep]  # where not all pictures keep theirs
    plan = plan.to(device)
    run = cache or (_masked_run(var, both, quantizer, plan) if isinstance(var, MaskedVAR) else CachedRun(var, both))
    if cache:
        cache.begin(var, both)
    sampler = TokenSampler(sampling, request.seeds, var.schedule)
    f_hat = quantizer.empty(len(labels))
    for scale, length in enumerate(var.schedule.lengths):
        if two and not guidance.needs_both(scale):
            run.keep_rows(len(labels))
        keep, positions = plan.keep[scale], free[scale]
        given = plan.given(quantizer, f_hat, scale)
        hidden = run.read(quantizer.next_input(f_hat, scale), scale, quantizer.codes(given.masked_fill(~keep, 0)), keep)
        hidden = guidance.mix(hidden, scale)
        logits = plan.leant(var.logits(hidden[:, positions]), quantizer, f_hat, scale, positions)
        probability = sampler.distribution(logits, scale)  # (B, n, V)
        drawn, drawn_codes = sampler.choose(probability, scale, positions, quantizer)
        tokens = among(given, keep, positions, drawn)
        f_hat = quantizer.add(f_hat, among(quantizer.codes(tokens), keep, positions, drawn_codes), scale)
        yield Step(scale, math.isqrt(length), tokens, keep, f_hat, Distribution(probability, positions))


def _masked_run(masked: MaskedVAR, labels: Tensor, quantizer: Quantizer, plan: Plan) -> MaskedRun:
    """Begin a run that is shown the tokens that a plan gives."""
    side = masked.schedule.sides[-1]
    return MaskedRun(masked, labels, quantizer.features(list(plan.tokens)), plan.keep[-1].view(-1, side, side))


def among(given: Tensor, keep: Tensor, positions: Tensor, drawn: Tensor) -> Tensor:
    """`given` (B, L_k, ...) where `keep` (B, L_k), else what was `drawn` (B, n, ...) for `positions` (n,)."""
    return torch.where(keep.view(keep.shape + (1,) * (given.ndim - 2)), given, given.index_copy(1, positions, drawn))
