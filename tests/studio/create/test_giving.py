"""What the Create tab gives to the pictures of the visit, and takes of them."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from support import tiny
from support.opened import FILES

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.inspection.sweep import Axis, Sweep
from var_studio.create.giving import pictures_of
from var_studio.create.handlers import CreateRunHandlers
from var_studio.create.setting_handlers import SettingHandlers
from var_studio.edit.photo_handlers import PhotoHandlers
from var_studio.shared import run as runs
from var_studio.shared.models import Models
from var_studio.shared.run import Run
from var_studio.shared.served_files import fresh_folder
from var_studio.shared.visit_pictures import CREATE, EDIT

PIPE = tiny.pipeline()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    *_, last = runs.after_each_scale(PIPE, Request((1, 1), (3, 4), Sampling(guidance=2.5)))
    return runs.finish(PIPE, last, tmp_path_factory.mktemp("files"))


def test_every_picture_of_a_run_is_told_by_its_class_seed_and_what_is_unusual(run: Run):
    one, two = pictures_of(PIPE, run)
    assert (one.tab, one.file, one.digest) == (CREATE, run.files[0], PIPE.digest)
    assert one.words.startswith("Rose, seed 3 · ") and "guidance 2.5" in one.words and "seed 4" in two.words
    assert one.small.startswith("data:image/webp") and one.made.request == runs.alone(run, 0) and one.made.complete
    assert pictures_of(PIPE, None) == pictures_of(PIPE, replace(run, digest="another")) == []


def test_a_picture_that_was_stopped_says_so(tmp_path: Path):
    begun = next(runs.after_each_scale(PIPE, Request((1,), (3,))))
    (picture,) = pictures_of(PIPE, runs.finish(PIPE, begun, tmp_path))
    assert picture.words.endswith(" · stopped") and not picture.made.complete


def test_a_grid_is_one_picture_and_drawn_again_from_it(tmp_path: Path):
    axes = (Axis.read(PIPE.spec, "guidance", ("1", "3")), Axis.read(PIPE.spec, "seed", ("5", "6")))
    swept = Sweep(PIPE.spec, Request((1,), (3,)), *axes)
    *_, begun = runs.over_a_grid(PIPE, swept)
    made = runs.finish(PIPE, begun, tmp_path)
    (picture,) = pictures_of(PIPE, made)
    assert picture.file == made.sheet and picture.words.startswith("Grid of 4 pictures · guidance by seed · Rose")
    handlers = CreateRunHandlers(Models(PIPE), str(tmp_path))
    asked, flag, tabs, bar, run, stop = handlers.prepare_again(picture)
    assert tabs.selected == "create" and "Waiting" in bar and stop.visible and not run.visible
    *_, stage = handlers.watch(asked, flag)
    again = zip(stage.run.files, made.files, strict=True)
    assert all(Path(one).read_bytes() == Path(other).read_bytes() for one, other in again)
    with pytest.raises(gr.Error, match="Another model"):
        handlers.prepare_again(replace(picture, digest="another"))
    with pytest.raises(gr.Error):
        handlers.prepare_again(replace(picture, made=None))


def test_pictures_whose_files_are_gone_are_told_of_with_a_way_to_have_them_again(tmp_path: Path):
    *_, begun = runs.after_each_scale(PIPE, Request((1, 1), (3, 4)))
    with fresh_folder(str(tmp_path)) as folder:
        gone = runs.finish(PIPE, begun, folder)
    shutil.rmtree(folder)
    handlers, photos = CreateRunHandlers(Models(PIPE), str(tmp_path)), PhotoHandlers(str(tmp_path), FILES)
    for act in (
        lambda: handlers.choose(gone, SimpleNamespace(index=1)),
        lambda: handlers.check_files(gone),
        lambda: handlers.larger(gone, 1),
        lambda: handlers.everything(gone, 1),
        lambda: photos.receive(gone, 0, None, None),
    ):
        with pytest.raises(gr.Error, match="no longer kept: press Use these settings, then Run"):
            act()
    assert pictures_of(PIPE, gone) == []
    assert handlers.prepare_alike(gone, 0, 2, 2)[0].request.labels == (1, 1, 1, 1)  # what needs no file goes on
    values = SettingHandlers(Models(PIPE), FILES).use(gone, 1)
    assert values[2] == "4"
    handlers.check_files(None)


def test_the_settings_of_a_picture_come_back_and_those_of_other_tabs_do_not(run: Run):
    handlers, picture = SettingHandlers(Models(PIPE), FILES), pictures_of(PIPE, run)[1]
    tabs, name, count, seed, sampling, also, lock = handlers.take(picture)
    assert (tabs.selected, name, count, seed, also, lock) == ("create", "Rose", gr.skip(), "4", [], True)
    assert sampling["guidance"] == 2.5
    for other in (None, replace(picture, tab=EDIT, made=None)):
        assert handlers.take(other) == (gr.skip(),) * 7
    with pytest.raises(gr.Error, match="Another model is loaded"):
        handlers.take(replace(picture, digest="another"))
