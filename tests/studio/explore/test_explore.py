"""The Explore tab: what each handler makes of a visitor's pictures, and what the page is told. No browser here."""

import base64
import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny

from var_core.config import Sampling
from var_core.editing.edit import Edit, EditSettings, run, stages
from var_core.engine.request import Request
from var_core.inspection.atlas import build
from var_core.inspection.changes import given_request, rerolled, resampled, swapped
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot, Trace
from var_core.settings import named
from var_studio.edit import layout as edit_layout
from var_studio.edit import results as outcomes
from var_studio.explore import layout, messages, page_acts, painter, session, trace_files
from var_studio.explore.layout import SAME, ViewUpdate
from var_studio.explore.messages import TokenQuestion
from var_studio.explore.page_acts import PageActs
from var_studio.explore.session import ExploreSession, Origin
from var_studio.explore.sources import Sources
from var_studio.shared import controls
from var_studio.shared import run as runs
from var_studio.shared.cache_slot import CacheSlot
from var_studio.shared.handover import DrawnSquare
from var_studio.shared.html import READY
from var_studio.shared.models import Models

PIPE = tiny.pipeline()
KNOBS = named(Sampling())
SCALES = len(tiny.SIDES)


@pytest.fixture
def handlers(tmp_path: Path) -> Sources:
    return Sources(Models(PIPE), str(tmp_path))


def final(views) -> ViewUpdate:
    *_, view = views
    return view


def drawn(
    handlers: Sources, start: ExploreSession | None = None, seed: str = "5", name: str = "Rose"
) -> ExploreSession:
    return final(handlers.draw(start or ExploreSession(), name, seed, True, KNOBS)).session


def acts_of(sources: Sources) -> PageActs:
    return PageActs(sources.models, sources.cache)


def acted(handlers: Sources, here: ExploreSession, **wish: object) -> list[ViewUpdate]:
    return list(acts_of(handlers).act(here, SimpleNamespace(_data=wish)))


def equal(one: Trace, other: Trace) -> bool:
    return torch.equal(one.tokens, other.tokens) and torch.equal(one.pictures, other.pictures)


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_a_drawn_picture_is_that_of_the_create_tab(handlers: Sources):
    here = drawn(handlers)
    made = PIPE.run(Request((1,), (5,)))
    assert torch.equal(here.trace.tokens.long(), torch.cat(made.tokens, 1)[0])
    assert np.array_equal(here.trace.pictures[-1].numpy(), np.asarray(made.images[0]))


def test_what_the_page_is_told_is_the_trace(handlers: Sources):
    here = drawn(handlers)
    told, trace = messages.trace_message(PIPE, here), here.trace
    assert json.loads(json.dumps(told)) == {**told, "sides": list(tiny.SIDES)}
    for name, kind in (("tokens", "<i4"), ("rank", "<i4"), ("probability", "<f4"), ("entropy", "<f4")):
        assert np.array_equal(numbers(told[name], kind), getattr(trace, name).numpy())
    assert np.array_equal(numbers(told["colours"], "u1").reshape(-1, 3), trace.colours.numpy())
    shares = numbers(told["masses"], "<u2").reshape(*trace.queries.shape[:2], SCALES, SCALES) / 65535
    assert np.allclose(shares, trace.masses.numpy(), atol=1e-4)
    assert told["nearness"][-1] is None and all(value > 0 for value in told["nearness"][:-1])
    assert (told["live"], told["guided"], len(told["pictures"])) == (True, True, SCALES)


def test_the_serial_numbers_of_what_is_told_differ(handlers: Sources):
    here = drawn(handlers)
    assert messages.trace_message(PIPE, here)["serial"] != messages.trace_message(PIPE, here)["serial"]


def test_an_unlocked_seed_is_rolled_and_shown(handlers: Sources):
    view = final(handlers.draw(ExploreSession(), "Rose", "5", False, KNOBS))
    assert view.seed == str(view.session.trace.about.seed)
    assert view.class_name == "Rose"


def test_a_picture_of_ones_own_is_taken_apart_and_given_whole(handlers: Sources, tmp_path: Path):
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)).save(tmp_path / "own.png")
    view = final(handlers.picture(ExploreSession(), str(tmp_path / "own.png"), "Sea"))
    trace = view.session.trace
    assert trace.keep.all() and trace.about.origin == "opened" and trace.about.class_name == "Sea"
    encoded = PIPE.encode(Image.open(tmp_path / "own.png"))
    assert torch.equal(trace.tokens.long(), torch.cat(encoded, 1)[0])
    surprise = PIPE.token_losses(encoded, torch.tensor([6]))[0]
    assert torch.allclose(-trace.probability.log(), surprise, atol=1e-3)


@pytest.mark.parametrize("name", ["broken.png", "missing.png"])
def test_a_file_that_is_no_picture_is_answered(handlers: Sources, tmp_path: Path, name: str):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(gr.Error):
        final(handlers.picture(ExploreSession(), str(tmp_path / name), "Sea"))


def test_a_trace_file_opens_without_its_model(handlers: Sources, tmp_path: Path):
    here = drawn(handlers)
    trace = here.trace
    other = replace(trace, about=replace(trace.about, digest="f" * 12, model="elsewhere"))
    other.save(tmp_path / "other.safetensors")
    view = handlers.file(here, str(tmp_path / "other.safetensors"))
    assert equal(view.session.trace, trace) and view.channel["live"] is False
    with pytest.raises(gr.Error, match="made by elsewhere"):
        acted(handlers, view.session, does="reroll", scale=1)
    with pytest.raises(gr.Error, match="made by elsewhere"):
        acted(handlers, view.session, does="options", scale=1, index=2, later="free", number=1)
    (view,) = acted(handlers, view.session, does="token", scale=1, index=2)
    assert not view.channel["more"]


def test_a_damaged_trace_file_is_answered(handlers: Sources, tmp_path: Path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(gr.Error, match="not a trace"):
        handlers.file(ExploreSession(), str(tmp_path / "bad.safetensors"))


def test_something_is_there_on_the_first_visit_and_nothing_changes_on_the_next(handlers: Sources):
    view = handlers.enter(ExploreSession())
    assert view.session.branches and view.channel["kind"] == "trace"
    assert handlers.enter(view.session) == SAME


def test_all_traces_that_ship_open():
    assert len(trace_files.shipped()) == len(trace_files.thumbnails(trace_files.shipped())) >= 3


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
    assert views[-1].channel["pictures"][4] == messages.address(after.trace.pictures[-1].numpy())


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
        theirs = edit_layout.left_column(PIPE.spec, lambda: usual).sampling
    for knobs in (ours, theirs):
        assert {name: knob.value for name, knob in knobs.items()} == named(usual)


def test_only_of_knobs_it_is_said_that_all_tokens_are_kept(handlers: Sources):
    swapped_last = acted(handlers, drawn(handlers), does="swap", scale=3, index=0, value=7, later="free")[-1]
    assert "scales computed" in swapped_last.bar


def test_slow_alternatives_say_how_far_they_are(handlers: Sources, monkeypatch):
    here = drawn(handlers)
    monkeypatch.setattr(painter, "SOON", 0.0)
    monkeypatch.setattr(page_acts, "SOON", 0.0)
    *views, last = acted(handlers, here, does="options", scale=0, index=0, later="free", number=1)
    assert all("what else" in view.bar for view in views) and last.bar == READY


@pytest.mark.parametrize("index", [0, 15, 7 * 16 + 8, 255])
def test_a_close_up_shows_five_cells_around_a_cell(index: int):
    rows, columns = np.mgrid[:64, :64]
    picture = np.stack((columns * 4, rows * 4, rows * 0), -1).astype(np.uint8)
    part = messages.close_up(picture, 16, index)
    assert part.shape == (20, 20, 3)
    x, y = ((at + 0.5) * 4 for at in (index % 16, index // 16))
    row, column = (round((at - (at / 64) * (64 - 20)) - 0.5) for at in (y, x))
    assert np.abs(part[row, column, :2].astype(float) - (4 * (x - 0.5), 4 * (y - 0.5))).max() <= 6


@pytest.mark.parametrize("side", [1, 4, 5])
def test_a_close_up_in_a_coarse_map_is_the_whole_picture(side: int):
    picture = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    assert np.array_equal(messages.close_up(picture, side, side * side - 1), picture)
    assert np.array_equal(messages.small(picture), picture)


def test_large_pictures_are_sent_small():
    picture = np.full((512, 512, 3), 77, np.uint8)
    for shown in (messages.small(picture), messages.close_up(picture, 1, 0), messages.close_up(picture, 10, 99)):
        assert shown.shape == (messages.SMALL, messages.SMALL, 3) and (shown == 77).all()


def test_attention_on_its_way_to_the_page_still_sums_to_one(handlers: Sources):
    here = drawn(handlers)
    (view,) = acted(handlers, here, does="token", scale=1, index=3)
    rows = numbers(view.channel["attention"], "<u2").reshape(-1, here.trace.schedule.total) / 65535
    assert np.allclose(rows.sum(1), 1, atol=2e-3)
    assert not rows[:, here.trace.schedule.spans[1].stop :].any()


def test_patches_of_a_code_come_from_the_atlas_of_its_codebook(handlers: Sources):
    here = drawn(handlers)
    atlas = build(PIPE, [Image.fromarray(here.trace.pictures[-1].numpy())])
    told = [TokenQuestion(here, Spot(3, index)).answer(atlas, False) for index in range(16)]
    assert all((one["patches"] is not None) == (one["uses"] > 0) for one in told)
    strange = replace(atlas, codebook="0" * 12)
    assert TokenQuestion(here, Spot(3, 0)).answer(strange, False)["uses"] is None


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


def test_a_mix_is_what_its_requests_make_and_one_can_be_taken(handlers: Sources):
    here = drawn(handlers)
    *_, view, end = acted(handlers, here, **{"does": "mix", "class": "Sea"})
    assert len(view.channel["pictures"]) == SCALES + 1 and end.channel["kind"] == "idle"
    after = acted(handlers, view.session, does="take", cut=2)[-1].session
    assert messages.address(after.trace.pictures[-1].numpy()) == view.channel["pictures"][2]
    assert after.branch.title == "2 scales, then Sea"
    old, new = here.trace.pyramid(), after.trace.pyramid()
    assert all(torch.equal(a, b) for a, b in zip(old[:2], new[:2], strict=True))


def test_two_pictures_mix(handlers: Sources):
    one = drawn(handlers)
    two = drawn(handlers, one, seed="9")
    *_, view, _ = acted(handlers, two, does="mix", node=one.current)
    ends = [messages.address(each.trace.pictures[-1].numpy()) for each in (one, two)]
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


def test_a_picture_from_create_is_looked_into(handlers: Sources):
    *_, grown = runs.after_each_scale(PIPE, Request((1, 2), (5, 6)))
    view = final(handlers.from_create(grown, 1, ExploreSession()))
    assert view.session.branch.title == "Sunflower, seed 6"
    first, *_ = handlers.from_create(grown, 1, ExploreSession())
    assert isinstance(first.tabs, gr.Tabs)
    assert final(handlers.from_create(None, 0, ExploreSession())) == SAME
    begun, *_ = runs.after_each_scale(PIPE, Request((1,), (5,)))
    with pytest.raises(gr.Error, match="has not all its scales: run it to the end"):
        final(handlers.from_create(begun, 0, ExploreSession()))


def edited(follow: bool) -> tuple[Edit, outcomes.EditResult]:
    photo = np.random.default_rng(1).integers(256, size=(32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[8:24, 4:20] = True
    edit = Edit(photo, mask, (1, 1), (3, 4), settings=EditSettings(follow=follow))
    return edit, [stage for stage in stages(PIPE, edit) if stage.photos]


@pytest.mark.parametrize("follow", [True, False])
def test_a_picture_from_edit_is_what_the_model_drew_there(handlers: Sources, tmp_path: Path, follow: bool):
    edit, finished = edited(follow)
    squares = [DrawnSquare.from_stage(stage) for stage in finished]
    done = outcomes.write(
        PIPE, outcomes.EditJob("photo", PIPE.digest, edit), run(PIPE, edit), squares, 1.0, str(tmp_path)
    )
    view = final(handlers.from_edit(done, 1, ExploreSession()))
    trace = view.session.trace
    levels = trace.pictures[-1].numpy().astype(int) - squares[-1].drawn[1]
    assert np.abs(levels).max() <= 1  # drawn in a batch of two there
    assert trace.about.origin == "edited" and 0 < int(trace.keep.sum()) < len(trace.keep)
    assert equal(recorded(PIPE, trace.request()), trace)


def test_what_a_photo_has_given_stays_whatever_is_drawn_anew(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(controls, "roll", lambda: "1")  # of a hundred seeds two draw the few free tokens as they were
    edit, finished = edited(True)
    squares = [DrawnSquare.from_stage(stage) for stage in finished]
    done = outcomes.write(
        PIPE, outcomes.EditJob("photo", PIPE.digest, edit), run(PIPE, edit), squares, 1.0, str(tmp_path)
    )
    view = final(handlers.from_edit(done, 0, ExploreSession()))
    here = view.session
    kept, before = here.trace.keep, here.trace.tokens
    for wish in ({"does": "reroll", "scale": 0}, {"does": "swap", "scale": 2, "index": 4, "value": 5, "later": "free"}):
        here = acted(handlers, here, **wish)[-1].session
        changed = here.trace.tokens != before
        assert changed.any() and (changed & kept).sum() <= 1  # the one that was set by hand


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


@pytest.mark.parametrize(("kind", "start"), [("gif", b"GIF8"), ("sheet", b"\x89PNG"), ("mp4", None), ("trace", None)])
def test_every_kind_of_file_is_written(handlers: Sources, kind: str, start: bytes | None):
    here = drawn(handlers)
    path = Path(acts_of(handlers).export(kind, here))
    assert path.name == f"rose-drawn-seed-5{trace_files.SUFFIXES[kind]}"
    assert path.read_bytes().startswith(start or b"")
    if kind == "trace":
        assert equal(Trace.load(path), here.trace)
    if kind == "mp4":
        assert cv2.VideoCapture(str(path)).read()[0]


def test_there_is_nothing_to_save_before_there_is_a_picture(handlers: Sources):
    with pytest.raises(gr.Error, match="no picture yet"):
        acts_of(handlers).export("gif", ExploreSession())


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


def test_every_handler_yields_something(handlers: Sources):
    for views in (acts_of(handlers).turn(ExploreSession(), KNOBS), acts_of(handlers).turn(drawn(handlers), KNOBS)):
        assert list(views) == [SAME]


def test_turning_a_knob_leaves_the_knobs_as_they_are(handlers: Sources):
    view = final(acts_of(handlers).turn(drawn(handlers), named(Sampling(guidance=1.0))))
    assert view.sampling == SAME.sampling


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


def test_a_photo_keeps_the_knobs_and_its_own_name(handlers: Sources, tmp_path: Path):
    Image.new("RGB", (40, 60), "red").save(tmp_path / "my own.png")
    view = final(handlers.picture(ExploreSession(), str(tmp_path / "my own.png"), "Sea"))
    assert view.sampling == gr.skip() and view.channel["name"] == "my own"
    after = acted(handlers, view.session, does="reroll", scale=1)[-1]
    assert after.session.trace.about.origin == "drawn" and after.channel["name"] == "my own"
    assert after.seed == gr.skip()  # it does not make this picture alone


def test_a_long_name_makes_no_file_that_cannot_be(handlers: Sources):
    here = drawn(handlers)
    long = replace(here.branch, name="ß/\\<b>" + "x" * 5000)
    path = acts_of(handlers).export("trace", replace(here, branches=(long,)))
    assert len(Path(path).name) < 120 and Path(path).is_file()


def test_a_mix_leaves_what_is_locked(handlers: Sources):
    here = drawn(handlers)
    (view,) = acted(handlers, here, does="lock", scale=3)
    *_, mixed, _ = acted(handlers, view.session, **{"does": "mix", "class": "Sea"})
    after = acted(handlers, mixed.session, does="take", cut=1)[-1].session
    assert torch.equal(after.trace.pyramid()[3], here.trace.pyramid()[3])


def test_an_opened_picture_does_not_change_under_the_knobs(handlers: Sources, tmp_path: Path):
    tokens = PIPE.encode(Image.new("RGB", (32, 32), "orange"))
    trace = recorded(PIPE, given_request(tokens, 2, Sampling()), origin="opened")
    here = ExploreSession().with_branch(Origin("orange", "orange"), trace, tmp_path)
    after = final(acts_of(handlers).turn(here, named(Sampling(guidance=9.0)))).session
    assert torch.equal(after.trace.tokens, here.trace.tokens)
    assert not torch.equal(after.trace.probability, here.trace.probability)


def test_a_photo_of_the_learn_tab_is_opened_here(handlers: Sources, tmp_path: Path):
    Image.radial_gradient("L").convert("RGB").save(tmp_path / "own.png")
    tabs, *_ = next(iter(handlers.from_photo(str(tmp_path / "own.png"), ExploreSession())))
    assert tabs.selected == "explore"
    *_, view = handlers.from_photo(str(tmp_path / "own.png"), ExploreSession())
    trace = view.session.trace
    assert trace.about.origin == "opened" and trace.about.label == trace.about.null_label
    assert list(handlers.from_photo(None, ExploreSession())) == [SAME]


def test_what_raced_is_looked_into_if_its_model_is_loaded(handlers: Sources):
    asked = Request((1,), (5,), Sampling(guidance=2.0))
    *_, view = handlers.from_race(asked, PIPE.digest, ExploreSession())
    made = PIPE.run(asked)
    assert torch.equal(view.session.trace.tokens.long(), torch.cat(made.tokens, 1)[0])
    with pytest.raises(gr.Error, match="Another model is loaded"):
        list(handlers.from_race(asked, "of another", ExploreSession()))
    assert list(handlers.from_race(None, PIPE.digest, ExploreSession())) == [SAME]
