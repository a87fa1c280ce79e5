"""Pictures of the visit that are looked at from inside, or whose settings are taken up."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from support.explored import PIPE, drawn, equal, final
from support.opened import FILES
from support.visits import kept_in

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.settings import named
from var_studio.explore.giving import picture_of
from var_studio.explore.layout import SAME
from var_studio.explore.session import ExploreSession
from var_studio.explore.visit_sources import VisitSources
from var_studio.shared.handover import DrawnPicture
from var_studio.shared.models import Models


@pytest.fixture
def sources(tmp_path: Path) -> VisitSources:
    return VisitSources(Models(PIPE), str(tmp_path), FILES)


def test_a_picture_that_was_drawn_elsewhere_is_drawn_again_with_its_trace(sources: VisitSources, tmp_path: Path):
    request = Request((1,), (5,), Sampling())
    picture = replace(kept_in(tmp_path)[0], digest=PIPE.digest, made=DrawnPicture(request, True))
    entered, *_, last = sources.from_visit(picture, ExploreSession())
    assert entered.tabs.selected == "explore" and equal(last.session.seen, drawn(sources).seen)
    with pytest.raises(gr.Error, match="not all its scales"):
        list(sources.from_visit(replace(picture, made=DrawnPicture(request, False)), ExploreSession()))
    with pytest.raises(gr.Error, match="Another model"):
        list(sources.from_visit(replace(picture, digest="another"), ExploreSession()))


def test_a_picture_that_was_kept_here_comes_back_as_it_was_and_so_do_its_settings(
    sources: VisitSources, tmp_path: Path
):
    here = drawn(sources)
    kept = picture_of(PIPE, here, tmp_path)
    assert equal(final(sources.from_visit(kept, ExploreSession())).session.seen, here.seen)
    tabs, name, seed, lock, sampling = sources.take(kept)
    assert (tabs.selected, name, seed, lock) == ("explore", "Rose", "5", True)
    assert sampling == named(here.seen.about.sampling)
    with pytest.raises(gr.Error, match="Another model"):
        sources.take(replace(kept, digest="another"))
    Path(kept.file).unlink()
    for act in (lambda: sources.take(kept), lambda: list(sources.from_visit(kept, ExploreSession()))):
        with pytest.raises(gr.Error, match="no longer kept"):
            act()


def test_nothing_comes_of_no_picture_or_of_another_tab_s_settings(sources: VisitSources, tmp_path: Path):
    (other,) = kept_in(tmp_path)
    assert (
        list(sources.from_visit(None, ExploreSession())) == list(sources.from_visit(other, ExploreSession())) == [SAME]
    )
    assert sources.take(None) == sources.take(other) == (gr.skip(),) * 5
