"""Photos and masks are opened, kept and saved; rectangles and boxes are typed."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support.edits import (
    FORM,
    NUMBERS,
    REDRAWS,
    SAMPLING,
    SETTINGS,
    SPEC,
    WORKSPACE,
    asked,
    at,
    drawn_on,
    painted,
    photo,
    results,
    sent,
    watched,
)

from var_core.editing.canvas import Box
from var_core.editing.edit_settings import FAINTEST
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import EXTEND, INPAINT, edit_asked_for
from var_studio.edit.layout import Choice

CHOICE = dict(zip(Choice._fields, (INPAINT, "", "no class", REDRAWS, *NUMBERS), strict=True))


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
        and now.past[0][1].pixels is WORKSPACE.photo
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


def soft_mask(folder: Path) -> tuple[np.ndarray, str]:
    """Levels that rise from left to right, uint8 (40, 60), and their file."""
    levels = np.tile(np.linspace(0, 255, 60).round().astype(np.uint8), (40, 1))
    Image.fromarray(levels).save(folder / "soft.png")
    return levels, str(folder / "soft.png")


def test_greys_of_a_mask_are_cut_at_half_or_with_the_switch_say_how_much_shows(photos, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Info", told.append)
    levels, file = soft_mask(tmp_path)
    _, now = photos.load_mask(WORKSPACE, None, file)
    assert np.array_equal(now.mask, levels > 127) and "Soft mask" in told[0]
    hard, soft = (replace(FORM, settings=replace(FORM.settings, soft=on)) for on in (False, True))
    assert edit_asked_for(SPEC, now, now.mask, hard).levels is None
    edit = edit_asked_for(SPEC, now, now.mask, soft)
    assert np.array_equal(edit.mask, levels >= FAINTEST)
    assert np.array_equal(edit.told_mask, np.where(levels >= FAINTEST, levels, 0))


def test_what_is_painted_over_a_soft_mask_is_hard(photos, tmp_path):
    levels, file = soft_mask(tmp_path)
    _, now = photos.load_mask(WORKSPACE, None, file)
    _, now = photos.add_rectangle(now, None, "0, 0, 9, 39")
    soft = replace(FORM, settings=replace(FORM.settings, soft=True))
    found = edit_asked_for(SPEC, now, now.mask, soft).told_mask
    assert (found[:, :10] == 255).all() and np.array_equal(found[:, 20:], levels[:, 20:])
    _, now = photos.change_mask("clear", now, None, 0)
    _, now = photos.add_rectangle(now, None, "0, 0, 9, 39")
    found = edit_asked_for(SPEC, now, now.mask, soft).told_mask
    assert (found[:, :10] == 255).all() and not found[:, 10:].any()  # nothing faint is left of the soft one


def soft_workspace(photos, folder: Path) -> tuple[np.ndarray, workspaces.Workspace]:
    """The levels of a soft mask, and the workspace with it and a hard stroke."""
    _, file = soft_mask(folder)
    _, now = photos.load_mask(WORKSPACE, None, file)
    _, now = photos.add_rectangle(now, None, "0, 0, 9, 39")
    return now.told(now.mask), now


def test_a_soft_mask_is_saved_with_its_greys_and_a_hard_one_takes_its_place(photos, tmp_path):
    levels, now = soft_workspace(photos, tmp_path)
    file = photos.save_mask(now, None)
    assert np.array_equal(np.asarray(Image.open(file)), levels) and len(np.unique(levels)) > 40
    _, again = photos.load_mask(WORKSPACE, None, file)
    assert np.array_equal(again.told(again.mask), levels)
    hard = photos.save_mask(WORKSPACE, drawn_on(WORKSPACE, painted()))
    _, again = photos.load_mask(again, None, hard)
    assert again.soft is None


@pytest.mark.parametrize("on", [True, False])
def test_a_soft_mask_goes_on_with_its_greys_when_a_result_is_the_next_photo(handlers, photos, kept, tmp_path, on):
    levels, now = soft_workspace(photos, tmp_path)
    settings = {**SETTINGS, "soft": on}
    canvas = drawn_on(now, now.mask)
    last = watched(handlers, handlers.ready(now, canvas, True, CHOICE, settings, SAMPLING, 1, "5")[0])
    _, after, *_ = photos.take(now, canvas, last.result, 0)
    assert np.array_equal(after.told(after.mask), levels)
    _, before, *_ = photos.step_back(after, None, at(0))
    assert np.array_equal(before.told(before.mask), levels)
    *_, again = kept.use_settings(last.result, WORKSPACE, None)
    assert np.array_equal(again.told(again.mask), levels)


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
