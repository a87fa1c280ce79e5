"""Changes of a trace lead to the pictures that it could have been."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from support.tiny import pipeline
from support.traces import KINDS, PLAIN, ROOT, SCHEDULE, finished, made_alike, traced

from var_core.engine.prefix_cache import PrefixCache
from var_core.inspection.alternatives import alternatives, mixture_requests, mixtures
from var_core.inspection.changes import redrawn_token, rerolled, resampled, swapped
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot, Trace


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
