"""The Explore tab: what each handler makes of a visitor's pictures, and what the page is told. No browser here."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import gradio as gr
import pytest
import torch
from PIL import Image
from support.explored import KNOBS, PIPE, acted, acts_of, drawn, equal, final

from var_core.config import Sampling
from var_core.inspection.changes import given_request, resampled
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Trace
from var_core.settings import named
from var_studio.edit import layout as edit_layout
from var_studio.explore import layout, page_acts, painter, trace_files
from var_studio.explore.layout import SAME
from var_studio.explore.session import ExploreSession, Origin
from var_studio.explore.sources import Sources
from var_studio.shared.cache_slot import CacheSlot


def test_a_slow_picture_says_how_far_it_is_and_stops_before_the_next_scale(handlers: Sources, monkeypatch):
    monkeypatch.setattr(painter, "SOON", 0.0)
    monkeypatch.setattr(page_acts, "SOON", 0.0)
    decoded, pixels = [], PIPE.pixels
    monkeypatch.setattr(PIPE, "pixels", lambda f_hat: (decoded.append(1), pixels(f_hat))[1])
    here = ExploreSession()
    views = handlers.draw(here, "Rose", "5", True, KNOBS)
    assert "scale 1 of 4" in next(views).bar and not decoded
    assert "scale 2 of 4" in next(views).bar and len(decoded) == 1
    here.stop_flag.set()
    (view,) = views
    assert "Stopped" in view.bar and len(decoded) == 2


@pytest.mark.parametrize("usual", [Sampling(), Sampling(guidance=1.5, top_k=900)])
def test_the_knobs_begin_at_what_is_usual_for_the_model(usual: Sampling):
    with gr.Blocks():
        _, ours, *_ = layout.left_column(PIPE.spec, lambda: usual)
        theirs = edit_layout.left_column(PIPE.spec, lambda: usual, masked=False).sampling
    for knobs in (ours, theirs):
        assert {name: knob.value for name, knob in knobs.items()} == named(usual)


def test_only_of_knobs_it_is_said_that_all_tokens_are_kept(handlers: Sources):
    swapped_last = acted(handlers, drawn(handlers), does="swap", scale=3, index=0, value=7, later="free")[-1]
    assert "scales computed" in swapped_last.bar


def test_a_knob_draws_the_same_again_with_another_setting(handlers: Sources):
    here = drawn(handlers)
    other = Sampling(guidance=0.0)
    after = final(acts_of(handlers).turn(here, named(other))).session
    assert equal(after.trace, recorded(PIPE, resampled(here.trace, other)))
    assert list(acts_of(handlers).turn(after, named(other))) == [SAME]


def test_turning_a_knob_further_replaces_the_last_turn_but_no_branch(handlers: Sources):
    here = drawn(handlers)
    for guidance in (1.0, 2.0, 3.0):
        here = final(acts_of(handlers).turn(here, named(Sampling(guidance=guidance)))).session
    assert len(list(Path(handlers.cache).rglob("*.safetensors"))) == 2
    assert [branch.title for branch in here.branches] == [
        "Rose, seed 5",
        "guidance 3, temperature 1, top-k 100, top-p 0.95",
    ]
    here = acted(handlers, here, does="reroll", scale=2)[-1].session
    here = final(acts_of(handlers).turn(here, named(Sampling(guidance=9.0)))).session
    assert len(here.branches) == 4


def test_a_change_of_a_coarser_token_draws_later_scales_again_that_an_earlier_change_had_given(handlers: Sources):
    here = drawn(handlers)
    one = acted(handlers, here, does="swap", scale=2, index=0, value=9, later="free")[-1].session
    two = acted(handlers, one, does="swap", scale=1, index=0, value=8, later="free")[-1].session
    assert not two.trace.keep[two.trace.schedule.spans[2].start :].any()


def test_a_set_stop_flag_stops_a_run_and_leaves_all_as_it_was(handlers: Sources, monkeypatch: pytest.MonkeyPatch):
    here = drawn(handlers)
    monkeypatch.setattr(painter, "SOON", 0.0)
    monkeypatch.setattr(page_acts, "SOON", 0.0)
    views = acts_of(handlers).act(here, SimpleNamespace(_data={"does": "reroll", "scale": 0}))
    assert "scale 1 of 4" in next(views).bar
    acts_of(handlers).stop(here)
    (last,) = views
    assert "as it was" in last.bar and last.channel["kind"] == "idle" and last.session == gr.skip()
    assert len(acted(handlers, here, does="reroll", scale=0)) > 1  # the stop_flag is off again


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "start"), [("gif", b"GIF8"), ("sheet", b"\x89PNG"), ("mp4", None), ("trace", None)])
def test_every_kind_of_file_is_written(handlers: Sources, kind: str, start: bytes | None):
    here = drawn(handlers)
    *steps, (name,) = acts_of(handlers).exported(kind, here)
    path = Path(name)
    assert len(steps) >= {"gif": 4, "mp4": 40}.get(kind, 0)  # a film gives way after each frame
    assert path.name == f"rose-drawn-seed-5{trace_files.EXPORT_SUFFIXES[kind]}"
    assert path.read_bytes().startswith(start or b"")
    if kind == "trace":
        assert equal(Trace.load(path), here.trace)
    if kind == "mp4":
        assert cv2.VideoCapture(str(path)).read()[0]


def test_there_is_nothing_to_save_before_there_is_a_picture(handlers: Sources):
    with pytest.raises(gr.Error, match="no picture yet"):
        next(acts_of(handlers).exported("gif", ExploreSession()))


def test_an_export_that_is_left_leaves_no_file(handlers: Sources):
    going = acts_of(handlers).exported("mp4", drawn(handlers))
    before = set(Path(handlers.cache).iterdir())
    next(going)
    going.close()
    assert set(Path(handlers.cache).iterdir()) <= before


def test_two_visitors_who_draw_in_turns_do_not_mix(handlers: Sources):
    alone = acted(handlers, drawn(handlers), does="swap", scale=1, index=0, value=3, later="free")[-1].session
    one = drawn(handlers)
    drawn(handlers, seed="9", name="Sea")  # another visitor's
    after = acted(handlers, one, does="swap", scale=1, index=0, value=3, later="free")[-1].session
    assert equal(after.trace, alone.trace)


def test_the_memory_of_the_last_run_serves_only_the_visitor_who_made_it():
    slot, one, two = CacheSlot(), ExploreSession(), ExploreSession()
    assert slot.of(one.stop_flag) is slot.of(replace(one, current=3).stop_flag)
    first = slot.of(one.stop_flag)
    assert slot.of(two.stop_flag) is not first and slot.of(one.stop_flag) is not first
    assert slot.of(copy.deepcopy(one).stop_flag) is not slot.of(one.stop_flag)


def test_a_run_reads_only_the_scales_that_change(handlers: Sources):
    here = drawn(handlers)
    after = acted(handlers, here, does="reroll", scale=2)[-1]
    assert (after.session.trace.seconds[:3] == 0).all() and after.session.trace.seconds[3] > 0
    assert "1 of 4 scales computed" in after.bar


def test_every_handler_yields_something(handlers: Sources):
    for views in (acts_of(handlers).turn(ExploreSession(), KNOBS), acts_of(handlers).turn(drawn(handlers), KNOBS)):
        assert list(views) == [SAME]


def test_turning_a_knob_leaves_the_knobs_as_they_are(handlers: Sources):
    view = final(acts_of(handlers).turn(drawn(handlers), named(Sampling(guidance=1.0))))
    assert view.sampling == SAME.sampling


def test_an_opened_picture_does_not_change_under_the_knobs(handlers: Sources, tmp_path: Path):
    tokens = PIPE.encode(Image.new("RGB", (32, 32), "orange"))
    trace = recorded(PIPE, given_request(tokens, 2, Sampling()), origin="opened")
    here = ExploreSession().with_branch(Origin("orange", "orange"), trace, tmp_path)
    after = final(acts_of(handlers).turn(here, named(Sampling(guidance=9.0)))).session
    assert torch.equal(after.trace.tokens, here.trace.tokens)
    assert not torch.equal(after.trace.probability, here.trace.probability)
