"""Drafts of a variation: coarse scales drawn several times, of which the one that fits its surroundings is finished.

Without a class a hole may be filled with anything, also with what is nowhere near: a draft is judged by how far each of
its cells in the hole is from the most similar cell around it.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..device_memory import portions
from ..engine.pipeline import Pipeline
from ..engine.progress import Progress
from ..engine.request import Request
from ..engine.sampling import Step

COARSE = 3 / 8  # of the finest map's side: scales up to there are drawn for a draft
DRAFT_STRIDE = 7_919_003  # between the seeds of a variation's drafts
Seeds = tuple[int, ...]


def drafted(pipe: Pipeline, request: Request, own: Seeds, drafts: int) -> Iterator[Progress | Seeds]:
    """Choose for each picture of an edit without a class that of `drafts` seeds whose draft fits best.

    The first seed is the picture's `own`, and what the others are depends on it alone. Yields how far the drafts under
    way are, scale by scale, and the seeds last; closing the iterator stops within one scale.
    """
    assert request.plan is not None, "an edit has a plan"
    free = [label == pipe.spec.transformer.null_label for label in request.labels]
    if drafts > 1 and any(free) and not pipe.schedule.by_cell:
        hole = ~request.plan.keep[-1][0].cpu().view(pipe.schedule.sides[-1], -1)
        if hole.any() and not hole.all():
            offered = [tuple((seed + number * DRAFT_STRIDE) % 2**63 for seed in own) for number in range(drafts)]
            strange = []
            for seeds in offered:
                one = replace(request, seeds=seeds)
                parts = []
                for rows in portions(len(own), pipe.at_once(one)):
                    steps = yield from _coarse_steps(pipe, one.part(rows), len(own))
                    parts.append(strangeness(steps[-1].f_hat, hole))
                strange.append(torch.cat(parts))
            best = torch.stack(strange).argmin(0).tolist()
            own = tuple(offered[best[row]][row] if alone else own[row] for row, alone in enumerate(free))
    yield own


def _coarse_steps(pipe: Pipeline, request: Request, count: int) -> Generator[Progress, None, tuple[Step, ...]]:
    """Draw the coarse scales of some of `count` pictures; yields how far they are, and returns their steps."""
    steps: tuple[Step, ...] = ()
    for step in pipe.steps(request):
        steps = (*steps, replace(step, distribution=None))
        yield Progress((steps,), count, len(request.labels), len(pipe.schedule))
        later = pipe.schedule.sides[step.scale + 1 :]
        if not later or later[0] > COARSE * pipe.schedule.sides[-1]:
            break
    return steps


def strangeness(f_hat: Tensor, hole: Tensor) -> Tensor:
    """Return how far cells in a hole, bool (s, s), are from the nearest cells around it in the mean: (B,).

    f_hat (B, C, s, s); there must be cells of both kinds.
    """
    cells = f_hat.flatten(2).transpose(1, 2).cpu()  # (B, s * s, C)
    inside = hole.flatten()
    return torch.cdist(cells[:, inside], cells[:, ~inside]).amin(2).mean(1)
