"""Whose work is kept, and whose place a new visitor takes."""

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
from fastapi import HTTPException
from gradio.state_holder import SessionState

from var_studio.shared import served_files, sessions, visitor
from var_studio.shared.limits import HOME
from var_studio.shared.sessions import CLOSED, KEPT_CLOSED, LOOK_AGAIN, Sessions

AT_WORK = 60.0 * HOME.work_minutes


class House:
    """Sessions of a small page, with a clock of its own; visitors come from the address that is said."""

    def __init__(self, visitors: int, files: str = ""):
        self.now, self.address = 0.0, ""
        with gr.Blocks() as page:
            self.box, self.state = gr.Textbox("a"), gr.State(lambda: ["fresh"])
        self.page, page.app = page, SimpleNamespace()
        self.sessions = Sessions(
            replace(HOME, visitors=visitors, idle_minutes=90), files, lambda: self.address, lambda: self.now
        )
        self.sessions.install(page)

    def come(self, *names: str, address: str = "") -> None:
        self.address = address
        for name in names:
            self.sessions[name]

    @property
    def kept(self) -> set[str]:
        return set(self.sessions.session_data)


@pytest.fixture
def house() -> Iterator[House]:
    yield House(visitors=4)


def test_a_new_visitor_takes_the_place_of_the_one_who_has_been_idle_for_longest(house: House):
    house.come("anna")
    house.now = 1
    house.come("ben", "cleo", "dora")
    house.now = AT_WORK + 2
    house.come("ben", "cleo", "emil")
    assert house.kept == {"ben", "cleo", "dora", "emil"}


def test_nobody_who_is_at_work_is_put_out_by_those_who_come(house: House):
    house.come("anna", "ben", "cleo", "dora")
    for number in range(105):
        with pytest.raises(HTTPException, match="more visitors at once than this server keeps the work of"):
            house.come(f"new {number}")
    assert house.kept == {"anna", "ben", "cleo", "dora"}


def test_new_names_at_one_address_put_out_only_older_names_there():
    house = House(visitors=8)
    house.come("anna", "ben", address="198.51.100.7")
    house.now = AT_WORK + 1
    for number in range(30):
        house.now += AT_WORK + 1
        house.come(f"name {number}", address="203.0.113.5")
    assert house.kept == {"anna", "ben", "name 28", "name 29"}
    with pytest.raises(HTTPException, match="more visitors of your network"):
        house.come("one", "two", address="203.0.113.5")


def test_a_closed_page_goes_sooner_unless_it_comes_back(house: House):
    house.come("anna", "ben", "cleo", "dora")
    for name in ("anna", "ben"):
        house.sessions.session_data[name].is_closed = True
    house.now = CLOSED + 1
    house.come("anna")
    house.come("emil")
    assert house.kept == {"anna", "cleo", "dora", "emil"}
    with pytest.raises(HTTPException):
        house.come("frida")


def test_what_is_idle_for_too_long_goes_with_its_files(tmp_path, monkeypatch: pytest.MonkeyPatch):
    house = House(visitors=4, files=str(tmp_path))
    folders = {}
    for name in ("anna", "ben", "cleo"):
        house.come(name)
        asking = SimpleNamespace(session_hash=name)
        monkeypatch.setattr(
            visitor, "LocalContext", SimpleNamespace(request=SimpleNamespace(get=lambda _, now=asking: now))
        )
        with served_files.fresh_folder(str(tmp_path)) as folder:
            folders[name] = folder
    house.sessions.session_data["cleo"].is_closed = True
    house.now = KEPT_CLOSED + 1
    house.come("ben")
    house.sessions.delete_all_expired_state()
    assert house.kept == {"anna", "ben"}
    assert folders["cleo"].exists()  # a page that is opened again may still ask for them
    house.now = 90 * 60 + 1
    house.sessions.delete_all_expired_state()
    assert house.kept == {"ben"}
    assert {name for name, folder in folders.items() if folder.exists()} == {"ben"}


def test_pictures_of_a_visit_that_goes_on_outlive_the_page_that_made_them(tmp_path, monkeypatch: pytest.MonkeyPatch):
    house = House(visitors=4, files=str(tmp_path))
    house.come("anna")
    asking = SimpleNamespace(session_hash="anna")
    monkeypatch.setattr(visitor, "LocalContext", SimpleNamespace(request=SimpleNamespace(get=lambda _: asking)))
    with served_files.fresh_folder(str(tmp_path)) as held, served_files.fresh_folder(str(tmp_path)) as other:
        served_files.hold(held)
    for house.now in (90 * 60 + 1, 90 * 60 + 2):
        house.sessions.delete_all_expired_state()
    assert held.exists() and not other.exists()
    (held / served_files.HELD).write_text(str(time.monotonic() - 90 * 60 - 1))  # nobody has come back
    house.now += LOOK_AGAIN
    house.sessions.delete_all_expired_state()
    house.sessions.delete_all_expired_state()
    assert not held.exists()


def test_states_are_each_visitor_s_own(house: House):
    house.come("anna", "ben")
    house.sessions["anna"][house.state._id].append("of anna")
    house.sessions["anna"][house.state._id] = [*house.sessions["anna"][house.state._id], "kept"]
    assert house.sessions["anna"][house.state._id] == ["fresh", "of anna", "kept"]
    assert house.sessions["ben"][house.state._id] == ["fresh"]


def test_a_session_describes_no_widget_and_keeps_no_value_of_one(house: House):
    whole, own = SessionState(house.page), sessions.Session(house.page)
    for session in (whole, own):
        session._update_value_in_config(house.box._id, "x" * 1000)
        session[house.state._id] = ["y"]
    assert len(whole.config_values) and not own.config_values
    assert own[house.box._id] is house.box and own[house.state._id] == ["y"]
