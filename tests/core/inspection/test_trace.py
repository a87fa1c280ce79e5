"""What a trace says of a picture is true, survives a file, and leads to the pictures that it could have been."""

import itertools
import json
import random
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.tiny import SIDES, SPEC, networks, pipeline
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from var_core.config import SPECS, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.engine.sampling import filter_logits, sample, uniforms
from var_core.formats import FORMAT, FORMAT_KEY
from var_core.inspection import alternatives as series
from var_core.inspection import trace as traces
from var_core.inspection.alternatives import Batch, alternatives, mixture_requests, mixtures
from var_core.inspection.changes import given_request, redrawn_token, rerolled, resampled, swapped
from var_core.inspection.codebook import colours
from var_core.inspection.recording import recorded
from var_core.inspection.trace import KEY, UNKNOWN, About, Spot, Trace, upgrade
from var_core.measuring.bench import COUNTED
from var_core.schedule import Schedule
from var_core.weights import checkpoints

DATA = Path(__file__).parents[2] / "data"
SCHEDULE, NULL = Schedule(SIDES), SPEC.transformer.null_label
PLAIN = Sampling(guidance=2.0, ramp=0.7, temperature=0.8, cooling=0.3, top_k=0, top_p=1.0)
REQUEST = Request((2,), (5,), PLAIN)


def edited_request() -> Request:
    """Two scales of another picture, one of their tokens free, and one token of the last scale set by hand."""
    tokens = pipeline().run(Request((4,), (9,), PLAIN)).tokens
    plan = Plan.resume(tokens, 2).replace(3, torch.tensor([6]), torch.tensor([11]))
    keep = [k.clone() for k in plan.keep]
    keep[1][0, 2] = False
    return replace(REQUEST, plan=Plan(plan.tokens, keep))


def opened_request() -> Request:
    tokens = [torch.randint(64, (1, n), generator=torch.Generator().manual_seed(n)) for n in SCHEDULE.lengths]
    return given_request(tokens, 3, PLAIN)


KINDS = ("drawn", "edited", "opened")
REQUESTS = {
    "drawn": lambda: REQUEST,
    "edited": edited_request,
    "opened": opened_request,
    "no class": lambda: replace(REQUEST, labels=(NULL,)),
    "no guidance": lambda: replace(REQUEST, sampling=replace(PLAIN, guidance=0.0)),
    "filtered": lambda: replace(REQUEST, sampling=Sampling(guidance=3.0, temperature=1.3, top_k=9, top_p=0.8)),
    "smooth": lambda: replace(REQUEST, sampling=replace(PLAIN, smooth=True)),
}


@cache
def traced(kind: str) -> Trace:
    return recorded(pipeline(), REQUESTS[kind](), origin=kind if kind in KINDS else "drawn")


def made_alike(shown: np.ndarray, request: Request) -> bool:
    """A request makes what was shown, but for the rounding of sums in another batch."""
    made = np.asarray(pipeline().run(request).images[0], int)
    return np.abs(made - shown).max() <= 1


# ------------------------------------------------------------------------------------------ what a trace says


def branches(trace: Trace) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of both branches of guidance for all tokens of a trace, from one full pass: (L, V) each."""
    pipe = pipeline()
    teacher = pipe.tokenizer.quantizer.teacher_input(trace.pyramid())
    return tuple(pipe.var(torch.tensor([label]), teacher)[0].double() for label in (trace.about.label, NULL))


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


def test_without_a_class_nothing_is_added():
    assert not traced("no class").divergence.any()


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
            wanted = sample(kept[:, span].softmax(-1), noise)[0]
            free = ~trace.keep[span]
            assert torch.equal(trace.unguided[span][free].long(), wanted[free])


def test_guidance_changes_what_is_drawn():
    trace = traced("drawn")
    assert trace.unguided[0] == trace.tokens[0]  # none at the coarsest scale
    assert not torch.equal(trace.unguided, trace.tokens)


def weights(trace: Trace) -> torch.Tensor:
    """Attention of each block and head in one full pass, (depth, H, L, L), worked out beside the model's own."""
    pipe, found = pipeline(), []

    def look(block, inputs):
        x, modulation, mask = inputs
        q, k, _ = block.attention.queries_keys_values(block.attention_input(x, modulation))
        found.append((q @ k.transpose(-1, -2)).masked_fill(~mask, -torch.inf).softmax(-1)[0])

    hooks = [block.register_forward_pre_hook(look) for block in pipe.var.blocks]
    branches(trace)
    for hook in hooks:
        hook.remove()
    return torch.stack(found[: len(hooks)])  # the first pass is that with the class


SPOTS = [Spot(scale, place) for scale, length in enumerate(SCHEDULE.lengths) for place in range(length)]


def test_spots_are_counted_through_the_sequence():
    assert [spot.within(traced("drawn")) for spot in SPOTS] == list(range(SCHEDULE.total))


@pytest.mark.parametrize("kind", [*KINDS, "no class"])
@torch.no_grad()
def test_attention_is_that_of_a_full_pass_and_sees_no_finer_scale(kind):
    trace = traced(kind)
    wanted, levels = weights(trace), SCHEDULE.levels()
    for place, spot in enumerate(SPOTS):
        seen = trace.attention(spot)
        assert seen.shape == (SPEC.transformer.depth, SPEC.transformer.heads, SCHEDULE.total)
        torch.testing.assert_close(seen.sum(-1), torch.ones(seen.shape[:2]))
        assert not seen[..., levels > levels[place]].any() and (seen[..., levels <= levels[place]] > 0).all()
        torch.testing.assert_close(seen, wanted[:, :, place], rtol=0, atol=2e-3)


@torch.no_grad()
def test_masses_are_the_means_of_the_rows():
    trace = traced("drawn")
    wanted = means_of_rows(trace, SCHEDULE.spans)
    torch.testing.assert_close(trace.masses, wanted)
    torch.testing.assert_close(trace.masses.sum(-1), torch.ones(wanted.shape[:3]))
    assert trace.masses is trace.masses and trace.nearness is trace.nearness  # worked out once


def means_of_rows(trace: Trace, places: list) -> torch.Tensor:
    """How much the tokens at some places of each scale look at each scale in the mean: (depth, H, K, K)."""
    rows = torch.stack([trace.attention(spot) for spot in SPOTS], 2)  # (depth, H, L, L)
    means = torch.stack([rows[:, :, some].mean(2) for some in places], 2)  # (depth, H, K, L)
    return torch.stack([means[..., span].sum(-1) for span in SCHEDULE.spans], -1)


@pytest.mark.parametrize("heads_at_once", [1, 3, 2**21])
def test_masses_do_not_depend_on_how_many_heads_are_done_at_once(heads_at_once, monkeypatch):
    trace = traced("drawn")
    monkeypatch.setattr(traces, "AT_ONCE", heads_at_once * 16 * 30)
    torch.testing.assert_close(replace(trace).masses, trace.masses)


@torch.no_grad()
def test_where_all_tokens_would_be_too_much_masses_are_the_means_of_some(monkeypatch):
    trace, (depth, heads, _, width) = replace(traced("drawn")), traced("drawn").queries.shape
    one = depth * heads * (width + traces.SOFTMAX)  # products for a token that looks at one other
    monkeypatch.setattr(traces, "MOST_PRODUCTS", one * (1 + 4 * 5 + 2 * 5 * 30 + 2))
    places = trace._asked()
    assert [len(some) for some in places] == [1, 4, 9, 5]  # 126 of 302 for the third scale, all; 155 are left
    assert all(
        span.start <= some.min() and some.max() < span.stop for some, span in zip(places, SCHEDULE.spans, strict=True)
    )
    torch.testing.assert_close(trace.masses, means_of_rows(trace, places))
    monkeypatch.setattr(traces, "MOST_PRODUCTS", 0)
    assert [len(some) for some in trace._asked()] == [1] * 4


@pytest.mark.parametrize("kind", [*KINDS, "smooth"])
def test_pictures_are_those_of_the_steps_and_nearness_ends_at_infinity(kind):
    trace = traced(kind)
    for step, shown in zip(pipeline().steps(REQUESTS[kind]()), trace.pictures, strict=True):
        assert np.array_equal(pipeline().pixels(step.f_hat)[0], shown)
    *earlier, last = trace.nearness
    assert last == float("inf") and all(0 < near < 100 for near in earlier)


@pytest.mark.parametrize("kind", [*KINDS, "no class", "no guidance", "filtered", "smooth"])
def test_the_request_of_a_trace_makes_its_picture_again(kind):
    trace = traced(kind)
    again = recorded(pipeline(), trace.request(), origin=kind if kind in KINDS else "drawn")
    assert again.about == trace.about
    for name in tensors_of(trace).keys() - {"seconds"}:
        assert torch.equal(getattr(again, name), getattr(trace, name))


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


# ------------------------------------------------------------------------------------------ costs and colours


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


def ranks(values: torch.Tensor) -> torch.Tensor:
    return values.argsort().argsort().double()


@pytest.mark.parametrize("seed", range(4))
def test_near_codes_have_near_colours(seed):
    codebook = torch.randn(256, 3, generator=torch.Generator().manual_seed(seed))
    found = colours(codebook)
    assert found.shape == (256, 3) and found.dtype == torch.uint8 and torch.equal(found, colours(codebook))
    seen = cv2.cvtColor(found.numpy()[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]  # as an eye sees them
    apart = [ranks(torch.nn.functional.pdist(points)) for points in (codebook, torch.from_numpy(seen))]
    assert torch.corrcoef(torch.stack(apart))[0, 1] > 0.8


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_codebooks_of_any_size_have_colours(count, width):
    found = colours(torch.randn(count, width, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (count, 3)
    assert len(found.unique(dim=0)) > 0.4 * count  # there are only 256 greys


def test_codes_on_a_line_go_from_dark_to_light():
    light = colours(torch.linspace(0, 1, 20)[:, None]).float() @ torch.tensor([0.3, 0.6, 0.1])
    assert (light.diff() > 0).all()


def test_a_codebook_whose_codes_are_all_the_same_has_colours():
    assert colours(torch.ones(5, 4)).shape == (5, 3)


# ------------------------------------------------------------------------------------------ files


def tensors_of(trace: Trace) -> dict[str, torch.Tensor]:
    return {field.name: getattr(trace, field.name) for field in fields(trace) if field.name != "about"}


def written(path: Path, about: object = None, /, **changed: torch.Tensor | None) -> Path:
    """A trace in a file, with some of it exchanged; a tensor None is left out."""
    trace = traced("edited")
    values = asdict(trace.about) if about is None else about
    text = json.dumps({FORMAT_KEY: FORMAT, **values} if isinstance(values, dict) else values)
    save_file({k: t for k, t in {**tensors_of(trace), **changed}.items() if t is not None}, path, {KEY: text})
    return path


def usable(path: Path) -> bool:
    """Whether a file opens as a trace that all can be asked of; otherwise the sentence must say what is wrong."""
    try:
        trace = Trace.load(path)
    except ValueError as error:
        assert path.name in str(error) and str(error).endswith(".")
        return False
    trace.request(), trace.attention(Spot(0, 0)), trace.masses, trace.nearness
    return True


@pytest.mark.parametrize("kind", [*KINDS, "no class", "smooth"])
def test_a_trace_comes_back_from_its_file_bit_by_bit(kind, tmp_path):
    trace = traced(kind)
    trace.save(tmp_path / "a.safetensors")
    again = Trace.load(tmp_path / "a.safetensors")
    assert again.about == trace.about
    for name, tensor in tensors_of(trace).items():
        found = getattr(again, name)
        assert found.dtype == tensor.dtype and torch.equal(found, tensor)
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_trace_saved_by_an_earlier_version_opens(tmp_path):
    older = Trace.load(DATA / "trace_version_1.safetensors")
    again = recorded(pipeline(), older.request())
    assert older.about.scale_seeds == (5,) * 4 and torch.equal(older.flops, again.flops)
    assert torch.equal(older.tokens, again.tokens) and torch.equal(older.likeliest, again.likeliest)
    torch.testing.assert_close(older.likeliest_probability, again.likeliest_probability)
    older.save(tmp_path / "now.safetensors")
    assert Trace.load(tmp_path / "now.safetensors").about == older.about


@pytest.mark.parametrize("version", [0, 3, "2", None, True, [2]])
def test_a_trace_of_another_version_is_refused(version, tmp_path):
    about = asdict(traced("edited").about)
    assert not usable(written(tmp_path / "a.safetensors", {**about, "format": version}))
    assert usable(written(tmp_path / "a.safetensors", {**about, "format": 2}))


def test_a_loaded_trace_outlives_its_file(tmp_path):
    path = written(tmp_path / "a.safetensors")
    trace = Trace.load(path)
    path.write_bytes(b"")
    assert torch.equal(trace.pictures, traced("edited").pictures)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.safetensors: there is no such file"):
        Trace.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("content", [b"", b"abc", bytes(100), b"\xff" * 100, np.random.default_rng(0).bytes(5000)])
def test_other_files_are_no_traces(content, tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other.bin is not a trace: choose a \.safetensors file that Explore"):
        Trace.load(path)
    with pytest.raises(ValueError, match="is not a trace"):
        Trace.load(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_other_tensors_are_no_traces(metadata, tmp_path):
    save_file(tensors_of(traced("drawn")), tmp_path / "a.safetensors", metadata)
    with pytest.raises(ValueError, match="holds no trace"):
        Trace.load(tmp_path / "a.safetensors")


ODD = (None, "x", "", -1, 0, 1.5, float("nan"), float("inf"), [], [[1]], [1, "a"], {}, {"a": 1}, True, 10**30, "\ud800")
# for each field those of them that it may have
POSSIBLE = {
    **dict.fromkeys(("model", "digest", "codebook", "class_name", "device"), ("x", "")),
    **dict.fromkeys(("label", "top_k", "top_p", "unguided_scales"), (0,)),
    **{
        "null_label": (10**30,),
        "guidance": (0, 1.5),
        "ramp": (0,),
        "temperature": (1.5,),
        "cooling": (0,),
    },
}


def possible(field: str, value: object) -> bool:
    allowed = POSSIBLE.get(field, ())
    return any(type(value) is type(one) and value == one for one in allowed) or repr(value) in allowed


@pytest.mark.parametrize("field", [*(field.name for field in fields(About)), "strange"])
def test_descriptions_with_odd_values_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    for value in ODD:
        path = written(tmp_path / "odd.safetensors", {**about, field: value})
        assert usable(path) is possible(field, value), value
    if field in ("model", "sides", "label", "sampling", "scale_seeds"):
        del about[field]
        assert not usable(written(tmp_path / "short.safetensors", about))


@pytest.mark.parametrize("field", [*(field.name for field in fields(Sampling)), "strange"])
def test_settings_with_odd_values_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    for value in ODD:
        odd = {**about, "sampling": {**about["sampling"], field: value}}
        allowed = possible(field, value) or (field == "smooth" and value is True)
        assert usable(written(tmp_path / "odd.safetensors", odd)) is allowed, value
    short = {**about, "sampling": {name: value for name, value in about["sampling"].items() if name != field}}
    assert usable(written(tmp_path / "short.safetensors", short)) is (field == "strange")


@pytest.mark.parametrize(("field", "value"), [("ramp", 1.0), ("cooling", 0.0), ("unguided_scales", 0)])
def test_a_setting_that_the_first_format_left_out_is_as_it_was_then(field, value):
    told = {name: value for name, value in asdict(Sampling()).items() if name != field}
    assert upgrade({"sampling": told, "tensors": {}})["sampling"] == {**told, field: value}


@pytest.mark.parametrize(
    "sides",
    [
        *((1, 2, 3, 5), (1, 3, 2, 4), (1, 2, 3), (2, 3, 4, 5), (0, 1, 2, 3), (1, 2, 2, 4), (1, 2, 3, 10**9), (1, 65)),
        *((1, 2, 3, 4.0), (True, 2, 3, 4), "1234", {"1": 2}, tuple(range(1, 65)), (1, 2, 3, [4]), (1, 2, 3, None)),
    ],
)
def test_sides_that_do_not_fit_or_do_not_grow_are_refused(sides, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", {**asdict(traced("edited").about), "sides": sides}))


@pytest.mark.parametrize(
    "seeds",
    [(), (1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 3, -1), (1, 2, 3, 2**63), (1, 2, 3, 4.0), (1, 2, 3, True), ([1], 2, 3, 4)],
)
def test_seeds_that_do_not_fit_or_are_out_of_range_are_refused(seeds, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", {**asdict(traced("edited").about), "scale_seeds": seeds}))


def test_a_trace_without_a_seed_for_each_scale_is_refused(tmp_path):
    about = asdict(traced("edited").about)
    del about["scale_seeds"]
    for others in ({}, {"seed": 5}, {"seed": 5, "scale_seeds": [5] * 4}, {"seeds": [5] * 4}):
        assert not usable(written(tmp_path / "a.safetensors", {**about, **others}))


@pytest.mark.parametrize("field", ["model", "digest", "codebook", "class_name", "device"])
def test_long_texts_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    assert usable(written(tmp_path / "a.safetensors", {**about, field: "睡" * 200}))
    assert not usable(written(tmp_path / "a.safetensors", {**about, field: "x" * 201}))


def test_long_names_are_cut_so_that_the_trace_can_be_opened(tmp_path):
    names = ("long " * 60, *SPEC.class_names[1:])
    spec = replace(SPEC, name="m" * 300, class_names=names)
    pipe = Pipeline(checkpoints.LoadedModel(spec, *networks(), digest="0123456789ab"))
    recorded(pipe, Request((0,), (1,), PLAIN)).save(tmp_path / "a.safetensors")
    about = Trace.load(tmp_path / "a.safetensors").about
    assert (about.model, about.class_name) == ("m" * 200, "long " * 40)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "1", '"x"', "[" * 100_000, "1" * 5000, '{"sides": ' + "1" * 5000 + "}", "{}", "\0"]
)
def test_texts_that_describe_nothing_are_refused(text, tmp_path):
    save_file(tensors_of(traced("drawn")), tmp_path / "a.safetensors", {KEY: text})
    assert not usable(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", tensors_of(traced("edited")))
def test_tensors_of_other_shapes_or_types_or_none_are_refused(name, tmp_path):
    tensor = getattr(traced("edited"), name)
    types = (torch.float64, torch.bfloat16, torch.complex64, torch.float8_e5m2)
    shapes = (tensor[:-1], tensor[:0], tensor[None], tensor[..., :0], tensor.flatten()[0])
    for wrong in (None, *shapes, *(tensor.float().to(kind) for kind in types)):
        found = None if wrong is None else wrong.contiguous()
        assert not usable(written(tmp_path / "a.safetensors", **{name: found}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        *((name, value, "outside 0 to 63") for name in ("tokens", "likeliest") for value in (-1, 64, 2**31 - 1)),
        *(("unguided", value, "outside -1 to 63") for value in (-2, 64)),
        *(("rank", value, "outside 1 to 64") for value in (0, 65)),
        *(
            (name, value, "outside 0 to 1")
            for name in ("probability", "likeliest_probability")
            for value in (-0.5, 1.5)
        ),
        *((name, -0.5, "outside 0 to") for name in ("entropy", "divergence", "seconds")),
        *(
            (name, value, "outside")
            for name in ("probability", "entropy", "divergence", "likeliest_probability", "seconds", "queries", "keys")
            for value in (float("nan"), float("inf"), -float("inf"))
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(name, value, message, tmp_path):
    tensor = getattr(traced("edited"), name).clone()
    tensor.view(-1)[-1] = value
    path = written(tmp_path / "a.safetensors", **{name: tensor})
    with pytest.raises(ValueError, match=rf"a.safetensors is damaged: its '{name}' holds numbers {message}"):
        Trace.load(path)


@pytest.mark.parametrize("name", ["extra", "about", "cls", "self"])
def test_a_tensor_too_many_is_refused(name, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", **{name: torch.zeros(1)}))


def test_pictures_of_no_side_are_refused(tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", pictures=torch.zeros(4, 0, 0, 3, dtype=torch.uint8)))


def sized(sides=SIDES, depth=2, heads=2, width=16, codes=64, side=32) -> Trace:
    """A trace of certain sizes, of zeros that are held only once."""
    total, scales = Schedule(sides).total, len(sides)

    def zeros(*shape: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros((), dtype=kind).expand(shape)

    whole = {name: zeros(total, kind=torch.int32) for name in ("tokens", "unguided")}
    return Trace(
        replace(traced("drawn").about, sides=sides, scale_seeds=(5,) * scales),
        **whole,
        rank=zeros(total, kind=torch.int32) + 1,
        keep=zeros(total, kind=torch.bool),
        **{name: zeros(total) for name in ("probability", "entropy", "divergence")},
        likeliest=zeros(total, min(10, codes), kind=torch.int32),
        likeliest_probability=zeros(total, min(10, codes)),
        **{name: zeros(depth, heads, total, width, kind=torch.float16) for name in ("queries", "keys")},
        pictures=zeros(scales, side, side, 3, kind=torch.uint8),
        seconds=zeros(scales),
        **{name: zeros(scales, kind=torch.int64) for name in ("flops", "cache_bytes")},
        colours=zeros(codes, 3, kind=torch.uint8),
    )


def test_a_trace_of_the_largest_published_model_can_be_opened():
    spec = SPECS["var-d36-s"]
    depth, heads, width = spec.transformer.depth, spec.transformer.heads, spec.transformer.width
    trace = sized(spec.tokenizer.sides, depth, heads, width // heads, spec.tokenizer.vocabulary, 512)
    traces._check_shapes(trace, "a")
    assert 0.75e9 < sum(tensor.nbytes for tensor in tensors_of(trace).values()) < traces.MOST_BYTES


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"sides": (1, 55)}, "3026 tokens, and 3000"),
        ({"sides": tuple(range(1, 21)), "depth": 40, "heads": 40, "width": 64}, "MB, and 800"),
        ({"sides": tuple(range(1, 26))}, "tokens|scales"),
        ({"depth": 65}, "65 blocks, and 64"),
        ({"heads": 65}, "65 heads, and 64"),
        ({"heads": 1, "width": 8193}, "8193 numbers in a token's query, and 8192"),
        ({"codes": 65537}, "65537 codes, and 65536"),
        ({"side": 1025}, "1025 pixels along a picture's side, and 1024"),
    ],
)
def test_what_would_take_too_much_to_open_is_neither_opened_nor_saved(sizes, message, tmp_path):
    trace = sized(**sizes)
    for refuse in (lambda: traces._check(trace, "a"), lambda: trace.save(tmp_path / "a")):
        with pytest.raises(ValueError, match=rf"^a is too large: .*{message}.* can be opened\.$"):
            refuse()
    assert not list(tmp_path.iterdir())


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.safetensors").open("wb") as file:
        file.truncate(2 * traces.MOST_BYTES)  # sparse: it takes no room
    with pytest.raises(ValueError, match=r"a\.safetensors is too large: it has 1600 MB"):
        Trace.load(tmp_path / "a.safetensors")


def test_a_file_of_very_many_tensors_is_refused_before_they_are_read(tmp_path, monkeypatch):
    path = written(tmp_path / "a.safetensors", **{f"t{n}": torch.zeros(1) for n in range(3)})
    monkeypatch.setattr(torch.Tensor, "clone", None)
    assert not usable(path)


def test_the_widest_allowed_trace_is_looked_at_in_little_memory(monkeypatch):
    """Each step of `masses` and `attention` is of a few heads, or of one block: none is of the whole."""
    largest, plain = [0], traces._mean_attention

    def watched(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        largest.append(len(queries) * keys.shape[1] * max(queries.shape[1], keys.shape[2]))
        return plain(queries, keys)

    monkeypatch.setattr(traces, "_mean_attention", watched)
    monkeypatch.setattr(traces, "MOST_PRODUCTS", 10**7)
    trace = sized(tuple(range(1, 21)), depth=3, heads=4, width=2048)
    rows = trace.masses.sum(-1)
    torch.testing.assert_close(rows, torch.ones(rows.shape))
    trace.attention(Spot(19, 0))
    assert max(largest) <= max(traces.AT_ONCE, 4 * 2870 * 2048)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_never_end_in_another_error(seed, tmp_path):
    whole, path = written(tmp_path / "a.safetensors").read_bytes(), tmp_path / "b.safetensors"
    chance, head = random.Random(seed), 8 + int.from_bytes(whole[:8], "little")
    opened = 0
    for _ in range(60):
        for end in (head, len(whole)):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 3, 20))):
                damaged[chance.randrange(end)] = chance.randrange(256)
            path.write_bytes(damaged)
            opened += usable(path)
        path.write_bytes(whole[: chance.randrange(len(whole))])
        assert not usable(path)
    assert opened < 60


# ------------------------------------------------------------------------------------------ what might have been


def finished(batches: Iterable[Batch], count: int) -> list[np.ndarray]:
    """All pictures of a series, once all its batches have kept their promises."""
    found, before = list(batches), Batch(0.0, ())
    for batch in found:
        assert before.fraction < batch.fraction <= 1 and len(batch.pictures) <= count
        assert all(ours is theirs for ours, theirs in zip(before.pictures, batch.pictures, strict=False))
        before = batch
    assert before.fraction == 1 and len(before.pictures) == count
    assert all(picture.shape == (32, 32, 3) and picture.dtype == np.uint8 for picture in before.pictures)
    return list(before.pictures)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", ["all", "nothing", "another picture"])
@pytest.mark.parametrize("later", ["free", "keep"])
@pytest.mark.parametrize("spot", [Spot(0, 0), Spot(1, 2), Spot(3, 15)])
def test_alternatives_are_the_pictures_that_the_swapped_requests_make(kind, known, later, spot):
    trace, memory = traced(kind), PrefixCache()
    if known != "nothing":
        recorded(pipeline(), trace.request() if known == "all" else Request((2,), (6,), PLAIN), memory)
    found = finished(alternatives(pipeline(), trace, memory, spot, [0, 63, 7], later), 3)
    for value, shown in zip((0, 63, 7), found, strict=True):
        assert made_alike(shown, swapped(trace, spot, value, later))


def test_alternatives_compute_only_the_finer_scales_and_only_where_something_is_drawn():
    pipe, memory, calls = pipeline(), PrefixCache(), []
    trace = recorded(pipe, REQUEST, memory)
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(lambda _m, seen, _o: calls.append(seen[0].shape[:2]))
    finished(alternatives(pipe, trace, memory, Spot(1, 0), [3, 4, 5], "keep"), 3)
    finished(alternatives(pipe, trace, memory, Spot(3, 0), [3, 4, 5], "free"), 3)
    assert not calls
    finished(alternatives(pipe, trace, memory, Spot(1, 0), [3, 4, 5], "free"), 3)
    hook.remove()
    assert calls == [(6, 9), (6, 16)]  # three pictures, both branches
    reads = memory.reads
    recorded(pipe, REQUEST, memory)
    assert memory.reads == reads  # it was only read


@pytest.mark.parametrize("bytes_of_caches", [0, 200_000, 10**9])
def test_pictures_come_in_chunks_that_fit_with_the_likeliest_first(bytes_of_caches, monkeypatch):
    monkeypatch.setattr(series, "CHUNK_BYTES", bytes_of_caches)
    trace, pipe, rows = traced("drawn"), pipeline(), []
    # two blocks, queries, keys and values, both branches, 30 tokens of 32 numbers: 46080 bytes a picture
    chunk = {0: 1, 200_000: 4, 10**9: series.FIRST}[bytes_of_caches]
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(lambda _m, seen, _o: rows.append(len(seen[0])))
    batches = list(alternatives(pipe, trace, PrefixCache(), Spot(0, 0), list(range(7)), "free"))
    hook.remove()
    sizes = [chunk] * (7 // chunk) + [7 % chunk] * (7 % chunk > 0)
    assert rows == [2 * size for size in sizes for _ in SIDES]
    starts = range(0, 7, chunk)  # of a chunk first all scales but the last, then its pictures one by one
    done = [[start] * (len(SIDES) - 1) + list(range(start + 1, min(start + chunk, 7) + 1)) for start in starts]
    assert [len(batch.pictures) for batch in batches] == list(itertools.chain(*done))
    wanted = finished(batches, 7)
    mixed = finished(mixtures(pipe, mixture_requests(pipe, trace, 6)), 5)
    monkeypatch.undo()
    for few, many in zip(
        wanted + mixed,
        finished(alternatives(pipe, trace, PrefixCache(), Spot(0, 0), list(range(7)), "free"), 7)
        + finished(mixtures(pipe, mixture_requests(pipe, trace, 6)), 5),
        strict=True,
    ):
        assert np.abs(few.astype(int) - many).max() <= 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: alternatives(pipeline(), traced("drawn"), PrefixCache(), Spot(0, 0), [1, 2], "free"),
        lambda: mixtures(pipeline(), mixture_requests(pipeline(), traced("drawn"), 6)),
    ],
)
def test_a_series_that_is_closed_stops_within_a_scale(make):
    calls = []
    count = pipeline().var.blocks[0].feed_forward.register_forward_hook(lambda *_: calls.append(1))
    batches = make()
    assert not calls
    next(batches), next(batches)
    batches.close()
    count.remove()
    assert len(calls) == 2


@pytest.mark.parametrize("later", ["free", "keep"])
def test_a_swapped_token_leaves_all_before_it_and_the_rest_of_its_scale(later):
    trace = traced("drawn")
    value = 63 - int(trace.tokens[3])
    again = recorded(pipeline(), swapped(trace, Spot(1, 2), value, later))
    changed = (again.tokens != trace.tokens).nonzero()[:, 0].tolist()
    assert changed[0] == 3 and again.tokens[3] == value
    assert min(changed[1:], default=99) >= SCHEDULE.spans[2].start
    assert (len(changed) == 1) is (later == "keep")
    assert torch.equal(again.probability[:5], trace.probability[:5]) is False  # another token, another probability
    assert torch.equal(again.entropy[:5], trace.entropy[:5])
    assert torch.equal(again.likeliest[:5], trace.likeliest[:5])
    assert torch.equal(again.pictures[0], trace.pictures[0]) and not torch.equal(again.pictures[1], trace.pictures[1])
    assert again.keep.tolist() == [True] * 5 + [later == "keep"] * 25


def test_swapping_a_token_for_itself_changes_nothing():
    trace = traced("drawn")
    again = recorded(pipeline(), swapped(trace, Spot(1, 2), int(trace.tokens[3]), "free"))
    assert torch.equal(again.tokens, trace.tokens) and torch.equal(again.pictures, trace.pictures)


CHANGES = [lambda t, p: swapped(t, ROOT, 1, "free", p), lambda t, p: redrawn_token(t, ROOT, 8, "free", p)]
ROOT = Spot(0, 0)


@pytest.mark.parametrize("change", CHANGES)
def test_finer_tokens_are_drawn_anew_when_a_coarse_one_changes_also_those_that_were_given(change):
    for kind in ("edited", "opened"):
        assert not recorded(pipeline(), change(traced(kind), None)).keep[1:].any()


@pytest.mark.parametrize("change", CHANGES)
def test_pinned_tokens_stay_when_a_coarse_one_changes(change):
    trace = traced("edited")
    again = recorded(pipeline(), change(trace, trace.keep))
    assert torch.equal(again.keep[1:], trace.keep[1:])
    assert torch.equal(again.tokens[trace.keep][1:], trace.tokens[trace.keep][1:])
    assert not torch.equal(again.tokens, trace.tokens)


@pytest.mark.parametrize("later", ["free", "keep"])
def test_one_token_is_drawn_anew_with_the_seed_asked_for(later):
    trace, span = traced("drawn"), SCHEDULE.spans[2]
    place = int(trace.entropy[span].argmax())
    same, *others = (recorded(pipeline(), redrawn_token(trace, Spot(2, place), seed, later)) for seed in range(5, 9))
    assert torch.equal(same.tokens, trace.tokens)  # its own seed draws it again
    for other in others:
        assert (~other.keep).nonzero()[:, 0].tolist() == [5 + place, *(range(14, 30) if later == "free" else ())]
        assert torch.equal(other.tokens[other.keep], trace.tokens[other.keep])
    assert len({int(other.tokens[5 + place]) for other in others}) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locked", [(), (2,), (0, 3)])
def test_a_reroll_keeps_the_coarse_and_the_pinned_scales_and_draws_all_others(kind, locked):
    trace, levels = traced(kind), SCHEDULE.levels()
    again = recorded(pipeline(), rerolled(trace, 1, 77, torch.isin(levels, torch.tensor(locked, dtype=torch.int64))))
    for scale, span in enumerate(SCHEDULE.spans):
        given = scale < 1 or scale in locked
        assert again.keep[span].all() if given else not again.keep[span].any()
        assert torch.equal(again.tokens[span], trace.tokens[span]) is given
    drawn = [scale for scale in (1, 2, 3) if scale not in locked]
    assert again.about.scale_seeds == tuple(
        77 if scale in drawn else trace.about.scale_seeds[scale] for scale in range(4)
    )


def test_a_reroll_with_the_same_seed_repeats_a_drawn_picture():
    trace = traced("drawn")
    for scale in range(5):
        assert torch.equal(recorded(pipeline(), rerolled(trace, scale, 5)).tokens, trace.tokens)


@pytest.mark.parametrize("kind", KINDS)
def test_other_settings_leave_what_is_pinned_or_given(kind):
    trace, hotter = traced(kind), replace(PLAIN, temperature=3.0)
    request = resampled(trace, hotter, SCHEDULE.levels() == 1)
    again = recorded(pipeline(), request)
    given = trace.keep | (SCHEDULE.levels() == 1)
    assert request.sampling == hotter and request.seeds == (trace.about.scale_seeds,)
    assert torch.equal(again.keep, given) and torch.equal(again.tokens[given], trace.tokens[given])
    assert torch.equal(again.tokens, trace.tokens) is (kind == "opened")
    assert resampled(trace, trace.about.sampling).sampling == trace.about.sampling


@cache
def rolled() -> Trace:
    """A drawn picture whose last scale was drawn again, then a token of its second scale and all that follows."""
    again = recorded(pipeline(), rerolled(traced("drawn"), 3, 77))
    return recorded(pipeline(), redrawn_token(again, Spot(1, 0), 88, "free"))


def test_every_scale_keeps_the_seed_that_it_was_drawn_with():
    drawn, again, both = traced("drawn"), recorded(pipeline(), rerolled(traced("drawn"), 3, 77)), rolled()
    assert (drawn.about.scale_seeds, again.about.scale_seeds, both.about.scale_seeds) == (
        (5,) * 4,
        (5, 5, 5, 77),
        (5, 88, 5, 77),
    )
    assert (drawn.about.seed, again.about.seed) == (5, 77)
    assert torch.equal(again.tokens[:14], drawn.tokens[:14]) and not torch.equal(again.tokens, drawn.tokens)
    for trace in (again, both):
        for spot in (Spot(1, 2), Spot(2, 4)):
            request = swapped(trace, spot, int(trace.tokens[spot.within(trace)]), "free")
            assert request.seeds == (trace.about.scale_seeds,)
            assert torch.equal(recorded(pipeline(), request).tokens, trace.tokens)


def test_a_change_after_a_reroll_draws_the_finer_scales_as_they_were_drawn():
    again = recorded(pipeline(), rerolled(traced("drawn"), 3, 77))
    for request in (
        redrawn_token(again, Spot(1, 2), 5, "free"),  # with the seed that it had
        rerolled(again, 3, 77),
        resampled(replace(again, keep=torch.zeros_like(again.keep)), PLAIN),  # as if nothing had been given
    ):
        found = recorded(pipeline(), request)
        assert torch.equal(found.tokens, again.tokens) and torch.equal(found.pictures, again.pictures)
    assert rerolled(again, 1, 6).seeds == ((5, 6, 6, 6),)
    assert redrawn_token(again, Spot(1, 2), 6, "free").seeds == ((5, 6, 5, 77),)
    assert all(request.seeds == (again.about.scale_seeds,) for request in mixture_requests(pipeline(), again, 6))
    cut = finished(mixtures(pipeline(), mixture_requests(pipeline(), again, again.about.label)), 5)
    assert all(np.abs(picture.astype(int) - again.pictures[-1].numpy()).max() <= 1 for picture in cut)


def test_a_reroll_gives_a_partly_pinned_scale_its_new_seed_and_a_wholly_pinned_one_none():
    marks = SCHEDULE.levels() == 2
    marks[20] = True
    assert rerolled(traced("drawn"), 1, 9, marks).seeds == ((5, 9, 5, 9),)


SMOOTH = "drawn in smooth mode, where codes are mixtures: turn Smooth off to change single tokens or scales"


@pytest.mark.parametrize(
    "ask",
    [
        lambda t: swapped(t, Spot(1, 2), 1, "free"),
        lambda t: swapped(t, Spot(1, 2), 1, "keep"),
        lambda t: swapped(t, ROOT, 1, "free"),
        lambda t: redrawn_token(t, Spot(1, 2), 1, "free"),
        lambda t: redrawn_token(t, ROOT, 1, "keep"),
        lambda t: rerolled(t, 1, 7),
        lambda t: rerolled(t, 0, 7, SCHEDULE.levels() == 1),
        lambda t: resampled(t, PLAIN, SCHEDULE.levels() == 1),
        lambda t: alternatives(pipeline(), t, PrefixCache(), Spot(1, 2), [1], "free"),
        lambda t: mixture_requests(pipeline(), t, 1),
        lambda t: mixture_requests(pipeline(), t, traced("drawn")),
        lambda t: mixture_requests(pipeline(), traced("drawn"), t),
    ],
)
def test_tokens_of_smooth_pictures_cannot_be_given(ask):
    with pytest.raises(ValueError, match=SMOOTH):
        ask(traced("smooth"))


def test_smooth_pictures_can_be_drawn_anew_as_a_whole():
    smooth = traced("smooth")
    assert made_alike(traced("drawn").pictures[-1].numpy(), resampled(smooth, PLAIN))
    assert torch.equal(recorded(pipeline(), rerolled(smooth, 0, 5)).pictures, smooth.pictures)


@pytest.mark.parametrize("kind", ["edited", "opened"])
def test_tokens_that_were_given_to_a_smooth_picture_can_be_given_again(kind):
    trace = traced(kind)
    smooth = recorded(pipeline(), resampled(trace, replace(PLAIN, smooth=True)), origin=kind)
    again = recorded(pipeline(), resampled(smooth, replace(PLAIN, temperature=2.0), trace.keep))
    assert torch.equal(again.tokens[trace.keep], trace.tokens[trace.keep])
    if kind == "opened":
        assert swapped(smooth, Spot(1, 2), 1, "keep").plan.tokens[1][0, 2] == 1


@pytest.mark.parametrize("pinned", [None, 3])
def test_mixtures_with_a_class_are_the_pictures_that_their_requests_make(pinned):
    trace, marks = traced("drawn"), None if pinned is None else SCHEDULE.levels() == pinned
    requests = mixture_requests(pipeline(), trace, 6, marks)
    pictures = finished(mixtures(pipeline(), requests), 5)
    assert len(requests) == len(SIDES) + 1
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request) and request.labels == (6,)
        kept = [bool(k.all()) for k in request.plan.keep]
        assert kept == [scale < cut or scale == pinned for scale in range(len(SIDES))]
    if pinned is None:
        assert made_alike(pictures[0], Request((6,), (5,), PLAIN))
    assert made_alike(pictures[-1], REQUEST)


@pytest.mark.parametrize("pinned", [False, True])
def test_mixtures_of_two_pictures_go_from_the_one_to_the_other(pinned):
    first, second = traced("drawn"), traced("opened")
    marks = torch.arange(SCHEDULE.total) % 3 == 0 if pinned else torch.zeros(SCHEDULE.total, dtype=torch.bool)
    requests = mixture_requests(pipeline(), first, second, marks)
    pictures = finished(mixtures(pipeline(), requests), 5)
    assert made_alike(pictures[0], second.request()) is not pinned and made_alike(pictures[-1], first.request())
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request) and request.labels == (second.about.label,)
        found = recorded(pipeline(), request)
        start = SCHEDULE.spans[cut].start if cut < len(SIDES) else SCHEDULE.total
        wanted = torch.cat((first.tokens[:start], second.tokens[start:])).where(~marks, first.tokens)
        assert torch.equal(found.tokens, wanted)


@pytest.mark.parametrize("field", ["sides", "codebook"])
def test_pictures_of_another_model_are_refused(field):
    trace = traced("drawn")
    wrong = {"sides": {"sides": (1, 2, 3, 5)}, "codebook": {"codebook": "0" * 12}}[field]
    other = replace(trace, about=replace(trace.about, model="strange", **wrong))
    for ask in (
        lambda: alternatives(pipeline(), other, PrefixCache(), ROOT, [1], "keep"),
        lambda: mixture_requests(pipeline(), other, trace),
        lambda: mixture_requests(pipeline(), trace, other),
        lambda: mixture_requests(pipeline(), other, 1),
    ):
        with pytest.raises(ValueError, match=f"{SPEC.name} cannot read .* by strange: load the model"):
            ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda t: swapped(t, Spot(4, 0), 1, "free"), r"^scale 4: choose 0 to 3\.$"),
        (lambda t: swapped(t, Spot(-1, 0), 1, "free"), "scale -1: choose 0 to 3"),
        (lambda t: swapped(t, Spot(1, 4), 1, "free"), r"^index 4: scale 1 has 0 to 3\.$"),
        (lambda t: swapped(t, Spot(1, -1), 1, "keep"), "index -1: scale 1 has 0 to 3"),
        (lambda t: swapped(t, Spot("1", 0), 1, "keep"), "scale 1: choose 0 to 3"),
        (lambda t: swapped(t, Spot(True, 0), 1, "keep"), "scale True: choose 0 to 3"),
        (lambda t: swapped(t, Spot(1, 1.0), 1, "keep"), r"index 1\.0: scale 1 has 0 to 3"),
        (lambda t: swapped(t, Spot(None, 0), 1, "keep"), "scale None: choose 0 to 3"),
        (lambda t: swapped(t, Spot(1, 0), 64, "keep"), "token 64 .* choose 0 to 63"),
        (lambda t: swapped(t, Spot(1, 0), -1, "keep"), "token -1 .* choose 0 to 63"),
        (lambda t: swapped(t, Spot(1, 0), "7", "keep"), "token 7 .* choose 0 to 63"),
        (lambda t: swapped(t, Spot(1, 0), 1, "sometimes"), "later 'sometimes': choose free or keep"),
        (lambda t: redrawn_token(t, ROOT, 1, None), "later 'None': choose free or keep"),
        (lambda t: redrawn_token(t, Spot(2, 9), 1, "keep"), "index 9: scale 2 has 0 to 8"),
        (lambda t: redrawn_token(t, Spot(2, 0), -1, "keep"), "seed -1 is out of range"),
        (lambda t: t.attention(Spot(3, 16)), "index 16: scale 3 has 0 to 15"),
        (lambda t: rerolled(t, 5, 1), "scale 5: choose 0 .* to 4"),
        (lambda t: rerolled(t, -1, 1), "scale -1: choose 0"),
        (lambda t: rerolled(t, "1", 1), "scale 1: choose 0"),
        (lambda t: rerolled(t, 0, 1, torch.ones(4, dtype=torch.bool)), r"pinned torch.bool \(4,\): give bool \(30,\)"),
        (lambda t: resampled(t, PLAIN, torch.ones(30)), r"pinned torch.float32 \(30,\): give bool"),
        (lambda t: alternatives(pipeline(), t, PrefixCache(), Spot(1, 0), [], "keep"), "no tokens to try"),
        (
            lambda t: alternatives(pipeline(), t, PrefixCache(), Spot(1, 0), [1, 64], "keep"),
            "token 64 .* choose 0 to 63",
        ),
        (lambda t: next(mixtures(pipeline(), mixture_requests(pipeline(), t, 8))), "classes 0 to 6 and 7 for no class"),
    ],
)
def test_what_is_not_there_is_refused_with_the_range(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(traced("drawn"))
