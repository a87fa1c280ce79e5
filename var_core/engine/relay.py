"""Two models on one picture: the first draws the coarse scales, the second the many tokens of the fine ones.

Training-free collaborative decoding, as in CoDe (Chen et al. 2025): both have one tokenizer, so that the second reads
what the first has drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch

from ..nn.quantizer import Quantizer
from ..nn.transformer import VAR
from . import sampling
from .plan import Plan
from .request import Request
from .sampling import Step


@dataclass(frozen=True, eq=False)
class Finish:
    """The transformer that draws the scales from `first_scale` (0-based) on."""

    var: VAR
    first_scale: int


def relayed(var: VAR, finish: Finish, quantizer: Quantizer, request: Request) -> Iterator[Step]:
    """Make a request's pictures with two transformers, scale by scale, as `sampling.steps` does with one.

    ValueError if the request has a plan, or is in smooth mode, whose mixtures of codes are no tokens to hand over.
    """
    if request.plan is not None:
        raise ValueError("Two models draw whole pictures only: leave out the plan, or the model that finishes.")
    if request.sampling.smooth:
        raise ValueError("Smooth mode mixes codes, and a second model cannot take mixtures up: turn Smooth off.")
    tokens = [torch.zeros((len(request.labels), length), dtype=torch.int64) for length in var.schedule.lengths]
    for step in islice(sampling.steps(var, quantizer, request), finish.first_scale):
        tokens[step.scale] = step.tokens
        yield step
    resumed = replace(request, plan=Plan.resume(tokens, finish.first_scale))
    yield from islice(sampling.steps(finish.var, quantizer, resumed), finish.first_scale, None)
