"""What the Create tab gives to the pictures of the visit, and takes of them."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from support import tiny
from support.opened import FILES

from var_core.config import Sampling
from var_core.engine.request import Request
from var_studio.create.giving import pictures_of
from var_studio.create.setting_handlers import SettingHandlers
from var_studio.shared import run as runs
from var_studio.shared.models import Models
from var_studio.shared.run import Run
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


def test_the_settings_of_a_picture_come_back_and_those_of_other_tabs_do_not(run: Run):
    handlers, picture = SettingHandlers(Models(PIPE), FILES), pictures_of(PIPE, run)[1]
    tabs, name, count, seed, sampling, also, lock = handlers.take(picture)
    assert (tabs.selected, name, count, seed, also, lock) == ("create", "Rose", gr.skip(), "4", [], True)
    assert sampling["guidance"] == 2.5
    for other in (None, replace(picture, tab=EDIT, made=None)):
        assert handlers.take(other) == (gr.skip(),) * 7
    with pytest.raises(gr.Error, match="Another model is loaded"):
        handlers.take(replace(picture, digest="another"))
