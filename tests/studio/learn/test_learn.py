"""The Learn tab: the live picture, the race, and what was measured. No browser here."""

import base64
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image
from support import tiny
from support.opened import FILES

from var_core.engine.request import Request
from var_core.findings import records as rows
from var_core.findings.costs import WAYS, Cost
from var_core.findings.halves import Halves
from var_core.findings.run_summary import RunSummary
from var_core.findings.scaling import PAPER, ScalingPoint, best_by_compute, laws, trained
from var_core.inspection.race import race
from var_core.weights import checkpoints
from var_studio.learn import lessons as shown
from var_studio.learn import tab as learn
from var_studio.learn.tab import RUNNERS, LiveHandlers, RaceHandlers, Racers
from var_studio.shared.examples import examples
from var_studio.shared.models import Models
from var_studio.shared.run import StopFlag

PIPES = tiny.pipeline(), tiny.pipeline(tiny.in_order("raster"))


@pytest.fixture
def handlers() -> LiveHandlers:
    return LiveHandlers(Models(PIPES[0]), FILES)


@pytest.fixture
def race_handlers() -> RaceHandlers:
    return RaceHandlers(SimpleNamespace(pipes=PIPES, spec=tiny.SPEC))


def last(views):
    *_, view = views
    return view


def test_entering_shows_an_example_and_entering_again_changes_nothing(handlers: LiveHandlers):
    live = last(handlers.enter(None, None))
    assert live.path == str(examples()[0]) and live.made == PIPES[0].digest
    assert len(re.findall("<img", live.view)) == 3 * 4 + 4
    assert [*handlers.enter(live.path, live.made)] == [learn.LiveUpdate()]


def test_another_model_takes_the_same_picture_apart_again(handlers: LiveHandlers):
    live = last(handlers.enter(str(examples()[2]), "of another"))
    assert (live.path, live.made) == (str(examples()[2]), PIPES[0].digest)


def test_an_example_is_chosen_by_its_place(handlers: LiveHandlers):
    assert last(handlers.choose(SimpleNamespace(index=3))).path == str(examples()[3])


def test_a_file_that_is_no_picture_is_answered(handlers: LiveHandlers, tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(gr.Error):
        last(handlers.take_apart(str(tmp_path / "broken.png")))


def test_one_scale_shows_and_all_are_told(handlers: LiveHandlers, tmp_path: Path):
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    view = last(handlers.take_apart(str(tmp_path / "red.png"))).view
    assert len(re.findall(r'<div data-scale="3"><', view)) == 3  # one in each panel
    assert len(re.findall(r"data-scale=.\d. hidden", view)) == 4 * 3
    for tokens, told in ((1, "1 byte"), (5, "4 bytes"), (14, "11 bytes"), (30, "23 bytes")):
        assert re.search(rf"<b>{tokens} tokens?</b> so far, of 6 bits each: {told}", view)


def test_a_race_is_run_to_its_end_and_can_be_looked_into(race_handlers: RaceHandlers):
    asked, stop_flag, name, seed, *_ = race_handlers.line_up("Rose", "7", True)
    assert (asked, name, seed) == (Request((1,), (7,), asked.sampling), "Rose", "7")
    track = last(race_handlers.run(asked, stop_flag))
    assert (track.asked, track.digest) == (asked, PIPES[0].digest)
    assert track.view.count("ln-done") == 2 and "step 16 of 16 · 16 of 16 tokens" in track.view
    assert re.search(
        r"VAR: 4 steps in [\d.]+ s\. Raster order: 16 steps in [\d.]+ s, \d+(\.\d\d)? times as long", track.bar
    )


def test_a_stop_flag_ends_a_race(race_handlers: RaceHandlers):
    asked, stop_flag, *_ = race_handlers.line_up("Rose", "7", True)
    stop_flag.set()
    (track,) = race_handlers.run(asked, stop_flag)  # while it waited for its turn
    assert track.bar == "" and track.view == gr.skip()
    stop_flag = StopFlag()
    views = race_handlers.run(asked, stop_flag)
    next(views)
    stop_flag.set()
    track = last(views)
    assert "Stopped" in track.bar and track.view.count("ln-done") < 2 and track.asked == gr.skip()


def test_an_unknown_class_is_answered(race_handlers: RaceHandlers):
    with pytest.raises(gr.Error):
        race_handlers.line_up("Unicorn", "7", True)


def test_the_seed_is_rolled_unless_it_is_kept(race_handlers: RaceHandlers):
    assert race_handlers.line_up("Rose", "7", False)[0].seeds != (7,)


def test_a_lane_tells_how_far_it_is():
    lanes = next(iter(race([(pipe, Request((1,), (0,))) for pipe in PIPES])))
    view = shown.track(RUNNERS, lanes)
    assert "step 0 of 4 · 0 of 30 tokens" in view and "step 0 of 16 · 0 of 16 tokens" in view and "<img" not in view
    assert "<img" not in shown.track(RUNNERS)


def test_the_models_that_race_are_here_and_alike():
    own, raster = (
        checkpoints.read_spec(path)
        for path in (checkpoints.find(checkpoints.DEFAULT), checkpoints.find(str(learn.RASTER)))
    )
    assert own.class_names == raster.class_names and raster.tokenizer.order == "raster"
    for size in ("depth", "width", "heads", "vocabulary"):
        assert getattr(own.transformer, size) == getattr(raster.transformer, size)
    assert own.tokenizer.sides[-1:] == raster.tokenizer.sides
    for size in ("channels", "multipliers", "stem", "code_width", "vocabulary"):
        assert getattr(own.tokenizer, size) == getattr(raster.tokenizer, size)


def test_the_apps_own_model_is_not_loaded_twice():
    models = Models(PIPES[0])
    racers = Racers(models)
    assert racers.pipes[0] is not models.pipe  # it is another
    models = Models(racers.pipes[0])
    assert Racers(models).pipes[0] is models.pipe


def test_another_model_empties_the_view_so_that_entering_fills_it_again(handlers: LiveHandlers):
    view, made = handlers.renew()
    assert "Another model is loaded" in view and made is None
    assert last(handlers.enter(None, made)).made == PIPES[0].digest


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of what was measured."""
    monkeypatch.setattr(shown, "DATA", tmp_path)
    return tmp_path


def test_all_that_was_measured_is_shown():
    page = shown.measured()
    for words in ("cannot see", "Other orders", "What it costs", "Larger is better", "At full size"):
        assert words in page, words
    assert "nan" not in re.sub(r"<svg.*?</svg>|data:[^\"]*", "", page, flags=re.S)
    assert all(f'<th scope="row">{way.name}</th>' in page for way in WAYS)


@pytest.mark.usefixtures("data")
def test_what_has_no_data_is_left_out():
    page = shown.measured.__wrapped__()
    assert "VAR-d30" in page and "<svg" not in page and "measured here" not in page


def test_halves_that_were_completed_are_shown(data: Path):
    Image.new("RGB", (60, 20)).save(data / "halves.jpg")
    rows.write_rows(data / "halves.csv", Halves, [Halves("bottom half", 178.4, 172.6, 1.0252, 1.5)])
    page = shown.measured.__wrapped__()
    held = re.search(r'<img src="data:image/jpeg;base64,([^"]+)" width="60" height="20" alt="[^"]+">', page)[1]
    assert base64.b64decode(held) == (data / "halves.jpg").read_bytes()
    assert "given the top</th><td>178</td><td>173</td><td>1.03</td><td>1.50</td>" in page


def test_orders_that_were_trained_are_told(data: Path):
    row = RunSummary(
        "<spiral>", "spiral", 4_240_000, 256, 256, 19200, 1.5e14, 1800.0, 22.0, 2.25, 1.5, 7.5, 0.25, 2300.0
    )
    scales = replace(row, name="scales", order="scales", tokens=341)
    rows.write_rows(data / "orders.csv", RunSummary, [row, scales])
    page = shown.measured.__wrapped__()
    cells = "256 256 19,200 2.25 1.5 7.50 0.25 2300".split()
    assert '<th scope="row">&lt;spiral&gt;</th>' + "".join(f"<td>{cell}</td>" for cell in cells) in page
    assert "150 · 10<sup>12</sup>" in page and "4.2 M parameters" in page
    assert re.search(r"one map of\s16 . 16 tokens", page)


def test_sizes_that_were_trained_are_drawn(data: Path):
    sizes = [ScalingPoint(d, 10**d, 9, 1.0, 10.0**d, *[3.0 / d] * 4) for d in (1, 2, 3)]
    rows.write_rows(data / "scaling.csv", ScalingPoint, sizes)
    page = shown.measured.__wrapped__()
    assert page.count("<svg") == 5 and page.count("measured here") == 1
    assert "0.001 M up to 1.0 · 10<sup>3</sup> operations" in page  # each size is best after its one point


def test_the_sizes_that_come_along_are_what_their_lesson_says():
    known = rows.read_rows(shown.DATA / "scaling.csv", ScalingPoint)
    sizes = trained(known)
    for name in ("loss_mean", "loss_last"):
        losses = [getattr(point, name) for point in sizes]
        assert losses == sorted(losses, reverse=True)
    assert len(sizes) == 6 and len({point.step for point in sizes}) == 1
    assert 7e4 < sizes[0].parameters < 8e4 and 1.55e7 < sizes[-1].parameters < 1.65e7
    assert all(law.lawful and 0.25 * PAPER[name].exponent < law.exponent < 0 for name, law in laws(known).items())
    # each is ahead of all larger ones up to its end
    assert best_by_compute(known, "loss_mean") == [(point.parameters, point.flops) for point in sizes]
    assert max(point.seconds for point in sizes) < 1200


def test_costs_were_measured_up_to_a_map_of_64():
    known = rows.read_rows(shown.DATA / "costs.csv", Cost)
    assert {4, 8, 16, 32, 64} <= {row.side for row in known} and {row.way for row in known} == {
        way.name for way in WAYS
    }
    for way in WAYS:  # a larger map takes longer: what does not rise was measured beside other work, or cold
        seconds = [row.seconds for row in known if row.way == way.name and not math.isnan(row.seconds)]
        assert seconds == sorted(seconds) and len(seconds) >= 5
