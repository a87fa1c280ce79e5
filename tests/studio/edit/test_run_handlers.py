"""A run of an edit shows every scale, and can be stopped."""

import re
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny
from support.edits import WORKSPACE, asked, drawn_on, painted, results, watched

from var_core.editing.edit import guess, run_edit, stages
from var_core.editing.edit_settings import FILLING_TOP_K, EditSettings
from var_core.recipe import Recipe
from var_core.settings import named
from var_studio.edit import form as forms
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import CHANGE, EXTEND, INPAINT, REMOVE
from var_studio.edit.layout import SheetUpdate
from var_studio.edit.results import EditResult
from var_studio.edit.run_handlers import EditRunHandlers
from var_studio.shared.html import STOPPING
from var_studio.shared.run import StopFlag


def test_every_scale_is_shown_and_the_files_are_the_results_with_their_recipes(handlers):
    job = asked(handlers, CHANGE, "Rose")[0]
    sheets = [*handlers.watch(job, StopFlag(), None)]
    told = [re.search(r"<span>(.*?)( ·|</span>)", sheet.bar)[1] for sheet in sheets[:-1]]
    assert told == [*(f"scale {k} of 4" for k in (1, 2, 3, 4)), "Writing the results …"]
    result = sheets[-1].result
    assert [Path(file).name for file in result.files] == ["garden-rose-edit-seed-5.png", "garden-rose-edit-seed-6.png"]
    for file, wanted in zip(result.files, run_edit(tiny.pipeline(), job.edit), strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), wanted)
        again = Recipe.read(Path(file)).edit(tiny.pipeline(), WORKSPACE.photo, painted())
        assert np.array_equal(run_edit(tiny.pipeline(), again)[0], wanted)
    assert np.array_equal(np.asarray(Image.open(result.mask_file)), painted())


def stopped(handlers: EditRunHandlers, after: int, last: EditResult | None) -> SheetUpdate:
    """The sheet of an edit that is stopped once so many sheets have come."""
    stop_flag, sheets = StopFlag(), []
    for sheet in handlers.watch(asked(handlers)[0], stop_flag, last):
        sheets.append(sheet)
        if len(sheets) == after:
            stop_flag.set()
    return sheets[-1]


def test_stop_ends_an_edit_within_a_scale_and_brings_the_last_results_back(handlers):
    sheets, stop_flag = [], StopFlag()
    for sheet in handlers.watch(asked(handlers)[0], stop_flag, None):
        sheets.append(sheet)
        stop_flag.set()
    assert len(sheets) == 3 and sheets[1].bar == STOPPING and "Stopped" in sheet.bar and sheet.result is None
    first = watched(handlers, asked(handlers)[0])
    sheet = stopped(handlers, 1, first.result)
    assert "Stopped" in sheet.bar and sheet.result is first.result and sheet.bundle == first.bundle
    assert sheet.after.visible and sheet.chosen == 0


def test_stop_once_all_is_drawn_throws_nothing_away(handlers):
    sheet = stopped(handlers, 12, None)  # three candidates of four scales
    assert sheet.result is not None and len(results(sheet.result)) == 2


def test_where_memory_is_short_variations_come_one_after_the_other_and_the_bar_says_so(handlers, monkeypatch):
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: 0)
    *growing, writing, last = handlers.watch(asked(handlers)[0], StopFlag(), None)
    told = [re.search(r"<span>(.*?)</span>", sheet.bar)[1] for sheet in growing]
    assert re.fullmatch(
        r"candidate 1 of 3, picture 1 of 2, scale 1 of 4 · \d\.\d s · 1 picture at a time: memory is short", told[0]
    )
    assert told[6].startswith("candidate 1 of 3, picture 2 of 2, scale 3 of 4 · ")
    assert told[7].startswith("candidate 2 of 3, picture 1 of 2, scale 1 of 4 · ") and len(told) == 22
    assert [len(sheet.gallery.value) for sheet in growing] == ([1] * 4 + [2] * 3) * 3 + [2]
    assert "Writing" in writing.bar and len(results(last.result)) == 2


def test_the_variation_that_fits_best_comes_first(handlers):
    job, pipe = asked(handlers, count=5)[0], tiny.pipeline()
    (done,) = [stage for stage in stages(pipe, job.edit) if stage.photos]
    order = np.argsort(done.misfit).tolist()
    assert order != sorted(order)
    result = watched(handlers, job).result
    assert [request.seeds[0] for request in result.requests] == [job.edit.seeds[row] for row in order]
    for row, file, shown in zip(order, result.files, results(result), strict=True):
        assert np.array_equal(shown, done.photos[row])
        assert Recipe.read(Path(file)).seed == job.edit.seeds[row]
    (square,) = result.squares
    assert square.seeds == tuple(done.seeds[row] for row in order)
    assert np.array_equal(square.drawn, done.drawn[order])
    tokens = [step.tokens[order] for step in done.progress.steps]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(square.plan.tokens, tokens, strict=True))


def test_without_a_class_an_edit_dares_less_unless_it_was_told_otherwise(asking):
    usual = asking.models.default_sampling
    free = asking.models.filling_sampling
    assert free == replace(usual, top_k=FILLING_TOP_K) != usual
    assert asking.usual_draw(INPAINT, "Rose", named(free)) == ({"top_k": usual.top_k},)
    assert asking.usual_draw(INPAINT, "no class", named(usual)) == ({"top_k": FILLING_TOP_K},)
    assert asking.usual_draw(REMOVE, "Rose", named(usual)) == ({"top_k": FILLING_TOP_K},)  # its class is not asked
    assert asking.usual_draw(EXTEND, "no class", named(free)) == asking.usual_draw(CHANGE, "Rose", named(usual))
    for name in ("Rose", "no class"):
        assert asking.usual_draw(INPAINT, name, named(replace(usual, top_k=77))) == ({},)


def extended_until(handlers: EditRunHandlers, done: int) -> SheetUpdate:
    """The sheet of an extension to the right that is stopped once so many of its squares are done."""
    job, stop_flag, finished = asked(handlers, EXTEND, sides=("pixels", 0, 0, 90, 0))[0], StopFlag(), []
    for sheet in handlers.watch(job, stop_flag, None):
        finished += ["pass" in sheet.bar and "scale 4 of 4" in sheet.bar]
        if sum(finished) == done:
            stop_flag.set()
    return sheet


def test_stop_keeps_the_strips_that_are_done_and_their_recipe_repeats_them(handlers):
    sheet = extended_until(handlers, 3)
    assert "Stopped: what was drawn by then is kept" in sheet.bar
    (first, *_), files = results(sheet.result), sheet.result.files
    height, width = WORKSPACE.photo.shape[:2]
    assert first.shape[0] == height and width < first.shape[1] < width + 90
    assert np.array_equal(first[~painted()[:, :1].any(1)][:, :10], WORKSPACE.photo[~painted()[:, :1].any(1)][:, :10])
    again = Recipe.read(Path(files[0])).edit(tiny.pipeline(), WORKSPACE.photo, painted())
    assert np.array_equal(run_edit(tiny.pipeline(), again)[0], first)


def test_what_the_photo_shows_is_painted_for_the_user_and_joins_the_mask(photos, asking, monkeypatch):
    asked_for, found = [], np.zeros_like(painted())
    found[0:5, 0:5] = True
    monkeypatch.setattr(
        "var_studio.edit.asking_handlers.find_class", lambda _pipe, _photo, label: asked_for.append(label) or found
    )
    likeliest = guess(tiny.pipeline(), WORKSPACE.photo, np.zeros_like(painted()), EditSettings())[0].label
    canvas = drawn_on(WORKSPACE, painted())
    for task, name in ((INPAINT, "Rose"), (INPAINT, "no class"), (REMOVE, "Rose"), (CHANGE, "Rose")):
        (result,) = asking.find(WORKSPACE, {"task": task, "class_name": name})
        _, after = photos.add_found(WORKSPACE, canvas, result)
        assert np.array_equal(after.mask, painted() | found)
    assert asked_for == [1, likeliest, likeliest, likeliest]
    assert np.array_equal(workspaces.undo(after, None).mask, painted())
    with pytest.raises(gr.Error, match="no photo yet"):
        asking.find(None, {"task": INPAINT, "class_name": "Rose"})
    other = workspaces.fresh_workspace("other", 255 - WORKSPACE.photo)
    with pytest.raises(gr.Error, match="Another photo lies here now"):
        photos.add_found(other, None, result)


def test_an_extension_that_is_stopped_before_its_first_strip_can_be_asked_for_again(handlers):
    sheet = extended_until(handlers, 1)
    assert sheet.result.form.task == INPAINT and not any(sheet.result.form.extend)
    again = forms.edit_asked_for(tiny.SPEC, WORKSPACE, painted(), sheet.result.form)
    drawn = dict(zip(again.seeds, run_edit(tiny.pipeline(), again), strict=True))
    for request, shown in zip(sheet.result.requests, results(sheet.result), strict=True):
        assert np.array_equal(drawn[request.seeds[0]], shown)


def test_an_extension_that_was_stopped_is_restored_without_its_squares(handlers):
    sheet = extended_until(handlers, 3)
    choice = handlers.restore(sheet.result.files[0], None)[0]
    assert (choice["task"], choice["box"]) == (EXTEND, "") and choice["right"] > 0
