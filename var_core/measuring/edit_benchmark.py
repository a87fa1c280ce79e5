"""Quality of edits: methods side by side on the same pictures and masks."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..config import Sampling
from ..editing.canvas import FILLS, Box, dilated, filled_view
from ..editing.edit import Edit, run_edit, shifted, surrounding
from ..editing.edit_settings import CHANGING, REPAINTING, EditSettings
from ..editing.square import Work, prepare, second_pass
from ..engine.classifier import token_losses
from ..engine.inpainting import inpainting
from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from ..engine.request import Request
from ..findings.halves import PLAIN
from ..images import averaged_pixels, to_float
from ..training.data import PictureSet
from ..training.features import ImageFeatures
from .edit_scores import CLASS_EDIT, Case, Scores, scored
from .reference import Reference

KINDS = ("centre box", "half", "outer border", "brush strokes", "thin lines")
HALVES = ("top half", "bottom half")  # what an order of tokens that runs from top to bottom can and cannot complete
TASKS = (*KINDS, CLASS_EDIT)
UNTOUCHED, REAL = "untouched", "pixels of a real picture of the class"


def mask_of(kind: str, number: int, side: int) -> np.ndarray:
    """Return the mask of a kind for picture `number`, bool (side, side): always the same one, for every method."""
    if kind in HALVES:
        return np.repeat((np.arange(side) < side // 2) == (kind == HALVES[0]), side).reshape(side, side)
    rng = np.random.Generator(np.random.Philox(key=[KINDS.index(kind), number]))
    mask = np.zeros((side, side), np.uint8)
    if kind in ("centre box", "outer border"):
        edge = round(side * rng.uniform(0.2, 0.3)) if kind == "centre box" else round(side * rng.uniform(0.15, 0.25))
        mask[edge : side - edge, edge : side - edge] = 1
        return mask == (1 if kind == "centre box" else 0)
    if kind == "half":
        mask[: side // 2] = 1
        return np.rot90(mask, int(rng.integers(4))).astype(bool)
    strokes, thickness = (rng.integers(1, 4), (0.1, 0.2)) if kind == "brush strokes" else (8, (0.008, 0.024))
    for _ in range(strokes):
        corners = (rng.uniform(0, side, (4, 2))).astype(np.int32)
        cv2.polylines(mask, [corners], False, 1, max(1, round(side * rng.uniform(*thickness))))
    return mask.astype(bool)


# Pictures uint8 (S, S, 3) for cases.
Method = Callable[[Sequence[Case]], list[np.ndarray]]


def cases(pictures: PictureSet, kind: str, shift: Sequence[int] | None = None) -> list[Case]:
    """Return a case for every picture; with `shift`, the label of each class is replaced by another (a class edit)."""
    side = pictures.pixels.shape[1]
    labels = [label if shift is None else shift[label] for label in pictures.labels.tolist()]
    return [
        Case(pixels.numpy(), mask_of(kind, number, side), label, number)
        for number, (pixels, label) in enumerate(zip(pictures.pixels, labels, strict=True))
    ]


def filled(kind: str) -> Method:
    """Return a method that only fills, as `canvas.fill` does, with no model."""

    def method(given: Sequence[Case]) -> list[np.ndarray]:
        return [filled_view(case.picture.astype(np.float32), case.mask, kind) for case in given]

    return method


def transplanted(pictures: PictureSet) -> Method:
    """Return a method that shows what lies there in a real picture of the class: the most accuracy to be hoped for."""
    donors = {label: number for number, label in reversed(list(enumerate(pictures.labels.tolist())))}

    def method(given: Sequence[Case]) -> list[np.ndarray]:
        return [
            np.where(case.mask[..., None], pictures.pixels[donors[case.label]].numpy(), case.picture) for case in given
        ]

    return method


def ours_without_class(pipe: Pipeline, settings: EditSettings, sampling: Sampling) -> Method:
    """Return the editing of this project with no class as a method."""
    null = (pipe.spec.transformer.null_label,)

    def one(case: Case) -> np.ndarray:
        whole = (Box(0, 0, len(case.picture)),)
        return run_edit(pipe, Edit(case.picture, case.mask, null, (case.seed,), sampling, settings, whole))[0]

    return lambda given: [one(case) for case in given]


def ours(pipe: Pipeline, settings: EditSettings, sampling: Sampling, batch: int = 16) -> Method:
    """Return the editing of this project, with the case's class, as a method."""

    def work(case: Case) -> Work:
        hole_mask = dilated(case.mask, settings.dilate)
        box = surrounding(hole_mask, settings, pipe.spec.tokenizer.image_side)
        assert box is not None, "something is painted in every case"
        return prepare(pipe, (case.picture,), hole_mask, box, settings)

    def method(given: Sequence[Case]) -> list[np.ndarray]:
        results = []
        for start in range(0, len(given), batch):
            part = given[start : start + batch]
            works = [work(case) for case in part]
            drawn = _draw(pipe, part, Plan.joined([w.plan for w in works]), sampling, turn=0)
            if settings.harmonise:
                pairs = zip(works, drawn, strict=True)
                works = [second_pass(pipe, w, picture[None], settings) for w, picture in pairs]
                drawn = _draw(pipe, part, Plan.joined([w.plan for w in works]), sampling, turn=1)
            results += [w.pasted(picture[None])[0] for w, picture in zip(works, drawn, strict=True)]
        return results

    return method


def likeliest(pipe: Pipeline, settings: EditSettings, sampling: Sampling, count: int, kept: bool) -> Method:
    """Return a method that chooses of `count` results of `ours` the one with the likeliest tokens, kept or all."""
    one = ours(pipe, settings, sampling)

    def mean_loss(result: np.ndarray, case: Case) -> float:
        pixels, coverage = torch.from_numpy(result[None]), torch.from_numpy(case.mask.astype(np.float32))
        plan = inpainting(pipe, pixels, coverage, settings.min_coverage, settings.first_free_scale, follow=False)
        losses = token_losses(pipe.var, pipe.tokenizer.quantizer, list(plan.tokens), torch.tensor([case.label]))[0]
        return float(losses[torch.cat(list(plan.keep), 1)[0]].mean() if kept else losses.mean())

    def method(given: Sequence[Case]) -> list[np.ndarray]:
        tries = [one([replace(case, seed=case.seed + 7919 * number) for case in given]) for number in range(count)]
        chosen = []
        for case, *results in zip(given, *tries, strict=True):
            losses = [mean_loss(result, case) for result in results]
            chosen.append(results[int(np.argmin(losses))])
        return chosen

    return method


def without_leak(method: Method) -> Method:
    """Return a method that is given pictures whose hole was filled first, so that it cannot look under the mask."""

    def closed(given: Sequence[Case]) -> list[np.ndarray]:
        fills = filled("navier-stokes")(given)
        return method([replace(case, picture=picture) for case, picture in zip(given, fills, strict=True)])

    return closed


def notebook(pipe: Pipeline, sampling: Sampling, batch: int = 16) -> Method:
    """Return the recipe of the authors' notebook as a method.

    The whole picture encoded, what lies under the mask too; the coarsest token
    kept; a cell kept where the mask, resized bilinearly, is at most 0.5; what the model draws,
    averaged to the picture's side, is the result.
    """

    def plan(case: Case) -> Plan:
        free = torch.from_numpy(case.mask)[None, None].float()
        coverage = [F.interpolate(free, size=(side, side), mode="bilinear").flatten(1) for side in pipe.schedule.sides]
        keep = pipe.schedule.visit(torch.cat(coverage, 1) <= 0.5)
        keep[0] = torch.ones_like(keep[0])
        with torch.inference_mode():
            images = to_float(torch.from_numpy(case.picture)[None])
            return Plan(tuple(pipe.pyramids(images)), tuple(k.to(pipe.device) for k in keep))

    def method(given: Sequence[Case]) -> list[np.ndarray]:
        results = []
        for start in range(0, len(given), batch):
            part = given[start : start + batch]
            plans = Plan.joined([plan(case) for case in part])
            drawn = torch.from_numpy(_draw(pipe, part, plans, sampling, turn=0))
            results += list(averaged_pixels(drawn, pipe.spec.tokenizer.image_side).numpy())
        return results

    return method


def _draw(pipe: Pipeline, part: Sequence[Case], plan: Plan, sampling: Sampling, turn: int) -> np.ndarray:
    """Draw what the model makes of cases in a pass, uint8 (B, D, D, 3)."""
    labels = tuple(case.label for case in part)
    seeds = shifted(tuple(case.seed for case in part), turn)
    *_, last = pipe.steps(Request(labels, seeds, sampling, plan))
    return pipe.pixels(last.f_hat)


def methods(pipe: Pipeline, sampling: Sampling, filling: Sampling, train: PictureSet) -> dict[str, Method]:
    """Return the rows of the table: real pixels, fills, the notebook's recipe, ours, ours with each choice switched.

    Rows with a class are drawn with `sampling`, those without with `filling`.
    """
    usual, further = REPAINTING, replace(CHANGING, context=2.0, smallest_square=1.0)
    rows: dict[str, Method] = {
        REAL: transplanted(train),
        "mean fill": filled("mean"),
        "spread fill": filled("spread"),
        "Telea (OpenCV)": filled("telea"),
        "Navier-Stokes (OpenCV)": filled("navier-stokes"),
        "authors' notebook": notebook(pipe, sampling),
        "authors' notebook, filled first": without_leak(notebook(pipe, sampling)),
        "ours": ours(pipe, usual, sampling),
        "ours, as for a change": ours(pipe, CHANGING, sampling),
        "ours, as for a change, from further away": ours(pipe, further, sampling),
        "ours, as for a change, its shape kept a little": ours(pipe, replace(CHANGING, likeness=2), sampling),
        "ours, as for a change, its shape kept more": ours(pipe, replace(CHANGING, likeness=4), sampling),
        "ours, no class": ours_without_class(pipe, usual, filling),
        PLAIN: ours_without_class(pipe, replace(usual, shown=False, candidates=1), sampling),
        "ours, smooth": ours(pipe, usual, replace(sampling, smooth=True)),
        "ours, best of 4 by what is kept": likeliest(pipe, usual, sampling, 4, kept=True),
        "ours, best of 4 by all": likeliest(pipe, usual, sampling, 4, kept=False),
    }
    switches: dict[str, dict[str, Any]] = {
        "kept tokens fixed": {"follow": not usual.follow},
        "colours not matched": {"match": not usual.match},
        f"{'no' if usual.detail else 'with'} borrowed detail": {"detail": not usual.detail},
        **{f"fill {kind}": {"fill": kind} for kind in FILLS if kind != usual.fill},
        **{f"first free scale {k + 1}": {"first_free_scale": k} for k in (0, 1, 2, 4) if k != usual.first_free_scale},
        **{f"free above coverage {c}": {"min_coverage": c} for c in (0.1, 0.3, 0.8) if c != usual.min_coverage},
        **{f"harmonised within {n} pixels": {"harmonise": n} for n in (0, 6, 12) if n != usual.harmonise},
        **{f"feather {n}": {"feather": n} for n in (0, 2, 6) if n != usual.feather},
    }
    rows |= {f"ours, {name}": ours(pipe, replace(usual, **change), sampling) for name, change in switches.items()}
    matters = [name for name in switches if name.startswith("first free scale")]  # most where no class guides
    return rows | {
        f"ours, no class, {name}": ours_without_class(pipe, replace(usual, **switches[name]), filling)
        for name in matters
    }


def measure(
    rows: dict[str, Method],
    reference: Reference,
    held_out: ImageFeatures,
    pictures: PictureSet,
    shift: Sequence[int],
    tasks: Sequence[str] = TASKS,
) -> Iterator[float | Scores]:
    """Measure all methods on kinds of masks, and class edits of the centre box: yields fractions done, and `Scores`."""
    for number, kind in enumerate(tasks):
        given = cases(pictures, KINDS[0], shift) if kind == CLASS_EDIT else cases(pictures, kind)
        yield scored(reference, held_out, UNTOUCHED, kind, [case.picture for case in given], given, 0.0)
        for done, (name, method) in enumerate(rows.items(), 1):
            began = time.perf_counter()
            results = method(given)
            yield scored(reference, held_out, name, kind, results, given, time.perf_counter() - began)
            yield (number + done / len(rows)) / len(tasks)


def other_classes(groups: Sequence[str]) -> list[int]:
    """Return for every class another of its group to change it into; itself if it is alone."""
    members = {group: [label for label, mine in enumerate(groups) if mine == group] for group in set(groups)}
    return [
        members[group][(members[group].index(label) + len(members[group]) // 2) % len(members[group])]
        for label, group in enumerate(groups)
    ]
