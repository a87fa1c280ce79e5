"""The pictures of the visit, at the foot of every tab: closed a button, open a panel with one of them large."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from ..shared.events import AT_ONCE
from ..shared.handover import CreateHandover, EditHandover, ExploreHandover, Giving
from ..shared.html import HOLD
from ..shared.visit_pictures import VisitPicture
from ..shared.visits import Visits
from .memory import SECRET
from .visit_handlers import VisitHandlers

KEY = "var-studio-visit"
CONNECT = "visitPictures.connect(element, (wish) => trigger('act', wish), (wish) => trigger('pack', wish), watch);"


class VisitPanel(NamedTuple):
    """The widgets that show the visit's pictures, then the picture that is looked at."""

    strip: gr.HTML
    detail: gr.Column
    picture: gr.Image
    words: gr.HTML
    edits: gr.Button
    looks: gr.Button
    uses: gr.Button
    sees: gr.Button
    draws: gr.Button
    star: gr.Button
    file: gr.DownloadButton
    comparing: gr.Column
    compare: gr.ImageSlider
    told: gr.HTML
    shown: gr.State


class VisitButtons(NamedTuple):
    """The other buttons of the panel; the last, hidden one hands a ZIP file over."""

    delete: gr.Button
    bundle: gr.DownloadButton


def visit_panel(
    visits: Visits, page: gr.Blocks, tabs: gr.Tabs, made: CreateHandover, edited: EditHandover, seen: ExploreHandover
) -> None:
    """Lay the panel out on the page, and wire it to the tabs."""
    panel, buttons = _layout()
    handlers, token = VisitHandlers(visits, page.GRADIO_CACHE), gr.BrowserState(None, storage_key=KEY, secret=SECRET)
    page.load(handlers.entered, token, [token, panel.strip], **AT_ONCE)
    for gives in (made.gives, edited.gives, seen.gives):
        inputs = [*gives.inputs, token, panel.shown]
        gives.trigger(_given(handlers, gives), inputs, [token, panel.strip], **AT_ONCE)
    for tab in (made, edited):
        tab.left.keepers.append(_keeper(visits, tab.gives))
    panel.strip.act(handlers.act, token, list(panel), trigger_mode="multiple", **AT_ONCE)
    panel.star.click(handlers.favour, [token, panel.shown], list(panel), **AT_ONCE)
    buttons.delete.click(handlers.delete, [token, panel.shown], list(panel), **AT_ONCE)
    packed = panel.strip.pack(handlers.pack, token, buttons.bundle, **AT_ONCE)
    packed.success(None, None, None, js="() => document.querySelector('#visit_bundle').click()")
    made.uses(panel.uses.click, tabs, panel.shown)
    edited.uses(panel.uses.click, panel.shown)
    seen.uses(panel.uses.click, panel.shown)
    made.draws(panel.draws.click, tabs, panel.shown)
    edited.opens(panel.edits.click, panel.shown)
    edited.sees(panel.sees.click, panel.shown)
    seen.opens_picture(panel.looks.click, [panel.shown])


def _given(handlers: VisitHandlers, gives: Giving) -> Callable[..., tuple[object, object]]:
    """Return the handler of the event after which a tab gives pictures."""

    def given(*values: object) -> tuple[object, object]:
        *made_of, token, shown = values
        assert shown is None or isinstance(shown, VisitPicture), "a picture that is looked at"
        return handlers.given(gives.pictures(*made_of), token, shown)

    return given


def _keeper(visits: Visits, gives: Giving) -> Callable[[str, object], None]:
    """Return what keeps the result of a run whose visitor has left."""

    def keep(name: str, result: object) -> None:
        visits.leave(name, gives.pictures(result))

    return keep


def _layout() -> tuple[VisitPanel, VisitButtons]:
    with gr.Column(elem_id="visit"):
        strip = gr.HTML(js_on_load=CONNECT, apply_default_css=False, elem_id="visit_strip")
        with gr.Column(visible=False, elem_id="visit_detail") as detail:
            picture = gr.Image(
                label="The picture",
                show_label=False,
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="visit_picture",
            )
            words = gr.HTML(elem_id="visit_words", apply_default_css=False)
            with gr.Row(elem_classes="after"):
                edits = gr.Button("Edit this", size="sm", elem_id="visit_edit")
                looks = gr.Button("Look inside", size="sm", elem_id="visit_look")
                uses = gr.Button("Use these settings", size="sm", elem_id="visit_use")
                sees = gr.Button("All of this edit", size="sm", visible=False, elem_id="visit_see")
                draws = gr.Button("Draw this grid again", size="sm", visible=False, elem_id="visit_draw")
            with gr.Row(elem_classes="after"):
                star = gr.Button("☆ Favourite", size="sm", elem_id="visit_star")
                file = gr.DownloadButton("Download", size="sm", elem_id="visit_file")
                delete = gr.Button("Delete", size="sm", elem_id="visit_delete")
        with gr.Column(visible=False, elem_id="visit_comparing", elem_classes="compared") as comparing:
            compare = gr.ImageSlider(
                label="The two", show_label=False, format="png", interactive=False, elem_id="visit_compare"
            )
            gr.HTML(HOLD, apply_default_css=False)
            told = gr.HTML(elem_id="visit_told", apply_default_css=False)
        bundle = gr.DownloadButton(visible="hidden", elem_id="visit_bundle")
    going_on = (edits, looks, uses, sees, draws)
    panel = VisitPanel(strip, detail, picture, words, *going_on, star, file, comparing, compare, told, gr.State())
    return panel, VisitButtons(delete, bundle)
