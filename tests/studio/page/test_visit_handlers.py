"""What the panel of the visit's pictures does."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from support import tiny
from support.visits import kept_in

from var_core.engine.request import Request
from var_core.inspection.sweep import Axis, Sweep
from var_studio.page.visit_handlers import PanelUpdate, VisitHandlers
from var_studio.page.visit_panel import VisitPanel
from var_studio.shared.limits import HOME
from var_studio.shared.visit_pictures import CREATE, EDIT
from var_studio.shared.visits import Visits


@pytest.fixture
def handlers(tmp_path: Path) -> VisitHandlers:
    return VisitHandlers(Visits(HOME), str(tmp_path))


def wish(**message: object) -> SimpleNamespace:
    return SimpleNamespace(_data=message)


def test_an_update_has_a_value_for_each_widget_and_changes_none_that_it_does_not_name():
    assert PanelUpdate._fields == VisitPanel._fields
    assert PanelUpdate() == (gr.skip(),) * len(VisitPanel._fields)


def test_what_a_tab_gives_is_there_also_on_a_page_that_is_opened_later(handlers: VisitHandlers, tmp_path: Path):
    token, strip = handlers.given(kept_in(tmp_path, 2), None, None)
    assert strip.count("visit-card") == 3  # the two, and what holds them
    assert handlers.entered(token) == (gr.skip(), strip)
    fresh = [handlers.entered(other) for other in ("another", None)]
    assert [strip for _, strip in fresh] == ["", ""] and fresh[0][0] not in ("another", fresh[1][0])
    assert handlers.given(kept_in(tmp_path), token, None)[0] == gr.skip()  # the browser has it already
    assert handlers.given([], token, None) == (gr.skip(), gr.skip())


def test_a_picture_is_shown_large_with_its_settings_and_what_can_be_done_with_it(
    handlers: VisitHandlers, tmp_path: Path
):
    (made,), (edited,) = kept_in(tmp_path, tab=CREATE), kept_in(tmp_path, tab=EDIT)
    token, _ = handlers.given([made], None, None)
    handlers.given([edited], token, None)
    shown = handlers.act(token, wish(does="show", name=made.name))
    assert (shown.picture, shown.file, shown.shown) == (made.shown, made.file, made)
    assert shown.words == "<p>Create: picture 0</p>" and shown.detail.visible and not shown.comparing.visible
    assert not shown.sees.visible and handlers.act(token, wish(does="show", name=edited.name)).sees.visible
    assert f'data-picture="{made.name}"><button type="button" aria-pressed="true"' in shown.strip


def test_a_grid_can_be_drawn_again_and_is_none_of_the_pictures_that_it_holds(handlers: VisitHandlers, tmp_path: Path):
    base = Request((1,), (3,))
    swept = Sweep(tiny.SPEC, base, Axis.read(tiny.SPEC, "guidance", ("1", "2")))
    (plain,), (grid,) = kept_in(tmp_path), [replace(kept_in(tmp_path)[0], made=swept)]
    token, _ = handlers.given([plain], None, None)
    handlers.given([grid], token, None)
    for picture in (plain, grid):
        shown = handlers.act(token, wish(does="show", name=picture.name))
        assert shown.draws.visible == (picture is grid)
        assert shown.edits.visible == shown.looks.visible == shown.uses.visible == (picture is plain)


def test_two_pictures_lie_over_each_other(handlers: VisitHandlers, tmp_path: Path):
    one, two = kept_in(tmp_path, 2)
    token, _ = handlers.given([one, two], None, None)
    shown = handlers.act(token, wish(does="compare", names=[two.name, one.name]))
    assert [file["orig_name"] for file in shown.compare.value] == ["1.png", "0.png"] and shown.comparing.visible
    assert not shown.detail.visible and shown.told == "<p>Left: Create: picture 1</p><p>Right: Create: picture 0</p>"


@pytest.mark.parametrize(
    "message",
    [{}, {"does": "show", "name": 3}, {"does": "compare", "names": 5}, {"does": "compare", "names": [1]}, {"does": []}],
)
def test_what_no_page_sends_is_answered_in_words(handlers: VisitHandlers, tmp_path: Path, message: dict):
    token, _ = handlers.given(kept_in(tmp_path), None, None)
    with pytest.raises(gr.Error):
        handlers.act(token, wish(**message))
    with pytest.raises(gr.Error):
        handlers.pack(token, wish(**message))


def test_nobody_sees_the_picture_of_another(handlers: VisitHandlers, tmp_path: Path):
    (hers,), (his,) = kept_in(tmp_path), kept_in(tmp_path)
    anna, _ = handlers.given([hers], None, None)
    ben, _ = handlers.given([his], None, None)
    assert anna != ben
    for act in (
        lambda: handlers.act(ben, wish(does="show", name=hers.name)),
        lambda: handlers.act(ben, wish(does="compare", names=[his.name, hers.name])),
        lambda: handlers.favour(ben, hers),
        lambda: handlers.delete(ben, hers),
        lambda: handlers.pack(ben, wish(names=[hers.name])),
    ):
        with pytest.raises(gr.Error, match="no longer kept"):
            act()
    assert hers.folder.exists()


def test_a_star_shows_and_a_deleted_picture_makes_way_for_the_one_beside_it(handlers: VisitHandlers, tmp_path: Path):
    one, two = kept_in(tmp_path, 2)
    token, _ = handlers.given([one, two], None, None)
    starred = handlers.favour(token, one)
    assert starred.star.value == "★ Favourite" and starred.shown.favourite and "★" in starred.strip
    with pytest.raises(gr.Error, match="take its star away"):
        handlers.delete(token, starred.shown)
    plain = handlers.favour(token, starred.shown)
    assert plain.star.value == "☆ Favourite"
    assert handlers.delete(token, plain.shown).shown is two
    last = handlers.delete(token, two)
    assert (last.strip, last.shown, last.picture) == ("", None, None) and not last.detail.visible
    assert handlers.favour(token, None) == handlers.delete(token, None) == PanelUpdate()


def test_it_is_said_when_favourites_had_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", told.append)
    handlers = VisitHandlers(Visits(replace(HOME, kept_pictures=1)), str(tmp_path))
    token, _ = handlers.given([first := kept_in(tmp_path)[0]], None, None)
    handlers.favour(token, first)
    handlers.given(kept_in(tmp_path), token, None)
    assert len(told) == 1 and "the oldest have gone" in told[0]
    handlers.given(kept_in(tmp_path), token, None)
    assert len(told) == 1
