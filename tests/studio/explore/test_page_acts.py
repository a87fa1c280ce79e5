"""What the page asks for is done, or answered in words."""

import math
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from support.explored import PIPE, SCALES, acted, acts_of, drawn, equal, final

from var_core.config import Sampling
from var_core.inspection.changes import rerolled, swapped
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot
from var_core.settings import named
from var_studio.explore import messages, page_acts, painter, session
from var_studio.explore.session import ExploreSession
from var_studio.explore.sources import Sources
from var_studio.shared.html import READY


def test_a_swap_is_the_request_that_swaps(handlers: Sources):
    here = drawn(handlers)
    after = acted(handlers, here, does="swap", scale=1, index=2, value=7, later="free")[-1].session
    assert equal(after.trace, recorded(PIPE, swapped(here.trace, Spot(1, 2), 7, "free")))
    assert after.branch.parent == here.current
    assert after.branch.title == "scale 2, row 2, column 1 set to 7"


def test_a_reroll_keeps_coarser_scales_and_locked_ones(handlers: Sources):
    here = drawn(handlers)
    (view,) = acted(handlers, here, does="lock", scale=3)
    assert view.channel["scales"] == [3]
    after = acted(handlers, view.session, does="reroll", scale=2)[-1].session
    before, now = here.trace, after.trace
    assert equal(now, recorded(PIPE, rerolled(before, 2, now.about.scale_seeds[2], before.schedule.levels() == 3)))
    old, new = before.pyramid(), now.pyramid()
    assert [torch.equal(a, b) for a, b in zip(old, new, strict=True)] == [True, True, False, True]


def test_a_token_drawn_anew_changes_no_other_token_if_they_stay(handlers: Sources):
    here = drawn(handlers)
    after = acted(handlers, here, does="redraw", scale=3, index=4, later="keep")[-1].session
    differs = (after.trace.tokens != here.trace.tokens).nonzero()[:, 0].tolist()
    assert differs in ([], [here.trace.schedule.spans[3].start + 4])
    free = (~after.trace.keep).nonzero()[:, 0].tolist()
    assert free == [here.trace.schedule.spans[3].start + 4]


@pytest.mark.parametrize("later", ["free", "keep"])
def test_the_small_pictures_of_alternatives_are_what_choosing_them_gives(handlers: Sources, later: str):
    here = drawn(handlers)
    assert acted(handlers, here, does="token", scale=2, index=3)[0].channel["more"]
    views = acted(handlers, here, does="options", scale=2, index=3, later=later, number=1)
    views = [view for view in views if view.channel != gr.skip()]
    assert [view.channel["more"] for view in views] == [True] * (len(views) - 1) + [False]
    assert [len(view.channel["pictures"]) for view in views] == list(range(1, 11))
    code = int(here.trace.likeliest[here.trace.schedule.spans[2].start + 3, 4])
    after = acted(handlers, here, does="swap", scale=2, index=3, value=code, later=later)[-1].session
    assert views[-1].channel["pictures"][4] == messages.data_url(after.trace.pictures[-1].numpy())


def test_a_question_that_the_page_has_dropped_is_answered_no_further(
    handlers: Sources, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page_acts, "SOON", math.inf)  # a busy machine tells more
    here = drawn(handlers)
    asked = {"does": "options", "scale": 0, "index": 0, "later": "free"}
    views = acts_of(handlers).act(here, SimpleNamespace(_data={**asked, "number": 2}))
    next(views)
    acts_of(handlers).hush(here, SimpleNamespace(_data={"number": 2}))
    (view,) = views
    assert view.channel["kind"] == "idle"
    (view,) = acted(handlers, here, **asked, number=1)  # it waited in line while a later one was dropped
    assert view.channel["kind"] == "idle"
    told = [view.channel for view in acted(handlers, here, **asked, number=3) if view.channel != gr.skip()]
    assert told[-1]["more"] is False


@pytest.mark.parametrize("wish", [{}, {"number": "2"}, None])
def test_a_page_that_drops_nothing_is_answered(handlers: Sources, wish):
    with pytest.raises(gr.Error, match="reload it"):
        acts_of(handlers).hush(ExploreSession(), SimpleNamespace(_data=wish))


def test_slow_alternatives_say_how_far_they_are(handlers: Sources, monkeypatch):
    here = drawn(handlers)
    monkeypatch.setattr(painter, "SOON", 0.0)
    monkeypatch.setattr(page_acts, "SOON", 0.0)
    *views, last = acted(handlers, here, does="options", scale=0, index=0, later="free", number=1)
    assert all("what else" in view.bar for view in views) and last.bar == READY


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"does": "token", "scale": 9, "index": 0}, "scale 9"),
        ({"does": "token", "scale": 1, "index": 4}, "index 4: scale 1 has 0 to 3"),
        ({"does": "options", "scale": 1, "index": 4, "later": "free", "number": 1}, "index 4: scale 1 has 0 to 3"),
        ({"does": "options", "scale": 1, "index": 0, "later": "free"}, "number 'None'"),
        ({"does": "options", "scale": 1, "index": 0, "later": "soon", "number": 1}, "soon"),
        (
            {"does": "swap", "scale": 1, "index": -1, "value": 0, "later": "free"},
            "scale 1 has 0 to 3",
        ),
        ({"does": "swap", "scale": 1, "index": 0, "value": 64, "later": "free"}, "token 64 is not in the codebook"),
        ({"does": "swap", "scale": 1, "index": 0, "value": 1, "later": "never"}, "later 'never'"),
        ({"does": "mix", "class": "Sunflour"}, "Did you mean: Sunflower"),
        ({"does": "mix", "node": -3}, "no longer here"),
        ({"does": "goto", "node": -3}, "no longer here"),
        ({"does": "take", "cut": 2}, "mix again"),
        ({"does": "dance"}, "reload it"),
    ],
)
def test_a_wish_that_cannot_be_met_is_answered(handlers: Sources, wish: dict, sentence: str):
    with pytest.raises(gr.Error, match=sentence):
        acted(handlers, drawn(handlers), **wish)


def test_a_wish_before_there_is_a_picture_is_answered(handlers: Sources):
    lock, reroll = ({"does": does, "scale": 1} for does in ("lock", "reroll"))
    for wish in (lock, reroll, {"does": "goto", "node": 1}, {"does": "token"}, {"does": "mix"}):
        with pytest.raises(gr.Error, match="no picture yet"):
            acted(handlers, ExploreSession(), **wish)


def test_a_mix_is_what_its_requests_make_and_one_can_be_taken(handlers: Sources):
    here = drawn(handlers)
    *_, view, end = acted(handlers, here, **{"does": "mix", "class": "Sea"})
    assert len(view.channel["pictures"]) == SCALES + 1 and not view.channel["more"]
    assert end.channel is view.channel and end.bar == READY  # told again: else it may be lost in a frame with the end
    after = acted(handlers, view.session, does="take", cut=2)[-1].session
    assert messages.data_url(after.trace.pictures[-1].numpy()) == view.channel["pictures"][2]
    assert after.branch.title == "2 scales, then Sea"
    old, new = here.trace.pyramid(), after.trace.pyramid()
    assert all(torch.equal(a, b) for a, b in zip(old[:2], new[:2], strict=True))


def test_two_pictures_mix(handlers: Sources):
    one = drawn(handlers)
    two = drawn(handlers, one, seed="9")
    *_, view, _ = acted(handlers, two, does="mix", node=one.current)
    ends = [messages.data_url(each.trace.pictures[-1].numpy()) for each in (one, two)]
    assert [view.channel["pictures"][0], view.channel["pictures"][-1]] == ends


def test_one_can_go_back_to_any_picture(handlers: Sources):
    one = drawn(handlers)
    two = acted(handlers, one, does="reroll", scale=1)[-1].session
    (view,) = acted(handlers, two, does="goto", node=one.current)
    assert (
        view.session.branch is one.branch and len(view.session.branches) == 2 and equal(view.session.trace, one.trace)
    )
    assert view.seed == "5"


def test_the_oldest_pictures_go_when_there_are_too_many(handlers: Sources, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "MOST_BRANCHES", 2)
    one = drawn(handlers)
    two = acted(handlers, one, does="reroll", scale=1)[-1].session
    three = acted(handlers, two, does="reroll", scale=1)[-1].session
    assert [branch.number for branch in three.branches] == [two.current, three.current]
    assert not one.branch.file.exists() and three.branch.file.exists()
    assert [branch.parent for branch in three.branches] == [None, two.current]


@pytest.mark.parametrize(
    "wish",
    [
        {"does": "lock"},
        {"does": "swap", "scale": 1.5, "index": 0, "value": 1, "later": "free"},
        {"does": "swap", "scale": 1, "index": "a", "value": 1, "later": "free"},
        {"does": "swap", "scale": 1, "index": 0, "value": 1.5, "later": "free"},
        {"does": "reroll", "scale": "x"},
        {"does": "take", "cut": "a"},
        {"does": ["lock"]},
        {},
    ],
)
def test_a_malformed_wish_is_answered(handlers: Sources, wish: dict):
    with pytest.raises(gr.Error):
        acted(handlers, drawn(handlers), **wish)


def test_all_locked_is_answered(handlers: Sources):
    here = drawn(handlers)
    for scale in range(SCALES):
        (view,) = acted(handlers, here, does="lock", scale=scale)
        here = view.session
    with pytest.raises(gr.Error, match="unlock a scale"):
        acted(handlers, here, does="reroll", scale=0)
    (view,) = acted(handlers, here, does="lock", scale=2)
    assert view.channel["scales"] == [0, 1, 3]


def test_a_smooth_picture_is_not_changed_in_parts(handlers: Sources):
    knobs = named(Sampling(smooth=True))
    here = final(handlers.draw(ExploreSession(), "Rose", "5", True, knobs)).session
    with pytest.raises(gr.Error, match="smooth"):
        acted(handlers, here, does="swap", scale=1, index=0, value=1, later="free")
    (view,) = acted(handlers, here, does="token", scale=1, index=0)
    assert view.channel["more"] is False


def test_a_mix_leaves_what_is_locked(handlers: Sources):
    here = drawn(handlers)
    (view,) = acted(handlers, here, does="lock", scale=3)
    *_, mixed, _ = acted(handlers, view.session, **{"does": "mix", "class": "Sea"})
    after = acted(handlers, mixed.session, does="take", cut=1)[-1].session
    assert torch.equal(after.trace.pyramid()[3], here.trace.pyramid()[3])
