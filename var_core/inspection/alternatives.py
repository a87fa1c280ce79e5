"""Series of pictures that one picture could have been: other tokens at a spot, mixtures with another picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from ..engine.prefix_cache import PrefixCache
from ..engine.request import Request
from .changes import Later, check_codes, pin, planned, swapped
from .codebook import codebook_hash
from .recording import cache_bytes
from .trace import Marks, Spot, Trace

FIRST = 5  # of a token's alternatives, the likeliest, are made before the others
CHUNK_BYTES = 10**9  # for the caches of pictures made side by side


@dataclass(frozen=True, eq=False)
class Batch:
    """A series of pictures under way: how far it has come, and those that are finished, in order.

    `fraction` of the work is done, 0 to 1, as if decoding were half of it.
    """

    fraction: float
    pictures: tuple[np.ndarray, ...]  # uint8 (D, D, 3) each


def alternatives(
    pipe: Pipeline,
    trace: Trace,
    cache: PrefixCache,
    spot: Spot,
    values: Sequence[int],
    later: Later,
    pinned: Marks | None = None,
) -> Iterator[Batch]:
    """The picture for each of n `values` that the token at a spot could have, in order.

    There is a `Batch` after each scale and each picture. Each picture is what `swapped` makes. Scales that the `cache`
    knows of this trace are not computed again; it is only read.
    """
    if not values:
        raise ValueError("no tokens to try: give one or more.")
    _check_model(pipe, trace)
    requests = [swapped(trace, spot, value, later, pinned) for value in values]
    return _pictures(pipe, requests, cache, spot.scale + 1, FIRST)


def mixtures(pipe: Pipeline, requests: Sequence[Request]) -> Iterator[Batch]:
    """The pictures of `mixture_requests`, in order, a `Batch` after each scale and picture."""
    return _pictures(pipe, requests, None, 0, len(requests))


def mixture_requests(pipe: Pipeline, coarse: Trace, fine: Trace | int, pinned: Marks | None = None) -> list[Request]:
    """Return requests for pictures with the coarse scales of one and the fine ones of another, at K + 1 cuts.

    At cut k the scales before k, and at all cuts the tokens `pinned`, are those of `coarse`. The others are those of
    `fine` if that is a trace; if it is a label they are drawn for it, with the seeds and the sampling of `coarse`.
    """
    _check_model(pipe, coarse)
    ours, cuts = coarse.pyramid(), range(len(pipe.schedule) + 1)
    if isinstance(fine, Trace):
        _check_model(pipe, fine)
        check_codes(fine, Plan.resume(fine.pyramid(), len(ours)))
        label, theirs = fine.about.label, fine.pyramid()
        plans = [Plan.resume([*ours[:cut], *theirs[cut:]], len(ours)) for cut in cuts]
    else:
        label, plans = fine, [Plan.resume(ours, cut) for cut in cuts]
    return [replace(planned(coarse, pin(plan, coarse, pinned)), labels=(label,)) for plan in plans]


def _check_model(pipe: Pipeline, trace: Trace) -> None:
    """ValueError if the tokens of a trace mean something else to this model."""
    codebook = pipe.tokenizer.quantizer.codebook
    ours = pipe.schedule.sides, codebook_hash(codebook), len(codebook)
    if ours != (trace.about.sides, trace.about.codebook, len(trace.colours)):
        raise ValueError(
            f"{pipe.spec.name} cannot read the tokens of a picture by {trace.about.model}: load the model that made it."
        )


def _pictures(
    pipe: Pipeline, requests: Sequence[Request], cache: PrefixCache | None, scales: int, most: int
) -> Iterator[Batch]:
    """The pictures of requests for one each, of one sampling, made in chunks of at most `most`.

    The cache may know what they are shown at their first `scales`.
    """
    count = min(most, _at_once(pipe, cache is not None))
    done: tuple[np.ndarray, ...] = ()
    for start in range(0, len(requests), count):
        chunk = requests[start : start + count]
        plan = Plan.joined([request.plan for request in chunk if request.plan is not None])
        if plan.kept.all():  # nothing is left to the transformer
            f_hat = pipe.summed(plan.tokens)
        else:
            labels, seeds = zip(*((request.labels[0], request.seeds[0]) for request in chunk), strict=True)
            asked = Request(labels, seeds, chunk[0].sampling, plan)
            for step in pipe.steps(asked, cache and cache.spread(len(chunk), scales)):
                f_hat, end = step.f_hat, pipe.schedule.spans[step.scale].stop
                if end < pipe.schedule.total:
                    yield Batch((start + len(chunk) * end / pipe.schedule.total / 2) / len(requests), done)
        for number, one in enumerate(f_hat, 1):
            done = (*done, pipe.pixels(one[None])[0])
            yield Batch((start + (len(chunk) + number) / 2) / len(requests), done)


def _at_once(pipe: Pipeline, remembered: bool) -> int:
    """Return of how many pictures `CHUNK_BYTES` hold keys and values, and queries if `remembered`; at least 1."""
    config = pipe.spec.transformer
    most = cache_bytes(config, 2, pipe.var.position_embedding.element_size())[-1]  # with both branches of guidance
    return max(1, CHUNK_BYTES // (3 * most // 2 if remembered else most))
