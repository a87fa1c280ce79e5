"""Finished edits: their files, seen again, and taken up again."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.edits import FORM, SAMPLING, SETTINGS, SPEC, WORKSPACE, asked, drawn_on, painted, photo, sent, watched

from var_core import picture_files
from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import run_edit
from var_core.editing.edit_settings import REMOVING, EditSettings
from var_studio.edit import form as forms
from var_studio.edit import sheet
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import CHANGE, EXTEND, INPAINT, PIXELS, REMOVE
from var_studio.edit.giving import pictures_of
from var_studio.edit.layout import SheetUpdate
from var_studio.edit.results import EditResult
from var_studio.shared.visit_pictures import VisitPicture


def picture_of(result: EditResult, index: int = 0) -> VisitPicture:
    return pictures_of(result)[index]


def test_all_results_of_an_edit_are_seen_again_with_the_one_that_was_chosen(handlers, kept):
    result = watched(handlers, asked(handlers, CHANGE, "Rose")[0]).result
    tabs, *shown = kept.see(picture_of(result, 1), 0)
    update = SheetUpdate(*shown)
    assert tabs.selected == "edit" and update.result is result and update.chosen == 1
    assert update.after.visible and len(update.gallery.value) == 2
    assert kept.see(picture_of(result), sheet.NONE) == (gr.skip(), *SheetUpdate())  # an edit is under way
    assert kept.see(None, 0) == (gr.skip(), *SheetUpdate())


def test_an_edit_whose_files_are_gone_is_told_of(handlers, kept, photos):
    result = watched(handlers, asked(handlers)[0]).result
    picture = picture_of(result)
    shutil.rmtree(picture.folder)
    assert pictures_of(result) == [] and sheet.over(result).result is None
    for act in (
        lambda: kept.see(picture, 0),
        lambda: kept.file(result, 0, "PNG"),
        lambda: kept.everything(result, 0, "PNG"),
        lambda: kept.check_files(result),
        lambda: handlers.choose(result, 0, SimpleNamespace(index=0)),
        lambda: photos.take(None, None, result, 0),
    ):
        with pytest.raises(gr.Error, match="no longer kept: run it again"):
            act()
    with pytest.raises(gr.Error, match="no longer kept: choose another one"):
        photos.open_picture(picture, None, None)
    kept.check_files(None)


def test_a_picture_of_the_visit_leads_here_with_its_settings_if_it_was_made_here(handlers, kept):
    result = watched(handlers, asked(handlers, CHANGE, "Rose")[0]).result
    tabs, *values = kept.take(picture_of(result, 1), WORKSPACE, drawn_on(WORKSPACE, painted()))
    assert tabs.selected == "edit" and len(values) == 8
    assert (values[0]["task"], values[0]["class_name"], values[4], values[5]) == (CHANGE, "Rose", "5", True)
    other = VisitPicture("create", "a.png", "a.png", "", result.digest, None)
    for picture in (None, other):
        assert kept.take(picture, WORKSPACE, None) == (gr.skip(),) * 9


@pytest.mark.parametrize(
    ("task", "name", "sides", "box"),
    [
        (INPAINT, "no class", (0, 0, 0, 0), "0, 0, 40"),
        (REMOVE, "no class", (0, 0, 0, 0), ""),
        (EXTEND, "Rose", (4, 0, 7, 0), ""),
        (CHANGE, "Rose", (0, 0, 0, 0), ""),
    ],
)
def test_the_settings_of_an_edit_with_its_mask_make_the_same_results_again(handlers, kept, task, name, sides, box):
    result = watched(handlers, asked(handlers, task, name, (PIXELS, *sides), 3, box)[0]).result
    empty = WORKSPACE.masked(np.zeros_like(WORKSPACE.mask))
    *values, locked, canvas, now = kept.use_settings(result, empty, drawn_on(empty, empty.mask))
    assert values[0] == {
        "task": task,
        "class_name": name,
        "box": box,
        "redraws": task == EXTEND,
        "unit": PIXELS,
        **dict(zip(forms.SIDES, sides, strict=True)),
    }
    assert values[1:] == [SETTINGS, SAMPLING, 3, "5"] and locked
    assert np.array_equal(workspaces.painted_on(now, sent(canvas)), painted())
    assert len(now.masks) == 1  # the mask that was there can be had again
    again = handlers.ready(now, sent(canvas), locked, *values)[0]
    drawn = {
        seed: picture for seed, picture in zip(again.edit.seeds, run_edit(tiny.pipeline(), again.edit), strict=True)
    }
    for request, shown in zip(result.requests, result.shown, strict=True):
        assert np.array_equal(drawn[request.seeds[0]], np.asarray(shown))


def test_on_another_photo_the_mask_stays(handlers, kept):
    result = watched(handlers, asked(handlers)[0]).result
    for other in (
        None,
        workspaces.fresh_workspace("other", photo()[::-1]),
        workspaces.fresh_workspace("s", photo(9, 9)),
    ):
        values = kept.use_settings(result, other, None)
        assert values[-2:] == (gr.skip(), gr.skip()) and values[0]["task"] == INPAINT


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WebP", ".webp")])
def test_a_result_is_a_file_of_any_kind_under_the_name_of_its_photo_and_restores_its_settings(
    handlers, kept, kind, suffix
):
    result = watched(handlers, asked(handlers, CHANGE, "Rose")[0]).result
    file = Path(kept.file(result, 1, kind))
    assert file.name == f"garden-rose-edit-seed-{result.requests[1].seeds[0]}{suffix}"
    with Image.open(file) as opened:
        assert opened.format == kind.upper() and opened.size == (60, 40)
    choice, *_, seed, locked = handlers.restore(str(file), None)
    assert (choice["task"], choice["class_name"], seed, locked) == (
        CHANGE,
        "Rose",
        str(result.requests[1].seeds[0]),
        True,
    )


def test_a_result_too_large_for_a_kind_of_file_is_told_of(handlers, kept, monkeypatch):
    result = watched(handlers, asked(handlers)[0]).result
    monkeypatch.setitem(picture_files.SIDE_LIMITS, "WebP", 59)
    with pytest.raises(gr.Error, match=r"60 x 40 pixels: a WebP file holds 59 a side at most\. Choose PNG"):
        kept.file(result, 0, "WebP")


def test_settings_of_another_model_are_refused(handlers, kept):
    result = replace(watched(handlers, asked(handlers)[0]).result, digest="ffffffffffff")
    with pytest.raises(gr.Error, match="Another model is loaded"):
        kept.use_settings(result, WORKSPACE, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampling": Sampling(top_k=30)}, "Inpaint · no class · seed 5"),
        ({"task": CHANGE, "class_name": "Rose", "count": 4}, "Change into Rose · seeds 5 to 8"),
        ({"task": REMOVE}, "Remove · seed 5"),
        (
            {"task": EXTEND, "class_name": "Sea", "extend": (0, 0, 60, 9), "sampling": Sampling(guidance=3.5)},
            "Extend · by 60 right, 9 bottom · Sea · seed 5 · guidance 3.5",
        ),
        (
            {"box": Box(1, 2, 30), "settings": EditSettings(detail=False, candidates=1)},
            "Inpaint · no class · seed 5 · looking at 1, 2, 30 · no detail · candidates 1",
        ),
    ],
)
def test_an_edit_is_told_by_what_differs_from_the_defaults(changes, words):
    usual = {REMOVE: REMOVING, CHANGE: forms.USUAL[CHANGE]}.get(changes.get("task"), EditSettings())
    class_name = changes.get("class_name", "no class")
    sampling = Sampling() if class_name != "no class" else Sampling(top_k=30)
    form = replace(FORM, **{"settings": usual, "sampling": sampling, **changes})
    assert forms.form_in_words(form, SPEC.default_sampling) == words
