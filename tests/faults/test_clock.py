"""A clock that jumps by a day, forwards or back: nothing goes before its time, nobody is let in or locked out."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio import route_utils
from support import tiny

from var_studio import main as app
from var_studio.hosting.bodies import BrokenUploads
from var_studio.hosting.budgets import Budgets
from var_studio.hosting.login import Attempts
from var_studio.hosting.refusals import Refused
from var_studio.shared import served_files
from var_studio.shared.limits import PUBLIC
from var_studio.shared.served_files import LOOKED, NotedFiles
from var_studio.shared.sessions import Sessions
from var_studio.shared.turns import Turns, Wish
from var_studio.shared.waiting import Visitor

DAY = 24 * 3600.0
Jump = Callable[[], None]


@pytest.fixture(params=[25 * 3600, -25 * 3600], ids=["forwards", "back"])
def jump(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Set the system's clock by a little more than a day, once it is called."""
    true_time, true_date = time.time, route_utils.datetime

    class Date(true_date):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(true_time() + request.param, tz)

    def jumped() -> None:
        monkeypatch.setattr(time, "time", lambda: true_time() + request.param)
        monkeypatch.setattr(route_utils, "datetime", Date)

    return jumped


def test_a_visitor_s_work_and_files_stay_as_long_as_they_were_to(jump: Jump, tmp_path: Path):
    page, now = app.build(tiny.pipeline(), limits=PUBLIC), [0.0]
    page.app = SimpleNamespace(state_holder=None)
    sessions = Sessions(PUBLIC, str(tmp_path), clock=lambda: now[0])
    sessions.install(page)
    work = sessions["anna"]
    with served_files.fresh_folder(str(tmp_path)) as folder:
        (folder / "picture.png").write_bytes(b"finished")
    uploaded = tmp_path / "photo.png"
    uploaded.write_bytes(b"sent")
    page.upload_file_set.add(str(uploaded))
    jump()
    sweep(page, sessions)
    with served_files.fresh_folder(str(tmp_path)):
        assert (folder / "picture.png").exists()
    now[0] = LOOKED + 1
    sweep(page, sessions)
    assert sessions["anna"] is work and uploaded.exists()
    now[0] = 2 * LOOKED + 60 * PUBLIC.idle_minutes + 2
    sweep(page, sessions)
    assert not sessions.session_data and not uploaded.exists() and not page.upload_file_set


def sweep(page: gr.Blocks, sessions: Sessions) -> None:
    """Do what is done from time to time."""
    sessions.delete_all_expired_state()
    route_utils.delete_files_created_by_app(page, page.delete_cache[1])


def test_an_upload_under_way_goes_on(jump: Jump, tmp_path: Path):
    under_way = tmp_path / "tmp123"
    under_way.write_bytes(b"the first half")
    broken = BrokenUploads(tmp_path, patience=30)
    with broken.swept():
        jump()
        with broken.swept():
            pass
        assert under_way.exists()


def test_limits_by_the_hour_and_lockouts_last_as_long_as_they_were_to(jump: Jump):
    attempts, budgets = Attempts(2, minutes=15), Budgets(files=1, megabytes=1)
    attempts.begin("9.9.9.9", "anna")
    attempts.begin("9.9.9.9", "anna")
    budgets.spend("9.9.9.9", files=1)
    jump()
    with pytest.raises(Refused, match="wait 15 min"):
        attempts.begin("9.9.9.9", "anna")
    with pytest.raises(Refused, match="within an hour"):
        budgets.spend("9.9.9.9", files=1)


def test_who_waits_is_told_no_nonsense(jump: Jump):
    turns = Turns(PUBLIC)
    one, two = (turns.enter(Visitor(name), Wish("draw", alone=True)) for name in ("anna", "ben"))
    turns.ask(one)
    turns.ask(two)
    jump()
    turns.leave(one)
    assert one.seconds < 60 and 0 <= (turns.ahead(two).seconds or 0) < 60 and two.turn.is_set()


def test_a_file_that_is_sent_again_begins_anew(tmp_path: Path):
    file, now = tmp_path / "photo.png", [0.0]
    file.write_bytes(b"sent")
    noted = NotedFiles([{str(file)}], lambda: now[0])
    for now[0] in (100.0, 200.0):
        noted.sweep(150)
    os.chmod(file, 0o600)  # its times of change are the system's
    now[0] = 300.0
    noted.sweep(150)
    assert file.exists()
    now[0] = 500.0
    noted.sweep(150)
    assert not file.exists()
