"""What is recorded of a picture while it is drawn is true."""

from dataclasses import replace

import pytest
import torch
from support.tiny import SIDES, SPEC, networks, pipeline
from support.traces import KINDS, NULL, PLAIN, REQUEST, SCHEDULE, branches, tensors_of, traced
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.engine.sampling import filter_logits, sample_tokens, uniforms
from var_core.inspection.recording import recorded
from var_core.inspection.trace import UNKNOWN, Trace
from var_core.measuring.bench import COUNTED
from var_core.weights import checkpoints


def distributions(trace: Trace) -> torch.Tensor:
    """What the model holds likely for each token, with guidance and temperature done by hand: (L, V)."""
    conditional, unconditional = branches(trace)
    settings, share = trace.about.sampling, SCHEDULE.levels()[:, None] / (len(SIDES) - 1)
    mixed = conditional + settings.guidance * (1 - settings.ramp * (1 - share)) * (conditional - unconditional)
    return (mixed / (settings.temperature * (1 - settings.cooling * share))).softmax(-1)


def entropies(chances: torch.Tensor) -> torch.Tensor:
    return -(chances * chances.log()).sum(-1)


@pytest.mark.parametrize("kind", [*KINDS, "no class", "no guidance", "filtered"])
@torch.no_grad()
def test_what_is_said_of_each_token_is_computed_from_a_full_pass(kind):
    trace = traced(kind)
    chances, index = distributions(trace), trace.tokens.long()[:, None]
    own = chances.gather(1, index)
    torch.testing.assert_close(trace.probability, own[:, 0].float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(trace.entropy, entropies(chances).float(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(trace.likeliest_probability, chances.topk(10).values.float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(
        chances.gather(1, trace.likeliest.long()).float(), trace.likeliest_probability, rtol=1e-3, atol=1e-6
    )
    likelier = [(chances > own * slack).sum(1) + 1 for slack in (1.001, 0.999)]
    assert ((likelier[0] <= trace.rank) & (trace.rank <= likelier[1])).all()
    leading = trace.rank <= 10
    places = (trace.rank[leading].long() - 1)[:, None]
    torch.testing.assert_close(trace.likeliest_probability[leading].gather(1, places)[:, 0], trace.probability[leading])


@pytest.mark.parametrize("kind", [*KINDS, "no guidance", "filtered"])
@torch.no_grad()
def test_divergence_is_what_the_class_adds_before_guidance_and_temperature(kind):
    trace = traced(kind)
    with_class, without = (logits.softmax(-1) for logits in branches(trace))
    wanted = (with_class * (with_class / without).log()).sum(-1)
    torch.testing.assert_close(trace.divergence, wanted.float(), rtol=1e-3, atol=1e-5)
    assert trace.divergence.max() > 0.1


@pytest.mark.parametrize("kind", [*KINDS, "no guidance", "filtered"])
@torch.no_grad()
def test_evidence_is_how_much_likelier_the_class_makes_the_token(kind):
    trace = traced(kind)
    with_class, without = (logits.log_softmax(-1) for logits in branches(trace))
    wanted = (with_class - without).gather(-1, trace.tokens.long()[:, None])[:, 0]
    torch.testing.assert_close(trace.evidence, wanted.float(), rtol=1e-3, atol=1e-4)
    assert trace.evidence.min() < 0 < trace.evidence.max()


def test_without_a_class_nothing_is_added():
    assert not traced("no class").divergence.any() and not traced("no class").evidence.any()


@pytest.mark.parametrize("kind", [*KINDS, "no class", "no guidance", "filtered", "smooth"])
@torch.no_grad()
def test_unguided_tokens_are_drawn_by_the_same_chance_from_the_conditional_branch(kind):
    trace = traced(kind)
    assert (trace.unguided == UNKNOWN).equal(trace.keep)
    if kind in ("no class", "no guidance"):
        assert torch.equal(trace.unguided, trace.tokens)
    elif kind != "smooth":
        settings, conditional = trace.about.sampling, branches(trace)[0].float()
        heats = conditional.new_tensor([settings.heat(scale, SCHEDULE) for scale in SCHEDULE.levels().tolist()])
        kept = filter_logits(conditional[None] / heats[:, None], settings.top_k, settings.top_p)
        for scale, span in enumerate(SCHEDULE.spans):
            noise = uniforms((trace.about.scale_seeds,), scale, span.stop - span.start)
            wanted = sample_tokens(kept[:, span].softmax(-1), noise)[0]
            free = ~trace.keep[span]
            assert torch.equal(trace.unguided[span][free].long(), wanted[free])


def test_guidance_changes_what_is_drawn():
    trace = traced("drawn")
    assert trace.unguided[0] == trace.tokens[0]  # none at the coarsest scale
    assert not torch.equal(trace.unguided, trace.tokens)


def test_a_remembered_trace_is_that_of_a_fresh_run_and_took_no_time():
    memory = PrefixCache()
    recorded(pipeline(), REQUEST, memory)
    recorded(pipeline(), replace(REQUEST, seeds=(6,)), memory)
    warm = replace(REQUEST, sampling=replace(PLAIN, guidance=1.0))
    remembered, fresh = (recorded(pipeline(), warm, one) for one in (memory, PrefixCache()))
    for name in tensors_of(fresh).keys() - {"seconds"}:
        assert torch.equal(getattr(remembered, name), getattr(fresh, name))
    assert (fresh.seconds > 0).all()
    assert not recorded(pipeline(), warm, memory).seconds.any()


def test_a_trace_is_of_one_picture():
    with pytest.raises(ValueError, match="2 pictures: a trace is of one"):
        recorded(pipeline(), Request((1, 2), (1, 2)))


@pytest.mark.parametrize("change", ["replaced", "resampled"])
@pytest.mark.parametrize("later", ["free", "keep"])
def test_a_token_that_a_plan_changes_leaves_all_before_its_scale(change, later):
    trace, place = traced("drawn"), torch.tensor([4])
    plan = Plan.resample(trace.pyramid(), 2, place, later)
    if change == "replaced":
        plan = plan.replace(2, place, torch.tensor([63 - int(trace.tokens[9])]))
    again = recorded(pipeline(), replace(trace.request(), seeds=(3,), plan=plan))
    before, same_scale = slice(0, 5), [5, 6, 7, 8, 10, 11, 12, 13]
    for name in ("tokens", "probability", "entropy", "rank", "divergence", "likeliest", "likeliest_probability"):
        assert torch.equal(getattr(again, name)[before], getattr(trace, name)[before])
    assert torch.equal(again.tokens[same_scale], trace.tokens[same_scale])
    assert torch.equal(again.pictures[:2], trace.pictures[:2])
    assert again.keep.tolist() == [True] * 9 + [change == "replaced"] + [True] * 4 + [later == "keep"] * 16
    assert torch.equal(again.tokens[14:], trace.tokens[14:]) is (later == "keep")


@pytest.mark.parametrize("kind", ["drawn", "no class", "no guidance"])
@torch.no_grad()
def test_flops_are_those_that_torch_counts(kind):
    trace, var = traced(kind), pipeline().var
    labels = torch.tensor([trace.about.label] if kind == "no class" else [trace.about.label, NULL])
    condition, cache, counts = var.condition(labels), var.new_cache(len(labels)), []
    for scale, length in enumerate(SCHEDULE.lengths):
        shown = torch.zeros(len(labels), length, SPEC.transformer.code_width)
        # torch does not count what its fused attention does on a CPU
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            var.logits(var.step(condition, shown, scale, cache)[:1])
        counts.append(counter.get_total_flops())
    assert trace.flops.tolist() == counts
    assert trace.cache_bytes[-1] == cache.nbytes
    assert (trace.cache_bytes / trace.cache_bytes[-1]).tolist() == pytest.approx([1 / 30, 5 / 30, 14 / 30, 1])


def test_long_names_are_cut_so_that_the_trace_can_be_opened(tmp_path):
    names = ("long " * 60, *SPEC.class_names[1:])
    spec = replace(SPEC, name="m" * 300, class_names=names)
    pipe = Pipeline(checkpoints.LoadedModel(spec, *networks(), digest="0123456789ab"))
    recorded(pipe, Request((0,), (1,), PLAIN)).save(tmp_path / "a.safetensors")
    about = Trace.load(tmp_path / "a.safetensors").about
    assert (about.model, about.class_name) == ("m" * 200, "long " * 40)
