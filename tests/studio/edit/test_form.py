"""The form's values make the edit that they show."""

import dataclasses
import re
from dataclasses import replace

import numpy as np
import pytest
from support.edits import FORM, SETTINGS, SPEC, WORKSPACE, asked, painted

from var_core.config import Sampling
from var_core.editing.canvas import FILLS, Box
from var_core.editing.edit_settings import EditSettings
from var_core.settings import named, parsed
from var_studio.edit import form as forms
from var_studio.edit.form import CHANGE, EXTEND, INPAINT, REMOVE
from var_studio.edit.workspace import PackedLevels


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
        (WORKSPACE.masked(painted()), {"task": CHANGE}, "Choose a class: what should it become?"),
        (WORKSPACE.masked(painted()), {"box": Box(40, 0, 15)}, "Nothing is painted inside the box"),
        (
            WORKSPACE.masked(painted()),
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
    settings = EditSettings("telea", 3, 0.45, False, False, False, 7, 9, 3.25, 6, False, 5, True, 2.5, 0.5)
    assert parsed(EditSettings(), named(settings)) == settings


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EditSettings)])
def test_each_control_changes_its_own_setting(field):
    changed = {
        "fill": FILLS[1],
        "follow": False,
        "match": False,
        "detail": False,
        "shown": False,
        "soft": True,
        "min_coverage": 0.9,
        "smallest_square": 0.5,
    }.get(field, 4)
    assert changed != getattr(EditSettings(), field)
    assert parsed(EditSettings(), {**SETTINGS, field: changed}) == replace(EditSettings(), **{field: changed})


def test_the_controls_ask_for_the_edit_that_they_show(handlers):
    job, stop_flag, seed, *_ = asked(handlers, EXTEND, sides=("per cent", 10, 0, 0, 0))
    edit = job.edit
    form = replace(FORM, task=EXTEND, count=2, extend=(6, 0, 0, 0), redraws=True)
    wanted = forms.edit_asked_for(SPEC, WORKSPACE, painted(), form)
    assert seed == "5" and not stop_flag.is_set() and job.name == "garden"
    assert (edit.seeds, edit.labels, edit.extend) == (wanted.seeds, wanted.labels, wanted.extend)
    assert np.array_equal(edit.mask, wanted.mask)


@pytest.mark.parametrize("soft", [False, True])
def test_extend_leaves_the_photo_as_it_is_unless_it_is_told_to_redraw_what_is_painted(soft: bool):
    greys = np.where(painted(), 255, 40).astype(np.uint8)  # all of a soft mask shows a little
    now = replace(WORKSPACE, soft=PackedLevels.pack(greys))
    form = replace(FORM, task=EXTEND, extend=(0, 0, 8, 0), settings=replace(FORM.settings, soft=soft))
    for redraws in (False, True):
        edit = forms.edit_asked_for(SPEC, now, painted(), replace(form, redraws=redraws))
        assert edit.painted.any() == redraws and edit.mask[:, 60:].all()
        assert (edit.levels is None or edit.levels[:, :60].any()) == (redraws or not soft)
        told = forms.form_in_words(replace(form, redraws=redraws), Sampling())
        assert ("with what is painted" in told) == redraws


def usual(task: str, **now: object) -> dict[str, object]:
    """What a task changes of the default settings, and of those that are otherwise `now`."""
    return forms.usual_settings(task, {**SETTINGS, **now})[0]


def test_a_task_has_settings_of_its_own_and_what_was_set_otherwise_stays():
    nearer = {"context": 1.15, "smallest_square": 0.25}
    freeing = {"first_free_scale": 0, "min_coverage": 0.1, "shown": False, **nearer}
    removing = {"dilate": 4, "candidates": 6}
    assert usual(CHANGE) == freeing and usual(REMOVE) == removing and usual(EXTEND) == usual(INPAINT) == {}
    back = {"first_free_scale": 2, "min_coverage": 0.6, "shown": True, "context": 2, "smallest_square": 1}
    assert usual(INPAINT, **freeing) == back
    assert usual(CHANGE, **removing) == {**freeing, "dilate": 0, "candidates": 3}
    assert usual(CHANGE, **freeing) == {} and usual(REMOVE, **removing) == {}
    assert usual(CHANGE, first_free_scale=4, min_coverage=0.45) == {"shown": False, **nearer}
    assert usual(INPAINT, first_free_scale=1, min_coverage=0.1) == {"min_coverage": 0.6}
    assert usual(REMOVE, dilate=9, fill="telea") == {"candidates": 6}


def test_what_is_removed_has_no_class_whatever_the_box_says():
    edit = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, task=REMOVE, class_name="Rose"))
    assert edit.labels == (SPEC.transformer.null_label,)
