"""Runs of the masked path: given tokens stay, are seen, and nothing else changes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny import SIDES, SPEC, masked_path, masked_pipeline, networks, pipeline

from var_core.config import LoadOptions, Sampling
from var_core.engine.inpainting import inpainting
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.weights.checkpoints import load, save

NULL, SIDE = SPEC.transformer.null_label, SIDES[-1]
DRAW = Sampling(guidance=0.0, top_k=0, top_p=1.0)


def half(seed: int = 0, batch: int = 1) -> Plan:
    """The left half of random pyramids is given and shown."""
    generator, schedule = torch.Generator().manual_seed(seed), pipeline().schedule
    tokens = [torch.randint(64, (batch, length), generator=generator) for length in schedule.lengths]
    coverage = torch.zeros(32, 32)
    coverage[:, 16:] = 1
    return Plan.inpaint(tokens, coverage, schedule, min_coverage=0.5, first_free_scale=0, shown=True)


def written(folder: Path) -> Path:
    """A model file with a masked path."""
    save(folder / "tiny.safetensors", SPEC, *networks(), masked_path())
    return folder / "tiny.safetensors"


def drawn(plan: Plan, pipe: Pipeline | None = None, labels=(NULL,), seeds=(3,), sampling=DRAW) -> list[torch.Tensor]:
    return (pipe or masked_pipeline()).run(Request(labels, seeds, sampling, plan)).tokens


def test_given_tokens_stay_and_the_others_are_drawn_otherwise_than_by_next_scale_prediction():
    plan = half()
    found, plain = drawn(plan), drawn(replace(plan, shown=False))
    for ours, tokens, keep in zip(found, plan.tokens, plan.keep, strict=True):
        assert torch.equal(ours[keep], tokens[keep])
    assert not torch.equal(torch.cat(found, 1), torch.cat(plain, 1))


def test_what_is_drawn_at_a_scale_depends_on_what_is_given_at_that_scale():
    plan, last = half(), len(SIDES) - 1
    other = replace(plan, tokens=[*plan.tokens[:last], (plan.tokens[last] + 1) % 64])
    for shown in (False, True):
        chances = []
        for each in (plan, other):
            *_, step = masked_pipeline().steps(Request((NULL,), (3,), DRAW, replace(each, shown=shown)))
            chances.append(step.distribution.probability)
        assert torch.equal(*chances) != shown


def test_a_picture_does_not_depend_on_the_others_of_its_batch():
    sampling = Sampling(guidance=2.0, top_k=0, top_p=1.0)
    both = drawn(half(batch=2), labels=(2, NULL), seeds=(3, 4), sampling=sampling)
    first = drawn(half(batch=2).part(slice(0, 1)), labels=(2,), seeds=(3,), sampling=sampling)
    assert all(torch.equal(two[:1], one) for two, one in zip(both, first, strict=True))


def test_guidance_at_the_first_scales_alone_gives_up_the_branch_without_a_class():
    found = drawn(half(), labels=(2,), sampling=replace(DRAW, guidance=2.0, ramp=0.0, unguided_scales=2))
    everywhere = drawn(half(), labels=(2,), sampling=replace(DRAW, guidance=2.0, ramp=0.0))
    assert all(torch.equal(a, b) for a, b in zip(found[:2], everywhere[:2], strict=True))


def test_a_plan_that_is_not_shown_is_drawn_as_without_a_masked_path():
    plan = replace(half(), shown=False)
    assert all(torch.equal(a, b) for a, b in zip(drawn(plan), drawn(plan, pipeline()), strict=True))


def test_a_model_without_a_masked_path_and_a_cache_are_refused():
    request = Request((NULL,), (3,), DRAW, half())
    with pytest.raises(ValueError, match="tiny has no masked path"):
        pipeline().steps(request)
    with pytest.raises(ValueError, match="has no use for a cache"):
        masked_pipeline().steps(request, PrefixCache())


def test_a_plan_of_a_model_without_a_masked_path_is_never_shown():
    pictures, coverage = torch.zeros(1, 32, 32, 3, dtype=torch.uint8), torch.ones(32, 32)
    found = [inpainting(pipe, pictures, coverage, 0.5, 0, True, shown=True) for pipe in (pipeline(), masked_pipeline())]
    assert [plan.shown for plan in found] == [False, True]


def test_a_file_keeps_the_masked_path(tmp_path):
    found = load(str(written(tmp_path)))
    assert found.masked is not None
    for ours, theirs in zip(found.masked.state_dict().values(), masked_path().state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs.half().float(), rtol=0, atol=0)


def test_the_digest_of_a_masked_path_is_that_of_its_weights_alone(tmp_path):
    first = load(str(written(tmp_path)))
    (tmp_path / "again").mkdir()
    assert load(str(written(tmp_path / "again"))).masked_digest == first.masked_digest != ""
    spec, other = first.spec, masked_path(seed=5)
    save(tmp_path / "other.safetensors", spec, first.tokenizer, first.preview, first.var, other, first.digest)
    changed = load(str(tmp_path / "other.safetensors"))
    assert (changed.digest, changed.masked_digest != first.masked_digest) == (first.digest, True)
    save(tmp_path / "none.safetensors", spec, first.tokenizer, first.preview, first.var, None, first.digest)
    assert load(str(tmp_path / "none.safetensors")).masked_digest == ""


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_in_other_types_it_draws_alike(tmp_path, dtype):
    other = Pipeline.load(str(written(tmp_path)), LoadOptions("cpu", dtype))
    chances = []
    for each in (masked_pipeline(), other):
        first = next(each.steps(Request((NULL,), (3,), DRAW, replace(half(), keep=[k & False for k in half().keep]))))
        chances.append(first.distribution.probability)
    assert 0 < (chances[0] - chances[1]).abs().max() < 0.1


def test_all_tokens_of_a_plan_that_is_shown_must_be_in_the_codebook():
    plan = half()
    tokens = [torch.where(keep, given, 64) for given, keep in zip(plan.tokens, plan.keep, strict=True)]
    drawn(replace(plan, tokens=tokens, shown=False))
    with pytest.raises(ValueError, match="token 64 at scale 1 is not in the codebook"):
        drawn(replace(plan, tokens=tokens))


def test_plans_are_joined_only_if_all_are_shown_or_none():
    plan = half()
    assert Plan.joined([plan, plan]).shown and plan.part(slice(0, 1)).shown
    with pytest.raises(ValueError, match="Some of the plans are shown"):
        Plan.joined([plan, replace(plan, shown=False)])
