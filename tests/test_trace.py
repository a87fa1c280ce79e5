"""What a trace says of a picture is true, survives a file, and leads to the pictures that it could have been."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SIDES, SPEC, pipeline

from var_core.memory import Memory
from var_core.pipeline import Request
from var_core.plan import Plan
from var_core.sampling import Sampling
from var_core.schedule import Schedule
from var_core.trace import (
    Trace,
    alternatives,
    mixtures,
    opened,
    recorded,
    redrawn_token,
    rerolled,
    resampled,
    swapped,
)

SCHEDULE = Schedule(SIDES)
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


def traced(kind: str) -> Trace:
    requests = {"drawn": lambda: REQUEST, "edited": edited_request, "opened": opened_request}
    return recorded(pipeline(), requests[kind](), origin=kind)


def made_alike(shown: np.ndarray, request: Request) -> bool:
    """A request makes what was shown, but for the rounding of sums in another batch."""
    made = np.asarray(pipeline().run(request).images[0], int)
    return np.abs(made - shown).max() <= 1


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


@pytest.mark.parametrize("change", [lambda t: swapped(t, 0, 0, 1, "free"), lambda t: redrawn_token(t, 0, 0, 8, "free")])
def test_finer_tokens_that_were_given_stay_given_when_a_coarse_one_changes(change):
    trace = traced("edited")
    again = recorded(pipeline(), change(trace))
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
@pytest.mark.parametrize("locked", [frozenset(), frozenset({2}), frozenset({0, 3})])
def test_a_reroll_keeps_the_coarse_and_the_locked_scales_and_draws_all_others(kind, locked):
    trace = traced(kind)
    again = recorded(pipeline(), rerolled(trace, 1, 77, locked))
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
def test_other_settings_leave_what_is_locked_or_given(kind):
    trace, hotter = traced(kind), replace(PLAIN, temperature=3.0)
    request = resampled(trace, hotter, frozenset({1}))
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
        (lambda t: rerolled(t, 0, 1, frozenset({4})), r"locked scales \[4\]: choose among 0 to 3"),
        (lambda t: resampled(t, PLAIN, frozenset({-1})), r"locked scales \[-1\]: choose among 0 to 3"),
        (lambda t: alternatives(pipeline(), t, Memory(), 1, 0, [], "keep"), "no tokens to try"),
        (lambda t: alternatives(pipeline(), t, Memory(), 1, 0, [1, 64], "keep"), "token 64 .* choose 0 to 63"),
        (lambda t: mixtures(pipeline(), t, 8), "classes 0 to 6 and 7 for no class"),
    ],
)
def test_what_is_not_there_is_refused_with_the_range(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(traced("drawn"))
