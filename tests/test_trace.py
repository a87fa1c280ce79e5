"""What a trace says of a picture is true, survives a file, and leads to the pictures that it could have been."""

import json
import random
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import SIDES, SPEC, pipeline
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from var_core.bench import COUNTED
from var_core.memory import Memory
from var_core.pipeline import Request
from var_core.plan import Plan
from var_core.sampling import Sampling, draw, filter_logits, uniforms
from var_core.schedule import Schedule
from var_core.trace import (
    KEY,
    UNKNOWN,
    About,
    Trace,
    alternatives,
    colours,
    mixtures,
    opened,
    recorded,
    redrawn_token,
    rerolled,
    resampled,
    swapped,
)

SCHEDULE, NULL = Schedule(SIDES), SPEC.transformer.null_label
PLAIN = Sampling(guidance=2.0, temperature=0.8, top_k=0, top_p=1.0)
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
    return opened(tokens, 3, PLAIN)


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
    strength = trace.about.sampling.guidance * SCHEDULE.levels()[:, None] / (len(SIDES) - 1)
    mixed = conditional + strength * (conditional - unconditional)
    return (mixed / trace.about.sampling.temperature).softmax(-1)


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
    torch.testing.assert_close(trace.shares, chances.topk(10).values.float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(chances.gather(1, trace.likeliest.long()).float(), trace.shares, rtol=1e-3, atol=1e-6)
    likelier = [(chances > own * slack).sum(1) + 1 for slack in (1.001, 0.999)]
    assert ((likelier[0] <= trace.rank) & (trace.rank <= likelier[1])).all()
    leading = trace.rank <= 10
    places = (trace.rank[leading].long() - 1)[:, None]
    torch.testing.assert_close(trace.shares[leading].gather(1, places)[:, 0], trace.probability[leading])


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
        kept = filter_logits(conditional[None] / settings.temperature, settings.top_k, settings.top_p)
        for scale, span in enumerate(SCHEDULE.spans):
            noise = uniforms((trace.about.seed,), scale, span.stop - span.start)
            wanted = draw(kept[:, span].softmax(-1), noise)[0]
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


@pytest.mark.parametrize("kind", [*KINDS, "no class"])
@torch.no_grad()
def test_attention_is_that_of_a_full_pass_and_sees_no_finer_scale(kind):
    trace = traced(kind)
    wanted, levels = weights(trace), SCHEDULE.levels()
    for place in range(SCHEDULE.total):
        seen = trace.attention(place)
        assert seen.shape == (SPEC.transformer.depth, SPEC.transformer.heads, SCHEDULE.total)
        torch.testing.assert_close(seen.sum(-1), torch.ones(seen.shape[:2]))
        assert not seen[..., levels > levels[place]].any() and (seen[..., levels <= levels[place]] > 0).all()
        torch.testing.assert_close(seen, wanted[:, :, place], rtol=0, atol=2e-3)


@torch.no_grad()
def test_masses_are_the_means_of_the_rows():
    trace = traced("drawn")
    rows = torch.stack([trace.attention(place) for place in range(SCHEDULE.total)], 2)  # (depth, H, L, L)
    means = torch.stack([rows[:, :, span].mean(2) for span in SCHEDULE.spans], 2)  # (depth, H, K, L)
    wanted = torch.stack([means[..., span].sum(-1) for span in SCHEDULE.spans], -1)
    torch.testing.assert_close(trace.masses(), wanted)
    torch.testing.assert_close(trace.masses().sum(-1), torch.ones(wanted.shape[:3]))


@pytest.mark.parametrize("kind", [*KINDS, "smooth"])
def test_pictures_are_those_of_the_steps_and_nearness_ends_at_infinity(kind):
    trace = traced(kind)
    for step, shown in zip(pipeline().steps(REQUESTS[kind]()), trace.pictures, strict=True):
        assert np.array_equal(pipeline().pixels(step.f_hat)[0], shown)
    *earlier, last = trace.nearness()
    assert last == float("inf") and all(0 < near < 100 for near in earlier)


@pytest.mark.parametrize("kind", [*KINDS, "no class", "no guidance", "filtered", "smooth"])
def test_the_request_of_a_trace_makes_its_picture_again(kind):
    trace = traced(kind)
    again = recorded(pipeline(), trace.request(), origin=kind if kind in KINDS else "drawn")
    assert again.about == trace.about
    for name in tensors_of(trace).keys() - {"seconds"}:
        assert torch.equal(getattr(again, name), getattr(trace, name))


def test_a_remembered_trace_is_that_of_a_fresh_run_and_took_no_time():
    memory = Memory()
    recorded(pipeline(), REQUEST, memory)
    recorded(pipeline(), replace(REQUEST, seeds=(6,)), memory)
    warm = replace(REQUEST, sampling=replace(PLAIN, guidance=1.0))
    remembered, fresh = (recorded(pipeline(), warm, one) for one in (memory, Memory()))
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
    for name in ("tokens", "probability", "entropy", "rank", "divergence", "likeliest", "shares"):
        assert torch.equal(getattr(again, name)[before], getattr(trace, name)[before])
    assert torch.equal(again.tokens[same_scale], trace.tokens[same_scale])
    assert torch.equal(again.pictures[:2], trace.pictures[:2])
    assert again.keep.tolist() == [True] * 9 + [change == "replaced"] + [True] * 4 + [later == "keep"] * 16
    assert torch.equal(again.tokens[14:], trace.tokens[14:]) is (later == "keep")


# ------------------------------------------------------------------------------------------ costs and colours


@pytest.mark.parametrize("kind", ["drawn", "no class", "no guidance"])
@torch.no_grad()
def test_operations_are_those_that_torch_counts(kind):
    trace, var = traced(kind), pipeline().var
    labels = torch.tensor([trace.about.label] if kind == "no class" else [trace.about.label, NULL])
    condition, cache, counts = var.condition(labels), var.new_cache(len(labels)), []
    for scale, length in enumerate(SCHEDULE.lengths):
        shown = torch.zeros(len(labels), length, SPEC.transformer.code_width)
        # torch does not count what its fused attention does on a CPU
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            var.logits(var.step(condition, shown, scale, cache)[:1])
        counts.append(counter.get_total_flops())
    assert trace.operations.tolist() == counts
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
    text = json.dumps(asdict(trace.about) if about is None else about)
    save_file({k: t for k, t in {**tensors_of(trace), **changed}.items() if t is not None}, path, {KEY: text})
    return path


def usable(path: Path) -> bool:
    """Whether a file opens as a trace that all can be asked of; otherwise the sentence must say what is wrong."""
    try:
        trace = Trace.load(path)
    except ValueError as error:
        assert path.name in str(error) and str(error).endswith(".")
        return False
    trace.request(), trace.attention(0), trace.masses(), trace.nearness()
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
    **dict.fromkeys(("label", "seed", "top_k", "top_p"), (0,)),
    **{"null_label": (10**30,), "sampling": ("{}",), "guidance": (0, 1.5), "temperature": (1.5,)},
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
    if field in ("model", "sides", "label", "sampling", "seed"):
        del about[field]
        assert not usable(written(tmp_path / "short.safetensors", about))


@pytest.mark.parametrize("field", [*(field.name for field in fields(Sampling)), "strange"])
def test_settings_with_odd_values_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    for value in ODD:
        odd = {**about, "sampling": {**about["sampling"], field: value}}
        allowed = possible(field, value) or (field == "smooth" and value is True)
        assert usable(written(tmp_path / "odd.safetensors", odd)) is allowed, value


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
        *((name, value, "outside 0 to 1") for name in ("probability", "shares") for value in (-0.5, 1.5)),
        *((name, -0.5, "outside 0 to") for name in ("entropy", "divergence", "seconds")),
        *(
            (name, value, "outside")
            for name in ("probability", "entropy", "divergence", "shares", "seconds", "queries", "keys")
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


@pytest.mark.parametrize("side", [0, 2049])
def test_pictures_of_no_side_or_a_huge_one_are_refused(side, tmp_path):
    pictures = torch.zeros(4, side, side, 3, dtype=torch.uint8)
    assert not usable(written(tmp_path / "a.safetensors", pictures=pictures))


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", ["all", "nothing", "another picture"])
@pytest.mark.parametrize("later", ["free", "keep"])
@pytest.mark.parametrize(("scale", "place"), [(0, 0), (1, 2), (3, 15)])
def test_alternatives_are_the_pictures_that_the_swapped_requests_make(kind, known, later, scale, place):
    trace, memory = traced(kind), Memory()
    if known != "nothing":
        recorded(pipeline(), trace.request() if known == "all" else Request((2,), (6,), PLAIN), memory)
    found = alternatives(pipeline(), trace, memory, scale, place, [0, 63, 7], later)
    for value, shown in zip((0, 63, 7), found, strict=True):
        assert made_alike(shown, swapped(trace, scale, place, value, later))


def test_alternatives_of_smooth_pictures_are_what_the_swapped_requests_make():
    trace = recorded(pipeline(), replace(REQUEST, sampling=replace(PLAIN, smooth=True)))
    found = alternatives(pipeline(), trace, Memory(), 1, 2, [1, 2], "free")
    for value, shown in zip((1, 2), found, strict=True):
        assert made_alike(shown, swapped(trace, 1, 2, value, "free"))


def test_alternatives_compute_only_the_finer_scales_and_only_where_something_is_drawn():
    pipe, memory, calls = pipeline(), Memory(), []
    trace = recorded(pipe, REQUEST, memory)
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(lambda _m, seen, _o: calls.append(seen[0].shape[:2]))
    alternatives(pipe, trace, memory, 1, 0, [3, 4, 5], "keep")
    alternatives(pipe, trace, memory, 3, 0, [3, 4, 5], "free")
    assert not calls
    alternatives(pipe, trace, memory, 1, 0, [3, 4, 5], "free")
    hook.remove()
    assert calls == [(6, 9), (6, 16)]  # three pictures, both branches
    reads = memory.reads
    recorded(pipe, REQUEST, memory)
    assert memory.reads == reads  # it was only read


@pytest.mark.parametrize("later", ["free", "keep"])
def test_a_swapped_token_leaves_all_before_it_and_the_rest_of_its_scale(later):
    trace = traced("drawn")
    value = 63 - int(trace.tokens[3])
    again = recorded(pipeline(), swapped(trace, 1, 2, value, later))
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
    again = recorded(pipeline(), swapped(trace, 1, 2, int(trace.tokens[3]), "free"))
    assert torch.equal(again.tokens, trace.tokens) and torch.equal(again.pictures, trace.pictures)


CHANGES = [lambda t, p: swapped(t, 0, 0, 1, "free", p), lambda t, p: redrawn_token(t, 0, 0, 8, "free", p)]


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
    same, *others = (recorded(pipeline(), redrawn_token(trace, 2, place, seed, later)) for seed in range(5, 9))
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
    assert again.about.seed == 77


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
    assert request.sampling == hotter and request.seeds == (trace.about.seed,)
    assert torch.equal(again.keep, given) and torch.equal(again.tokens[given], trace.tokens[given])
    assert torch.equal(again.tokens, trace.tokens) is (kind == "opened")
    assert resampled(trace, trace.about.sampling).sampling == trace.about.sampling


@pytest.mark.parametrize("seed", [None, 8])
def test_mixtures_with_a_class_are_the_pictures_that_their_requests_make(seed):
    trace = traced("drawn")
    pictures, requests = mixtures(pipeline(), trace, 6, seed)
    assert len(pictures) == len(requests) == len(SIDES) + 1
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request)
        assert [bool(k.all()) for k in request.plan.keep] == [scale < cut for scale in range(len(SIDES))]
    wanted = Request((6,), (5 if seed is None else seed,), PLAIN)
    assert made_alike(pictures[0], wanted)
    assert made_alike(pictures[-1], REQUEST)


def test_mixtures_of_two_pictures_go_from_the_one_to_the_other():
    first, second = traced("drawn"), traced("opened")
    pictures, requests = mixtures(pipeline(), first, second)
    assert made_alike(pictures[0], second.request()) and made_alike(pictures[-1], first.request())
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request)
        found = recorded(pipeline(), request)
        start = SCHEDULE.spans[cut].start if cut < len(SIDES) else SCHEDULE.total
        assert torch.equal(found.tokens, torch.cat((first.tokens[:start], second.tokens[start:])))


@pytest.mark.parametrize("field", ["sides", "codebook"])
def test_pictures_of_another_model_are_refused(field):
    trace = traced("drawn")
    wrong = {"sides": {"sides": (1, 2, 3, 5)}, "codebook": {"codebook": "0" * 12}}[field]
    other = replace(trace, about=replace(trace.about, model="strange", **wrong))
    for ask in (
        lambda: alternatives(pipeline(), other, Memory(), 0, 0, [1], "keep"),
        lambda: mixtures(pipeline(), other, trace),
        lambda: mixtures(pipeline(), trace, other),
        lambda: mixtures(pipeline(), other, 1),
    ):
        with pytest.raises(ValueError, match=f"{SPEC.name} cannot read .* by strange: load the model"):
            ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda t: swapped(t, 4, 0, 1, "free"), "scale 4: choose 0 to 3"),
        (lambda t: swapped(t, -1, 0, 1, "free"), "scale -1: choose 0 to 3"),
        (lambda t: swapped(t, 1, 4, 1, "free"), r"positions \[4\]: scale 1 has 0 to 3"),
        (lambda t: swapped(t, 1, -1, 1, "keep"), r"positions \[-1\]: scale 1 has 0 to 3"),
        (lambda t: swapped(t, 1, 0, 64, "keep"), "token 64 .* choose 0 to 63"),
        (lambda t: swapped(t, 1, 0, -1, "keep"), "token -1 .* choose 0 to 63"),
        (lambda t: swapped(t, 1, 0, 1, "sometimes"), "later 'sometimes': choose free or keep"),
        (lambda t: redrawn_token(t, 0, 0, 1, "sometimes"), "later 'sometimes': choose free or keep"),
        (lambda t: redrawn_token(t, 2, 9, 1, "keep"), r"positions \[9\]: scale 2 has 0 to 8"),
        (lambda t: redrawn_token(t, 2, 0, -1, "keep"), "seed -1 is out of range"),
        (lambda t: rerolled(t, 5, 1), "scale 5: choose 0 .* to 4"),
        (lambda t: rerolled(t, -1, 1), "scale -1: choose 0"),
        (lambda t: rerolled(t, 0, 1, torch.ones(4, dtype=torch.bool)), r"pinned torch.bool \(4,\): give bool \(30,\)"),
        (lambda t: resampled(t, PLAIN, torch.ones(30)), r"pinned torch.float32 \(30,\): give bool"),
        (lambda t: alternatives(pipeline(), t, Memory(), 1, 0, [], "keep"), "no tokens to try"),
        (lambda t: alternatives(pipeline(), t, Memory(), 1, 0, [1, 64], "keep"), "token 64 .* choose 0 to 63"),
        (lambda t: mixtures(pipeline(), t, 8), "classes 0 to 6 and 7 for no class"),
    ],
)
def test_what_is_not_there_is_refused_with_the_range(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(traced("drawn"))
