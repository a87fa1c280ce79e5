"""Mixes the picture that the Explore tab shows with another, and lets pictures grow out of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from var_core.engine.request import Request
from var_core.inspection import alternatives
from var_core.inspection.trace import Trace
from var_core.words import counted

from ..shared import controls, html
from ..shared.html import READY
from . import messages
from .layout import ViewUpdate
from .messages import PageMessage
from .painter import Painter, _kind_of_origin
from .session import ExploreSession, changeable_trace


class MixActs(Painter):
    """Handlers of the page's own view that mix two pictures."""

    def _mix(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """The coarse scales of this picture with the fine ones of another, or of another class, at every cut."""
        trace = changeable_trace(self.pipe, session)
        name, fine = self._partner(session, message)
        requests = alternatives.mixture_requests(self.pipe, trace, fine, session.pinned)
        coarse = ["all", *(f"{counted(cut, 'scale')}, then" for cut in range(1, len(requests)))]
        titles = (f"{kept} {name}" for kept in coarse)
        after = replace(session, mixed=tuple(zip(titles, requests, strict=True)))
        session.stop_flag.clear()
        whole: PageMessage | None = None
        for batch in alternatives.mixtures(self.pipe, requests):
            if session.stop_flag.is_set():
                break
            words = html.bar(f"mixing with {name}", batch.fraction)
            told = messages.mix_message(after, name, batch.pictures, batch.fraction < 1)
            yield ViewUpdate(bar=words, session=after, channel=told).with_buttons(running=True)
            whole = told if batch.fraction >= 1 else None
        # Of two updates in one frame the page hears the second alone, even where that changes nothing: told again.
        yield ViewUpdate(bar=READY, channel=whole).with_buttons(running=False) if whole else self.failed()

    def _partner(self, session: ExploreSession, message: Mapping[str, object]) -> tuple[str, Trace | int]:
        """Return what the picture is mixed with, another of the tree or a class, and its name."""
        if message.get("node") is not None:
            branch = session.named(message["node"])
            return branch.title, Trace.load(branch.file)
        label = self.pipe.spec.label(controls.complete(self.pipe.spec, str(message.get("class") or "")))
        return self.pipe.spec.class_name(label), label

    def _take(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """One of the mixed pictures becomes the one that is looked at."""
        cut = messages.message_int(message, "cut")
        if not 0 <= cut < len(session.mixed):
            raise ValueError("That mix is no longer here: mix again.")
        title, asked = session.mixed[cut]
        changeable_trace(self.pipe, session)
        yield from self._branch(session, asked, title)

    def _branch(self, session: ExploreSession, asked: Request, title: str) -> Iterator[ViewUpdate]:
        """A picture that grows out of the one that is looked at."""
        yield from self._paint(session, asked, session.origin_of_branch(title), _kind_of_origin(session.seen, asked))
