"""The Edit tab: values to edits, what each handler returns, and that nothing is lost on the way. No browser here."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import tiny
from PIL import Image

from ui import desk
from ui import edit as screen
from ui.desk import CHANGE, EXTEND, INPAINT, Desk, Wish
from ui.edit import Handlers
from ui.runs import Brake
from var_core.canvas import FILLS, grow
from var_core.edit import Edit, Settings, run
from var_core.recipe import Recipe
from var_core.sampling import Sampling

SPEC = tiny.SPEC
WISH = Wish(INPAINT, "", 1, "5", Sampling(), Settings(), (0, 0, 0, 0))
NUMBERS = ("pixels", 0, 0, 0, 0)
HOW = screen.shown_settings(Settings())
DRAWING = screen.controls.shown_drawing(Sampling())


def photo(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)


DESK = desk.fresh("garden", photo())


def painted(now: Desk = DESK) -> np.ndarray:
    mask = np.zeros_like(now.mask)
    mask[10:20, 15:30] = True
    return mask


def drawn_on(now: Desk, mask: np.ndarray) -> dict:
    """What the image editor sends back for what `on_canvas` showed it."""
    value = desk.on_canvas(replace(now, mask=mask))
    return {"layers": [np.asarray(layer) for layer in value["layers"]], "background": None, "composite": None}


@pytest.fixture
def handlers(tmp_path: Path) -> Handlers:
    return Handlers(tiny.pipeline(), str(tmp_path))


def at(*index: int) -> SimpleNamespace:
    return SimpleNamespace(index=index if len(index) > 1 else index[0])


def test_a_mask_survives_the_way_to_the_canvas_and_back():
    assert np.array_equal(desk.painted_on(DESK, drawn_on(DESK, painted())), painted())


def test_on_a_canvas_smaller_than_the_photo_a_mask_keeps_its_place():
    large = desk.fresh("large", photo(1500, 3000))
    mask = np.zeros_like(large.mask)
    mask[300:600, 900:1500] = True
    assert desk.on_canvas(large)["background"].size == (1024, 512)
    assert np.mean(desk.painted_on(large, drawn_on(large, mask)) != mask) < 0.002


def test_a_laid_mask_stays_as_fine_as_it_was_and_strokes_change_only_what_they_touch():
    fine = np.zeros((1500, 3000), bool)
    fine[::7, 11] = True  # lines that a smaller canvas cannot show
    large = desk.fresh("large", photo(1500, 3000), fine)
    canvas = drawn_on(large, fine)
    assert np.array_equal(desk.painted_on(large, canvas), fine)
    canvas["layers"][0] = canvas["layers"][0].copy()
    canvas["layers"][0][100:200, 500:600, 3] = 99
    after = desk.painted_on(large, canvas)
    assert after[300:580, 1480:1750].all() and np.array_equal(after[:, :1000], fine[:, :1000])


def test_strokes_of_all_layers_count_and_an_empty_canvas_is_an_empty_mask():
    value = drawn_on(DESK, painted())
    other = np.zeros_like(value["layers"][0])
    other[0, 0, 3] = 3
    assert desk.painted_on(DESK, {"layers": [*value["layers"], other]}).sum() == painted().sum() + 1
    assert not desk.painted_on(DESK, None).any() and not desk.painted_on(DESK, {"layers": []}).any()


def test_changes_of_the_mask_are_taken_back_one_by_one(handlers):
    canvas = drawn_on(DESK, painted())
    _, once = handlers.change_mask("grow", DESK, canvas, 3)
    shown, twice = handlers.change_mask("clear", once, drawn_on(once, once.mask), 0)
    assert not twice.mask.any() and not np.asarray(shown["layers"][0]).any()
    _, back = handlers.undo_mask(twice)
    assert np.array_equal(back.mask, grow(painted(), 3))
    _, back = handlers.undo_mask(back)
    assert np.array_equal(back.mask, painted())
    with pytest.raises(gr.Error, match="There is no earlier mask"):
        handlers.undo_mask(back)


def test_the_editor_s_bin_leaves_the_photo(handlers):
    shown, now = handlers.cleared(replace(DESK, mask=painted()))
    assert now.photo is DESK.photo and not now.mask.any() and shown["background"].size == DESK.size
    assert np.array_equal(handlers.undo_mask(now)[1].mask, painted())
    assert handlers.cleared(None) == (gr.skip(), gr.skip())


@pytest.mark.parametrize("corners", [((30, 5), (40, 9)), ((40, 9), (30, 5)), ((30, 9), (40, 5))])
def test_a_rectangle_joins_what_is_painted_whichever_corner_comes_first(corners):
    mask = desk.with_rectangle(painted(), corners)
    assert mask[5:10, 30:41].all() and mask.sum() == painted().sum() + 5 * 11


def test_a_rectangle_is_cut_at_the_border_and_refused_beyond_it():
    assert desk.with_rectangle(DESK.mask, ((-5, -5), (2, 1))).sum() == 3 * 2
    with pytest.raises(ValueError, match="misses the photo of 60 x 40 pixels"):
        desk.with_rectangle(painted(), ((100, 0), (120, 10)))


def test_masks_are_inverted_cleared_grown_and_shrunk():
    assert np.array_equal(desk.changed(painted(), "invert"), ~painted())
    assert not desk.changed(painted(), "clear").any()
    assert np.array_equal(desk.changed(painted(), "grow", 3), grow(painted(), 3))
    assert np.array_equal(desk.changed(painted(), "shrink", "3"), grow(painted(), -3))
    with pytest.raises(ValueError, match="pixels is empty"):
        desk.changed(painted(), "grow", None)


def test_sides_are_pixels_or_per_cent_of_the_photos_own_side():
    assert desk.extension(DESK, "pixels", 1, 2.4, "3", 0) == (1, 2, 3, 0)
    assert desk.extension(DESK, "per cent", 50, 25, 0, 10) == (30, 10, 0, 4)


@pytest.mark.parametrize(
    ("amounts", "sentence"),
    [
        ((-1, 0, 0, 0), "left -1: choose 0 or more"),
        ((0, None, 0, 0), "top is empty"),
        ((0, 0, 0, 10**7), "at most 50"),
    ],
)
def test_sides_that_cannot_be_are_refused(amounts, sentence):
    with pytest.raises(ValueError, match=sentence):
        desk.extension(DESK, "pixels", *amounts)


def test_each_task_asks_for_its_own_edit():
    null = SPEC.transformer.null_label
    inpaint = desk.asked(SPEC, DESK, painted(), replace(WISH, class_name="Rose", count=3))
    assert inpaint.labels == (null,) * 3 and inpaint.seeds == (5, 6, 7) and inpaint.extend == (0, 0, 0, 0)
    change = desk.asked(SPEC, DESK, painted(), replace(WISH, task=CHANGE, class_name="sunf"))
    assert change.labels == (2,) and np.array_equal(change.mask, painted())
    extend = desk.asked(SPEC, DESK, DESK.mask, replace(WISH, task=EXTEND, extend=(0, 0, 8, 0)))
    assert extend.photo.shape == (40, 68, 3) and extend.mask.sum() == 40 * 8
    inpaint = desk.asked(SPEC, DESK, painted(), replace(WISH, extend=(0, 0, 8, 0)))  # left over from another task
    assert inpaint.photo.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("now", "change", "sentence"),
    [
        (None, {}, "There is no photo yet: open one"),
        (DESK, {}, "Nothing is painted yet: paint over what should change"),
        (DESK, {"task": CHANGE, "class_name": "Rose"}, "Nothing is painted yet"),
        (DESK, {"task": EXTEND}, "at least one side must be more than 0"),
        (DESK, {"task": EXTEND, "extend": (1, 0, 0, 0), "count": 9}, "variations 9 is out of range: choose 1 to 8"),
        (DESK, {"task": EXTEND, "extend": (1, 0, 0, 0), "seed": "x"}, "seed 'x' is not a number"),
    ],
)
def test_what_is_missing_is_said(now, change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        desk.asked(SPEC, now, now.mask if now else None, replace(WISH, **change))


def test_a_class_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean: Rose"):
        desk.asked(SPEC, DESK, painted(), replace(WISH, task=CHANGE, class_name="Rosa"))


def test_settings_survive_the_way_to_the_controls_and_back():
    settings = Settings("telea", 3, 0.45, False, False, 7, 9, 3.25, 6)
    assert screen.read_settings(*screen.shown_settings(settings)) == settings


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Settings)])
def test_each_control_changes_its_own_setting(field):
    changed = {"fill": FILLS[1], "follow": False, "match": False}.get(field, 2)
    place = [field.name for field in dataclasses.fields(Settings)].index(field)
    values = list(HOW)
    values[place] = changed + 1 if field == "first_free_scale" else changed
    if field == "min_cover":
        values[place] = changed = 0.9
    assert screen.read_settings(*values) == replace(Settings(), **{field: changed})


def asked(handlers: Handlers, task: str = INPAINT, name: str = "Rose", sides: tuple = NUMBERS, count: int = 2) -> tuple:
    canvas = drawn_on(DESK, painted())
    return handlers.ready(DESK, canvas, True, task, name, *sides, *HOW, *DRAWING, count, "5")


def test_the_controls_ask_for_the_edit_that_they_show(handlers):
    edit, brake, seed, *_ = asked(handlers, EXTEND, sides=("per cent", 10, 0, 0, 0))
    wanted = desk.asked(SPEC, DESK, painted(), replace(WISH, task=EXTEND, count=2, extend=(6, 0, 0, 0)))
    assert seed == "5" and not brake.pulled
    assert (edit.seeds, edit.labels, edit.extend) == (wanted.seeds, wanted.labels, wanted.extend)
    assert np.array_equal(edit.mask, wanted.mask)


def test_every_scale_is_shown_and_the_files_are_the_results_with_their_recipes(handlers):
    edit = asked(handlers, CHANGE)[0]
    sheets = [*handlers.watch(edit, Brake(), DESK)]
    told = [re.search(r"<span>(.*?) ·", sheet.bar)[1] for sheet in sheets[:-1]]
    assert told == [f"scale {k} of 4" for k in (1, 2, 3, 4)]
    done = sheets[-1].done
    assert [Path(file).name for file in done.files] == ["garden-rose-edit-seed-5.png", "garden-rose-edit-seed-6.png"]
    for file, wanted in zip(done.files, run(tiny.pipeline(), edit), strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), wanted)
        again = Recipe.read(Path(file)).edit(tiny.pipeline(), DESK.photo, painted())
        assert np.array_equal(run(tiny.pipeline(), again)[0], wanted)
    assert np.array_equal(np.asarray(Image.open(done.mask_file)), painted())


def test_stop_ends_an_edit_within_a_scale_and_leaves_no_results(handlers):
    edit, brake = asked(handlers)[0], Brake()
    sheets = []
    for sheet in handlers.watch(edit, brake, DESK):
        sheets.append(sheet)
        brake.pull()
    assert len(sheets) == 2 and "Stopped" in sheets[-1].bar and sheets[-1].done == gr.skip()


def test_the_effective_mask_of_every_scale_is_shown(handlers):
    *_, last = handlers.watch(asked(handlers)[0], Brake(), DESK)
    assert last.inside.count("<figure>") == 4 + 2
    work = last.done.stages[-1].work
    free = int((~work.plan.keep[3][0]).sum())
    assert f"4×4: {free} of 16" in last.inside  # noqa: RUF001


def test_another_result_brings_its_own_file_and_slider(handlers):
    *_, last = handlers.watch(asked(handlers)[0], Brake(), DESK)
    file, mask_file, compare, _, place = handlers.choose(last.done, at(1))
    assert (file, mask_file, place) == (last.done.files[1], last.done.mask_file, 1)
    before, after = compare.value
    assert before is not None and after is not None
    assert handlers.choose(None, at(0)) == (gr.skip(),) * 5


def test_a_result_becomes_the_photo_and_one_can_step_back(handlers):
    *_, last = handlers.watch(asked(handlers)[0], Brake(), DESK)
    canvas = drawn_on(DESK, painted())
    shown, now, _ = handlers.take(DESK, canvas, last.done, 1)
    assert np.array_equal(now.photo, last.done.photos[1])
    assert np.array_equal(desk.painted_on(now, {"layers": [np.asarray(shown["layers"][0])]}), painted())
    shown, before, past = handlers.step_back(now, drawn_on(now, np.zeros_like(now.mask)), at(0))
    assert np.array_equal(before.photo, DESK.photo) and len(before.past) == 1 and past.visible
    assert np.array_equal(desk.painted_on(before, {"layers": [np.asarray(shown["layers"][0])]}), painted())


def test_an_extended_result_becomes_the_photo_with_an_empty_mask(handlers):
    *_, last = handlers.watch(asked(handlers, EXTEND, sides=("pixels", 0, 0, 9, 0))[0], Brake(), DESK)
    shown, now, _ = handlers.take(DESK, drawn_on(DESK, painted()), last.done, 0)
    assert now.size == (69, 40) and not np.asarray(shown["layers"][0]).any()


def test_opening_another_photo_keeps_the_first_with_its_mask(handlers, tmp_path):
    Image.fromarray(photo(20, 30)).save(tmp_path / "small.png")
    _, now, past = handlers.open_file(str(tmp_path / "small.png"), DESK, drawn_on(DESK, painted()))
    assert now.name == "small" and now.size == (30, 20) and past.visible
    assert now.past[0][0] == "garden" and now.past[0][1] is DESK.photo and np.array_equal(now.past[0][2], painted())


def test_a_file_that_is_no_photo_leaves_everything_as_it_is(handlers, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(gr.Error, match="not a picture that can be read"):
        handlers.open_file(str(tmp_path / "notes.txt"), DESK, None)


def test_masks_are_saved_and_loaded(handlers):
    file = handlers.save_mask(DESK, drawn_on(DESK, painted()))
    assert Path(file).name == "garden-mask.png"
    loaded = handlers.load_mask(DESK, None, file)[0]
    assert np.array_equal(desk.painted_on(DESK, {"layers": [np.asarray(loaded["layers"][0])]}), painted())


def test_two_clicks_paint_a_rectangle(handlers):
    canvas = drawn_on(DESK, DESK.mask)
    shown, _, first, said = handlers.click(DESK, canvas, None, at(5, 6))
    assert (shown, first) == (gr.skip(), (5, 6)) and "opposite corner" in said
    shown, _, first, said = handlers.click(DESK, canvas, first, at(14, 9))
    assert first is None and said == "5, 6, 14, 9"
    assert desk.painted_on(DESK, {"layers": [np.asarray(shown["layers"][0])]}).sum() == 10 * 4
    typed, _ = handlers.add_rectangle(DESK, canvas, "5, 6, 14, 9")
    assert np.array_equal(np.asarray(typed["layers"][0]), np.asarray(shown["layers"][0]))


@pytest.mark.parametrize(("text", "sentence"), [("1,2,3", "Type four numbers"), ("a,b,c,d", "is not a number")])
def test_a_rectangle_of_other_words_is_refused(handlers, text, sentence):
    with pytest.raises(gr.Error, match=sentence):
        handlers.add_rectangle(DESK, None, text)


def test_without_a_photo_every_tool_says_so(handlers, tmp_path):
    for act in (
        lambda: handlers.change_mask("invert", None, None, 3),
        lambda: handlers.add_rectangle(None, None, "1,2,3,4"),
        lambda: handlers.click(None, None, None, at(1, 2)),
        lambda: handlers.load_mask(None, None, str(tmp_path / "mask.png")),
        lambda: handlers.save_mask(None, None),
    ):
        with pytest.raises(gr.Error, match="There is no photo yet"):
            act()


def test_the_outline_tells_the_new_size_or_what_is_wrong(handlers):
    assert "60 × 40 becomes 70 × 40 pixels" in handlers.outline(DESK, EXTEND, "pixels", 10, 0, 0, 0)  # noqa: RUF001
    assert "choose 0 or more" in handlers.outline(DESK, EXTEND, "pixels", -10, 0, 0, 0)
    assert handlers.outline(DESK, INPAINT, "pixels", 10, 0, 0, 0) == ""
    assert handlers.outline(None, EXTEND, "pixels", 10, 0, 0, 0) == ""


def test_a_result_restores_every_control(handlers):
    settings = Settings("telea", 1, 0.45, False, True, 2, 3, 3.0)
    plain = Edit(DESK.photo, painted(), (1,), (77,), Sampling(guidance=2.5, smooth=True), settings)
    *_, last = handlers.watch(plain, Brake(), DESK)
    task, name, unit, *rest = handlers.restore(last.done.files[0])
    assert (task, name, unit, rest[:4]) == (CHANGE, "Rose", "pixels", [0, 0, 0, 0])
    assert screen.read_settings(*rest[4:13]) == settings
    assert rest[13:] == [2.5, 1.0, Sampling().top_k, 0.95, True, 1, "77", True]


def test_a_picture_that_is_no_edit_is_sent_to_the_other_tab(handlers, tmp_path):
    recipe = Recipe(SPEC.name, tiny.pipeline().digest, 0, "Lotus", 1, Sampling())
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "made.png")
    with pytest.raises(gr.Error, match="restore it in the Create tab"):
        handlers.restore(str(tmp_path / "made.png"))


def test_every_control_is_wired_into_a_run_in_the_order_it_is_read(page):
    (given,) = [fn.inputs for fn in page.fns.values() if fn.name == "ready"]
    labels = [getattr(widget, "label", None) for widget in given[2:]]
    how = [
        "Fill",
        "First free scale",
        "Free above",
        "Follow",
        "Match colours",
        "Grow",
        "Feather",
        "Context",
        "Harmonise",
    ]
    drawing = ["Guidance", "Temperature", "Top-k", "Top-p", "Smooth"]
    sides = ["Left", "Top", "Right", "Bottom"]
    assert labels == [
        "Keep this seed",
        *labels[1:2],
        "Class",
        *labels[3:4],
        *sides,
        *how,
        *drawing,
        "Variations",
        "Seed",
    ]
    assert [given[3].elem_id, given[5].elem_id] == ["task", "unit"]


def test_every_example_has_a_mask_that_fits_it():
    for file in screen.examples():
        with Image.open(file) as picture, Image.open(screen.mask_file(file)) as mask:
            assert picture.size == mask.size and 0 < np.asarray(mask.convert("L")).mean() < 255
