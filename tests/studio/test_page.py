"""Controls to requests and back, and what each handler returns. No browser here."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny

from var_core.config import Sampling, published
from var_core.device_memory import picture_bytes
from var_core.editing.edit import EditSettings
from var_core.engine.request import Request
from var_core.recipe import Recipe
from var_core.schedule import Schedule
from var_core.settings import Setting, named, rows
from var_studio.create import tab as create
from var_studio.create.tab import CreateHandlers
from var_studio.edit import layout as edit_layout
from var_studio.explore import layout as explore_layout
from var_studio.explore import tab as explore_tab
from var_studio.learn import tab as learn
from var_studio.shared import controls, html, models_menu, served_files
from var_studio.shared import run as runs
from var_studio.shared.html import READY
from var_studio.shared.models import Models
from var_studio.shared.run import StopFlag

SPEC = tiny.SPEC
CALLED = replace(
    SPEC, class_synonyms=(("Nelumbo",), ("Rosa", "rose bush"), (), (), ("deep sea", "wood"), (), ("wood",))
)
USUAL = controls.defaults(SPEC).by_name()


def asking(**changes: object) -> tuple:
    """The values that `controls.read` takes, as they open but for some."""
    values = {**USUAL, **changes}
    return values["class"], values["count"], values["seed"], values


def read(**changes: object) -> Request:
    return controls.read(SPEC, *asking(**changes))


@pytest.fixture
def handlers(tmp_path: Path) -> CreateHandlers:
    return CreateHandlers(Models(tiny.pipeline()), str(tmp_path))


def last(handlers: CreateHandlers, request: Request) -> runs.Run:
    *_, stage = handlers.watch(asked(request), StopFlag())
    return stage.run


def asked(request: Request) -> create.Asked:
    """A request to the tiny model."""
    return create.Asked(request, tiny.pipeline().digest)


def test_the_controls_as_they_open_ask_for_the_defaults():
    assert controls.read(SPEC, *controls.defaults(SPEC).all()) == Request((2,), (0,), Sampling())


@pytest.mark.parametrize(
    ("control", "value", "sampling"),
    [
        ("guidance", 2.5, Sampling(guidance=2.5)),
        ("ramp", 0.3, Sampling(ramp=0.3)),
        ("temperature", 0.7, Sampling(temperature=0.7)),
        ("cooling", 0.6, Sampling(cooling=0.6)),
        ("top_k", 5, Sampling(top_k=5)),
        ("top_p", 0.5, Sampling(top_p=0.5)),
        ("smooth", True, Sampling(smooth=True)),
    ],
)
def test_each_drawing_control_changes_its_own_setting(control: str, value: object, sampling: Sampling):
    assert read(**{control: value}) == Request((2,), (0,), sampling)


def test_class_count_and_seed_make_the_labels_and_the_seeds():
    assert read(**{"class": "Sea", "count": 3, "seed": "41"}) == Request((6, 6, 6), (41, 42, 43))


def test_no_class_can_be_asked_for():
    assert read(**{"class": "no class"}).labels == (SPEC.transformer.null_label,)


def test_part_of_a_name_is_enough_when_only_one_class_has_it():
    assert read(**{"class": "sunf"}).labels == (2,)


@pytest.mark.parametrize(("text", "name"), [("nelu", "Lotus"), ("ROSE B", "Rose"), ("deep", "Forest")])
def test_part_of_a_synonym_is_enough_when_only_one_class_has_it(text, name):
    assert controls.complete(CALLED, text) == name


@pytest.mark.parametrize("text", ["o", "woo", "wood", "sea", "rosa", "birch"])
def test_a_whole_name_and_what_several_or_no_classes_have_is_left_as_it_is(text):
    assert controls.complete(CALLED, text) == text


def test_seeds_beyond_a_browsers_numbers_survive():
    assert read(seed=str(2**62 + 1)).seeds == (2**62 + 1,)


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        ("class", "Sunflour", "no class 'Sunflour'. Did you mean: Sunflower"),
        ("class", None, "no class ''"),
        ("count", 0, "pictures 0 is out of range: choose 1 to 16"),
        ("count", 17, "pictures 17 is out of range"),
        ("count", 1.5, "pictures 1.5 is not a whole number"),
        ("count", float("inf"), "pictures 'inf' is not a number"),
        ("seed", "", "seed is empty"),
        ("seed", "lucky", "seed 'lucky' is not a number"),
        ("seed", "-1", "seed -1 is out of range"),
        ("seed", str(2**63), "is out of range"),
        ("guidance", 31, "guidance 31.0 is out of range: choose 0 to 30"),
        ("guidance", None, "guidance is empty"),
        ("guidance", float("nan"), "guidance 'nan' is not a number"),
        ("ramp", 1.5, "ramp 1.5 is out of range: choose 0 to 1"),
        ("ramp", None, "guidance ramp is empty"),
        ("temperature", 0, "temperature 0.0 is out of range"),
        ("cooling", 1, "cooling 1.0 is out of range: choose 0 to 0.95"),
        ("top_k", -1, "top_k -1 is out of range"),
        ("top_k", None, "top-k is empty"),
        ("top_p", 1.1, "top_p 1.1 is out of range"),
        ("smooth", "perhaps", "smooth 'perhaps' is neither on nor off"),
    ],
)
def test_bad_input_is_answered_with_what_it_takes(control: str, value: object, sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(**{control: value})


@pytest.mark.parametrize(
    "request_",
    [
        Request((3,), (7,)),
        Request((1,) * 16, tuple(range(5, 21)), Sampling(0.0, 0.5, 0.05, 0.95, 0, 1.0, True)),
        Request((7, 7), (2**62, 2**62 + 1), Sampling(guidance=3.14159)),
    ],
)
def test_showing_a_request_and_reading_it_back_changes_nothing(request_: Request):
    assert controls.read(SPEC, *controls.show(SPEC, request_).all()) == request_


def test_a_link_from_before_a_setting_was_there_means_what_it_meant():
    assert controls.from_link(SPEC, {"temperature": "0.7"}) == Request((2,), (0,), Sampling(temperature=0.7))
    assert Sampling(temperature=0.7).heat(3, Schedule((1, 2, 3, 4))) == 0.7


def test_a_link_brings_all_settings_back():
    wanted = Request((2, 2), (8, 9), Sampling(1.5, 0.5, 0.8, 0.7, 12, 0.9, True))
    query = dict(pair.split("=") for pair in controls.link(SPEC, wanted).removeprefix("?").split("&"))
    assert controls.from_link(SPEC, query) == wanted


def test_a_short_link_leaves_the_rest_at_its_default():
    assert controls.from_link(SPEC, {"class": "lotus", "seed": "7"}) == Request((0,), (7,))


def test_groups_split_the_classes():
    assert controls.groups(SPEC) == ["flower", "scene"]
    assert controls.classes(SPEC, "scene") == ["Forest", "Mountain", "Sea"]
    assert controls.classes(SPEC, None) == [*tiny.NAMES, "no class"]


def test_a_dropdown_shows_names_alone_where_there_are_no_synonyms():
    for group in (None, *controls.groups(SPEC)):
        assert controls.choices(SPEC, group) == [(name, name) for name in controls.classes(SPEC, group)]


def test_a_dropdown_shows_the_synonyms_that_the_name_does_not_say_and_whole_names_come_first():
    assert controls.choices(CALLED, "scene") == [
        ("Sea, wood", "Sea"),  # typing "sea" and Enter takes it, not Forest
        ("Forest, deep sea, wood", "Forest"),
        ("Mountain", "Mountain"),
    ]
    named = replace(SPEC, class_synonyms=(("lot", "Nelumbo"), *[()] * 6))
    assert controls.choices(named, "flower")[0] == ("Lotus, Nelumbo", "Lotus")


def test_a_random_class_is_one_of_the_group():
    assert {controls.random_class(SPEC, "scene") for _ in range(50)} <= {"Forest", "Mountain", "Sea"}


def test_a_model_without_class_names_has_controls_too():
    spec = published(16)
    assert controls.groups(spec) == []
    assert controls.read(spec, *controls.defaults(spec).all()).labels == (0,)


def test_a_locked_seed_stays_and_an_unlocked_one_is_rolled_and_shown(handlers: CreateHandlers):
    kept, _, _, shown, *_ = handlers.prepare(True, *asking(seed="5"))
    assert (kept.request.seeds, shown) == ((5,), "5")
    rolled, _, _, shown, *_ = handlers.prepare(False, *asking(seed="5"))
    assert rolled.request.seeds == (int(shown),) != (5,)


def test_a_bad_value_becomes_a_sentence_for_the_page(handlers: CreateHandlers):
    with pytest.raises(gr.Error, match="out of range") as caught:
        handlers.prepare(True, *asking(count=99))
    assert not caught.value.print_exception


def test_what_a_visitor_types_is_shown_as_text(handlers: CreateHandlers):
    with pytest.raises(gr.Error) as caught:
        handlers.prepare(True, *asking(**{"class": "<img src=x onerror=alert(1)>"}))
    assert "<img" not in caught.value.message


def test_the_stage_tells_of_every_scale(handlers: CreateHandlers):
    stages = list(handlers.watch(asked(read(count=2)), StopFlag()))
    told = [re.search(r"<span>(.*?) ·", stage.bar)[1] for stage in stages[:-1]]
    assert told == [f"scale {k} of 4, {n} token{'s' * (n > 1)}" for k, n in ((1, 1), (2, 4), (3, 9), (4, 16))]
    assert "2 pictures in" in stages[-1].bar


def test_finished_files_are_the_pixels_of_the_run_with_their_recipes(handlers: CreateHandlers):
    request = read(**{"class": "Rose", "count": 3, "seed": "11"})
    run = last(handlers, request)
    expected = tiny.pipeline().run(request).images
    assert [Path(file).name for file in run.files] == [f"rose-seed-{seed}.png" for seed in (11, 12, 13)]
    for place, (file, picture) in enumerate(zip(run.files, expected, strict=True)):
        assert np.array_equal(np.asarray(Image.open(file)), np.asarray(picture))
        assert Recipe.read(Path(file)) == Recipe.of(tiny.pipeline(), request, place)


def test_two_runs_never_share_a_file(handlers: CreateHandlers):
    assert not set(last(handlers, read()).files) & set(last(handlers, read()).files)


def test_what_another_model_has_drawn_can_be_looked_at_and_saved_but_not_gone_on_with(handlers: CreateHandlers):
    run = replace(last(handlers, read(count=2)), digest="of another")
    chosen = gr.SelectData(None, {"index": 1, "value": None})
    assert handlers.choose(run, chosen) == ("", run.files[1], 1)
    with pytest.raises(gr.Error, match="Another model is loaded"):
        handlers.repeat(run, 1)


def test_what_waited_while_another_model_was_loaded_is_not_drawn_by_it(handlers: CreateHandlers):
    with pytest.raises(gr.Error, match="Another model is loaded"):
        next(handlers.watch(create.Asked(read(), "of another"), StopFlag()))


def test_a_picture_whose_file_is_gone_is_answered(handlers: CreateHandlers):
    run = last(handlers, read(count=2))
    Path(run.files[1]).unlink()
    with pytest.raises(gr.Error, match="no such file"):
        handlers.choose(run, gr.SelectData(None, {"index": 1, "value": None}))


def test_old_folders_go_and_new_ones_stay(tmp_path: Path):
    (others := tmp_path / "of-gradio").mkdir()
    old, new = served_files.fresh_folder(str(tmp_path)), served_files.fresh_folder(str(tmp_path))
    (old / "picture.png").write_bytes(b"old")
    for folder in (old, others):
        os.utime(folder, (0, time.time() - served_files.KEPT - 1))
    served_files.fresh_folder(str(tmp_path))
    assert not old.exists() and new.exists() and others.exists()


def test_same_again_repeats_the_chosen_picture(handlers: CreateHandlers):
    run = last(handlers, read(count=3, seed="20"))
    *values, locked = handlers.repeat(run, 2)
    assert locked
    again = last(handlers, controls.read(SPEC, *values))
    assert Path(again.files[0]).read_bytes() == Path(run.files[2]).read_bytes()


def stopped(handlers: CreateHandlers, request: Request, scales: int) -> list[create.StageUpdate]:
    """All stages of a run that is stopped while it shows its n-th scale."""
    stop_flag, stages = StopFlag(), []
    for stage in handlers.watch(asked(request), stop_flag):
        stages.append(stage)
        if len(stages) == scales:
            stop_flag.set()
    return stages


def test_stop_keeps_the_scales_that_are_there(handlers: CreateHandlers):
    *growing, stage = stopped(handlers, read(count=2), 2)
    assert len(growing) == 2
    assert "stopped after scale 2 of 4" in stage.bar
    assert stage.strip.count("<figure>") == 2
    assert len(stage.run.files) == 2


def test_a_stopped_picture_carries_no_recipe(handlers: CreateHandlers):
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.read(Path(stopped(handlers, read(), 1)[-1].run.files[0]))


def test_stop_after_the_last_scale_changes_nothing(handlers: CreateHandlers):
    assert stopped(handlers, read(), 4)[-1].run.complete(0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for two pictures in a pass."""
    each = picture_bytes(SPEC, tiny.pipeline().schedule.lengths)
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: int(2.5 * each / 0.9))


@pytest.mark.usefixtures("short")
def test_where_memory_is_short_pictures_come_in_parts_and_the_bar_says_so(handlers: CreateHandlers):
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
def test_pictures_that_come_in_parts_are_those_of_one_pass(handlers: CreateHandlers, monkeypatch: pytest.MonkeyPatch):
    parted = last(handlers, read(count=5))
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: None)
    for ours, theirs in zip(parted.files, last(handlers, read(count=5)).files, strict=True):
        levels = np.asarray(Image.open(ours)).astype(int) - np.asarray(Image.open(theirs))
        assert np.abs(levels).max() <= 1 and Recipe.read(Path(ours)) == Recipe.read(Path(theirs))


@pytest.mark.usefixtures("short")
def test_stop_keeps_whole_pictures_and_those_under_way_but_none_that_have_not_begun(handlers: CreateHandlers):
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


def test_the_last_picture_of_the_strip_is_the_finished_one(handlers: CreateHandlers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs, "LIVE_PIXELS", 0)  # as of a large model, whose scales are only previewed
    run = last(handlers, read(count=2))
    shown = re.findall(r'src="([^"]+)"', runs.strip(handlers.pipe, run, 1))
    assert len(shown) == 4 and shown[-1] == html.data_uri(Image.open(run.files[1]))


@pytest.mark.parametrize("size", [(512, 512), (1000, 100), (20, 30)])
def test_pictures_in_small_places_are_small(size: tuple[int, int]):
    shown = html.shrunk(Image.new("RGB", size))
    assert max(shown.size) == min(max(size), html.MOST_SMALL)


def test_stop_before_a_runs_turn_leaves_the_pictures_alone(handlers: CreateHandlers):
    stop_flag = StopFlag()
    stop_flag.set()
    (stage,) = handlers.watch(asked(read()), stop_flag)
    assert stage == create.StageUpdate(bar=READY)


def test_a_dropped_picture_restores_every_control(handlers: CreateHandlers):
    request = read(**{"class": "Sea", "seed": "3", "guidance": 1.25, "top_k": 7, "smooth": True})
    restored = handlers.restore(last(handlers, request).files[0])
    *values, locked, emptied = restored
    assert controls.read(SPEC, *values) == request
    assert locked and emptied is None


def test_a_picture_of_another_model_is_refused_by_name(handlers: CreateHandlers, tmp_path: Path):
    recipe = replace(Recipe.of(tiny.pipeline(), read(), 0), model="other", digest="f" * 12)
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "other.png")
    with pytest.raises(gr.Error, match="made by the model other"):
        handlers.restore(str(tmp_path / "other.png"))


def test_a_picture_without_a_recipe_is_refused(handlers: CreateHandlers, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(gr.Error, match="carries no recipe"):
        handlers.restore(str(tmp_path / "plain.png"))


def test_every_setting_is_wired_into_a_run_by_its_name(page: gr.Blocks):
    labels = ["Keep this seed", "Class", "Pictures", "Seed", "Guidance", "Guidance ramp"]
    labels += ["Temperature", "Cooling", "Top-k", "Top-p", "Smooth", "Scales without guidance"]
    wired = [fn for fn in page.fns.values() if fn.name == "prepare"]
    assert wired and all(sorted(widget.label for widget in fn.inputs) == sorted(labels) for fn in wired)
    wanted = Sampling(2.5, ramp=0.7, temperature=0.3, cooling=0.4, top_k=5, top_p=0.5, smooth=True, unguided_scales=1)
    values = {"class": "Sea", "pictures": 3, "seed": "41", "lock": True, **named(wanted)}
    for fn in wired:
        update = fn.fn({widget: values[widget.elem_id] for widget in fn.inputs})
        (asked,) = (value for value in update.values() if isinstance(value, create.Asked))
        assert asked.request == Request((6, 6, 6), (41, 42, 43), wanted)


def test_every_button_does_something(page: gr.Blocks):
    heard = {target for fn in page.fns.values() for target, _ in fn.targets}
    kinds = (gr.Button, gr.UploadButton)
    deaf = [block.elem_id for block in page.blocks.values() if isinstance(block, kinds) and block._id not in heard]
    assert deaf == []


@pytest.mark.parametrize(
    ("widgets", "update"),
    [
        (create.RunStage, create.StageUpdate),
        (edit_layout.Sheet, edit_layout.SheetUpdate),
        (explore_layout.View, explore_layout.ViewUpdate),
        (learn.Live, learn.LiveUpdate),
        (learn.Track, learn.TrackUpdate),
        (models_menu.Menu, models_menu.MenuUpdate),
    ],
)
def test_an_update_has_a_value_for_each_widget_and_changes_none_that_it_does_not_name(widgets: type, update: type):
    assert update._fields == widgets._fields
    assert update() == (gr.skip(),) * len(widgets._fields)


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [(Sampling(), ""), (Sampling(), "edit_"), (Sampling(), "explore_"), (EditSettings(), "")],
    ids=["create", "edit", "explore", "how it edits"],
)
def test_every_setting_has_a_widget_as_its_table_says(page: gr.Blocks, settings: Sampling | EditSettings, prefix: str):
    widgets = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    kinds = {bool: gr.Checkbox, str: gr.Dropdown}
    for row in rows(type(settings)):
        widget = widgets[f"{prefix}{row.name}"]
        assert isinstance(widget, kinds.get(row.kind, gr.Number if row.typed else gr.Slider))
        assert (widget.label, widget.info, widget.value) == (row.label, row.help, getattr(settings, row.name))
        if isinstance(widget, gr.Slider):
            end = len(SPEC.tokenizer.sides) if row.name == "first_free_scale" else row.most_shown or row.high
            assert (widget.minimum, widget.maximum, widget.step) == (row.low, end, row.step)
        if row.choices:
            assert [value for _, value in widget.choices] == list(row.choices)


@pytest.mark.parametrize("row", rows(Sampling), ids=lambda row: row.name)
def test_every_setting_of_the_draw_acts_at_once_in_explore(page: gr.Blocks, row: Setting):
    (widget,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == f"explore_{row.name}")
    heard = {event for fn in page.fns.values() if fn.name == "turn" for at, event in fn.targets if at == widget._id}
    assert heard == {gr.Slider: {"input", "release"}, gr.Number: {"submit", "blur"}}.get(type(widget), {"input"})


@pytest.mark.parametrize("kind", [gr.Slider, gr.Number, gr.Checkbox, gr.Dropdown])
def test_a_widget_of_any_kind_of_setting_has_events_in_explore(kind: type):
    with gr.Blocks() as blocks:
        widget = kind()
        for trigger in explore_tab.turns(widget):
            trigger(print, widget, None)
    assert {at for fn in blocks.fns.values() for at, _ in fn.targets} == {widget._id}


def test_every_setting_travels_with_the_controls_of_each_tab_and_in_links(page: gr.Blocks):
    names = tuple(row.name for row in rows(Sampling))
    assert controls.NAMES == ("class", "count", "seed", *names) == tuple(controls.defaults(SPEC).by_name())
    for handler in ("prepare", "ready", "draw", "turn"):
        wired = [{widget.label for widget in fn.inputs} for fn in page.fns.values() if fn.name == handler]
        assert wired and all({row.label for row in rows(Sampling)} <= labels for labels in wired), handler
    told = controls.link(SPEC, Request((1,), (2,)))
    assert all(f"{name}=" in told for name in names)


@pytest.mark.parametrize("row", [row for row in rows(Sampling) if row.kind in (int, float)], ids=lambda row: row.name)
def test_a_link_that_says_a_setting_out_of_range_is_answered_in_words(row: Setting):
    with pytest.raises(ValueError, match=f"{row.name} .* is out of range: choose {row.low} to {row.high}"):
        controls.from_link(SPEC, {row.name: str(row.kind(row.high + row.step))})
