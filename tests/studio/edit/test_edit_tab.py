"""The Edit tab: values to edits, what each handler returns, and that nothing is lost on the way. No browser here."""

import dataclasses
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny

from var_core.config import Sampling
from var_core.editing.canvas import FILLS, Box, dilated
from var_core.editing.edit import Edit, EditSettings, onward, run
from var_core.engine.request import Request
from var_core.recipe import Recipe
from var_core.settings import named, parsed
from var_studio.edit import form as forms
from var_studio.edit import mask_tools
from var_studio.edit import results as outcomes
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import CHANGE, EXTEND, INPAINT, EditForm
from var_studio.edit.layout import Choice, SheetUpdate
from var_studio.edit.photo_handlers import PhotoHandlers
from var_studio.edit.results import EditJob, EditResult
from var_studio.edit.run_handlers import RunHandlers
from var_studio.edit.workspace import PackedMask, Workspace
from var_studio.shared import controls
from var_studio.shared.examples import examples, mask_file
from var_studio.shared.models import Models
from var_studio.shared.run import StopFlag

SPEC = tiny.SPEC
FORM = EditForm(INPAINT, "no class", 1, "5", Sampling(), EditSettings(), (0, 0, 0, 0))
NUMBERS = ("pixels", 0, 0, 0, 0)
SETTINGS, SAMPLING = named(EditSettings()), named(Sampling())


def photo(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)


WORKSPACE = workspaces.fresh_workspace("garden", photo())


def painted(now: Workspace = WORKSPACE) -> np.ndarray:
    mask = np.zeros_like(now.mask)
    mask[10:20, 15:30] = True
    return mask


def drawn_on(now: Workspace, mask: np.ndarray) -> dict:
    """What the image editor sends back when it shows the desk with a mask painted on it."""
    return sent(workspaces.on_canvas(replace(now, mask=mask)))


def sent(value: dict) -> dict:
    """What the image editor sends back for what `on_canvas` showed it."""
    background = np.asarray(value["background"].convert("RGBA"))
    return {"layers": [np.asarray(layer) for layer in value["layers"]], "background": background, "composite": None}


def watched(handlers: RunHandlers, job: EditJob) -> SheetUpdate:
    """The sheet at the end of a job that nobody stops."""
    *_, last = handlers.watch(job, StopFlag(), None, ())
    return last


def results(result: EditResult) -> list[np.ndarray]:
    return [np.asarray(Image.open(file)) for file in result.files]


@pytest.fixture
def handlers(tmp_path: Path) -> RunHandlers:
    return RunHandlers(Models(tiny.pipeline()), str(tmp_path))


@pytest.fixture
def photos(tmp_path: Path) -> PhotoHandlers:
    return PhotoHandlers(str(tmp_path))


def at(*index: int) -> SimpleNamespace:
    return SimpleNamespace(index=index if len(index) > 1 else index[0])


def test_a_mask_survives_the_way_to_the_canvas_and_back():
    assert np.array_equal(workspaces.painted_on(WORKSPACE, drawn_on(WORKSPACE, painted())), painted())


def test_on_a_canvas_smaller_than_the_photo_a_mask_keeps_its_place():
    large = workspaces.fresh_workspace("large", photo(1500, 3000))
    mask = np.zeros_like(large.mask)
    mask[300:600, 900:1500] = True
    assert workspaces.on_canvas(large)["background"].size == (1024, 512)
    assert np.mean(workspaces.painted_on(large, drawn_on(large, mask)) != mask) < 0.002


def test_a_laid_mask_stays_as_fine_as_it_was_and_strokes_change_only_what_they_touch():
    fine = np.zeros((1500, 3000), bool)
    fine[::7, 11] = True  # lines that a smaller canvas cannot show
    large = workspaces.fresh_workspace("large", photo(1500, 3000), fine)
    canvas = drawn_on(large, fine)
    assert np.array_equal(workspaces.painted_on(large, canvas), fine)
    canvas["layers"][0] = canvas["layers"][0].copy()
    canvas["layers"][0][100:200, 500:600, 3] = 99
    after = workspaces.painted_on(large, canvas)
    assert after[300:580, 1480:1750].all() and np.array_equal(after[:, :1000], fine[:, :1000])


def test_strokes_of_all_layers_count_and_an_empty_canvas_is_an_empty_mask():
    value = drawn_on(WORKSPACE, painted())
    other = np.zeros_like(value["layers"][0])
    other[0, 0, 3] = 3
    assert workspaces.painted_on(WORKSPACE, {**value, "layers": [*value["layers"], other]}).sum() == painted().sum() + 1
    assert (
        not workspaces.painted_on(WORKSPACE, None).any() and not workspaces.painted_on(WORKSPACE, {"layers": []}).any()
    )


def test_changes_of_the_mask_are_taken_back_and_brought_again_one_by_one(photos):
    strokes = drawn_on(WORKSPACE, painted())
    _, once = photos.change_mask("grow", WORKSPACE, strokes, 3)
    shown, twice = photos.change_mask("clear", once, drawn_on(once, once.mask), 0)
    assert not twice.mask.any() and not np.asarray(shown["layers"][0]).any()
    _, back = photos.undo_mask(twice, sent(shown))
    assert np.array_equal(back.mask, dilated(painted(), 3))
    _, first = photos.undo_mask(back, None)
    assert np.array_equal(first.mask, painted())
    _, again = photos.redo_mask(first, None)
    assert np.array_equal(again.mask, dilated(painted(), 3))
    _, first = photos.undo_mask(again, None)
    with pytest.raises(gr.Error, match="There is nothing to undo"):
        photos.undo_mask(first, None)


def test_strokes_since_the_last_change_are_taken_back_first_and_can_be_brought_again(photos):
    _, grown = photos.change_mask("grow", WORKSPACE, drawn_on(WORKSPACE, painted()), 3)
    more = grown.mask.copy()
    more[30:35, 40:50] = True
    _, back = photos.undo_mask(grown, drawn_on(grown, more))
    assert np.array_equal(back.mask, grown.mask)
    assert np.array_equal(photos.redo_mask(back, None)[1].mask, more)
    with pytest.raises(gr.Error, match="There is nothing to redo"):
        photos.redo_mask(back, drawn_on(back, more))  # other strokes came after it


def test_a_canvas_that_does_not_show_the_new_mask_yet_changes_nothing(photos):
    strokes = drawn_on(WORKSPACE, painted())
    _, once = photos.change_mask("grow", WORKSPACE, strokes, 3)
    _, twice = photos.change_mask("grow", once, strokes, 3)  # a second click, before the page has shown the first
    assert np.array_equal(twice.mask, dilated(dilated(painted(), 3), 3))
    other = workspaces.fresh_workspace("other", photo(), None, workspaces.past(WORKSPACE, strokes))
    assert not workspaces.painted_on(other, strokes).any()
    assert not workspaces.painted_on(WORKSPACE, {**strokes, "background": None}).any()


@pytest.mark.parametrize("corners", [((30, 5), (40, 9)), ((40, 9), (30, 5)), ((30, 9), (40, 5))])
def test_a_rectangle_joins_what_is_painted_whichever_corner_comes_first(corners):
    mask = mask_tools.with_rectangle(painted(), corners)
    assert mask[5:10, 30:41].all() and mask.sum() == painted().sum() + 5 * 11


def test_a_rectangle_is_cut_at_the_border_and_refused_beyond_it():
    assert mask_tools.with_rectangle(WORKSPACE.mask, ((-5, -5), (2, 1))).sum() == 3 * 2
    with pytest.raises(ValueError, match="misses the photo of 60 x 40 pixels"):
        mask_tools.with_rectangle(painted(), ((100, 0), (120, 10)))


def test_masks_are_inverted_cleared_grown_and_shrunk():
    assert np.array_equal(mask_tools.changed_mask(painted(), "invert"), ~painted())
    assert not mask_tools.changed_mask(painted(), "clear").any()
    assert np.array_equal(mask_tools.changed_mask(painted(), "grow", 3), dilated(painted(), 3))
    assert np.array_equal(mask_tools.changed_mask(painted(), "shrink", "3"), dilated(painted(), -3))
    with pytest.raises(ValueError, match="pixels is empty"):
        mask_tools.changed_mask(painted(), "grow", None)


def test_sides_are_pixels_or_per_cent_of_the_photos_own_side():
    assert forms.extension(WORKSPACE, "pixels", 1, 2.4, "3", 0) == (1, 2, 3, 0)
    assert forms.extension(WORKSPACE, "per cent", 50, 25, 0, 10) == (30, 10, 0, 4)


@pytest.mark.parametrize(
    ("amounts", "sentence"),
    [
        ((-1, 0, 0, 0), "left -1: choose 0 or more"),
        ((0, None, 0, 0), "top is empty"),
        ((0, 0, 0, 10**7), "at most 50"),
        ((0, 0, 0, 1e308), "more than 50 megapixels"),
        ((0, 0, float("inf"), 0), "right 'inf' is not a number"),
    ],
)
def test_sides_that_cannot_be_are_refused(amounts, sentence):
    with pytest.raises(ValueError, match=sentence):
        forms.extension(WORKSPACE, "pixels", *amounts)


def test_each_task_asks_for_its_own_edit():
    null = SPEC.transformer.null_label
    inpaint = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, count=3))
    assert (
        inpaint.labels == (null,) * 3
        and inpaint.boxes is None
        and inpaint.seeds == (5, 6, 7)
        and inpaint.extend == (0, 0, 0, 0)
    )
    change = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, task=CHANGE, class_name="sunf"))
    assert change.labels == (2,) and np.array_equal(change.mask, painted())
    extend = forms.edit_asked_for(SPEC, WORKSPACE, WORKSPACE.mask, replace(FORM, task=EXTEND, extend=(0, 0, 8, 0)))
    assert extend.photo.shape == (40, 68, 3) and extend.mask.sum() == 40 * 8 and extend.labels == (null,)
    extend = forms.edit_asked_for(
        SPEC, WORKSPACE, WORKSPACE.mask, replace(FORM, task=EXTEND, class_name="Rose", extend=(0, 0, 8, 0))
    )
    assert extend.labels == (1,)
    boxed = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, class_name="Rose", box=Box(5, 5, 30)))
    assert boxed.labels == (1,) and boxed.boxes == (Box(5, 5, 30),)
    inpaint = forms.edit_asked_for(
        SPEC, WORKSPACE, painted(), replace(FORM, extend=(0, 0, 8, 0))
    )  # left over from another task
    assert inpaint.photo.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("now", "change", "sentence"),
    [
        (None, {}, "There is no photo yet: open one"),
        (WORKSPACE, {}, "Nothing is painted yet: paint over what should change"),
        (WORKSPACE, {"task": CHANGE, "class_name": "Rose"}, "Nothing is painted yet"),
        (replace(WORKSPACE, mask=painted()), {"task": CHANGE}, "Choose a class: what should it become?"),
        (replace(WORKSPACE, mask=painted()), {"box": Box(40, 0, 15)}, "Nothing is painted inside the box"),
        (
            replace(WORKSPACE, mask=painted()),
            {"box": Box(28, 9, 9), "settings": EditSettings(dilate=-3)},
            "painted inside the box",
        ),
        (WORKSPACE, {"task": EXTEND}, "at least one side must be more than 0"),
        (
            WORKSPACE,
            {"task": EXTEND, "extend": (1, 0, 0, 0), "count": 9},
            "variations 9 is out of range: choose 1 to 8",
        ),
        (WORKSPACE, {"task": EXTEND, "extend": (1, 0, 0, 0), "seed": "x"}, "seed 'x' is not a number"),
    ],
)
def test_what_is_missing_is_said(now, change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        forms.edit_asked_for(SPEC, now, now.mask if now else None, replace(FORM, **change))


def test_a_class_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean: Rose"):
        forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, task=CHANGE, class_name="Rosa"))


def test_settings_survive_the_way_to_the_controls_and_back():
    settings = EditSettings("telea", 3, 0.45, False, False, False, 7, 9, 3.25, 6)
    assert parsed(EditSettings(), named(settings)) == settings


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EditSettings)])
def test_each_control_changes_its_own_setting(field):
    changed = {"fill": FILLS[1], "follow": False, "match": False, "detail": False, "min_coverage": 0.9}.get(field, 3)
    assert changed != getattr(EditSettings(), field)
    assert parsed(EditSettings(), {**SETTINGS, field: changed}) == replace(EditSettings(), **{field: changed})


def asked(
    handlers: RunHandlers,
    task: str = INPAINT,
    name: str = "no class",
    sides: tuple = NUMBERS,
    count: int = 2,
    box: str = "",
) -> tuple:
    canvas = drawn_on(WORKSPACE, painted())
    choice = dict(zip(Choice._fields, (task, box, name, *sides), strict=True))
    return handlers.ready(WORKSPACE, canvas, True, choice, SETTINGS, SAMPLING, count, "5")


def test_the_controls_ask_for_the_edit_that_they_show(handlers):
    job, stop_flag, seed, *_ = asked(handlers, EXTEND, sides=("per cent", 10, 0, 0, 0))
    edit = job.edit
    wanted = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, task=EXTEND, count=2, extend=(6, 0, 0, 0)))
    assert seed == "5" and not stop_flag.is_set() and job.name == "garden"
    assert (edit.seeds, edit.labels, edit.extend) == (wanted.seeds, wanted.labels, wanted.extend)
    assert np.array_equal(edit.mask, wanted.mask)


def test_every_scale_is_shown_and_the_files_are_the_results_with_their_recipes(handlers):
    job = asked(handlers, CHANGE, "Rose")[0]
    sheets = [*handlers.watch(job, StopFlag(), None, ())]
    told = [re.search(r"<span>(.*?)( ·|</span>)", sheet.bar)[1] for sheet in sheets[:-1]]
    assert told == [*(f"scale {k} of 4" for k in (1, 2, 3, 4)), "Writing the results …"]
    result = sheets[-1].result
    assert [Path(file).name for file in result.files] == ["garden-rose-edit-seed-5.png", "garden-rose-edit-seed-6.png"]
    for file, wanted in zip(result.files, run(tiny.pipeline(), job.edit), strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), wanted)
        again = Recipe.read(Path(file)).edit(tiny.pipeline(), WORKSPACE.photo, painted())
        assert np.array_equal(run(tiny.pipeline(), again)[0], wanted)
    assert np.array_equal(np.asarray(Image.open(result.mask_file)), painted())


def stopped(handlers: RunHandlers, after: int, last: EditResult | None, so_far: tuple) -> SheetUpdate:
    """The sheet of an edit that is stopped once so many sheets have come."""
    stop_flag, sheets = StopFlag(), []
    for sheet in handlers.watch(asked(handlers)[0], stop_flag, last, so_far):
        sheets.append(sheet)
        if len(sheets) == after:
            stop_flag.set()
    return sheets[-1]


def test_stop_ends_an_edit_within_a_scale_and_brings_the_last_results_back(handlers):
    sheets, stop_flag = [], StopFlag()
    for sheet in handlers.watch(asked(handlers)[0], stop_flag, None, ()):
        sheets.append(sheet)
        stop_flag.set()
    assert len(sheets) == 2 and "Stopped" in sheet.bar and sheet.result == gr.skip()
    first = watched(handlers, asked(handlers)[0])
    sheet = stopped(handlers, 1, first.result, first.results)
    assert "Stopped" in sheet.bar and sheet.result is first.result and sheet.download == first.download
    assert sheet.after.visible and sheet.chosen == 0


def test_stop_once_all_is_drawn_throws_nothing_away(handlers):
    sheet = stopped(handlers, 4, None, ())
    assert sheet.result is not None and len(results(sheet.result)) == 2


def test_where_memory_is_short_variations_come_one_after_the_other_and_the_bar_says_so(handlers, monkeypatch):
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: 0)
    *growing, writing, last = handlers.watch(asked(handlers)[0], StopFlag(), None, ())
    told = [re.search(r"<span>(.*?)</span>", sheet.bar)[1] for sheet in growing]
    assert re.fullmatch(r"picture 1 of 2, scale 1 of 4 · \d\.\d s · 1 picture at a time: memory is short", told[0])
    assert told[6].startswith("picture 2 of 2, scale 3 of 4 · ") and len(told) == 8
    assert [len(sheet.gallery.value) for sheet in growing] == [1] * 4 + [2] * 4
    assert "Writing" in writing.bar and len(results(last.result)) == 2


def test_results_of_earlier_edits_can_be_seen_again(handlers):
    first = watched(handlers, asked(handlers)[0])
    assert not first.earlier.visible
    *_, second = handlers.watch(asked(handlers, CHANGE, "Rose")[0], StopFlag(), first.result, first.results)
    assert second.earlier.visible and second.results == (first.result, second.result)
    assert handlers.again(second.results, at(0)).result is first.result
    so_far = (first.result,) * outcomes.MOST_DONE
    *_, last = handlers.watch(asked(handlers)[0], StopFlag(), first.result, so_far)
    assert len(last.results) == outcomes.MOST_DONE and last.results[-1] is last.result


def test_edits_and_photos_are_kept_as_far_as_memory_is_to_go(handlers, monkeypatch):
    result = watched(handlers, asked(handlers)[0]).result  # what it was made of, and two results
    monkeypatch.setattr(outcomes, "MOST_DONE_PIXELS", 4 * 3 * 40 * 60 - 1)
    assert outcomes.finished((result,) * 5, result) == (result,) * 3
    monkeypatch.setattr(outcomes, "MOST_DONE_PIXELS", 0)
    assert outcomes.finished((result,), result) == (result,)
    monkeypatch.setattr(workspaces, "MOST_PAST_PIXELS", 3 * 40 * 60 - 1)
    now = WORKSPACE
    for number in range(5):
        now = workspaces.fresh_workspace(str(number), photo(), None, workspaces.past(now, None))
    assert [name for name, *_ in now.past] == ["2", "3"]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 16)])
def test_a_mask_survives_being_packed(shape):
    mask = np.random.default_rng(0).random(shape) < 0.5
    packed = PackedMask.pack(mask)
    assert np.array_equal(packed.unpack(), mask) and packed.unpack().dtype == bool
    assert packed.bits.nbytes == -(-mask.size // 8)


def test_while_an_edit_is_under_way_a_click_on_it_chooses_nothing(handlers):
    result = watched(handlers, asked(handlers)[0]).result
    growing = next(handlers.watch(asked(handlers)[0], StopFlag(), result, (result,)))
    assert handlers.choose(result, growing.chosen, at(0)) == SheetUpdate()


def test_the_effective_mask_of_every_scale_is_shown(handlers):
    last = watched(handlers, asked(handlers)[0])
    assert last.inside.count("<figure>") == 4 + 2
    (square,) = last.result.squares
    assert f"4×4: {square.free[3].sum()} of 16" in last.inside  # noqa: RUF001


def test_every_square_of_an_extension_shows_what_it_drew(handlers):
    last = watched(handlers, asked(handlers, EXTEND, sides=("pixels", 0, 0, 70, 0))[0])
    count = len(last.result.squares)
    assert count > 1 and last.inside.count("<figure>") == count * (4 + 2) and f"pass {count} of {count}" in last.inside


def test_all_results_and_the_mask_come_in_one_file(handlers):
    last = watched(handlers, asked(handlers)[0])
    with zipfile.ZipFile(last.result.bundle) as packed:
        for file in (*last.result.files, last.result.mask_file):
            assert packed.read(Path(file).name) == Path(file).read_bytes()
        assert len(packed.namelist()) == 3


def test_a_large_result_is_shown_smaller_and_saved_whole(handlers):
    large = workspaces.fresh_workspace("large", photo(2100, 2500))
    mask = np.zeros_like(large.mask)
    mask[500:600, 500:600] = True
    result = watched(
        handlers, EditJob("large", handlers.pipe.digest, forms.edit_asked_for(SPEC, large, mask, FORM))
    ).result
    assert Image.open(result.files[0]).size == (2500, 2100)
    assert max(result.shown[0].size) == max(result.before.size) == outcomes.LARGEST_PREVIEW


def test_another_result_brings_its_own_file_and_slider(handlers):
    last = watched(handlers, asked(handlers)[0])
    update = handlers.choose(last.result, 0, at(1))
    assert (update.download, update.mask) == (last.result.files[1], last.result.mask_file)
    assert (update.bundle, update.chosen, update.result) == (last.result.bundle, 1, gr.skip())
    before, after = update.compare.value
    assert before is not None and after is not None
    assert handlers.choose(None, 0, at(0)) == SheetUpdate()


def test_a_result_becomes_the_photo_and_one_can_step_back(handlers, photos):
    last = watched(handlers, asked(handlers)[0])
    canvas = drawn_on(WORKSPACE, painted())
    shown, now, _, box = photos.take(WORKSPACE, canvas, last.result, 1)
    assert np.array_equal(now.photo, results(last.result)[1]) and box == ""
    assert np.array_equal(workspaces.painted_on(now, sent(shown)), painted())
    shown, before, past, _ = photos.step_back(now, drawn_on(now, np.zeros_like(now.mask)), at(0))
    assert np.array_equal(before.photo, WORKSPACE.photo) and len(before.past) == 1 and past.visible
    assert np.array_equal(workspaces.painted_on(before, sent(shown)), painted())


def test_an_extended_result_becomes_the_photo_with_an_empty_mask(handlers, photos):
    last = watched(handlers, asked(handlers, EXTEND, sides=("pixels", 0, 0, 9, 0))[0])
    shown, now, *_ = photos.take(WORKSPACE, drawn_on(WORKSPACE, painted()), last.result, 0)
    assert now.size == (69, 40) and not np.asarray(shown["layers"][0]).any()


def test_opening_another_photo_keeps_the_first_with_its_mask(photos, tmp_path):
    Image.fromarray(photo(20, 30)).save(tmp_path / "small.png")
    _, now, past, _ = photos.open_file(str(tmp_path / "small.png"), WORKSPACE, drawn_on(WORKSPACE, painted()))
    assert now.name == "small" and now.size == (30, 20) and past.visible
    assert (
        now.past[0][0] == "garden"
        and now.past[0][1] is WORKSPACE.photo
        and np.array_equal(now.past[0][2].unpack(), painted())
    )


def test_a_file_that_is_no_photo_leaves_everything_as_it_is(photos, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(gr.Error, match="not a picture that can be read"):
        photos.open_file(str(tmp_path / "notes.txt"), WORKSPACE, None)


def test_masks_are_saved_and_loaded(photos):
    file = photos.save_mask(WORKSPACE, drawn_on(WORKSPACE, painted()))
    assert Path(file).name == "garden-mask.png"
    loaded, now = photos.load_mask(WORKSPACE, None, file)
    assert np.array_equal(workspaces.painted_on(now, sent(loaded)), painted())


def test_four_numbers_paint_a_rectangle_or_choose_where_to_look(photos):
    shown, now = photos.add_rectangle(WORKSPACE, drawn_on(WORKSPACE, WORKSPACE.mask), "5, 6; 14, 9")
    assert workspaces.painted_on(now, sent(shown)).sum() == 10 * 4
    assert photos.look_there(WORKSPACE, "10, 6, 29, 9") == "10, 0, 20"  # the square around it, on the photo
    assert photos.look_there(WORKSPACE, "59, 39, 40, 39") == "40, 20, 20"
    assert photos.look_there(WORKSPACE, "0, 0, 59, 39") == "0, -10, 60"


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,3,4,5", ""])
def test_a_rectangle_of_other_words_is_refused(photos, text):
    with pytest.raises(gr.Error, match=r"does not say left, top, right, bottom|is not a number"):
        photos.add_rectangle(WORKSPACE, None, text)


def test_the_model_looks_where_it_is_told_and_the_rest_stays(handlers):
    job = asked(handlers, box="16, 0, 30")[0]
    assert job.edit.boxes == (Box(16, 0, 30),)
    for result in results(watched(handlers, job).result):
        assert np.array_equal(result[:, :16], WORKSPACE.photo[:, :16])
        assert (result[10:20, 16:30] != WORKSPACE.photo[10:20, 16:30]).any()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1, 2", "does not say left, top, side"),
        ("60, 0, 9", "misses the photo of 60 x 40"),
        ("-9, 0, 9", "misses"),
        ("0, 0, 0", "misses"),
        ("0, 0, 121", "more than twice as large"),
    ],
)
def test_a_box_that_cannot_be_is_refused(handlers, text, sentence):
    with pytest.raises(gr.Error, match=sentence):
        asked(handlers, box=text)
    assert (
        asked(handlers, EXTEND, sides=("pixels", 9, 0, 0, 0), box=text)[0].edit.boxes is None
    )  # has squares of its own


def test_without_a_photo_every_tool_says_so(photos, tmp_path):
    for act in (
        lambda: photos.change_mask("invert", None, None, 3),
        lambda: photos.add_rectangle(None, None, "1,2,3,4"),
        lambda: photos.look_there(None, "1,2,3,4"),
        lambda: photos.load_mask(None, None, str(tmp_path / "mask.png")),
        lambda: photos.save_mask(None, None),
        lambda: photos.undo_mask(None, None),
        lambda: photos.redo_mask(None, None),
    ):
        with pytest.raises(gr.Error, match="There is no photo yet"):
            act()


def test_the_outline_tells_the_new_size_or_what_is_wrong(handlers):
    assert "60 × 40 becomes 70 × 40 pixels" in handlers.outline(WORKSPACE, EXTEND, "pixels", 10, 0, 0, 0)  # noqa: RUF001
    assert "choose 0 or more" in handlers.outline(WORKSPACE, EXTEND, "pixels", -10, 0, 0, 0)
    assert handlers.outline(WORKSPACE, INPAINT, "pixels", 10, 0, 0, 0) == ""
    assert handlers.outline(None, EXTEND, "pixels", 10, 0, 0, 0) == ""


@pytest.mark.parametrize(
    ("label", "boxes", "extend", "choice"),
    [
        (1, (Box(0, 0, 40),), (0, 0, 0, 0), (CHANGE, "0, 0, 40", "Rose")),
        (SPEC.transformer.null_label, None, (0, 0, 0, 0), (INPAINT, "", "no class")),
        (1, None, (4, 0, 7, 0), (EXTEND, "", "Rose")),
    ],
)
def test_a_result_restores_every_control(handlers, label, boxes, extend, choice):
    settings = EditSettings("telea", 1, 0.45, False, True, False, 2, 3, 9.0, 32)
    plain = Edit(WORKSPACE.photo, painted(), (label,), (77,), Sampling(guidance=2.5, smooth=True), settings, boxes)
    last = watched(handlers, EditJob("garden", handlers.pipe.digest, onward(plain, *extend) if any(extend) else plain))
    restored = handlers.restore(last.result.files[0])
    assert tuple(restored[0]) == Choice._fields and tuple(restored[0].values()) == (*choice, "pixels", *extend)
    assert restored[1:] == (named(settings), named(Sampling(guidance=2.5, smooth=True)), 1, "77", True)
    again, *_ = handlers.ready(WORKSPACE, drawn_on(WORKSPACE, painted()), True, *restored[:-1])
    assert np.array_equal(run(tiny.pipeline(), again.edit)[0], results(last.result)[0])


def test_the_class_and_seed_of_a_result_go_to_the_create_tab(handlers):
    last = watched(handlers, asked(handlers, CHANGE, "Rose")[0])
    tabs, *values, locked = handlers.send_back(last.result, 1)
    assert tabs.selected == "create" and locked
    assert controls.read(SPEC, *values) == Request((1,), (6,), Sampling())


def test_a_picture_that_is_no_edit_is_sent_to_the_other_tab(handlers, tmp_path):
    recipe = Recipe(SPEC.name, tiny.pipeline().digest, 0, "Lotus", 1, Sampling())
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "made.png")
    with pytest.raises(gr.Error, match="restore it in the Create tab"):
        handlers.restore(str(tmp_path / "made.png"))


def test_every_control_is_wired_into_a_run_by_its_name(page):
    (ready,) = [fn for fn in page.fns.values() if fn.name == "ready"]
    settings = EditSettings("telea", 1, 0.45, False, True, False, 2, 3, 1.25, 1)
    sampling = Sampling(2.5, ramp=0.7, temperature=0.3, cooling=0.4, top_k=5, top_p=0.5, smooth=True, unguided_scales=1)
    drawn = {f"edit_{name}": value for name, value in named(sampling).items()}
    chosen = {"task": EXTEND, "box": "", "into": "Rose", "unit": "pixels"}
    sides = {"extend_left": 4, "extend_top": 0, "extend_right": 7, "extend_bottom": 0}
    values = {**chosen, **sides, **drawn, **named(settings), "edit_lock": True, "edit_variations": 2, "edit_seed": "5"}
    values |= {"canvas": drawn_on(WORKSPACE, painted()), None: WORKSPACE}  # the workspace has no id
    assert {getattr(widget, "elem_id", None) for widget in ready.inputs} == set(values)
    update = ready.fn({widget: values[getattr(widget, "elem_id", None)] for widget in ready.inputs})
    (job,) = (value for value in update.values() if isinstance(value, EditJob))
    edit = job.edit
    assert (edit.settings, edit.sampling, edit.seeds) == (settings, sampling, (5, 6))
    assert (edit.labels, edit.extend) == ((1, 1), (4, 0, 7, 0))


def test_every_example_has_a_mask_that_fits_it():
    for file in examples():
        with Image.open(file) as picture, Image.open(mask_file(file)) as mask:
            assert picture.size == mask.size and 0 < np.asarray(mask.convert("L")).mean() < 255


def test_painting_outside_the_chosen_box_is_told():
    edit = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, box=Box(20, 0, 30)))
    assert forms.misses(edit) and not forms.misses(replace(edit, boxes=(Box(10, 5, 30),)))
    assert not forms.misses(replace(edit, boxes=None))


def test_a_change_frees_all_scales_and_other_tasks_keep_the_coarsest_unless_told_otherwise():
    keeping, freeing = (2, 0.6), (0, 0.1)
    assert forms.usual_freedom(CHANGE, *keeping) == freeing and forms.usual_freedom(INPAINT, *freeing) == keeping
    assert forms.usual_freedom(EXTEND, *keeping) == keeping and forms.usual_freedom(CHANGE, *freeing) == freeing
    assert forms.usual_freedom(CHANGE, 4, 0.45) == (4, 0.45) and forms.usual_freedom(INPAINT, 1, 0.1) == (1, 0.6)
