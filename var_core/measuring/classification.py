"""Measure a model as a classifier: how often it names the class of a picture, and how sure it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..editing.edit import guess
from ..editing.edit_settings import REPAINTING
from ..engine.pipeline import Pipeline
from ..training.data import PictureSet

FEW = 5  # classes of which one is the right one
WHOLE, HALF = "whole pictures", "the right half hidden"


@dataclass(frozen=True)
class Guess:
    """A guess of one picture's class: the rank of the right class, and the share of the one that is named."""

    rank: int  # 0: named first; as many as there are classes: not named at all
    share: float


def guessed(pipe: Pipeline, val: PictureSet) -> Iterator[float | dict[str, list[Guess]]]:
    """Classify all pictures, whole and half hidden: yields the fraction done, the guesses of both kinds last."""
    found: dict[str, list[Guess]] = {WHOLE: [], HALF: []}
    for number, (pixels, label) in enumerate(zip(val.pixels.numpy(), val.labels.tolist(), strict=True), 1):
        hidden = np.zeros(pixels.shape[:2], bool)
        hidden[:, pixels.shape[1] // 2 :] = True
        ranked = pipe.classify(Image.fromarray(pixels)), guess(pipe, pixels, hidden, REPAINTING)
        for guesses, shares in zip(found.values(), ranked, strict=True):
            names = [one.label for one in shares]
            rank = names.index(label) if label in names else pipe.spec.transformer.classes
            guesses.append(Guess(rank, shares[0].share))
        yield number / len(val)
    yield found


def accuracy_rows(found: dict[str, list[Guess]], probe: float) -> list[dict[str, float | str]]:
    """Return for each kind of picture the accuracy, the five-best accuracy and the mean share, beside a probe's."""
    table: list[dict[str, float | str]] = []
    for kind, guesses in found.items():
        table.append({"kind": kind, "measure": "accuracy", "model": _accuracy(guesses, 1)})
        if kind == WHOLE:
            table[-1]["probe"] = probe
        table.append({"kind": kind, "measure": f"right class among the first {FEW}", "model": _accuracy(guesses, FEW)})
        mean = float(np.mean([one.share for one in guesses]))
        table.append({"kind": kind, "measure": "mean share of the class named first", "model": mean})
    return table


def _accuracy(guesses: Sequence[Guess], among: int) -> float:
    return float(np.mean([one.rank < among for one in guesses]))
