"""Shapes that are drawn on the canvas become masks, and what is no shape changes nothing."""

import json

import gradio as gr
import numpy as np
import pytest
from support.edits import WORKSPACE, drawn_on, painted, sent

from var_studio.edit import shapes
from var_studio.edit import workspace as workspaces
from var_studio.edit.shapes import LASSO, MOST_POINTS, RECTANGLE, SIMILAR

SQUARE = [[0.25, 0.25], [0.5, 0.25], [0.5, 0.5], [0.25, 0.5]]  # 15 to 30 across, 10 to 20 down of 60 x 40 pixels


def told(tool: str = LASSO, points: list = SQUARE, **more: object) -> str:
    return json.dumps({"tool": tool, "points": points, **more})


def test_a_closed_line_paints_what_it_encloses_or_takes_it_away(photos):
    canvas = drawn_on(WORKSPACE, painted())
    shown, now = photos.add_shape(WORKSPACE, canvas, told(points=[[0, 0], [0.1, 0], [0.1, 0.2]]), 20)
    assert (now.mask & painted()).sum() == painted().sum() < now.mask.sum() and now.mask[1, 4]
    assert np.array_equal(workspaces.painted_on(now, sent(shown)), now.mask)
    _, less = photos.add_shape(now, sent(shown), told(takes=True), 20)
    assert not (less.mask & painted()).any() and less.mask[1, 4]
    _, back = photos.undo_mask(less, None)
    assert np.array_equal(back.mask, now.mask)
    assert np.array_equal(photos.redo_mask(back, None)[1].mask, less.mask)


def test_a_rectangle_paints_its_box_whichever_corners_are_told_or_takes_it_away(photos):
    wanted = np.zeros((40, 60), bool)
    wanted[10:21, 15:31] = True
    for corners in ([[0.25, 0.25], [0.5, 0.5]], [[0.5, 0.25], [0.25, 0.5]]):
        _, now = photos.add_shape(WORKSPACE, None, told(RECTANGLE, corners), 20)
        assert np.array_equal(now.mask, wanted)
    _, less = photos.add_shape(now, None, told(RECTANGLE, [[0, 0], [1, 0.45]], takes=True), 20)
    wanted[:19] = False
    assert np.array_equal(less.mask, wanted)


def test_a_line_that_crosses_itself_leaves_no_hole():
    twice = [(5, 5), (30, 5), (30, 30), (5, 30), (5, 5), (20, 5), (20, 20), (5, 20)]
    assert shapes.enclosed(twice, (40, 40)).sum() == 26 * 26


def test_similar_colour_stops_where_the_colour_changes_and_where_it_is_cut_off():
    photo = np.full((40, 60, 3), 200, np.uint8)
    photo[:, 30:] += np.uint8(20)  # a little lighter
    photo[:, 50:52] = 0  # a wall
    left = np.zeros((40, 60), bool)
    left[:, :30] = True
    assert np.array_equal(shapes.similar(photo, (3, 3), 5), left)
    left[:, :50] = True
    assert np.array_equal(shapes.similar(photo, (3, 3), "60"), left)  # not beyond the wall
    photo[7, 7] = 0
    assert np.array_equal(shapes.similar(photo, (3, 3), 60), left)  # a speck is filled
    shape = shapes.read_shape(told(SIMILAR, [[1, 1]]))  # the last pixel
    assert shapes.with_shape(~left, photo, shape, 5)[39, 52:].all()


@pytest.mark.parametrize("width", [1, 2])
def test_similar_colour_leaves_thin_borders_and_walls_of_another_colour_alone(width):
    photo = np.full((40, 60, 3), 200, np.uint8)
    photo[:width] = photo[-width:] = photo[:, :width] = photo[:, -width:] = 0
    photo[:, 30 : 30 + width] = 0
    left = np.zeros((40, 60), bool)
    left[width:-width, width:30] = True
    assert np.array_equal(shapes.similar(photo, (10, 10), 20), left)
    photo[:, 30 : 30 + width] = 200
    photo[20, 30 : 30 + width] = 0  # what stands free is a speck if it is a single pixel
    assert shapes.similar(photo, (10, 10), 20)[20, 30] == (width == 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "draw it again"),
        ("{", "draw it again"),
        ("[]", "draw it again"),
        (told("Pencil"), "draw it again"),
        (told(points="all"), "draw it again"),
        (told(points=[[1]]), "draw it again"),
        (told(points=[[0.1, "a"], [0, 0], [1, 1]]), "draw it again"),
        (told(points=[[10**999, 1], [0, 0], [1, 1]]), "draw it again"),
        ("[" * 10**5, "draw it again"),
        (told([]), "draw it again"),
        (told(points=[[float("nan"), 0.5], [0, 0], [1, 1]]), "outside the photo"),
        (told(points=[[0.1, 0.2], [0.3, 0.4]]), "encloses nothing"),
        (told(points=[[0.1, 0.2]] * (MOST_POINTS + 1)), f"has {MOST_POINTS + 1} points"),
        (" " * 10**6, "too long"),
        (told(points=[[0.1, 0.2], [1.5, 0.4], [0, 0]]), "1.50, 0.40 lies outside the photo"),
        (told(SIMILAR, [[0.1, -0.2]]), "outside the photo"),
        (told(SIMILAR, []), "encloses nothing"),
        (told(RECTANGLE, [[0.1, 0.2]]), "encloses nothing"),
        (told(RECTANGLE, [[0.1, 0.2]] * 3), "has 3 points: draw one of at most 2"),
    ],
)
def test_what_is_no_shape_is_refused_in_words_and_nothing_changes(photos, text, sentence):
    with pytest.raises(gr.Error, match=sentence):
        photos.add_shape(WORKSPACE, drawn_on(WORKSPACE, painted()), text, 20)
    assert not WORKSPACE.mask.any()


@pytest.mark.parametrize("tolerance", [-1, 101, None, "much"])
def test_a_tolerance_that_cannot_be_is_refused(photos, tolerance):
    with pytest.raises(gr.Error, match="tolerance"):
        photos.add_shape(WORKSPACE, None, told(SIMILAR, [[0.5, 0.5]]), tolerance)
    photos.add_shape(WORKSPACE, None, told(LASSO), tolerance)  # of no matter to a line


def test_a_shape_without_a_photo_is_refused(photos):
    with pytest.raises(gr.Error, match="There is no photo yet"):
        photos.add_shape(None, None, told(), 20)
