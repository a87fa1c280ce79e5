"""Laws of the sampling functions and of the loop."""

import dataclasses

import numpy as np
import pytest
import torch
from support.tiny import SIDES, SPEC, networks, pipeline, reconstruct

from var_core.config import Sampling
from var_core.engine import sampling
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request, seed_at
from var_core.engine.sampling import (
    Guidance,
    certainty,
    filter_logits,
    guide,
    gumbels,
    largest,
    sample_tokens,
    uniforms,
)
from var_core.inspection.recording import recorded
from var_core.schedule import Schedule

PLAIN = Sampling(guidance=2.0, top_k=0, top_p=1.0)


def tokens_of(request: Request) -> list[torch.Tensor]:
    return pipeline().run(request).tokens


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("smooth", [False, True])
def test_a_picture_does_not_depend_on_its_batch_mates(smooth):
    sampling = dataclasses.replace(PLAIN, smooth=smooth)
    together = pipeline().run(Request((1, 4, 2), (7, 8, 9), sampling))
    for place, (label, seed) in enumerate(((1, 7), (4, 8), (2, 9))):
        alone = pipeline().run(Request((label,), (seed,), sampling))
        assert same(alone.tokens, [t[place : place + 1] for t in together.tokens])
        pixels, wanted = (np.asarray(run.images[i], int) for run, i in ((alone, 0), (together, place)))
        assert np.abs(pixels - wanted).max() <= (1 if smooth else 0)  # smooth codes are sums, rounded by batch size


@pytest.mark.parametrize("count", range(6))
def test_scales_without_guidance_are_those_of_a_run_without_any(count):
    schedule, sampling = Schedule(SIDES), dataclasses.replace(PLAIN, unguided_scales=count)
    guided, never = (
        [step.entropy for step in pipeline().steps(Request((1,), (7,), one))]
        for one in (sampling, dataclasses.replace(PLAIN, guidance=0.0))
    )
    whole = pipeline().run(Request((1, 2), (7, 8), sampling))
    given = [
        dataclasses.replace(PLAIN, guidance=sampling.strength(k, schedule) / max(schedule.ratio(k), 1e-9))
        for k in range(len(schedule))
    ]
    for scale, one in enumerate(given):
        again = pipeline().run(Request((1, 2), (7, 8), one, Plan.resume(whole.tokens, scale)))
        assert torch.equal(again.tokens[scale], whole.tokens[scale])
    assert (count >= len(schedule) - 1) is all(torch.equal(a, b) for a, b in zip(guided, never, strict=True))


def test_guidance_grows_as_far_as_the_ramp_says():
    schedule = Schedule((1, 2, 3, 4, 5))
    for ramp, wanted in {1.0: (0, 1, 2, 3, 4), 0.0: (4, 4, 4, 4, 4), 0.5: (2, 2.5, 3, 3.5, 4)}.items():
        found = [Sampling(guidance=4.0, ramp=ramp).strength(scale, schedule) for scale in range(5)]
        assert found == pytest.approx(wanted)


def test_the_temperature_falls_until_the_last_scale():
    schedule, sampling = Schedule((1, 2, 3, 4, 5)), Sampling(temperature=2.0, cooling=0.4)
    assert [sampling.heat(scale, schedule) for scale in range(5)] == pytest.approx([2.0, 1.8, 1.6, 1.4, 1.2])
    cold, hot = (dataclasses.replace(PLAIN, cooling=share) for share in (0.95, 0.0))
    first, second = (tokens_of(Request((1,), (7,), one)) for one in (cold, hot))
    assert torch.equal(first[0], second[0]) and not torch.equal(first[-1], second[-1])


def test_settings_in_words_leave_out_what_does_nothing():
    assert Sampling().describe() == ["guidance 4", "temperature 1", "top-k 100", "top-p 0.95"]
    told = Sampling(ramp=0.5, cooling=0.2, smooth=True, unguided_scales=2).describe()
    said = ["guidance 4", "ramp 0.5", "temperature 1", "cooling 0.2", "top-k 100", "top-p 0.95", "smooth"]
    assert told == [*said, "last 2 scales unguided"]


def test_scales_without_guidance_are_the_same_with_a_memory():
    request = Request((1,), (7,), dataclasses.replace(PLAIN, unguided_scales=2))
    alone, remembered = (list(pipeline().steps(request, memory)) for memory in (None, PrefixCache()))
    assert same([step.tokens for step in alone], [step.tokens for step in remembered])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_reused_guidance_is_the_enlarged_difference_of_the_scale_before(count):
    schedule, rows = Schedule(SIDES), 2
    sampling = dataclasses.replace(PLAIN, guidance=3.0, ramp=0.5, reused_scales=count)
    guidance, first = Guidance(sampling, schedule, rows), max(1, len(SIDES) - count)
    read = [torch.randn(2 * rows, length, 8) for length in schedule.lengths]
    difference = None
    for scale, (hidden, side) in enumerate(zip(read, SIDES, strict=True)):
        ours, theirs = hidden.chunk(2)
        strength = sampling.strength(scale, schedule)
        assert guidance.needs_both(scale) == (scale < first)
        if scale < first:
            wanted, difference = guide(ours, theirs, strength), ours - theirs
        else:
            cells = difference.transpose(1, 2).unflatten(2, (SIDES[first - 1],) * 2)
            large = torch.nn.functional.interpolate(cells, size=side, mode="bilinear")
            wanted = ours + strength * large.flatten(2).transpose(1, 2)
        torch.testing.assert_close(guidance.mix(hidden, scale), wanted)
        if scale >= first:  # the branch without a class is not looked at
            torch.testing.assert_close(guidance.mix(ours, scale), wanted)


def test_scales_that_reuse_guidance_change_no_scale_before_them_and_need_one_branch():
    request, count = Request((1, 2), (7, 8), dataclasses.replace(PLAIN, guidance=6.0)), 2
    reusing = dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, reused_scales=count))
    unguided = dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, unguided_scales=count))
    plain, found, without = ([step.entropy for step in pipeline().steps(one)] for one in (request, reusing, unguided))
    assert same(plain[:-count], found[:-count])
    assert not same(plain[-count:], found[-count:]) and not same(without[-count:], found[-count:])


def test_scales_that_reuse_guidance_are_the_same_with_a_memory_and_in_its_trace():
    request = Request((1,), (7,), dataclasses.replace(PLAIN, guidance=6.0, reused_scales=2))
    alone, remembered = (list(pipeline().steps(request, memory)) for memory in (None, PrefixCache()))
    assert same([step.tokens for step in alone], [step.tokens for step in remembered])
    entropy = torch.cat([step.entropy for step in pipeline().steps(whole(request))], 1)[0]
    torch.testing.assert_close(recorded(pipeline(), whole(request)).entropy, entropy, rtol=1e-3, atol=1e-3)


def whole(request: Request) -> Request:
    """The request without filters, which a trace does not apply."""
    return dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, top_k=0, top_p=1.0))


def test_another_seed_gives_another_picture():
    assert not same(tokens_of(Request((1,), (7,), PLAIN)), tokens_of(Request((1,), (8,), PLAIN)))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("scale", range(5))
def test_resume_with_the_same_seed_repeats_the_picture(scale, smooth):
    sampling = dataclasses.replace(PLAIN, smooth=smooth)
    whole = pipeline().run(Request((3,), (5,), sampling))
    again = pipeline().run(Request((3,), (5,), sampling, Plan.resume(whole.tokens, scale)))
    if not smooth:
        assert same(whole.tokens, again.tokens)
        torch.testing.assert_close(whole.steps[-1].f_hat, again.steps[-1].f_hat)
    elif scale == 0:
        assert same(whole.tokens, again.tokens)


def test_resume_with_a_new_seed_keeps_the_coarse_scales_and_varies_the_fine_ones():
    whole = tokens_of(Request((3,), (5,), PLAIN))
    varied = tokens_of(Request((3,), (6,), PLAIN, Plan.resume(whole, 2)))
    assert same(whole[:2], varied[:2])
    assert not same(whole[2:], varied[2:])


def test_all_kept_is_the_reconstruction_of_those_tokens():
    pipe = pipeline()
    picture = pipe.run(Request((0,), (1,), PLAIN)).images[0]
    tokens = pipe.encode(picture)
    kept = pipe.run(Request((0,), (2,), PLAIN, Plan.resume(tokens, len(tokens))))
    assert same(kept.tokens, tokens)
    assert kept.images[0].tobytes() == reconstruct(pipe, tokens)[0].tobytes()


def test_given_tokens_are_certain_and_drawing_fewer_changes_no_draw():
    free = list(pipeline().steps(Request((1, 2), (3, 4))))
    tokens = [step.tokens for step in free]
    everywhere = Plan.resume(tokens, len(tokens))
    positions = torch.tensor([2, 7])
    keep = [k.clone() for k in everywhere.keep]
    keep[-1][0, positions] = False  # one picture draws these tokens, the other keeps them
    wrong = [t.clone() for t in tokens]
    wrong[-1][0, positions] = 0
    (*coarse, last) = pipeline().steps(Request((1, 2), (3, 4), plan=Plan(wrong, keep)))
    assert torch.equal(last.tokens, tokens[-1])
    for step in (*coarse, last):
        assert (step.confidence[step.keep] == 1).all() and (step.entropy[step.keep] == 0).all()
    original = free[-1]
    torch.testing.assert_close(last.confidence[0, positions], original.confidence[0, positions])
    torch.testing.assert_close(last.entropy[0, positions], original.entropy[0, positions])


def test_interleaved_and_abandoned_runs_do_not_disturb_each_other():
    first, second = Request((1,), (7,), PLAIN), Request((4,), (8,), PLAIN)
    wanted = tokens_of(first), tokens_of(second)
    abandoned = pipeline().steps(first)
    next(abandoned)
    found = ([], [])
    for a, b in zip(pipeline().steps(first), pipeline().steps(second), strict=True):
        found[0].append(a.tokens)
        found[1].append(b.tokens)
    abandoned.close()
    assert same(found[0], wanted[0]) and same(found[1], wanted[1])


def test_steps_yielded_earlier_do_not_change_later():
    seen = []
    for step in pipeline().steps(Request((1,), (7,), PLAIN)):
        seen.append((step, step.f_hat.clone(), step.tokens.clone()))
    assert all(torch.equal(s.f_hat, f) and torch.equal(s.tokens, t) for s, f, t in seen)


def test_guidance_0_is_the_conditional_branch_alone():
    conditional, unconditional = torch.randn(2, 1, 3, 5)
    torch.testing.assert_close(guide(conditional, unconditional, 0.0), conditional)
    nearly = dataclasses.replace(PLAIN, guidance=1e-12)
    off = dataclasses.replace(PLAIN, guidance=0.0)
    assert same(tokens_of(Request((1,), (7,), nearly)), tokens_of(Request((1,), (7,), off)))


@torch.no_grad()
def test_no_class_runs_one_branch_and_draws_what_two_would():
    pipe, null = pipeline(), SPEC.transformer.null_label
    calls = []
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(
        lambda _module, inputs, _output: calls.append(len(inputs[0]))
    )
    alone = tokens_of(Request((null,), (7,), PLAIN))
    assert calls == [1] * len(alone)
    beside_a_class = tokens_of(Request((null, 1), (7, 8), PLAIN))
    hook.remove()
    assert calls[len(alone) :] == [4] * len(alone)
    assert same(alone, [t[:1] for t in beside_a_class])


@pytest.mark.parametrize("smooth", [False, True])
def test_a_seed_for_each_scale_draws_that_scale(smooth):
    sampling = dataclasses.replace(PLAIN, smooth=smooth)
    one, spread = (pipeline().run(Request((1,), seeds, sampling)) for seeds in ((7,), ((7,) * 4,)))
    assert same(one.tokens, spread.tokens) and torch.equal(one.steps[-1].f_hat, spread.steps[-1].f_hat)
    last = pipeline().run(Request((1,), ((7, 7, 7, 8),), sampling))
    assert same(one.tokens[:3], last.tokens[:3]) and not torch.equal(one.tokens[3], last.tokens[3])
    first = pipeline().run(Request((1,), ((8, 7, 7, 7),), PLAIN))
    resumed = pipeline().run(Request((1,), (7,), PLAIN, Plan.resume(first.tokens, 1)))
    assert same(first.tokens, resumed.tokens)


def test_pictures_with_one_seed_and_with_several_are_made_side_by_side():
    together = tokens_of(Request((1, 4), (7, (1, 2, 3, 4)), PLAIN))
    for place, (label, seed) in enumerate(((1, 7), (4, (1, 2, 3, 4)))):
        assert same(tokens_of(Request((label,), (seed,), PLAIN)), [t[place : place + 1] for t in together])


@torch.no_grad()
def test_cached_steps_equal_the_block_causal_full_pass():
    tokenizer, _, var = networks()
    labels = torch.tensor([2, 5])
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tokens = tokenizer.encode(images)
    full = var.schedule.split(var(labels, tokenizer.quantizer.teacher_input(tokens)))
    condition, cache, f_hat = var.condition(labels), var.new_cache(2), tokenizer.quantizer.empty(2)
    for scale, wanted in enumerate(full):
        hidden = var.step(condition, tokenizer.quantizer.next_input(f_hat, scale), scale, cache)
        torch.testing.assert_close(var.logits(hidden), wanted, rtol=0, atol=1e-5)
        f_hat = tokenizer.quantizer.add(f_hat, tokenizer.quantizer.codes(tokens[scale]), scale)


@torch.no_grad()
def test_a_scale_does_not_see_finer_ones():
    var = networks()[2]
    first = torch.randn(1, var.schedule.total - 1, 8, generator=torch.Generator().manual_seed(1))
    second = first.clone()
    second[:, var.schedule.spans[3].start - 1 :] += 1.0
    a, b = (var.schedule.split(var(torch.tensor([1]), given)) for given in (first, second))
    assert same(a[:3], b[:3])
    assert not torch.equal(a[3], b[3])


def test_top_k_1_is_argmax():
    logits = torch.randn(2, 9, 50)
    drawn = sample_tokens(filter_logits(logits, 1, 1.0).softmax(-1), torch.rand(2, 9))
    assert torch.equal(drawn, logits.argmax(-1))


def test_the_largest_values_are_those_of_a_full_sort():
    values = torch.randn(2, 9, 50)
    assert torch.equal(largest(values, 7), values.sort(-1, descending=True).values[..., :7])
    assert torch.equal(largest(values, 50), values.sort(-1, descending=True).values)


@torch.no_grad()
def test_guiding_what_the_head_reads_guides_its_logits():
    var, hidden = networks()[2], torch.randn(2, 5, networks()[2].config.width)
    a, b = hidden.chunk(2)
    torch.testing.assert_close(
        var.logits(guide(a, b, 2.5)), guide(var.logits(a), var.logits(b), 2.5), rtol=1e-5, atol=1e-5
    )


def test_top_k_keeps_exactly_k():
    kept = filter_logits(torch.randn(2, 3, 50), 7, 1.0)
    assert torch.equal(kept.isfinite().sum(-1), torch.full((2, 3), 7))


def test_top_p_keeps_at_least_one():
    logits = torch.randn(2, 9, 50)
    kept = filter_logits(logits, 0, 0.0).isfinite()
    assert torch.equal(kept.sum(-1), torch.ones(2, 9, dtype=torch.int64))
    assert torch.equal(kept.float().argmax(-1), logits.argmax(-1))


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass():
    logits = torch.tensor([[[0.5, 0.3, 0.15, 0.05]]]).log()
    assert filter_logits(logits, 0, 0.75).isfinite().tolist() == [[[True, True, False, False]]]


def test_filters_leave_their_argument_alone():
    logits = torch.randn(1, 2, 10)
    before = logits.clone()
    filter_logits(logits, 3, 0.5)
    assert torch.equal(logits, before)


def test_draws_follow_the_softmax():
    count, logits = 20_000, torch.tensor([1.0, 0.0, -1.0, 2.0, -torch.inf, 0.5])
    drawn = sample_tokens(logits.softmax(-1).expand(1, count, -1), uniforms((3,), 0, count))
    found = torch.bincount(drawn[0], minlength=6).double()
    expected = logits.double().softmax(-1) * count
    assert found[4] == 0
    chi_square = ((found - expected).square() / expected)[expected > 0].sum()
    assert chi_square < 18.5  # 99.9th percentile would be 18.47 at 4 degrees of freedom


def test_the_largest_uniform_number_draws_a_possible_token():
    probability = torch.tensor([[[0.1, 3.0, -torch.inf, -torch.inf]]]).softmax(-1)
    largest = torch.tensor([[1 - 2**-24]])
    assert sample_tokens(probability, largest).item() == 1


def test_noise_of_a_token_does_not_depend_on_other_seeds_or_scales():
    together = uniforms((1, 2), 3, 16)
    assert torch.equal(together[1:], uniforms((2,), 3, 16))
    assert not torch.equal(uniforms((2,), 2, 16), uniforms((2,), 3, 16))


def test_the_noise_of_a_scale_is_that_of_its_own_seed():
    assert (seed_at(5, 2), seed_at((7, 8, 9), 2)) == (5, 9)
    assert torch.equal(uniforms((1, (5, 6, 7)), 2, 9), uniforms((1, 7), 2, 9))
    assert torch.equal(gumbels(((5, 6, 7), 3), 1, 9, 4), gumbels((6, 3), 1, 9, 4))


def test_certainty_is_computed_only_when_somebody_asks(monkeypatch):
    asked, request = [], Request((1,), (7,))
    monkeypatch.setattr(sampling, "certainty", lambda *given: (asked.append(1), certainty(*given))[1])
    result, steps = pipeline().run(request), list(pipeline().steps(request))
    assert not asked
    assert all(step.distribution is None for step in result.steps)
    assert steps[-1].entropy.shape == steps[-1].tokens.shape and asked == [1]
    with pytest.raises(ValueError, match=r"ask the steps of Pipeline\.steps"):
        result.steps[-1].entropy  # noqa: B018


def test_certainty_is_probability_and_entropy_of_the_distribution():
    probability = torch.tensor([[[0.5, 0.25, 0.25, 0.0]]])
    confidence, entropy = certainty(probability, torch.tensor([[1]]))
    assert confidence.item() == pytest.approx(0.25)
    assert entropy.item() == pytest.approx(1.5 * 0.6931472, abs=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"guidance": -1.0},
        {"temperature": 0.0},
        {"top_k": -1},
        {"top_p": 1.5},
        {"guidance": float("nan")},
        {"ramp": 2.0},
    ],
)
def test_settings_out_of_range_are_refused_with_the_range(wrong):
    with pytest.raises(ValueError, match="choose"):
        Sampling(**wrong)
