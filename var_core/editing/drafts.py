"""Drafts of a variation: coarse scales drawn several times, of which the one that fits its surroundings is finished.

Without a class a hole may be filled with anything, also with what is nowhere near: a draft is judged by how far each of
its cells in the hole is from the most similar cell around it.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..engine.pipeline import Pipeline
from ..engine.request import Request

COARSE = 3 / 8  # of the finest map's side: scales up to there are drawn for a draft
DRAFT_STRIDE = 7_919_003  # between the seeds of a variation's drafts


def draft_seeds(pipe: Pipeline, request: Request, own: tuple[int, ...], drafts: int) -> tuple[int, ...]:
    """Return for each picture of an edit that of `drafts` seeds whose draft fits best.

    The first is the picture's `own`, and what the others are depends on it alone.
    """
    assert request.plan is not None, "an edit has a plan"
    hole = ~request.plan.keep[-1][0].cpu().view(pipe.schedule.sides[-1], -1)
    if drafts == 1 or not hole.any() or hole.all():
        return own
    found = []
    for number in range(drafts):
        seeds = tuple((seed + number * DRAFT_STRIDE) % 2**63 for seed in own)
        found.append((seeds, strangeness(_drafted(pipe, replace(request, seeds=seeds)), hole)))
    best = torch.stack([strange for _, strange in found]).argmin(0).tolist()
    return tuple(found[number][0][row] for row, number in enumerate(best))


def _drafted(pipe: Pipeline, request: Request) -> Tensor:
    """Return f_hat (B, C, s_K, s_K) after the coarse scales of a request."""
    for step in pipe.steps(request):
        last = step
        if (
            step.scale + 1 == len(pipe.schedule)
            or pipe.schedule.sides[step.scale + 1] > COARSE * pipe.schedule.sides[-1]
        ):
            break
    return last.f_hat


def strangeness(f_hat: Tensor, hole: Tensor) -> Tensor:
    """Return how far cells in a hole, bool (s, s), are from the nearest cells around it in the mean: (B,).

    f_hat (B, C, s, s); there must be cells of both kinds.
    """
    cells = f_hat.flatten(2).transpose(1, 2).cpu()  # (B, s * s, C)
    inside = hole.flatten()
    return torch.cdist(cells[:, inside], cells[:, ~inside]).amin(2).mean(1)
