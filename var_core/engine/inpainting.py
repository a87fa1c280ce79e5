"""The plan that repaints a part of pictures."""

from dataclasses import replace

import torch
from torch import Tensor

from ..images import to_float
from .pipeline import Pipeline
from .plan import Plan


@torch.inference_mode()
def inpainting(
    pipe: Pipeline,
    pictures: Tensor,
    coverage: Tensor,
    min_coverage: float,
    first_free_scale: int,
    follow: bool,
    shown: bool = False,
    source: Tensor | None = None,
    likeness: float = 0.0,
) -> Plan:
    """Return the plan that repaints what `coverage` (S, S) says of pictures uint8 (B, S, S, 3); see `Plan.inpaint`.

    Each is encoded alone, so that none depends on its neighbours. With `shown` the masked path draws, if the model has
    one. With a `likeness` above 0 what is drawn leans towards `source`, the pictures as they were; see `Plan`.
    """

    def features(each: Tensor) -> Tensor:
        return torch.cat([pipe.features(to_float(one[None])) for one in each])

    f = features(pictures)
    plan = Plan.inpaint(
        pipe.tokenizer.quantizer.tokens(f),
        coverage.to(pipe.device),
        pipe.schedule,
        min_coverage=min_coverage,
        first_free_scale=first_free_scale,
        target=f if follow else None,
        shown=shown and pipe.masked is not None,
    )
    return replace(plan, source=features(source), likeness=likeness) if source is not None and likeness else plan
