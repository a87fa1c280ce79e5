"""Pictures to look into come from files, from other tabs and from the draw."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from support.explored import KNOBS, PIPE, SCALES, acted, acts_of, drawn, equal, final
from support.tiny import masked_pipeline

from var_core.config import NO_CLASS, Sampling
from var_core.editing.edit import Edit, run_edit, stages
from var_core.editing.edit_settings import EditSettings
from var_core.engine.classifier import ClassShare, token_losses
from var_core.engine.request import Request
from var_core.inspection.recording import recorded
from var_studio.edit import results as outcomes
from var_studio.explore import trace_files
from var_studio.explore.layout import SAME
from var_studio.explore.session import ExploreSession
from var_studio.explore.sources import Sources
from var_studio.shared import controls
from var_studio.shared import run as runs
from var_studio.shared.handover import DrawnSquare


def test_a_drawn_picture_is_that_of_the_create_tab(handlers: Sources):
    here = drawn(handlers)
    made = PIPE.run(Request((1,), (5,)))
    assert torch.equal(here.trace.tokens.long(), torch.cat(made.tokens, 1)[0])
    assert np.array_equal(here.trace.pictures[-1].numpy(), np.asarray(made.images[0]))


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
    surprise = token_losses(PIPE.var, PIPE.tokenizer.quantizer, encoded, torch.tensor([6]))[0]
    assert torch.allclose(-trace.probability.log(), surprise, atol=1e-3)


def own_picture(folder: Path) -> str:
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)).save(folder / "own.png")
    return str(folder / "own.png")


def looked_at(handlers: Sources, path: str, name: str, monkeypatch, **share: float) -> ExploreSession:
    """A picture of one's own where the widget says `name`, and the model finds it most like class 4."""
    monkeypatch.setattr(type(PIPE), "classify", lambda *_: [ClassShare(4, **share)])
    monkeypatch.setattr(gr, "Info", lambda *_: None)
    return final(handlers.picture(ExploreSession(), path, name)).session


def test_a_picture_of_ones_own_begins_with_its_likeliest_class_not_with_the_one_shown_first(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, own = str(controls.defaults(PIPE.spec).class_name), own_picture(tmp_path)
    wanted = PIPE.spec.class_name(4)
    assert first not in ("Sea", wanted)
    assert looked_at(handlers, own, first, monkeypatch, share=0.6, nats=3.0).trace.about.class_name == wanted
    assert looked_at(handlers, own, "Sea", monkeypatch, share=0.6, nats=3.0).trace.about.class_name == "Sea"


@pytest.mark.parametrize("share", [{"share": 0.1, "nats": 3.0}, {"share": 0.6, "nats": -1.0}])
def test_a_picture_of_ones_own_that_looks_like_nothing_begins_with_no_class(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: dict[str, float]
):
    first = str(controls.defaults(PIPE.spec).class_name)
    assert looked_at(handlers, own_picture(tmp_path), first, monkeypatch, **share).trace.about.class_name == NO_CLASS


def test_a_class_that_the_picture_before_has_left_in_the_widget_is_nobody_s_choice(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    here = drawn(handlers, name="Rose")
    monkeypatch.setattr(type(PIPE), "classify", lambda *_: [ClassShare(4, 0.6, 3.0)])
    monkeypatch.setattr(gr, "Info", lambda *_: None)
    view = final(handlers.picture(here, own_picture(tmp_path), "Rose"))
    assert view.session.trace.about.class_name == PIPE.spec.class_name(4)


def test_run_keeps_what_is_locked_and_the_locks(handlers: Sources):
    here = drawn(handlers)
    for scale in (0, 2):
        (view,) = acted(handlers, here, does="lock", scale=scale)
        here = view.session
    after = final(handlers.draw(here, "Sea", "9", True, KNOBS))
    assert after.session.locked == {0, 2} and after.channel["locked"] == [0, 2]
    old, new = here.trace.pyramid(), after.session.trace.pyramid()
    assert [torch.equal(a, b) for a, b in zip(old, new, strict=True)] == [True, False, True, False]
    assert after.session.trace.about.class_name == "Sea" and after.session.branch.parent == here.current


def test_run_with_everything_locked_says_what_to_do(handlers: Sources):
    here = drawn(handlers)
    for scale in range(SCALES):
        (view,) = acted(handlers, here, does="lock", scale=scale)
        here = view.session
    with pytest.raises(gr.Error, match="All scales are locked: unlock one"):
        final(handlers.draw(here, "Sea", "9", True, KNOBS))


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
    view = handlers.enter(ExploreSession(), "Sea")
    assert view.session.branches and view.channel["kind"] == "trace"
    assert handlers.enter(view.session, "Sea") == SAME


def test_what_the_controls_said_the_last_time_stays_when_the_tab_is_entered_and_is_nobody_s_choice(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    view = handlers.enter(ExploreSession(), "Sea")
    assert (view.class_name, view.seed, view.sampling) == (gr.skip(),) * 3
    monkeypatch.setattr(type(PIPE), "classify", lambda *_: [ClassShare(4, 0.6, 3.0)])
    monkeypatch.setattr(gr, "Info", lambda *_: None)
    opened = final(handlers.picture(view.session, own_picture(tmp_path), "Sea"))
    assert opened.session.trace.about.class_name == PIPE.spec.class_name(4)


def test_all_traces_that_ship_open():
    assert len(trace_files.shipped()) == len(trace_files.trace_thumbnails(trace_files.shipped())) >= 3


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


def test_a_picture_from_edit_with_candidates_is_the_one_that_was_taken(handlers: Sources, tmp_path: Path):
    edit = replace(edited(True)[0], labels=(PIPE.spec.transformer.null_label,) * 2, seeds=(8, 9))
    edit = replace(edit, settings=replace(edit.settings, candidates=6, min_coverage=0.1, first_free_scale=0))
    squares = [DrawnSquare.from_stage(stage) for stage in stages(PIPE, edit) if stage.photos]
    done = outcomes.write_results(
        PIPE, outcomes.EditJob("photo", PIPE.digest, edit), run_edit(PIPE, edit), squares, 1.0, tmp_path
    )
    trace = final(handlers.from_edit(done, 1, ExploreSession())).session.trace
    assert squares[-1].seeds[1] != edit.seeds[1] and trace.about.seed == squares[-1].seeds[1]
    assert torch.equal(trace.tokens.long(), torch.cat([part[1] for part in squares[-1].plan.tokens]))


@pytest.mark.parametrize("follow", [True, False])
def test_a_picture_from_edit_is_what_the_model_drew_there(handlers: Sources, tmp_path: Path, follow: bool):
    edit, finished = edited(follow)
    squares = [DrawnSquare.from_stage(stage) for stage in finished]
    done = outcomes.write_results(
        PIPE, outcomes.EditJob("photo", PIPE.digest, edit), run_edit(PIPE, edit), squares, 1.0, tmp_path
    )
    view = final(handlers.from_edit(done, 1, ExploreSession()))
    trace = view.session.trace
    levels = trace.pictures[-1].numpy().astype(int) - squares[-1].drawn[1]
    assert np.abs(levels).max() <= 1  # drawn in a batch of two there
    assert trace.about.origin == "edited" and 0 < int(trace.keep.sum()) < len(trace.keep)
    assert equal(recorded(PIPE, trace.request()), trace)


def test_what_the_masked_path_drew_is_looked_into_as_it_was_drawn(handlers: Sources, tmp_path: Path):
    edit, seeing = edited(True)[0], masked_pipeline()
    squares = [DrawnSquare.from_stage(stage) for stage in stages(seeing, edit) if stage.photos]
    done = outcomes.write_results(
        seeing, outcomes.EditJob("photo", PIPE.digest, edit), run_edit(seeing, edit), squares, 1.0, tmp_path
    )
    trace = final(handlers.from_edit(done, 1, ExploreSession())).session.trace
    assert torch.equal(trace.tokens.long(), torch.cat([part[1] for part in squares[-1].plan.tokens]))
    assert torch.equal(trace.keep, squares[-1].plan.kept[1]) and not trace.keep.all()
    assert torch.equal(trace.unguided >= 0, ~trace.keep)
    assert not torch.equal(recorded(PIPE, trace.request()).tokens, trace.tokens)  # drawn without it


def test_what_a_photo_has_given_stays_whatever_is_drawn_anew(
    handlers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(controls, "roll", lambda: "1")  # of a hundred seeds two draw the few free tokens as they were
    edit, finished = edited(True)
    squares = [DrawnSquare.from_stage(stage) for stage in finished]
    done = outcomes.write_results(
        PIPE, outcomes.EditJob("photo", PIPE.digest, edit), run_edit(PIPE, edit), squares, 1.0, tmp_path
    )
    view = final(handlers.from_edit(done, 0, ExploreSession()))
    here = view.session
    kept, before = here.trace.keep, here.trace.tokens
    for wish in ({"does": "reroll", "scale": 0}, {"does": "swap", "scale": 2, "index": 4, "value": 5, "later": "free"}):
        here = acted(handlers, here, **wish)[-1].session
        changed = here.trace.tokens != before
        assert changed.any() and (changed & kept).sum() <= 1  # the one that was set by hand


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
    *_, (path,) = acts_of(handlers).exported("trace", replace(here, branches=(long,)))
    assert len(Path(path).name) < 120 and Path(path).is_file()


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
