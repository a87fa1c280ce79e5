"""The last pictures of each visitor."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from support import tiny

from var_core.engine.request import Request
from var_studio.create.handlers import CreateRunHandlers
from var_studio.create.preparing import Asked
from var_studio.page import last_pictures
from var_studio.page.last_pictures import LastPictures
from var_studio.shared import run as runs
from var_studio.shared.models import Models
from var_studio.shared.run import Run, StopFlag


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    *_, last = runs.after_each_scale(tiny.pipeline(), Request((1, 1), (3, 4)))
    return runs.finish(tiny.pipeline(), last, tmp_path_factory.mktemp("files"))


@pytest.fixture
def last() -> LastPictures:
    return LastPictures(Models(tiny.pipeline()))


def test_a_visitor_s_last_run_is_found_again_and_nobody_else_s(last: LastPictures, run: Run):
    token, button = last.keep(run, None)
    other, _ = last.keep(replace(run, seconds=1.0), None)
    assert token != other and button.visible is False
    assert last.back(token) is run
    assert last.offer(token).visible and not last.offer("guessed").visible and not last.offer(None).visible
    with pytest.raises(gr.Error, match="has not kept"):
        last.back("guessed")


def test_a_later_run_takes_the_place_of_the_one_before(last: LastPictures, run: Run):
    token, _ = last.keep(run, None)
    later = replace(run, seconds=2.0)
    assert last.keep(later, token)[0] == token
    assert last.back(token) is later


def test_a_visitor_cannot_choose_the_token(last: LastPictures, run: Run):
    assert last.keep(run, "mine")[0] != "mine"


def test_the_runs_of_the_last_visitors_are_kept(last: LastPictures, run: Run):
    tokens = [last.keep(run, None)[0] for _ in range(last_pictures.MOST + 1)]
    assert [last.offer(token).visible for token in tokens] == [False] + [True] * last_pictures.MOST


def test_what_runs_took_is_told_in_the_menu_of_models(last: LastPictures, run: Run):
    last.keep(run, None)
    assert last.models.estimate(last.models.name).seconds == pytest.approx(run.seconds / 2)


def test_a_run_is_shown_again_with_its_files_and_made_again_once_they_are_gone(run: Run, tmp_path: Path):
    handlers = CreateRunHandlers(Models(tiny.pipeline()), str(tmp_path))
    (shown,) = handlers.show_again(run)
    assert shown.run is run and shown.chosen == 0 and "2 pictures in" in shown.bar
    with pytest.raises(gr.Error, match="Another model"):
        next(handlers.show_again(replace(run, digest="another")))
    *_, again = handlers.show_again(replace(run, files=(str(tmp_path / "gone.png"), run.files[1])))
    assert [Path(file).read_bytes() for file in again.run.files] == [Path(file).read_bytes() for file in run.files]


def test_a_run_that_was_cut_off_comes_back_with_the_same_pictures(last: LastPictures, run: Run, tmp_path: Path):
    handlers = CreateRunHandlers(last.models, str(tmp_path))
    asked = Asked(run.request, run.digest)
    token = last.expect(asked, None)
    cut_off = handlers.watch(asked, StopFlag())
    next(cut_off)
    cut_off.close()  # its visitor is gone
    assert last.offer(token).visible
    *_, shown = handlers.show_again(last.back(token))
    for again, whole in zip(shown.run.files, run.files, strict=True):
        assert Path(again).read_bytes() == Path(whole).read_bytes()
    assert last.keep(shown.run, token)[0] == token and last.back(token) is shown.run
    assert last.expect(None, token) == token and hash(asked)


def test_a_run_that_went_on_without_its_visitor_takes_the_place_of_what_was_asked_for(last: LastPictures, run: Run):
    token, other = (last.expect(Asked(asked, run.digest), None) for asked in (run.request, Request((1,), (9,))))
    last.went_on(run)
    assert last.back(token) is run and isinstance(last.back(other), Asked)


def test_gradio_can_tell_that_a_run_is_another(run: Run):
    """It compares hashes, and fails every run if there is none."""
    assert hash(run) != hash(replace(run, seconds=run.seconds + 1))
