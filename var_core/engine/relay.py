"""Two models on one picture: the first draws the coarse scales, the second the many tokens of the fine ones.

Training-free collaborative decoding, as in CoDe (Chen et al. 2025): both have one tokenizer, so that the second reads
what the first has drawn.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import torch

from ..nn.quantizer import Quantizer
from ..nn.transformer import VAR
from . import sampling
from .plan import Plan
from .request import Request
from .sampling import Step

if TYPE_CHECKING:
    from .pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Finish:
    """The transformer that draws the scales from `first_scale` (0-based) on."""

    var: VAR
    first_scale: int


def finished(first: "Pipeline", second: "Pipeline", first_scale: int) -> "Pipeline":
    """Return a model of two: the second draws whole pictures' scales from `first_scale` (0-based) on.

    ValueError unless both have the same tokenizer and classes, and each has a scale to draw.
    """
    ours, theirs = (one.tokenizer.quantizer.state_dict() for one in (first, second))
    alike = first.spec.tokenizer == second.spec.tokenizer and all(torch.equal(ours[k], theirs[k]) for k in ours)
    if not alike or first.spec.transformer.classes != second.spec.transformer.classes:
        raise ValueError(
            f"{second.spec.name} cannot finish what {first.spec.name} begins: choose a model with the same tokenizer "
            "and the same classes."
        )
    if not 0 < first_scale < len(first.schedule):
        raise ValueError(f"from scale {first_scale + 1}: choose 2 to {len(first.schedule)}.")
    both = copy(first)
    both.finish = Finish(second.var, first_scale)
    both.digest = f"{first.digest}+{second.digest}@{first_scale + 1}"
    both.spec = replace(first.spec, name=f"{first.spec.name} --finish {second.spec.name}")
    return both


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
