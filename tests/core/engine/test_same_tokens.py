"""The bundled model's tokens stay what they were before the code was laid out in folders, and its pixels the same.

Under tests/data: `same_photo.png`, a lotus that an edit repaints; `same_pixels.png`, a lotus and a mountain side by
side; `same_edit.png`, the edit. The pixels are those of the decoder that ships.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from var_core.editing.edit import Edit, stages
from var_core.editing.edit_settings import EditSettings
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection.recording import recorded

DATA = Path(__file__).parent.parent.parent / "data"


@pytest.fixture(scope="module")
def pipe(bundled: Pipeline) -> Pipeline:
    return bundled


def digest(tokens: list[torch.Tensor]) -> str:
    whole = torch.cat([each.flatten() for each in tokens]).to(torch.int64)
    return hashlib.sha256(whole.numpy().tobytes()).hexdigest()[:16]


def saved(name: str) -> np.ndarray:
    """Pixels of a file, uint8 (H, W, 3)."""
    with Image.open(DATA / name) as picture:
        return np.asarray(picture)


def assert_alike(found: object, wanted: np.ndarray) -> None:
    """Equal but for two levels, which another processor's rounding may make."""
    np.testing.assert_allclose(np.asarray(found, np.int16), wanted.astype(np.int16), atol=2, rtol=0)


def test_generated_tokens_and_pixels_are_those_of_before(pipe):
    labels = pipe.spec.label("lotus"), pipe.spec.label("mountain")
    result = pipe.run(Request(labels, (7, 8), pipe.spec.default_sampling))
    assert digest(result.tokens) == "02b9bac1f419f792"
    for image, wanted in zip(result.images, np.split(saved("same_pixels.png"), 2, axis=1), strict=True):
        assert_alike(image, wanted)


def test_an_edit_paints_the_tokens_and_pixels_that_it_painted_before(pipe):
    photo = saved("same_photo.png")
    mask = np.zeros(photo.shape[:2], bool)
    mask[40:90, 30:80] = True
    null, as_before = (pipe.spec.transformer.null_label,), EditSettings(shown=False, candidates=1)
    *_, done = stages(pipe, Edit(photo, mask, null, (3,), pipe.spec.default_sampling, as_before))
    assert digest([step.tokens for step in done.progress.steps]) == "9202e05dc7325ca7"
    assert_alike(done.photos[0], saved("same_edit.png"))


def test_a_trace_records_the_tokens_of_before(pipe):
    trace = recorded(pipe, Request((pipe.spec.label("lotus"),), (7,), pipe.spec.default_sampling))
    assert digest([trace.tokens]) == "c754662ca7f71e74"
