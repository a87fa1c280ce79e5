"""What each handler of the Create tab returns. No browser here."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny
from support.form import SPEC, asked, asking, read
from support.opened import FILES

from var_core.device_memory import picture_bytes
from var_core.engine.request import Request
from var_core.recipe import Recipe
from var_studio.create import layout
from var_studio.create.handlers import CreateRunHandlers
from var_studio.create.preparing import Asked
from var_studio.create.setting_handlers import SettingHandlers
from var_studio.shared import controls, html
from var_studio.shared import run as runs
from var_studio.shared.html import READY, STOPPING
from var_studio.shared.models import Models
from var_studio.shared.run import StopFlag


@pytest.fixture
def handlers(tmp_path: Path) -> CreateRunHandlers:
    return CreateRunHandlers(Models(tiny.pipeline()), str(tmp_path))


def last(handlers: CreateRunHandlers, request: Request) -> runs.Run:
    *_, stage = handlers.watch(asked(request), StopFlag())
    return stage.run


def test_a_locked_seed_stays_and_an_unlocked_one_is_rolled_and_shown(handlers: CreateRunHandlers):
    kept, _, _, shown, *_ = handlers.prepare(True, *asking(seed="5"))
    assert (kept.request.seeds, shown) == ((5,), "5")
    rolled, _, _, shown, *_ = handlers.prepare(False, *asking(seed="5"))
    assert rolled.request.seeds == (int(shown),) != (5,)


def test_a_bad_value_becomes_a_sentence_for_the_page(handlers: CreateRunHandlers):
    with pytest.raises(gr.Error, match="out of range") as caught:
        handlers.prepare(True, *asking(count=99))
    assert not caught.value.print_exception


def test_what_a_visitor_types_is_shown_as_text(handlers: CreateRunHandlers):
    with pytest.raises(gr.Error) as caught:
        handlers.prepare(True, *asking(**{"class": "<img src=x onerror=alert(1)>"}))
    assert "<img" not in caught.value.message


def test_the_stage_tells_of_every_scale(handlers: CreateRunHandlers):
    stages = list(handlers.watch(asked(read(count=2)), StopFlag()))
    told = [re.search(r"<span>(.*?) ·", stage.bar)[1] for stage in stages[:-1]]
    assert told == [f"scale {k} of 4, {n} token{'s' * (n > 1)}" for k, n in ((1, 1), (2, 4), (3, 9), (4, 16))]
    assert "2 pictures in" in stages[-1].bar


def test_finished_files_are_the_pixels_of_the_run_with_their_recipes(handlers: CreateRunHandlers):
    request = read(**{"class": "Rose", "count": 3, "seed": "11"})
    run = last(handlers, request)
    expected = tiny.pipeline().run(request).images
    assert [Path(file).name for file in run.files] == [f"rose-seed-{seed}.png" for seed in (11, 12, 13)]
    for place, (file, picture) in enumerate(zip(run.files, expected, strict=True)):
        assert np.array_equal(np.asarray(Image.open(file)), np.asarray(picture))
        assert Recipe.read(Path(file)) == Recipe.of(tiny.pipeline(), request, place)


def test_larger_pictures_than_are_encoded_are_shown_and_written(tmp_path: Path):
    large = CreateRunHandlers(Models(tiny.pipeline(tiny.ENLARGING)), str(tmp_path))
    made = last(large, Request((1,), (5,)))
    assert Image.open(made.files[0]).size == (64, 64)


def test_few_pictures_are_decoded_after_each_scale_and_many_previewed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs, "LIVE_PIXELS", 3 * 32 * 32)
    assert runs.decodes_live(tiny.pipeline(), 3) and not runs.decodes_live(tiny.pipeline(), 4)


def test_each_scale_is_decoded_once_and_enlarged_only_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pipe, request, called = tiny.pipeline(tiny.ENLARGING), Request((1,), (5,)), list[str]()
    wanted = np.asarray(pipe.run(request).images[0])

    def counted(name: str, decode: Callable, f_hat: torch.Tensor) -> list[Image.Image]:
        called.append(name)
        return decode(f_hat)

    for name in ("decode", "decode_small"):
        monkeypatch.setattr(pipe, name, partial(counted, name, getattr(pipe, name)))
    handlers = CreateRunHandlers(Models(pipe), str(tmp_path))
    *_, over = handlers.watch(asked(request), StopFlag())
    assert called == ["decode_small"] * 3 + ["decode"]  # shown at once, then written, then in the strip
    assert np.array_equal(np.asarray(Image.open(over.run.files[0])), wanted) and over.strip.count("<figure>") == 4
    assert not over.run.looks  # what is kept for later
    handlers.choose(over.run, SimpleNamespace(index=0))
    assert not over.run.looks
    assert hash(over.run)  # by which Gradio tells whether a state has changed


def test_two_runs_never_share_a_file(handlers: CreateRunHandlers):
    assert not set(last(handlers, read()).files) & set(last(handlers, read()).files)


def test_what_another_model_has_drawn_can_be_looked_at_and_saved_but_not_gone_on_with(handlers: CreateRunHandlers):
    run = replace(last(handlers, read(count=2)), digest="of another")
    chosen = gr.SelectData(None, {"index": 1, "value": None})
    shown = handlers.choose(run, chosen)
    assert (shown.strip, Path(shown.download.value["path"]).name, shown.chosen) == ("", Path(run.files[1]).name, 1)
    with pytest.raises(gr.Error, match="Another model is loaded"):
        SettingHandlers(handlers.models, FILES).use(run, 1)
    with pytest.raises(gr.Error, match="Another model is loaded"):
        handlers.prepare_alike(run, 1, 2, 1)


def test_what_waited_while_another_model_was_loaded_is_not_drawn_by_it(handlers: CreateRunHandlers):
    with pytest.raises(gr.Error, match="Another model is loaded"):
        next(handlers.watch(Asked(read(), "of another"), StopFlag()))


def test_a_picture_whose_file_is_gone_is_answered(handlers: CreateRunHandlers):
    run = last(handlers, read(count=2))
    Path(run.files[1]).unlink()
    with pytest.raises(gr.Error, match="no longer kept"):
        handlers.choose(run, gr.SelectData(None, {"index": 1, "value": None}))


def test_use_these_settings_makes_the_chosen_picture_again_and_leaves_the_number_of_pictures(
    handlers: CreateRunHandlers,
):
    run = last(handlers, read(count=3, seed="20"))
    name, count, *values, locked = SettingHandlers(handlers.models, FILES).use(run, 2)
    assert locked and count == gr.skip()
    again = last(handlers, controls.read(SPEC, name, 1, *values))
    assert Path(again.files[0]).read_bytes() == Path(run.files[2]).read_bytes()


def stopped(handlers: CreateRunHandlers, request: Request, scales: int) -> list[layout.StageUpdate]:
    """All stages of a run that is stopped while it shows its n-th scale."""
    stop_flag, stages = StopFlag(), []
    for stage in handlers.watch(asked(request), stop_flag):
        stages.append(stage)
        if len(stages) == scales:
            stop_flag.set()
    return stages


def test_stop_keeps_the_scales_that_are_there(handlers: CreateRunHandlers):
    *growing, stopping, stage = stopped(handlers, read(count=2), 2)
    assert len(growing) == 2 and stopping == layout.StageUpdate(bar=STOPPING)  # until the files are written
    assert "stopped after scale 2 of 4" in stage.bar
    assert stage.strip.count("<figure>") == 2
    assert len(stage.run.files) == 2


def test_once_stop_is_pressed_the_bar_tells_of_no_scale_any_more(handlers: CreateRunHandlers, monkeypatch):
    stop_flag = StopFlag()
    made = handlers.watch(asked(read()), stop_flag)
    assert "scale 1 of 4" in next(made).bar
    pressed_before = runs.pictures

    def pictures(*given):  # while a scale is decoded somebody presses Stop
        stop_flag.set()
        return pressed_before(*given)

    monkeypatch.setattr("var_studio.create.handlers.runs.pictures", pictures)
    told = [stage.bar for stage in made]
    assert told[-2] == STOPPING and "stopped after scale 2 of 4" in told[-1]
    assert not any("scale 3" in bar for bar in told)


def test_a_stopped_picture_carries_no_recipe(handlers: CreateRunHandlers):
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.read(Path(stopped(handlers, read(), 1)[-1].run.files[0]))


def test_stop_after_the_last_scale_changes_nothing(handlers: CreateRunHandlers):
    assert stopped(handlers, read(), 4)[-1].run.complete(0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for two pictures in a pass."""
    each = picture_bytes(SPEC, tiny.pipeline().schedule.lengths)
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: int(2.5 * each / 0.9))


@pytest.mark.usefixtures("short")
def test_where_memory_is_short_pictures_come_in_parts_and_the_bar_says_so(handlers: CreateRunHandlers):
    *growing, over = handlers.watch(asked(read(count=5)), StopFlag())
    told = [re.search(r"<span>(.*?)</span>", stage.bar)[1] for stage in growing]
    assert re.fullmatch(
        r"pictures 1 to 2 of 5, scale 1 of 4, 1 token · \d\.\d s · 2 pictures at a time: memory is short", told[0]
    )
    assert told[5].startswith("pictures 3 to 4 of 5, scale 2 of 4, 4 tokens · ")
    assert told[11].startswith("picture 5 of 5, scale 4 of 4, 16 tokens · ") and len(told) == 12
    assert [len(stage.gallery.value) for stage in growing] == [2] * 4 + [4] * 4 + [5] * 4
    assert re.search(r"5 pictures in \d\.\d s · 2 pictures at a time: memory is short", over.bar)


@pytest.mark.usefixtures("short")
def test_pictures_that_come_in_parts_are_those_of_one_pass(
    handlers: CreateRunHandlers, monkeypatch: pytest.MonkeyPatch
):
    parted = last(handlers, read(count=5))
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: None)
    for ours, theirs in zip(parted.files, last(handlers, read(count=5)).files, strict=True):
        levels = np.asarray(Image.open(ours)).astype(int) - np.asarray(Image.open(theirs))
        assert np.abs(levels).max() <= 1 and Recipe.read(Path(ours)) == Recipe.read(Path(theirs))


@pytest.mark.usefixtures("short")
def test_stop_keeps_whole_pictures_and_those_under_way_but_none_that_have_not_begun(handlers: CreateRunHandlers):
    stage = stopped(handlers, read(count=5, seed="30"), 6)[-1]
    assert "stopped after pictures 3 to 4 of 5, scale 2 of 4" in stage.bar
    names = [Path(file).name for file in stage.run.files]
    assert names[:2] == ["sunflower-seed-30.png", "sunflower-seed-31.png"]
    assert names[2:] == [f"sunflower-seed-{seed}-scale-2-of-4.png" for seed in (32, 33)]
    assert Recipe.read(Path(stage.run.files[1])).seed == 31
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.read(Path(stage.run.files[2]))
    strips = [runs.strip(handlers.pipe, stage.run, place) for place in (1, 2)]
    assert [strip.count("<figure>") for strip in strips] == [4, 2] and "seed 31" in strips[0]


def test_the_last_picture_of_the_strip_is_the_finished_one(
    handlers: CreateRunHandlers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs, "LIVE_PIXELS", 0)  # as of a large model, whose scales are only previewed
    run = last(handlers, read(count=2))
    shown = re.findall(r'src="([^"]+)"', runs.strip(handlers.pipe, run, 1))
    assert len(shown) == 4 and shown[-1] == html.data_uri(Image.open(run.files[1]))


@pytest.mark.parametrize("size", [(512, 512), (1000, 100), (20, 30)])
def test_pictures_in_small_places_are_small(size: tuple[int, int]):
    shown = html.shrunk(Image.new("RGB", size))
    assert max(shown.size) == min(max(size), html.MOST_SMALL)


def test_stop_before_a_runs_turn_leaves_the_pictures_alone(handlers: CreateRunHandlers):
    stop_flag = StopFlag()
    stop_flag.set()
    (stage,) = handlers.watch(asked(read()), stop_flag)
    assert stage == layout.StageUpdate(bar=READY)


def test_a_dropped_picture_restores_every_control(handlers: CreateRunHandlers):
    request = read(**{"class": "Sea", "seed": "3", "guidance": 1.25, "top_k": 7, "smooth": True})
    restored = SettingHandlers(handlers.models, FILES).restore(last(handlers, request).files[0])
    *values, locked, emptied = restored
    assert controls.read(SPEC, *values) == request
    assert locked and emptied is None


def test_a_link_that_asks_for_more_scales_than_the_model_has_opens_and_says_what_was_lowered(
    handlers: CreateRunHandlers, monkeypatch: pytest.MonkeyPatch
):
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    query = {"class": "Sea", "seed": "3", "unguided_scales": "10"}
    *values, locked = SettingHandlers(handlers.models, FILES).visit(SimpleNamespace(query_params=query))
    sampling = replace(SPEC.default_sampling, unguided_scales=len(tiny.SIDES))
    assert controls.read(SPEC, *values) == Request((6,), (3,), sampling) and locked
    assert told == [f"Lowered to this model's {len(tiny.SIDES)} scales: Scales without guidance."]


def test_a_picture_of_another_model_is_refused_by_name(handlers: CreateRunHandlers, tmp_path: Path):
    recipe = replace(Recipe.of(tiny.pipeline(), read(), 0), model="other", digest="f" * 12)
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "other.png")
    with pytest.raises(gr.Error, match="made by the model other"):
        SettingHandlers(handlers.models, FILES).restore(str(tmp_path / "other.png"))


def test_a_picture_of_another_version_of_the_model_gives_its_settings_and_says_so(
    handlers: CreateRunHandlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    request = read(**{"class": "Sea", "seed": "3", "guidance": 1.25})
    recipe = replace(Recipe.of(tiny.pipeline(), request, 0), digest="f" * 12)
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "older.png")
    *values, locked, _ = SettingHandlers(handlers.models, FILES).restore(str(tmp_path / "older.png"))
    assert controls.read(SPEC, *values) == request and locked
    assert "Another version of this model made it: Run makes a picture like it" in told[0]


def test_a_picture_without_a_recipe_is_refused(handlers: CreateRunHandlers, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(gr.Error, match="carries no recipe"):
        SettingHandlers(handlers.models, FILES).restore(str(tmp_path / "plain.png"))


def choose(handlers: CreateRunHandlers, run: runs.Run, index: int) -> layout.StageUpdate:
    return handlers.choose(run, gr.SelectData(None, {"index": index, "value": None}))


def test_more_like_this_keeps_the_coarse_scales_of_the_chosen_picture(handlers: CreateRunHandlers):
    run = last(handlers, read(**{"class": "Rose", "count": 3, "seed": "20", "guidance": 1.5}))
    asked, *_ = handlers.prepare_alike(run, 2, 1, 1)
    assert asked.request.labels == (1,) * 4 and asked.request.sampling == run.request.sampling
    assert {seed[:3] for seed in asked.request.seeds} == {(22, 22, 22)}
    assert len({seed[3] for seed in asked.request.seeds}) == 4
    *_, stage = handlers.watch(asked, StopFlag())
    before = run.progress.of(2)
    for index in range(4):
        assert all(
            (a.tokens == b.tokens).all() for a, b in zip(stage.run.progress.of(index)[:3], before[:3], strict=True)
        )
    again = tiny.pipeline().run(Recipe.read(Path(stage.run.files[1])).request(tiny.pipeline())).images[0]
    saved = Image.open(stage.run.files[1])
    assert np.abs(np.asarray(saved).astype(int) - np.asarray(again)).max() <= 1  # drawn among four, and alone


def test_more_like_one_that_is_like_another_keeps_what_both_share(handlers: CreateRunHandlers):
    run = last(handlers, read(seed="5, 9 from scale 3"))
    asked, *_ = handlers.prepare_alike(run, 0, 1, 1)
    assert {seed[:3] for seed in asked.request.seeds} == {(5, 5, 9)}


def test_nothing_drawn_anew_is_the_same_picture_once_and_more_than_four_are_drawn_where_asked_for(
    handlers: CreateRunHandlers,
):
    run = last(handlers, read(seed="7"))
    assert handlers.prepare_alike(run, 0, 0, 6)[0].request == read(seed="7")
    assert len(handlers.prepare_alike(run, 0, 3, 6)[0].request.seeds) == 6
    with pytest.raises(gr.Error, match="how free 9 is out of range"):
        handlers.prepare_alike(run, 0, 9, 1)
    with pytest.raises(gr.Error, match="press Run first"):
        handlers.prepare_alike(None, 0, 1, 1)


def test_several_classes_are_drawn_with_the_same_seeds_and_named(handlers: CreateRunHandlers):
    request = controls.read(SPEC, "Rose", 2, "3", {}, ["Sea"])
    *_, stage = handlers.watch(asked(request), StopFlag())
    assert [Path(file).name for file in stage.run.files] == [
        *("rose-seed-3.png", "rose-seed-4.png", "sea-seed-3.png", "sea-seed-4.png")
    ]
    assert "Picture 3 of 4: Sea, seed 3" in choose(handlers, stage.run, 2).marked


def test_the_chosen_picture_has_a_line_around_it_where_there_are_others(handlers: CreateRunHandlers):
    run = last(handlers, read(count=3, seed="3"))
    assert "nth-child(2)" in choose(handlers, run, 1).marked
    assert "<style>" not in choose(handlers, last(handlers, read()), 0).marked


def grid(handlers: CreateRunHandlers, *axes: str) -> Asked:
    x, x_values, y, y_values = axes
    return handlers.prepare_grid((x, y), (x_values, y_values), "Rose", "5", {})[0]


def test_a_grid_is_drawn_as_one_picture_and_as_files_that_say_what_they_are(handlers: CreateRunHandlers):
    *_, stage = handlers.watch(grid(handlers, "guidance", "0, 2", "class", "sea, rose"), StopFlag())
    names = [Path(file).name for file in stage.run.files]
    assert names[0] == "01-guidance-0-sea-sea-seed-5.png" and names[3] == "04-guidance-2-rose-rose-seed-5.png"
    recipes = [Recipe.read(Path(file)) for file in stage.run.files]
    assert [(one.class_name, one.sampling.guidance) for one in recipes] == [
        *(("Sea", 0), ("Sea", 2), ("Rose", 0), ("Rose", 2))
    ]
    assert stage.sheet.visible and Image.open(stage.run.sheet).width > 2 * 96
    assert "4 pictures in" in stage.bar and "memory" not in stage.bar
    assert "guidance 2, Rose" in choose(handlers, stage.run, 3).marked
    values = SettingHandlers(handlers.models, FILES).use(stage.run, 1)
    assert (values[0], values[3]["guidance"]) == ("Sea", 2)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        (("guidance", "1, x", "", ""), "guidance 'x' is not a number"),
        (("", "", "", ""), "Choose a setting to compare"),
        (("seed", ",".join(map(str, range(65))), "", ""), "This grid has 65 pictures, of at most 64"),
        (("guidance", "1", "guidance", "2"), "two different settings"),
    ],
)
def test_a_grid_that_cannot_be_is_answered(handlers: CreateRunHandlers, axes: tuple[str, ...], sentence: str):
    with pytest.raises(gr.Error, match=sentence):
        grid(handlers, *axes)


def test_a_grid_stops_within_a_scale_and_keeps_what_is_there(handlers: CreateRunHandlers):
    flag, stages = StopFlag(), []
    for stage in handlers.watch(grid(handlers, "guidance", "0, 1, 2", "", ""), flag):
        stages.append(stage)
        if len(stages) == 6:
            flag.set()
    assert "stopped after picture 2 of 3, scale 2 of 4" in stages[-1].bar
    assert len(stages[-1].run.files) == 2 and Image.open(stages[-1].run.sheet).width > 3 * 96
