"""The engine on a GPU: the numbers of the CPU, and what only a GPU does. Skipped where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SPEC, masked_path, networks, reconstruct

from var_core.config import LoadOptions, Sampling
from var_core.editing.edit import Edit, run_edit
from var_core.engine.pipeline import Pipeline
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.inspection.recording import recorded
from var_core.weights import checkpoints

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that torch can use")

DRAW = Request((1, 3), (7, 8), Sampling(guidance=2.0, top_k=20))
PHOTO = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
MASK = np.zeros((40, 60), bool)
MASK[10:30, 15:40] = True


def pipe_on(device: str, dtype: str = "float32", compiled: bool = False) -> Pipeline:
    """The tiny model, with a masked path, on a device."""
    loaded = checkpoints.LoadedModel(SPEC, *networks(), digest="0123456789ab", masked=masked_path())
    return Pipeline(loaded, LoadOptions(device, dtype, compiled))


@pytest.fixture(scope="module")
def gpu() -> Pipeline:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return pipe_on("cuda")


def test_what_can_be_had_is_taken():
    assert Pipeline.load().device.type == "cuda"


def test_the_bundled_model_draws_alike_in_float16():
    request = Request((5,), (7,), Sampling(guidance=2.0))
    pictures = [
        np.asarray(Pipeline.load(options=LoadOptions(device)).run(request).images[0], float)
        for device in ("cpu", "cuda")
    ]
    assert pictures[1].std() > 10 and abs(pictures[1].mean() - pictures[0].mean()) < 30


def test_the_same_seeds_draw_the_same_tokens_in_float32(gpu):
    wanted, found = pipe_on("cpu").run(DRAW), gpu.run(DRAW)
    same = [(a == b.cpu()).float().mean().item() for a, b in zip(wanted.tokens, found.tokens, strict=True)]
    assert min(same) > 0.9  # a draw within rounding of an edge may fall to the other side, and all after it follow
    whole = reconstruct(gpu, wanted.tokens)
    for ours, theirs in zip(whole, wanted.images, strict=True):
        np.testing.assert_allclose(np.asarray(ours, int), np.asarray(theirs, int), atol=2)


def test_a_picture_does_not_depend_on_the_others_of_its_batch(gpu):
    both, alone = gpu.run(DRAW), gpu.run(DRAW.part(slice(0, 1)))
    same = [(a[:1] == b).float().mean().item() for a, b in zip(both.tokens, alone.tokens, strict=True)]
    assert min(same) > 0.9


def test_a_cache_remembers_there_too(gpu):
    cache = PrefixCache()
    first = list(gpu.steps(DRAW, cache))
    reads = cache.reads
    again = list(gpu.steps(DRAW, cache))
    assert cache.reads == reads
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("shown", [False, True])
def test_an_edit_keeps_what_is_not_painted(gpu, shown):
    edit = Edit(PHOTO, MASK, (2,), (3,), DRAW.sampling)
    (found,) = run_edit(gpu, replace(edit, settings=replace(edit.settings, shown=shown)))
    assert np.array_equal(found[:4], PHOTO[:4]) and not np.array_equal(found[MASK], PHOTO[MASK])


def test_a_trace_is_recorded(gpu):
    trace = recorded(gpu, DRAW.part(slice(0, 1)))
    assert trace.tokens.device.type == "cpu" and (trace.probability > 0).all()


@pytest.mark.parametrize(("dtype", "compiled"), [("float16", False), ("bfloat16", False), ("float16", True)])
def test_fast_kinds_draw(dtype, compiled):
    result = pipe_on("cuda", dtype, compiled).run(DRAW)
    assert all(step.f_hat.isfinite().all() for step in result.steps)


def test_eight_bits_are_refused():
    with pytest.raises(ValueError, match="int8 is for the CPU"):
        Pipeline.load(options=LoadOptions("cuda", "int8"))


def test_memory_is_given_back(gpu):
    gpu.run(DRAW)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        gpu.run(DRAW)
    assert torch.cuda.memory_allocated() <= before + 2**20
