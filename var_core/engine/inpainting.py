"""The plan that repaints a part of pictures."""

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
) -> Plan:
    """Return the plan that repaints what `coverage` (S, S) says of pictures uint8 (B, S, S, 3); see `Plan.inpaint`.

    Each is encoded alone, so that none depends on its neighbours. With `shown` the masked path draws, if the model has
    one.
    """
    f = torch.cat([pipe.features(to_float(one[None])) for one in pictures])
    return Plan.inpaint(
        pipe.tokenizer.quantizer.tokens(f),
        coverage.to(pipe.device),
        pipe.schedule,
        min_coverage=min_coverage,
        first_free_scale=first_free_scale,
        target=f if follow else None,
        shown=shown and pipe.masked is not None,
    )
