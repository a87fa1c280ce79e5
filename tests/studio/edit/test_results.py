"""Results are shown, kept, chosen and saved."""

import zipfile
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.edits import FORM, SPEC, WORKSPACE, asked, at, painted, photo, watched

from var_core.editing.edit import stages
from var_core.editing.photo_file import NO_EXTRAS, Extras
from var_core.nn.tokenizer import Preview
from var_studio.edit import form as forms
from var_studio.edit import results as outcomes
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import EXTEND
from var_studio.edit.layout import SheetUpdate
from var_studio.edit.results import EditJob
from var_studio.edit.workspace import PackedMask
from var_studio.shared.run import StopFlag


@pytest.mark.parametrize(
    ("extras", "kept"),
    [(NO_EXTRAS, ["2", "3"]), (Extras(exif=bytes(9000)), ["3"]), (Extras(np.zeros((40, 60, 4), np.uint8)), ["3"])],
)
def test_photos_are_kept_as_far_as_memory_is_to_go(monkeypatch, extras, kept):
    monkeypatch.setattr(workspaces, "MOST_PAST_BYTES", 3 * 3 * 40 * 60 - 1)
    now = WORKSPACE
    for number in range(5):
        now = workspaces.fresh_workspace(str(number), photo(), None, workspaces.past(now, None), extras)
    assert [name for name, *_ in now.past] == kept


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 16)])
def test_a_mask_survives_being_packed(shape):
    mask = np.random.default_rng(0).random(shape) < 0.5
    packed = PackedMask.pack(mask)
    assert np.array_equal(packed.unpack(), mask) and packed.unpack().dtype == bool
    assert packed.bits.nbytes == -(-mask.size // 8)


def test_of_an_edit_under_way_the_last_scales_are_decoded_and_those_before_previewed():
    pipe, edit = tiny.pipeline(), forms.edit_asked_for(SPEC, WORKSPACE, painted(), FORM)
    side, small = pipe.spec.tokenizer.image_side, Preview.CELL * pipe.schedule.sides[-1]
    shown = [(stage, outcomes.drawn_so_far(pipe, stage)) for stage in stages(pipe, edit) if stage.drawn is None]
    assert {stage.progress.last.scale for stage, _ in shown} == {0, 1, 2}  # with the last one all is drawn
    for stage, drawn in shown:
        assert drawn.shape == (1, *[side if stage.progress.last.scale >= 2 else small] * 2, 3)


def test_while_an_edit_is_under_way_a_click_on_it_chooses_nothing(handlers):
    result = watched(handlers, asked(handlers)[0]).result
    growing = next(handlers.watch(asked(handlers)[0], StopFlag(), result))
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
    before = np.asarray(last.result.before)
    assert np.array_equal(before[:, :60], WORKSPACE.photo) and (before[:, 60:] == outcomes.NOTHING).all()


def test_all_results_and_the_mask_come_in_one_file(handlers):
    last = watched(handlers, asked(handlers)[0])
    with zipfile.ZipFile(last.result.bundle) as packed:
        for file in (*last.result.files, last.result.mask_file):
            assert packed.read(Path(file).name) == Path(file).read_bytes()
        assert len(packed.namelist()) == 3


@pytest.mark.parametrize(("kind", "form"), [("JPEG", ".jpg"), ("WebP", ".webp"), ("PNG", ".png")])
def test_all_results_come_in_one_file_as_the_kind_that_is_chosen(handlers, kept, kind, form):
    result = watched(handlers, asked(handlers)[0]).result
    file = kept.everything(result, 0, kind)
    with zipfile.ZipFile(file) as packed:
        names = sorted(packed.namelist())
        pictures = [Path(one).with_suffix(form).name for one in result.files]
        assert names == sorted([*pictures, Path(result.mask_file).name])
        with packed.open(next(name for name in names if "mask" not in name)) as one, Image.open(one) as picture:
            assert picture.format == kind.upper()
    written = Path(file).stat().st_mtime_ns
    assert Path(kept.everything(result, 1, kind)).stat().st_mtime_ns == written  # once is enough
    assert (file == result.bundle) == (kind == "PNG")


@pytest.mark.slow
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
    assert (update.mask, update.bundle) == (last.result.mask_file, last.result.bundle)
    assert (update.chosen, update.result) == (1, gr.skip())
    before, after = update.compare.value
    assert before is not None and after is not None
    assert handlers.choose(None, 0, at(0)) == SheetUpdate()
