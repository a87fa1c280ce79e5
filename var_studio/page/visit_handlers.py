"""Handlers of the visit's pictures, which all tabs share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import gradio as gr

from var_core.inspection.sweep import Sweep

from ..shared.events import SKIP, Unchanged, in_words
from ..shared.guarded_events import STRANGE
from ..shared.visit_pictures import EDIT, VisitPicture, as_html, caption
from ..shared.visitor import visitor
from ..shared.visits import Visits


class PanelUpdate(NamedTuple):
    """New values for the widgets of `VisitPanel`, in its order."""

    strip: str | Unchanged = SKIP
    detail: gr.Column | Unchanged = SKIP
    picture: str | Unchanged | None = SKIP
    words: str | Unchanged = SKIP
    edits: gr.Button | Unchanged = SKIP
    looks: gr.Button | Unchanged = SKIP
    uses: gr.Button | Unchanged = SKIP
    sees: gr.Button | Unchanged = SKIP
    draws: gr.Button | Unchanged = SKIP
    star: gr.Button | Unchanged = SKIP
    file: str | Unchanged = SKIP
    comparing: gr.Column | Unchanged = SKIP
    compare: gr.ImageSlider | Unchanged = SKIP
    told: str | Unchanged = SKIP
    shown: VisitPicture | Unchanged | None = SKIP


@dataclass(frozen=True)
class VisitHandlers:
    """Handlers of the panel, as functions of its values. They return new values in the order of the outputs.

    `token` is what the visitor's browser has kept, which may be anything.
    """

    visits: Visits
    cache: str  # where Gradio serves files from

    def entered(self, token: object) -> tuple[object, str]:
        """The token of a page that is opened, and its strip."""
        given = self.visits.welcome(token, visitor())
        return SKIP if given == token else given, as_html(self.visits.pictures(given))

    def given(
        self, pictures: Sequence[VisitPicture], token: object, shown: VisitPicture | None
    ) -> tuple[object, str | Unchanged]:
        """Keep pictures that a tab gives; the token, and the strip with them."""
        if not pictures:
            return SKIP, SKIP
        before = sum(one.favourite for one in self.visits.pictures(token))
        known = self.visits.add(token, pictures)
        after = self.visits.pictures(known)
        if known == token and sum(one.favourite for one in after) < before:
            gr.Warning("There was no room for all of your favourites: the oldest have gone. Download those you want.")
        return (SKIP if known == token else known), as_html(after, _name(shown))

    def act(self, token: object, event: gr.EventData) -> PanelUpdate:
        """Show a picture large, or two beside each other, as the page asks."""
        message = event._data if isinstance(event._data, Mapping) else {}
        with in_words():
            if message.get("does") == "show":
                return self._show(token, self.visits.find(token, message.get("name")))
            if message.get("does") != "compare" or len(names := _names(message)) != 2:
                raise ValueError(STRANGE)
            left, right = (self.visits.find(token, name) for name in names)
        return PanelUpdate(
            detail=gr.Column(visible=False),
            comparing=gr.Column(visible=True),
            compare=gr.ImageSlider((left.shown, right.shown)),
            told=_words(f"Left: {caption(left)}", f"Right: {caption(right)}"),
        )

    def favour(self, token: object, shown: VisitPicture | None) -> PanelUpdate:
        """Give the picture that is looked at a star, or take it away."""
        if shown is None:
            return PanelUpdate()
        with in_words():
            marked = self.visits.star(token, shown.name)
        strip = as_html(self.visits.pictures(token), marked.name)
        return PanelUpdate(strip=strip, star=_star(marked), shown=marked)

    def delete(self, token: object, shown: VisitPicture | None) -> PanelUpdate:
        """Throw the picture away that is looked at, and show the one beside it."""
        if shown is None:
            return PanelUpdate()
        with in_words():
            beside = self.visits.delete(token, shown.name)
        if beside:
            return self._show(token, beside)
        nothing = gr.Column(visible=False)
        return PanelUpdate("", nothing, None, "", comparing=nothing, shown=None)

    def pack(self, token: object, event: gr.EventData) -> str:
        """Chosen pictures in one ZIP file."""
        message = event._data if isinstance(event._data, Mapping) else {}
        with in_words():
            return self.visits.pack(token, _names(message), self.cache)

    def _show(self, token: object, picture: VisitPicture) -> PanelUpdate:
        grid = isinstance(picture.made, Sweep)  # of many pictures, none of which is meant
        return PanelUpdate(
            strip=as_html(self.visits.pictures(token), picture.name),
            detail=gr.Column(visible=True),
            picture=picture.shown,
            words=_words(caption(picture)),
            edits=gr.Button(visible=not grid),
            looks=gr.Button(visible=not grid),
            uses=gr.Button(visible=not grid),
            sees=gr.Button(visible=picture.tab == EDIT),
            draws=gr.Button(visible=grid),
            star=_star(picture),
            file=picture.file,
            comparing=gr.Column(visible=False),
            shown=picture,
        )


def _names(message: Mapping[str, object]) -> list[object]:
    """Return the names that the page has sent; ValueError if it has sent something else."""
    names = message.get("names")
    if not isinstance(names, list):
        raise ValueError(STRANGE)
    return names


def _name(shown: VisitPicture | None) -> str:
    return shown.name if shown else ""


def _words(*lines: str) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _star(picture: VisitPicture) -> gr.Button:
    """The button that makes a picture a favourite, or no longer one."""
    return gr.Button("★ Favourite" if picture.favourite else "☆ Favourite")
