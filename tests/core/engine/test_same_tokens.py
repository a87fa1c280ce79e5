"""The bundled model's pictures stay the same: what was drawn before the code was laid out in folders."""

import hashlib

import numpy as np
import pytest
import torch

from var_core.editing.edit import Edit, run
from var_core.engine.pipeline import Pipeline, Request
from var_core.inspection.recording import recorded


@pytest.fixture(scope="module")
def pipe(bundled: Pipeline) -> Pipeline:
    return bundled


def digest(tokens: list[torch.Tensor]) -> str:
    whole = torch.cat([each.flatten() for each in tokens]).to(torch.int64)
    return hashlib.sha256(whole.numpy().tobytes()).hexdigest()[:16]


def test_generated_tokens_and_colours_are_those_of_before(pipe):
    labels = pipe.spec.label("lotus"), pipe.spec.label("mountain")
    result = pipe.run(Request(labels, (7, 8), pipe.spec.default_sampling))
    assert digest(result.tokens) == "02b9bac1f419f792"
    means = [np.asarray(image).mean((0, 1)) for image in result.images]
    np.testing.assert_allclose(means, [[102.8, 97.36, 68.42], [104.69, 122.48, 141.16]], atol=0.1)


def test_an_edit_paints_what_it_painted_before(pipe):
    photo = np.asarray(pipe.run(Request((pipe.spec.label("lotus"),), (7,), pipe.spec.default_sampling)).images[0])
    mask = np.zeros(photo.shape[:2], bool)
    mask[40:90, 30:80] = True
    (painted,) = run(pipe, Edit(photo, mask, (pipe.spec.transformer.null_label,), (3,), pipe.spec.default_sampling))
    np.testing.assert_allclose(painted.mean((0, 1)), [98.063, 93.673, 64.935], atol=0.1)


def test_a_trace_records_the_tokens_of_before(pipe):
    trace = recorded(pipe, Request((pipe.spec.label("lotus"),), (7,), pipe.spec.default_sampling))
    assert digest([trace.tokens]) == "c754662ca7f71e74"
