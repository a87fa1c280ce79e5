"""Candidates of a variation: a square is drawn several times, and what fits its surroundings best is taken.

Without a class a hole may be filled with anything, also with what is nowhere near. So a drawing is judged by how far
what it shows in the hole is from the most similar known part: in the model's features, and in colour and grain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ..engine.pipeline import Pipeline
from ..engine.progress import Progress
from ..engine.request import Request
from .square import Work

Array = np.ndarray
CANDIDATE_STRIDE = 7_919_003  # between the seeds of a variation's candidates
PLACES = 42  # along a side, at which colour and grain are compared
WINDOW = 1 / 18  # of a side, in which they are measured
GRAIN = 2.0  # how much the spread of colours counts beside their mean
WORST = 0.9  # the place that counts fits worse than so many of those in the hole
# Features differ less between candidates than colours do: by a power of it both count alike.
FEATURES = 4.0


@dataclass(frozen=True, eq=False)
class Drawing:
    """Drawings of a square for B variations: a candidate under way, and at last what was chosen.

    `pictures` are there at last alone, and `misfit` then says how little each fits; 0 where that was not asked.
    """

    number: int  # candidates before this one
    candidates: int
    seeds: tuple[int, ...]  # of the variations
    progress: Progress
    pictures: Array | None = None  # uint8 (B, D, D, 3)
    misfit: tuple[float, ...] = ()


def drawings(
    pipe: Pipeline, request: Request, work: Work, seeds: tuple[int, ...], candidates: int
) -> Iterator[Drawing]:
    """Draw a square; each variation without a class is the best of so many candidates.

    The first candidate has the variation's own of the `seeds`, and what the others are depends on that alone. Yields
    how far each candidate is, scale by scale, and the chosen ones last; closing the iterator stops within one scale.
    """
    judged = [label == pipe.spec.transformer.null_label for label in request.labels]
    if not any(judged) or not work.comparable or pipe.schedule.by_cell:
        yield from _drawn(pipe, request, seeds)
        return
    best: list[tuple[float, int, Progress, Array]] = []
    for number in range(candidates):
        others = tuple((seed + number * CANDIDATE_STRIDE) % 2**63 for seed in seeds)
        for drawing in _drawn(pipe, request, others):
            if drawing.pictures is None:
                yield replace(drawing, number=number, candidates=candidates)
        f_hat, pictures = drawing.progress.f_hat, drawing.pictures
        assert pictures is not None, "the last drawing is whole"
        misfits = misfit(work, f_hat, pictures)
        found = list(zip(misfits.tolist(), drawing.seeds, [drawing.progress] * len(judged), pictures, strict=True))
        if number == 0:
            best = found
        else:
            pairs = enumerate(zip(best, found, strict=True))
            best = [new if judged[row] and new[0] < old[0] else old for row, (old, new) in pairs]
    least, taken, progresses, chosen = zip(*best, strict=True)
    parts = tuple(progress.of(row) for row, progress in enumerate(progresses))
    whole = Progress(parts, len(parts), 1, len(pipe.schedule))
    told = tuple(number if asked else 0.0 for number, asked in zip(least, judged, strict=True))
    yield Drawing(candidates - 1, candidates, taken, whole, np.stack(chosen), told)


def _drawn(pipe: Pipeline, request: Request, seeds: tuple[int, ...]) -> Iterator[Drawing]:
    """Draw a request with other seeds; the last drawing has its pictures, and none before."""
    for progress in pipe.stream(replace(request, seeds=seeds)):
        if not progress.complete:
            yield Drawing(0, 1, seeds, progress)
    yield Drawing(0, 1, seeds, progress, pipe.pixels(progress.f_hat), (0.0,) * len(seeds))


def misfit(work: Work, f_hat: Tensor, pictures: Array) -> Array:
    """Return how little drawn pictures, f_hat (B, C, s, s) and uint8 (B, D, D, 3), fit what is known: (B,).

    It has no unit: it compares drawings of one square, of which something must be known.
    """
    side = f_hat.shape[-1]
    inside = ~work.plan.keep[-1][0].cpu().view(side, side)
    cells = FEATURES * np.log(features_apart(f_hat, inside).double().numpy() + 1e-6)
    colours = [colours_apart(picture, work.hole.mask) for picture in work.composites(pictures)]
    return cells + np.log1p(np.array(colours))


def features_apart(f_hat: Tensor, inside: Tensor) -> Tensor:
    """Return how far cells in a hole, bool (s, s), are from the nearest cell around it in the mean: (B,).

    f_hat (B, C, s, s); there must be cells of both kinds.
    """
    cells = f_hat.flatten(2).transpose(1, 2).float().cpu()  # (B, s * s, C)
    drawn = inside.flatten()
    return torch.cdist(cells[:, drawn], cells[:, ~drawn]).amin(2).mean(1)


def colours_apart(picture: Array, hole: Array) -> float:
    """Return how far colour and grain of nearly the worst place in a hole are from those of the nearest place.

    picture uint8 (S, S, 3), hole bool (S, S) with both kinds of pixels; in units of CIELAB.
    """
    window, step = max(3, round(len(hole) * WINDOW)), max(1, round(len(hole) / PLACES))
    lab = cv2.cvtColor((picture / 255).astype(np.float32), cv2.COLOR_RGB2LAB)
    mean = cv2.blur(lab, (window, window))
    spread = np.sqrt(np.maximum(cv2.blur(lab**2, (window, window)) - mean**2, 0))
    places = np.concatenate((mean, GRAIN * spread), -1)[::step, ::step].reshape(-1, 6)
    covered = cv2.blur(hole.astype(np.float32), (window, window))[::step, ::step].flatten()
    drawn, known = covered >= min(0.5, covered.max()), covered <= max(0.1, covered.min())
    ours, theirs = torch.from_numpy(places[drawn]), torch.from_numpy(places[known])
    return float(torch.cdist(ours, theirs).amin(1).quantile(WORST))
