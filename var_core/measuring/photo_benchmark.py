"""Quality of edits of real photos at their own resolution, with no class: what a stranger meets who tries it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..config import Sampling
from ..editing.canvas import FILLS, filled_view
from ..editing.edit import Edit, onward, run_edit
from ..editing.edit_settings import REPAINTING, EditSettings
from ..engine.pipeline import Pipeline
from ..images import to_float
from ..picture_reading import flat, open_image
from ..tables import by_kind
from ..training.data import pictures_in
from ..training.features import ImageFeatures
from ..words import counted
from .bootstrap import FEW, Interval, interval, said
from .edit_scores import crossing
from .exemplar import exemplar_fill
from .reference import Gaussian, frechet
from .true_pixels import coverage_at, distance_within, unit_maps

Array = np.ndarray
TEXTURE, OBJECT, STROKES, ONE_SIDE, ALL_SIDES = KINDS = (
    "patch of a texture",
    "ellipse",
    "brush strokes",
    "one side",
    "all sides",
)
BORDER = 0.25  # of the photo's side, of what is drawn onward
TRIED = 64  # places from which the patch inside one texture is chosen
STRANGE = 0.95  # the share of true insides that are nearer to their surroundings than what is called strange
TRUE = "true pixels"


@dataclass(frozen=True)
class PhotoCase:
    """A photo uint8 (H, W, 3), the part to be drawn anew, bool (H, W), and a seed.

    `extend` says by how much at the left, top, right and bottom the part drawn onward goes beyond the rest.
    """

    picture: Array
    mask: Array
    seed: int
    extend: tuple[int, int, int, int] = (0, 0, 0, 0)


# Photos for cases, one each.
PhotoMethod = Callable[[PhotoCase], Array]


def photo_files(folder: Path, count: int) -> list[Path]:
    """Return at most `count` pictures in a folder and those below it, evenly spread; ValueError if there is none."""
    found = pictures_in(folder)
    if not found:
        raise ValueError(f"{folder} holds no pictures: choose a folder of photos.")
    if len(found) <= count:
        return found
    return [found[round(place)] for place in np.linspace(0, len(found) - 1, count)]


def case_of(kind: str, picture: Array, number: int) -> PhotoCase:
    """Return the case of a kind for photo `number`: always the same one, for every method."""
    rng = np.random.Generator(np.random.Philox(key=[KINDS.index(kind), number]))
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    if kind in (ONE_SIDE, ALL_SIDES):
        amounts = np.round(BORDER * np.array([width, height, width, height])).astype(int)
        if kind == ONE_SIDE:
            amounts *= np.arange(4) == rng.integers(4)
        left, top, right, bottom = amounts.tolist()
        mask[:] = 1
        mask[top : height - bottom, left : width - right] = 0
        return PhotoCase(picture, mask.astype(bool), number, (left, top, right, bottom))
    short = min(height, width)
    if kind == TEXTURE:
        top, left, side = _quietest(picture, rng)
        mask[top : top + side, left : left + side] = 1
    elif kind == OBJECT:
        axes = [round(short * rng.uniform(0.13, 0.25)) for _ in range(2)]
        middle = [int(rng.uniform(0.3, 0.7) * side) for side in (width, height)]
        cv2.ellipse(mask, middle, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    else:
        for _ in range(int(rng.integers(1, 4))):
            corners = (rng.uniform(0.1, 0.9, (4, 2)) * (width, height)).astype(np.int32)
            cv2.polylines(mask, [corners], False, 1, max(1, round(short * rng.uniform(0.06, 0.14))))
    return PhotoCase(picture, mask.astype(bool), number)


def _quietest(picture: Array, rng: np.random.Generator) -> tuple[int, int, int]:
    """Return top, left and side of the square, of many at random, that differs least from the ring around it."""
    height, width = picture.shape[:2]
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    grain = np.abs(lab[..., :1] - cv2.GaussianBlur(lab[..., :1], (0, 0), 2)[..., None])
    seen = np.concatenate((lab, 4 * grain), -1)
    best, chosen = np.inf, (0, 0, 1)
    for _ in range(TRIED):
        side = round(min(height, width) * rng.uniform(0.15, 0.3))
        ring = max(1, side // 3)
        if side + 2 * ring > min(height, width):
            continue
        top, left = (int(rng.integers(ring, room - side - ring + 1)) for room in (height, width))
        inside = seen[top : top + side, left : left + side].reshape(-1, 4)
        around = seen[top - ring : top + side + ring, left - ring : left + side + ring].reshape(-1, 4)
        differs = np.abs(inside.mean(0) - around.mean(0)).sum() + np.abs(inside.std(0) - around.std(0)).sum()
        differs += (
            0.5 * cv2.blur(seen[top : top + side, left : left + side, :3], (side // 4 or 1,) * 2).std((0, 1)).sum()
        )
        if differs < best:
            best, chosen = differs, (top, left, side)
    return chosen


def drawn_by(pipe: Pipeline, settings: EditSettings, sampling: Sampling) -> PhotoMethod:
    """Return the editing of this project as a method, with no class; what goes onward is drawn as Extend does."""

    def method(case: PhotoCase) -> Array:
        null = (pipe.spec.transformer.null_label,)
        if not any(case.extend):
            return run_edit(pipe, Edit(case.picture, case.mask, null, (case.seed,), sampling, settings))[0]
        left, top, right, bottom = case.extend
        height, width = case.mask.shape
        inner = np.ascontiguousarray(case.picture[top : height - bottom, left : width - right])
        plain = Edit(inner, np.zeros(inner.shape[:2], bool), null, (case.seed,), sampling, settings)
        return run_edit(pipe, onward(plain, *case.extend))[0]

    return method


def filled_by(kind: str) -> PhotoMethod:
    """Return a method that only fills, as `canvas.fill` does, with no model."""

    def method(case: PhotoCase) -> Array:
        return filled_view(case.picture.astype(np.float32), case.mask, kind)

    return method


def notebook_without_leak(pipe: Pipeline, sampling: Sampling) -> PhotoMethod:
    """Return the recipe of the authors' notebook, of a photo whose hole was filled first so that it cannot be seen.

    The whole photo is one square; the coarsest token is kept; what the model draws is the result, nothing is pasted.
    """
    plain = EditSettings(
        fill="navier-stokes", first_free_scale=1, min_coverage=0.5, follow=False, match=False, detail=False, shown=False
    )
    ours = drawn_by(pipe, replace(plain, feather=0, context=10), sampling)
    return lambda case: ours(replace(case, extend=(0, 0, 0, 0)))


def photo_methods(pipe: Pipeline, sampling: Sampling) -> dict[str, PhotoMethod]:
    """Return the rows of the table: fills, exemplars, the notebook's recipe, ours, ours with each choice switched."""
    usual = REPAINTING
    rows: dict[str, PhotoMethod] = {
        "Telea (OpenCV)": filled_by("telea"),
        "Navier-Stokes (OpenCV)": filled_by("navier-stokes"),
        "exemplars (PatchMatch)": lambda case: exemplar_fill(case.picture, case.mask, case.seed),
        "authors' notebook, filled first": notebook_without_leak(pipe, sampling),
        "ours": drawn_by(pipe, usual, sampling),
        "drawn once by the path that generates, as it generates": drawn_by(
            pipe, replace(usual, shown=False, candidates=1), pipe.spec.default_sampling
        ),
    }
    switches: dict[str, tuple[EditSettings, Sampling]] = {
        "kept tokens fixed": (replace(usual, follow=not usual.follow), sampling),
        "colours not matched": (replace(usual, match=not usual.match), sampling),
        "no borrowed detail": (replace(usual, detail=not usual.detail), sampling),
        **{f"fill {kind}": (replace(usual, fill=kind), sampling) for kind in FILLS if kind != usual.fill},
        **{f"free above coverage {c}": (replace(usual, min_coverage=c), sampling) for c in (0.3, 0.8)},
        **{f"feather {n}": (replace(usual, feather=n), sampling) for n in (0, 6)},
        "harmonised within 12 pixels": (replace(usual, harmonise=12), sampling),
        "smooth": (usual, replace(sampling, smooth=True)),
        **{f"context {c}": (replace(usual, context=c), sampling) for c in (1.5, 3.0, 4.0)},
        **{f"temperature {t}": (usual, replace(sampling, temperature=t)) for t in (0.5, 0.8)},
        **{f"top-k {k}": (usual, replace(sampling, top_k=k)) for k in (10, 100)},
        **{f"first free scale {k + 1}": (replace(usual, first_free_scale=k), sampling) for k in (0, 4)},
    }
    for count in (1, 2, 6):
        switches[counted(count, "candidate")] = replace(usual, candidates=count), sampling
    if pipe.masked is not None:
        switches["surroundings not seen"] = replace(usual, shown=not usual.shown), sampling
    return rows | {f"ours, {name}": drawn_by(pipe, *pair) for name, pair in switches.items()}


@dataclass(frozen=True)
class Judged:
    """LogRow of results, one number a case, and the features of the squares around what was drawn."""

    distance: Array  # to the true pixels, in the part that was drawn
    seam: Array  # gradient across the mask's edge, over that in the true photo
    colour: Array  # of the drawn part's mean to that of the true one, in CIELAB
    strangeness: Array  # of the drawn part's patches to the nearest of its surroundings
    squares: Tensor  # (n, d)


class PhotoJudge:
    """Judges results with the features of a network that no training has seen."""

    def __init__(self, network: ImageFeatures):
        self.network = network

    @torch.inference_mode()
    def judged(self, results: Sequence[Array], given: Sequence[PhotoCase]) -> Judged:
        """Return the figures of results for cases."""
        numbers, squares = [], []
        for result, case in zip(results, given, strict=True):
            ours, theirs = (unit_maps(self.network, pixels) for pixels in (result, case.picture))
            covered = torch.from_numpy(case.mask.astype(np.float32))[None, None]
            numbers.append(
                (
                    distance_within(ours, theirs, covered),
                    (crossing(result, case.mask) + 1) / (crossing(case.picture, case.mask) + 1),
                    _colour_distance(result, case),
                    _strangeness(ours[-1], covered),
                )
            )
            squares.append(self.network.pooled(to_float(torch.from_numpy(_square(result, case.mask))[None])))
        distance, edges, colour, strange = np.array(numbers).T
        return Judged(distance, edges, colour, strange, torch.cat(squares))


def _strangeness(features: Tensor, covered: Tensor) -> float:
    """Return the mean cosine distance of drawn patches to the nearest patch that was not drawn."""
    weights = coverage_at(covered, features).flatten()
    flat_features = features[0].flatten(1).T  # (n, c)
    inside, outside = weights >= min(0.5, float(weights.max())), weights < 0.05
    if not outside.any():
        outside = weights <= weights.min()
    nearest = (flat_features[inside] @ flat_features[outside].T).amax(1)
    return float((1 - nearest).mean())


def _colour_distance(result: Array, case: PhotoCase) -> float:
    """Return the distance of the drawn part's mean colour to the true one, in CIELAB."""
    means = [
        cv2.cvtColor((pixels / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[case.mask].mean(0)
        for pixels in (result, case.picture)
    ]
    return float(np.linalg.norm(means[0] - means[1]))


def _square(picture: Array, mask: Array) -> Array:
    """Cut out the square around what was drawn, as far as the photo goes."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    side = min(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1, *mask.shape)
    top, left = (
        int(np.clip((ends[0] + ends[-1] + 1 - side) // 2, 0, room - side))
        for ends, room in zip((rows, columns), mask.shape, strict=True)
    )
    return picture[top : top + side, left : left + side]


@dataclass(frozen=True)
class PhotoScores:
    """LogRow of a method on one kind of case; `seam` is best at 1, all others at 0 or as the true pixels have them."""

    method: str
    kind: str
    distance: Interval
    frechet: Interval
    seam: Interval
    colour: Interval
    strange: Interval  # the share of results whose inside is further from its surroundings than STRANGE of true ones
    seconds: float  # a photo


def scores_of(method: str, kind: str, judged: Judged, truth: Judged, seconds: float) -> PhotoScores:
    """Return the figures of a method's results, with intervals from resampling the photos."""
    limit = np.quantile(truth.strangeness, STRANGE)
    strange = (judged.strangeness > limit).astype(float)
    real = Gaussian.of(truth.squares)

    def distance_of(rows: Array) -> float:
        return frechet(Gaussian.of(judged.squares[torch.from_numpy(rows)]), real)

    count = len(strange)
    return PhotoScores(
        method,
        kind,
        interval(lambda rows: float(judged.distance[rows].mean()), count),
        interval(distance_of, count, FEW),
        interval(lambda rows: float(np.median(judged.seam[rows])), count),
        interval(lambda rows: float(judged.colour[rows].mean()), count),
        interval(lambda rows: float(strange[rows].mean()), count),
        seconds,
    )


def measure_photos(
    rows: dict[str, PhotoMethod], network: ImageFeatures, photos: Sequence[Array], kinds: Sequence[str] = KINDS
) -> Iterator[float | PhotoScores]:
    """Measure all methods on kinds of cases: yields fractions done, and `PhotoScores`, the true pixels' first."""
    judge, total = PhotoJudge(network), len(kinds) * (len(rows) + 1)
    for number, kind in enumerate(kinds):
        given = [case_of(kind, photo, index) for index, photo in enumerate(photos)]
        truth = judge.judged([case.picture for case in given], given)
        yield scores_of(TRUE, kind, truth, truth, 0.0)
        for done, (name, method) in enumerate(rows.items(), 1):
            began = time.perf_counter()
            results = []
            for index, case in enumerate(given):
                results.append(method(case))
                yield (number * (len(rows) + 1) + done + index / len(given)) / total
            seconds = (time.perf_counter() - began) / len(given)
            yield scores_of(name, kind, judge.judged(results, given), truth, seconds)


def photo_table(scores: Sequence[PhotoScores]) -> str:
    """Return Markdown: one table for each kind, with the intervals."""
    heads = ("method", "distance to the true", "Fréchet", "seam", "colour", "strange", "ms")
    return by_kind(heads, [(row.kind, _cells(row)) for row in scores])


def _cells(row: PhotoScores) -> tuple[str, ...]:
    figures = (
        said(row.distance, 3),
        said(row.frechet, 0),
        said(row.seam, 2),
        said(row.colour, 1),
        said(row.strange, 2),
    )
    return row.method, *figures, f"{1000 * row.seconds:.0f}"


def read_photos(files: Sequence[Path]) -> list[Array]:
    """Read photos at their own resolution, uint8 (H, W, 3) each."""
    found = []
    for path in files:
        with open_image(path, "picture") as image:
            found.append(np.array(flat(image)))
    return found
