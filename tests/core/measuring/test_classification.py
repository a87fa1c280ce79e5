"""How often the model names the class, as a table."""

import pytest
import torch
from support.tiny import NAMES, pipeline

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.measuring.classification import HALF, WHOLE, Guess, accuracy_rows, guessed
from var_core.training.data import PictureSet

LABELS = tuple(range(len(NAMES)))


def made() -> PictureSet:
    """Pictures of every class, as the model draws them."""
    images = pipeline().run(Request(LABELS, LABELS, Sampling(guidance=6.0, top_k=1))).images
    pixels = torch.stack([torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8) for image in images])
    return PictureSet(pixels.view(len(images), 32, 32, 3), torch.tensor(LABELS), ())


def test_every_picture_is_guessed_whole_and_half():
    *fractions, found = guessed(pipeline(), made())
    assert fractions[-1] == 1 and fractions == sorted(fractions)
    assert {kind: len(guesses) for kind, guesses in found.items()} == {WHOLE: len(NAMES), HALF: len(NAMES)}
    assert all(0 < one.share <= 1 and 0 <= one.rank <= len(NAMES) for guesses in found.values() for one in guesses)


def test_the_table_counts_right_guesses():
    found = {WHOLE: [Guess(0, 0.8), Guess(3, 0.4)], HALF: [Guess(7, 0.2), Guess(0, 0.6)]}
    table = {(row["kind"], row["measure"]): row for row in accuracy_rows(found, 0.75)}
    assert table[WHOLE, "accuracy"] == {"kind": WHOLE, "measure": "accuracy", "model": 0.5, "probe": 0.75}
    assert table[WHOLE, "right class among the first 5"]["model"] == 1
    assert table[HALF, "right class among the first 5"]["model"] == 0.5
    assert table[HALF, "mean share of the class named first"]["model"] == pytest.approx(0.4)
