"""A model of two: one begins pictures, a smaller one with the same tokenizer finishes them; see `relay`."""

from copy import copy
from dataclasses import replace

import torch

from .pipeline import Pipeline
from .relay import Finish


def finished(first: Pipeline, second: Pipeline, first_scale: int) -> Pipeline:
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
    both.spec = replace(
        first.spec, name=f"{first.spec.name} --finish {second.spec.name} --from-scale {first_scale + 1}"
    )
    return both
