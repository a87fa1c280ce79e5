"""Masks travel to the canvas and back, and are painted, taken back and changed."""

import gradio as gr
import numpy as np
import pytest
from support.edits import WORKSPACE, drawn_on, painted, photo, sent

from var_core.editing.canvas import dilated
from var_studio.edit import mask_tools
from var_studio.edit import workspace as workspaces


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
    _, first = photos.undo_mask(first, None)  # the strokes, too
    assert not first.mask.any()
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
    with pytest.raises(ValueError, match="pixels -4: choose 0 or more"):
        mask_tools.changed_mask(painted(), "grow", -4)
