"""All edits of a visit: kept, shown again, taken up again, starred, and thrown away."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.edits import FORM, SAMPLING, SETTINGS, SPEC, WORKSPACE, asked, at, drawn_on, painted, photo, sent, watched

from var_core import picture_files
from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import run
from var_core.editing.edit_settings import REMOVING, EditSettings
from var_core.settings import named
from var_studio.edit import form as forms
from var_studio.edit import sheet, strip
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import CHANGE, EXTEND, INPAINT, PIXELS, REMOVE
from var_studio.edit.layout import SheetUpdate
from var_studio.edit.results import EditResult
from var_studio.shared.run import StopFlag


def done(handlers, *names: str) -> tuple[EditResult, ...]:
    """Edits that turn something into each of the classes, one after the other."""
    results: tuple[EditResult, ...] = ()
    for name in names:
        *_, last = handlers.watch(asked(handlers, CHANGE, name)[0], StopFlag(), None, results)
        results = last.results
    return results


def test_every_edit_is_in_the_strip_from_the_first_on_and_can_be_seen_again(handlers, kept):
    first, second = results = done(handlers, "Rose", "Tulip")
    shown = sheet.over(second, results)
    assert shown.strip.count("<img") == 2 and "Change into Rose" in shown.strip and shown.kept.visible
    again = kept.again(results, 0, at(0))
    assert again.result is first and again.results == results
    assert 'data-edit="0" aria-pressed="true"' in again.strip and 'data-edit="1" aria-pressed="false"' in again.strip
    for index in (-1, 2):
        assert kept.again(results, 0, at(index)) == SheetUpdate()


def test_edits_are_kept_as_far_as_their_number_and_memory_go_and_favourites_longer(handlers, monkeypatch):
    (result,) = done(handlers, "Rose")
    size = strip.pixels_of(result)
    assert size == 3 * 40 * 60 + 2 * 2 * 32 * 32  # the photo, two results, and what the model saw and drew
    monkeypatch.setattr(strip, "MOST_DONE", 3)
    one, two, three, four = (replace(result, seconds=float(number)) for number in range(4))
    assert strip.finished((one, two, three), four) == (two, three, four)
    loved = replace(one, favourite=True)
    assert strip.finished((loved, two, three), four) == (loved, three, four)
    monkeypatch.setattr(strip, "MOST_DONE", 60)
    monkeypatch.setattr(strip, "MOST_DONE_PIXELS", 3 * size - 1)
    assert strip.finished((one, two, three), four) == (three, four)
    assert strip.finished((loved, two, three), four) == (loved, four)
    monkeypatch.setattr(strip, "MOST_DONE_PIXELS", 0)
    assert strip.finished((one, two, three), four) == (four,)


def test_a_star_is_given_and_taken_and_too_many_are_refused(handlers, kept, monkeypatch):
    first, second = results = done(handlers, "Rose", "Tulip")
    starred = kept.favour(first, 0, results)
    assert starred.result.favourite and starred.results == (starred.result, second)
    assert starred.star.value == "★ Favourite" and "Favourite: Change into Rose" in starred.strip
    assert starred.gallery == gr.skip()  # the result that is chosen stays so
    plain = kept.favour(starred.result, 0, starred.results)
    assert not plain.result.favourite and plain.star.value == "☆ Favourite"
    monkeypatch.setattr(strip, "MOST_DONE_PIXELS", 2 * strip.pixels_of(first) - 1)
    with pytest.raises(gr.Error, match="no room for another favourite"):
        kept.favour(second, 0, starred.results)


def test_a_deleted_edit_is_gone_with_its_files_and_its_neighbour_is_shown(handlers, kept):
    first, second, third = results = done(handlers, "Rose", "Tulip", "Sea")
    after = kept.delete(second, 0, results)
    assert after.results == (first, third) and after.result is third
    assert not Path(second.files[0]).exists() and Path(first.files[0]).exists()
    after = kept.delete(third, 0, after.results)
    assert after.results == (first,) and after.result is first
    after = kept.delete(first, 0, after.results)
    assert after.results == () and after.result is None and after.strip == ""
    assert not (after.after.visible or after.kept.visible or after.comparing.visible)


def test_a_favourite_is_not_deleted(handlers, kept):
    results = done(handlers, "Rose")
    starred = kept.favour(results[0], 0, results)
    with pytest.raises(gr.Error, match="take its star away before you delete it"):
        kept.delete(starred.result, 0, starred.results)
    assert Path(starred.result.files[0]).exists()


def test_while_an_edit_is_under_way_the_others_stay_as_they_are(handlers, kept):
    results = done(handlers, "Rose")
    *_, after, row, chosen = asked(handlers)
    assert chosen == sheet.NONE and not after.visible and not row.visible
    assert kept.again(results, chosen, at(0)) == SheetUpdate()
    assert kept.favour(results[0], chosen, results) == kept.delete(results[0], chosen, results) == SheetUpdate()
    assert kept.favour(None, 0, ()) == kept.delete(None, 0, ()) == SheetUpdate()


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
        "unit": PIXELS,
        **dict(zip(forms.SIDES, sides, strict=True)),
    }
    assert values[1:] == [SETTINGS, SAMPLING, 3, "5"] and locked
    assert np.array_equal(workspaces.painted_on(now, sent(canvas)), painted())
    assert len(now.masks) == 1  # the mask that was there can be had again
    again = handlers.ready(now, sent(canvas), locked, *values)[0]
    drawn = {seed: picture for seed, picture in zip(again.edit.seeds, run(tiny.pipeline(), again.edit), strict=True)}
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
    choice, *_, seed, locked = handlers.restore(str(file))
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
    assert forms.described(form, SPEC.default_sampling) == words


def test_the_strip_says_of_the_chosen_edit_how_long_it_took(handlers):
    (result,) = done(handlers, "Rose")
    shown = strip.as_html((replace(result, seconds=3.21),), replace(result, seconds=3.21))
    assert "· 3.2 s" in shown and named(result.form.sampling) == SAMPLING
