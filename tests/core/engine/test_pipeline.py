"""A loaded model: what it refuses, what it returns, and that its visitors never mix."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny import SIDES, SPEC, networks, pipeline, reconstruct, write

from var_core.config import ON_CPU, LoadOptions, Sampling
from var_core.engine.classifier import token_losses
from var_core.engine.pipeline import Pipeline, part_of_threads, pick_device, pick_dtype
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.nn.tokenizer import Preview
from var_core.schedule import Schedule
from var_core.weights import checkpoints

SIDE = SPEC.tokenizer.image_side


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def pixels(images: list[Image.Image]) -> list[bytes]:
    return [image.tobytes() for image in images]


@pytest.mark.parametrize(("labels", "seeds"), [((), ()), ((1, 2), (3,)), ((1,), (3, 4))])
def test_labels_and_seeds_must_be_as_many(labels, seeds):
    with pytest.raises(ValueError, match=f"{len(labels)} labels and {len(seeds)} seeds: give one seed to each"):
        Request(labels, seeds)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused_with_the_range(seed):
    with pytest.raises(ValueError, match=f"seed {seed} is out of range: choose 0 to {2**63 - 1}"):
        Request((1,), (seed,))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_of_a_scale_that_is_out_of_range_is_refused_with_the_range(seed):
    with pytest.raises(ValueError, match=f"seed {seed} is out of range: choose 0 to {2**63 - 1}"):
        Request((1, 1), (1, (1, 2, seed, 4)))


@pytest.mark.parametrize("seeds", [(), (1,), (1, 2, 3), (1, 2, 3, 4, 5)])
def test_seeds_for_other_scales_than_there_are_are_refused(seeds):
    with pytest.raises(ValueError, match=f"{len(seeds)} seeds for a picture of 4 scales: give one, or as many"):
        pipeline().steps(Request((1, 1), (1, seeds)))


def test_the_largest_seed_works():
    assert len(pipeline().run(Request((1,), (2**63 - 1,))).images) == 1
    assert len(pipeline().run(Request((1,), ((2**63 - 1,) * 4,))).images) == 1


def test_a_plan_must_be_for_as_many_pictures():
    with pytest.raises(ValueError, match="a plan for 2 pictures, but 1 labels"):
        Request((1,), (1,), plan=Plan.free(Schedule(SIDES), 2))


@pytest.mark.parametrize("label", [-1, 8, 1000])
def test_a_label_that_is_not_there_is_refused_with_the_range(label):
    with pytest.raises(ValueError, match=rf"labels \(2, {label}\): .*classes 0 to 6 and 7 for no class"):
        pipeline().steps(Request((2, label), (0, 0)))


@pytest.mark.parametrize("sides", [(1, 2, 3), (1, 2, 3, 5), (1, 2, 3, 4, 5)])
def test_a_plan_of_another_schedule_is_refused(sides):
    plan = Plan.free(Schedule(sides), 1)
    with pytest.raises(ValueError, match=r"a plan for \[1, 4, 9.*but this model has \[1, 4, 9, 16\]"):
        pipeline().steps(Request((1,), (1,), plan=plan))


@pytest.mark.parametrize("token", [-1, 64])
def test_a_given_token_that_is_not_in_the_codebook_is_refused(token):
    plan = Plan.free(Schedule(SIDES), 1).replace(2, torch.tensor([4]), torch.tensor([token]))
    with pytest.raises(ValueError, match=f"token {token} .*scale 2.*choose 0 to 63"):
        pipeline().steps(Request((1,), (1,), plan=plan))


@pytest.mark.parametrize("smooth", [False, True])
def test_tokens_that_are_not_given_are_not_read(smooth):
    free = Plan.free(Schedule(SIDES), 1)
    junk = Plan([torch.full_like(t, -1) for t in free.tokens], free.keep)
    runs = [pipeline().run(Request((1,), (1,), Sampling(smooth=smooth), plan)) for plan in (free, junk)]
    assert pixels(runs[0].images) == pixels(runs[1].images)


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"Device 'toaster' is not available here\. Choose auto, or one of: .*cpu"):
        pick_device("toaster")


def test_auto_picks_a_device_that_is_there():
    assert pick_device(pick_device("auto")) == pick_device("auto")
    assert pick_device("cpu") == "cpu"


def test_a_model_runs_from_its_file(tmp_path):
    pipe = Pipeline.load(str(write(tmp_path)), ON_CPU)
    result = pipe.run(Request((1, 5), (2, 3)))
    assert pipe.spec == SPEC
    assert [image.size for image in result.images] == [(SIDE, SIDE)] * 2
    assert [t.shape for t in result.tokens] == [(2, side * side) for side in SIDES]


def test_int8_draws_nearly_what_float32_draws(tmp_path):
    exact, rounded = (Pipeline.load(str(write(tmp_path)), LoadOptions("cpu", dtype)) for dtype in ("auto", "int8"))
    asked = Request((1, 5), (2, 3))
    ours, theirs = (next(pipe.steps(asked)) for pipe in (rounded, exact))
    assert not torch.equal(ours.entropy, theirs.entropy)
    torch.testing.assert_close(ours.entropy, theirs.entropy, rtol=0, atol=0.1)
    alone = rounded.run(Request((5,), (3,)))
    assert torch.equal(torch.cat(alone.tokens, 1)[0], torch.cat(rounded.run(asked).tokens, 1)[1])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_draw_the_same_picture(tmp_path, monkeypatch):
    # What the processor tells of itself is believed: trying it out takes as long as compiling the blocks.
    monkeypatch.setattr("torch._inductor.config.cpp.vec_isa_ok", True)
    exact, fused = (Pipeline.load(str(write(tmp_path)), LoadOptions("cpu", compiled=flag)) for flag in (False, True))
    asked = Request((1, 5), (2, 3))
    assert all(torch.equal(a, b) for a, b in zip(fused.run(asked).tokens, exact.run(asked).tokens, strict=True))
    with pytest.raises(ValueError, match=r"int8 and torch\.compile do not go together"):
        Pipeline.load(str(write(tmp_path)), LoadOptions("cpu", "int8", compiled=True))


def test_int8_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="int8 is for the CPU, not for cuda: choose auto, or add --device cpu"):
        pick_dtype("int8", "cuda")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (50, 20), (SIDE, SIDE)])
def test_pictures_of_any_size_and_mode_are_encoded(mode, width, height):
    tokens = pipeline().encode(noise(width, height).convert(mode))
    assert [t.shape for t in tokens] == [(1, side * side) for side in SIDES]
    assert all(0 <= t.min() and t.max() < SPEC.tokenizer.vocabulary for t in tokens)


@torch.inference_mode()
def test_a_pyramid_is_decoded_by_its_features():
    pipe = pipeline()
    tokens = pipe.encode(noise(SIDE, SIDE))
    images = reconstruct(pipe, tokens)
    assert [image.size for image in images] == [(SIDE, SIDE)]
    assert pixels(images) == pixels(pipe.decode(pipe.tokenizer.quantizer.features(tokens)))


def test_a_picture_is_decoded_alike_alone_and_among_others():
    f_hat = torch.randn(3, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    together = pipeline().decode(f_hat)
    assert pixels(together) == [pixels(pipeline().decode(one[None]))[0] for one in f_hat]


def test_previews_are_small_pictures_of_every_step():
    side = Preview.CELL * SIDES[-1]
    for step in pipeline().steps(Request((1, 2), (1, 2))):
        shown = pipeline().preview(step.f_hat)
        assert [image.size for image in shown] == [(side, side)] * 2


def test_the_result_of_a_run_can_be_edited_and_run_again():
    result = pipeline().run(Request((1,), (1,)))
    token = 63 - int(result.tokens[1][0, 2])
    plan = Plan.resume(result.tokens, 1).replace(1, torch.tensor([2]), torch.tensor([token]))
    edited = pipeline().run(Request((1,), (1,), plan=plan))
    assert torch.equal(edited.tokens[0], result.tokens[0]) and edited.tokens[1][0, 2] == token
    assert pixels(edited.images) != pixels(result.images)


def test_two_threads_make_the_pictures_that_each_makes_alone():
    requests = [Request((label,), (label,)) for label in range(6)]
    alone = [pixels(pipeline().run(request).images) for request in requests]
    with ThreadPoolExecutor(2) as pool:
        together = [pixels(result.images) for result in pool.map(pipeline().run, requests)]
    assert together == alone
    assert len({image for images in alone for image in images}) == 6


def test_token_losses_are_those_of_the_distributions_drawn_from():
    pipe, request = pipeline(), Request((1, 2), (5, 6), Sampling(guidance=0, top_k=0, top_p=1))
    steps = list(pipe.steps(request))
    drawn = torch.cat([step.confidence for step in steps], 1)
    assert torch.allclose(
        token_losses(pipe.var, pipe.tokenizer.quantizer, [step.tokens for step in steps], torch.tensor(request.labels)),
        -drawn.log(),
        atol=1e-4,
    )


def test_small_models_draw_as_many_runs_at_once_as_there_are_threads_and_others_one(monkeypatch: pytest.MonkeyPatch):
    for threads, lanes in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert pipeline.__wrapped__().lanes == lanes  # of a fresh one
    compiled = checkpoints.LoadedModel(SPEC, *networks(), digest="0123456789ab")
    assert Pipeline(compiled, LoadOptions("cpu", compiled=True)).lanes == 1
    monkeypatch.setattr("var_core.engine.pipeline.SMALL", 10)
    assert pipeline.__wrapped__().lanes == 1


def test_threads_are_shared_by_how_many_draw(monkeypatch: pytest.MonkeyPatch):
    used: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    share = part_of_threads()
    for sharing in (1, 2, 3, 9):
        share(sharing)
    assert used == [2, 1, 1]  # it has all four already
