"""Makes the trace of a picture while, or after, it is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..config import TransformerConfig
from ..device_memory import kept_bytes
from ..engine.pipeline import Pipeline
from ..engine.prefix_cache import PrefixCache
from ..engine.request import Request, seed_at
from ..engine.sampling import Guidance, Step, TokenSampler
from ..flops import read_flops
from ..schedule import Schedule
from .codebook import codebook_hash, colours
from .trace import LIKELIEST, MOST_LETTERS, UNKNOWN, About, Marks, Trace


def flops(config: TransformerConfig, branches: int) -> list[int]:
    """Floating-point operations of matrix products at each scale (a multiplication and an addition are two)."""
    found = []
    for span in Schedule.of(config).spans:
        length = span.stop - span.start
        embedded = length if span.start else 0  # the coarsest scale is shown a class, not codes
        found.append(read_flops(config, branches * length, branches * embedded, span.stop, length))
    return found


def cache_bytes(config: TransformerConfig, branches: int, width_of_number: int) -> list[int]:
    """Bytes of keys and values up to and with each scale."""
    return [kept_bytes(config, branches, span.stop, width_of_number) for span in Schedule.of(config).spans]


@dataclass(frozen=True)
class Timed:
    """A step and the seconds that it took."""

    step: Step
    seconds: float


def timed_steps(pipe: Pipeline, request: Request, cache: PrefixCache) -> Iterator[Timed]:
    """Yield the steps of a request, remembered; each with its time, 0 where the cache knew the scale.

    ValueError unless the model draws scale by scale.
    """
    pipe.spec.need_scales("a trace")
    reads, began = cache.reads, time.perf_counter()
    for step in pipe.steps(request, cache):
        took = time.perf_counter() - began
        yield Timed(replace(step, distribution=None), took if cache.reads > reads else 0.0)
        reads, began = cache.reads, time.perf_counter()


def recorded(pipe: Pipeline, request: Request, cache: PrefixCache | None = None, origin: str = "drawn") -> Trace:
    """Make a picture and the trace of it."""
    cache = cache or PrefixCache()
    return examine(pipe, request, list(timed_steps(pipe, request, cache)), cache, origin)


@torch.inference_mode()
def examine(
    pipe: Pipeline,
    request: Request,
    steps: Sequence[Timed],
    cache: PrefixCache,
    origin: str = "drawn",
    kept: Marks | None = None,
) -> Trace:
    """Make the trace of a request for one picture, after all its `steps` were made with this `cache`.

    `kept` says which tokens somebody has kept, if not those that the request gives.

    Decoding is the larger part of the work, unless `decoded_step` was called for each step before.
    """
    if len(request.labels) != 1:
        raise ValueError(f"{len(request.labels)} pictures: a trace is of one.")
    schedule, sampling, var = pipe.schedule, request.sampling, pipe.var
    tokens = torch.cat([one.step.tokens for one in steps], 1)  # (1, L)
    given = torch.cat([one.step.keep for one in steps], 1)[0]  # (L,)
    keep = given if kept is None else kept.to(given.device)
    plain, *rest = var.logits(torch.cat(cache.hidden, 1)).split(1)  # (1, L, V); without a class there is one branch
    unconditional = rest[0] if rest else plain
    guidance, heats = Guidance(sampling, schedule, 1), [sampling.heat(scale, schedule) for scale in schedule.levels()]
    guided = [guidance.mix(hidden, scale) for scale, hidden in enumerate(cache.hidden)]
    logits = var.logits(torch.cat(guided, 1)) / plain.new_tensor(heats)[:, None]
    without = plain
    if sampling.spatial_guidance:  # it stays where there is no other guidance
        alone = Guidance(replace(sampling, guidance=0.0), schedule, 1)
        without = var.logits(torch.cat([alone.mix(hidden[:1], scale) for scale, hidden in enumerate(cache.hidden)], 1))
    logs = logits.log_softmax(-1)
    own = logits.gather(-1, tokens[..., None])
    count = min(LIKELIEST, logits.shape[-1])
    likeliest_logs, likeliest = logs[0].topk(count)
    return Trace(
        about=_describe(pipe, request, origin),
        tokens=tokens[0].int().cpu(),
        keep=keep.cpu(),
        probability=logs.gather(-1, tokens[..., None])[0, :, 0].exp().cpu(),
        entropy=-torch.linalg.vecdot(logs.exp(), logs)[0].cpu(),
        rank=((logits > own).sum(-1)[0] + 1).int().cpu(),
        divergence=_divergence(plain, unconditional)[0].cpu(),
        evidence=_evidence(plain, unconditional, tokens)[0].cpu(),
        unguided=_unguided(pipe, request, without, keep).int().cpu(),
        likeliest=likeliest.int().cpu(),
        likeliest_probability=likeliest_logs.exp().cpu(),
        queries=cache.kv.queries[:, 0].half().cpu(),
        keys=cache.kv.keys[:, 0].half().cpu(),
        pictures=torch.from_numpy(np.stack([decoded_step(pipe, one.step, cache) for one in steps])),
        seconds=torch.tensor([one.seconds for one in steps]),
        flops=torch.tensor(flops(pipe.spec.transformer, len(cache.labels))),
        cache_bytes=torch.tensor(cache_bytes(pipe.spec.transformer, len(cache.labels), cache.kv.store.element_size())),
        colours=colours(pipe.tokenizer.quantizer.codebook),
    )


def decoded_step(pipe: Pipeline, step: Step, cache: PrefixCache) -> np.ndarray:
    """uint8 (D, D, 3): what a step has come to, decoded unless the cache holds it, which it does then."""
    known = cache.decoded.get(step.scale)
    if known is None or not torch.equal(known[0], step.f_hat):
        cache.decoded[step.scale] = known = step.f_hat, pipe.pixels(step.f_hat)[0]
    return known[1]


def _divergence(conditional: Tensor, unconditional: Tensor) -> Tensor:
    """KL of one distribution to another, nats, from logits (1, L, V): (1, L)."""
    ours, theirs = conditional.log_softmax(-1), unconditional.log_softmax(-1)
    probability = ours.exp()
    return (torch.linalg.vecdot(probability, ours) - torch.linalg.vecdot(probability, theirs)).clamp_min(0)


def _evidence(conditional: Tensor, unconditional: Tensor, tokens: Tensor) -> Tensor:
    """Nats that the class adds to the log-probability of tokens (1, L), from logits (1, L, V): (1, L)."""
    ours, theirs = (
        logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0] for logits in (conditional, unconditional)
    )
    return ours - theirs


def _unguided(pipe: Pipeline, request: Request, logits: Tensor, keep: Tensor) -> Tensor:
    """Draw with a request's seeds from conditional logits (1, L, V): int64 (L,), UNKNOWN where `keep` (L,)."""
    sampler, found = TokenSampler(request.sampling, request.seeds, pipe.schedule), []
    for scale, span in enumerate(pipe.schedule.spans):
        positions = (~keep[span]).nonzero()[:, 0]
        tokens = torch.full_like(keep[span], UNKNOWN, dtype=torch.int64)
        if len(positions):
            probability = sampler.distribution(logits[:, span][:, positions], scale)
            tokens[positions] = sampler.choose(probability, scale, positions, pipe.tokenizer.quantizer)[0][0]
        found.append(tokens)
    return torch.cat(found)


def _describe(pipe: Pipeline, request: Request, origin: str) -> About:
    """Describe what a trace of a request is of."""
    spec, label = pipe.spec, request.labels[0]
    return About(
        model=spec.name[:MOST_LETTERS],
        digest=pipe.digest,
        codebook=codebook_hash(pipe.tokenizer.quantizer.codebook),
        sides=spec.tokenizer.sides,
        label=label,
        class_name=spec.class_name(label)[:MOST_LETTERS],
        null_label=spec.transformer.null_label,
        scale_seeds=tuple(seed_at(request.seeds[0], scale) for scale in range(len(pipe.schedule))),
        sampling=request.sampling,
        origin=origin,
        device=pipe.device.type,
    )
