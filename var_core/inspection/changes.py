"""Requests for what a picture would be with something in it changed: a token, a scale, the settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..config import Sampling
from ..engine.plan import Plan
from ..engine.request import Request
from .trace import Marks, Spot, Trace

Later = Literal["free", "keep"]  # tokens of finer scales, after a change


def given_request(tokens: list[Tensor], label: int, sampling: Sampling) -> Request:
    """The request that shows how likely the tokens of a given picture, K maps (1, L_k), are to the model."""
    return Request((label,), (0,), sampling, Plan.resume(tokens, len(tokens)))


def swapped(trace: Trace, spot: Spot, value: int, later: Later, pinned: Marks | None = None) -> Request:
    """Return the request for the picture with the token at a spot set to `value`.

    All others up to and with its scale are given as they are. With `later` "keep" so are the finer ones; "free" draws
    them anew with their seeds, but for those `pinned`. ValueError for what is not there.
    """
    last = len(trace.colours) - 1
    if type(value) is not int or not 0 <= value <= last:
        raise ValueError(f"token {value} is not in the codebook: choose 0 to {last}.")
    plan = _around(trace, spot, later, pinned)
    return planned(trace, plan.replace(spot.scale, torch.tensor([spot.index]), torch.tensor([value])))


def redrawn_token(trace: Trace, spot: Spot, seed: int, later: Later, pinned: Marks | None = None) -> Request:
    """Return the request of `swapped`, but with the token drawn anew, its scale with another `seed`."""
    return planned(trace, _around(trace, spot, later, pinned), {spot.scale}, seed)


def rerolled(trace: Trace, scale: int, seed: int, pinned: Marks | None = None) -> Request:
    """Return the request that keeps scales before `scale`, and tokens `pinned`, and draws all others with `seed`."""
    plan = pin(Plan.resume(trace.pyramid(), scale), trace, pinned)
    return planned(trace, plan, {k for k, keep in enumerate(plan.keep) if not keep.all()}, seed)


def resampled(trace: Trace, sampling: Sampling, pinned: Marks | None = None) -> Request:
    """The trace's request with other settings; tokens `pinned` stay besides those that it gives."""
    return replace(planned(trace, pin(trace.plan(), trace, pinned)), sampling=sampling)


def with_kept(trace: Trace, request: Request, kept: Marks) -> Request:
    """Return another request, of one picture without a plan, that takes tokens `kept` from the trace.

    ValueError if these are all, or stand for mixtures of codes.
    """
    if kept.all():
        raise ValueError("All scales are locked: unlock one for something else to be drawn.")
    plan = pin(Plan.resume(trace.pyramid(), 0), trace, kept)
    check_codes(trace, plan)
    return replace(request, plan=plan)


def planned(trace: Trace, plan: Plan, scales: Collection[int] = (), seed: int = 0) -> Request:
    """The trace's request with a plan that gives tokens of it, and another seed at some scales."""
    check_codes(trace, plan)
    seeds = tuple(seed if scale in scales else own for scale, own in enumerate(trace.about.scale_seeds))
    return replace(trace.request(), seeds=(seeds,), plan=plan)


def check_codes(trace: Trace, plan: Plan) -> None:
    """ValueError if a plan gives tokens that stand for mixtures of codes, since these would not stay as they are."""
    if trace.about.sampling.smooth and (plan.kept[0] & ~trace.keep).any():
        raise ValueError(
            "This picture was drawn in smooth mode, where codes are mixtures: turn Smooth off to change single tokens "
            "or scales."
        )


def _around(trace: Trace, spot: Spot, later: Later, pinned: Marks | None) -> Plan:
    """Give all tokens but the one at a spot and, if `later` is "free", all after its scale that is not `pinned`."""
    spot.within(trace)
    position = torch.tensor([spot.index])
    plan = pin(Plan.resample(trace.pyramid(), spot.scale, position, later), trace, pinned)
    keep = [k.index_fill(1, position, False) if n == spot.scale else k for n, k in enumerate(plan.keep)]
    return Plan(plan.tokens, keep)


def pin(plan: Plan, trace: Trace, pinned: Marks | None) -> Plan:
    """A plan with tokens `pinned` of the trace given too."""
    if pinned is None:
        return plan
    if pinned.dtype != torch.bool or pinned.shape != trace.keep.shape:
        raise ValueError(f"pinned {pinned.dtype} {tuple(pinned.shape)}: give bool {tuple(trace.keep.shape)}.")
    stay = trace.schedule.split(pinned[None])
    tokens = [torch.where(p, o, t) for p, o, t in zip(stay, trace.pyramid(), plan.tokens, strict=True)]
    return Plan(tokens, [k | p for k, p in zip(plan.keep, stay, strict=True)])
