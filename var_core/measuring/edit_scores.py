"""LogRow of edits of small pictures: what a frozen network, a probe and the eye at the seam make of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor

from ..editing.canvas import dilated
from ..tables import by_kind
from ..training.features import ImageFeatures
from .bootstrap import FEW, Interval, interval, said
from .reference import Gaussian, Reference, frechet
from .true_pixels import distance_within, unit_maps

CLASS_EDIT, OVERALL = "class edit", "mean of the kinds of masks"


@dataclass(frozen=True)
class Case:
    """One picture uint8 (S, S, 3) to repaint where the mask bool (S, S) says, with a label and a seed."""

    picture: np.ndarray
    mask: np.ndarray
    label: int
    seed: int


@dataclass(frozen=True)
class Scores:
    """LogRow of a method on one kind of mask. `seam` is best at 1, the jumps at those of the untouched pictures.

    A mean over kinds has the mean of `off`, where a seam too sharp in one kind and too soft in another do not cancel.
    """

    method: str
    kind: str
    frechet: float  # of the results to the train pictures
    seam: float  # gradient across the mask's edge, over that in the untouched pictures
    off: float  # |seam - 1|
    brightness: float  # step of the mean luma across the edge, in levels of 255
    colour: float  # the same of the mean colour, Euclidean
    accuracy: float  # of the probe: results it takes for the wanted class; of class edits it sees what was painted
    distance: float | None  # of what was drawn to the true pixels, by a network no training has seen; None: class edit
    seconds: float  # a picture
    within: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # intervals of some, by the bootstrap


def seam(crossings: np.ndarray) -> float:
    """Return the mean absolute gradient across the masks' edges over that of the untouched pictures."""
    ours, theirs = crossings.sum(0).tolist()
    return ours / theirs


def crossings_of(results: Sequence[np.ndarray], given: Sequence[Case]) -> np.ndarray:
    """Return `crossing` of each result, and of the picture as it was: (n, 2)."""
    pairs = zip(results, given, strict=True)
    return np.array([(crossing(result, case.mask), crossing(case.picture, case.mask)) for result, case in pairs])


def crossing(picture: np.ndarray, mask: np.ndarray) -> float:
    """Sum absolute differences between neighbours of which one is painted."""
    levels = picture.astype(np.float64)
    total = 0.0
    for axis in (0, 1):
        edge = np.diff(mask.astype(np.int8), axis=axis) != 0
        total += np.abs(np.diff(levels, axis=axis))[edge].sum()
    return total


def jump(picture: np.ndarray, mask: np.ndarray, width: int = 3) -> tuple[float, float]:
    """Return steps of mean luma and mean colour, in levels, between bands `width` pixels wide along a mask's edge."""
    inner, outer = mask & dilated(~mask, width), ~mask & dilated(mask, width)
    step = picture[inner].mean(0) - picture[outer].mean(0)
    return abs(float(step @ (0.299, 0.587, 0.114))), float(np.linalg.norm(step))


def cut_to_painted(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Cut out the rectangle around what is painted, and enlarge it to the picture's size."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cv2.resize(part, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)


def scored(
    reference: Reference,
    held_out: ImageFeatures,
    method: str,
    kind: str,
    results: Sequence[np.ndarray],
    given: Sequence[Case],
    seconds: float,
) -> Scores:
    """Return the figures of results for cases; `seconds` for all of them. The network `held_out` judges distances."""
    features = reference.features(torch.from_numpy(np.stack(results)))
    jumps = np.array([jump(result, case.mask) for result, case in zip(results, given, strict=True)])
    crossings, count = crossings_of(results, given), len(given)
    intervals = {
        "frechet": interval(_frechet_of(features, reference), count, FEW),
        "seam": interval(lambda rows: seam(crossings[rows]), count),
    }
    if kind == CLASS_EDIT:
        parts = [cut_to_painted(result, case.mask) for result, case in zip(results, given, strict=True)]
        shown_features = reference.features(torch.from_numpy(np.stack(parts)))
    else:
        shown_features = features
        distances = np.array([_distance(held_out, result, case) for result, case in zip(results, given, strict=True)])
        intervals["distance"] = interval(lambda rows: float(distances[rows].mean()), count)
    correct = reference.probe.correct(shown_features, torch.tensor([case.label for case in given])).float().numpy()
    intervals["accuracy"] = interval(lambda rows: float(correct[rows].mean()), count)
    brightness, colour = jumps.mean(0).tolist()
    figures = {name: found.value for name, found in intervals.items()}
    distance = figures.pop("distance", None)
    return Scores(
        method=method,
        kind=kind,
        off=abs(figures["seam"] - 1),
        brightness=brightness,
        colour=colour,
        distance=distance,
        seconds=seconds / count,
        within={name: (found.low, found.high) for name, found in intervals.items()},
        **figures,
    )


def _frechet_of(features: Tensor, reference: Reference) -> Callable[[np.ndarray], float]:
    """Return the Fréchet distance to the train pictures as a function of the rows of features (n, d) that count."""
    return lambda rows: frechet(Gaussian.of(features[torch.from_numpy(rows)]), reference.train)


def _distance(network: ImageFeatures, result: np.ndarray, case: Case) -> float:
    """Return the distance of what was drawn to the true pixels, as a network sees them."""
    covered = torch.from_numpy(case.mask.astype(np.float32))[None, None]
    return distance_within(unit_maps(network, result), unit_maps(network, case.picture), covered)


def overall(scores: Sequence[Scores]) -> list[Scores]:
    """Return the mean of every method over the kinds of masks, class edits left out."""
    means = []
    for method in dict.fromkeys(row.method for row in scores):
        rows = [row for row in scores if row.method == method and row.kind != CLASS_EDIT]
        figures = ("frechet", "seam", "off", "brightness", "colour", "accuracy", "distance", "seconds")
        means.append(
            Scores(method, OVERALL, *(sum(getattr(row, name) for row in rows) / len(rows) for name in figures))
        )
    return means


def report(scores: Sequence[Scores]) -> str:
    """Return Markdown: the means, then one table for each kind of mask."""
    heads = ("method", "Fréchet", "seam", "off 1 by", "brightness jump", "colour jump", "accuracy", "distance", "ms")
    several = len({row.kind for row in scores} - {CLASS_EDIT}) > 1
    everything = [*(overall(scores) if several else ()), *scores]
    return by_kind(heads, [(row.kind, _cells(row)) for row in everything])


def _cells(row: Scores) -> tuple[str, ...]:
    jumps = (f"{row.off:.2f}", f"{row.brightness:.1f}", f"{row.colour:.1f}")
    judged = _figure(row, "accuracy", 3), "" if row.distance is None else _figure(row, "distance", 2)
    return row.method, _figure(row, "frechet", 1), _figure(row, "seam", 2), *jumps, *judged, f"{1000 * row.seconds:.0f}"


def _figure(row: Scores, name: str, digits: int) -> str:
    """Return a figure in words, with its interval where there is one."""
    value = getattr(row, name)
    return said(Interval(value, *row.within[name]), digits) if name in row.within else f"{value:.{digits}f}"
