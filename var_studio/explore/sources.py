"""Sources of the pictures on the Explore tab: a class, a file, an example, another tab."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path

import gradio as gr
from PIL import Image

from var_core.config import NO_CLASS, SCALES, Sampling
from var_core.engine.request import Request
from var_core.engine.seeds import seed_text
from var_core.inspection.changes import given_request, with_kept
from var_core.inspection.trace import Trace

from ..shared import controls, html
from ..shared import run as runs
from ..shared.events import SKIP, in_words
from ..shared.handover import DrawnEdit, DrawnPicture
from ..shared.html import READY
from ..shared.widgets import renewed_sampling
from . import messages, trace_files
from .layout import SAME, ViewUpdate
from .messages import PageMessage
from .painter import Painter, _afresh
from .session import ExploreSession, Origin, changeable_trace

LIKELY = 0.25  # share of a class among those tried, from which on a picture is taken for one of it


class Sources(Painter):
    """Handlers of the widgets that say what to look at, as functions of their values."""

    def enter(self, session: ExploreSession, class_name: str) -> ViewUpdate:
        """Show something to look at on the first visit; the controls go on saying what they did the last time."""
        if session.branches or not trace_files.shipped():
            return SAME
        shown = self._shipped(replace(session, offered=class_name), 0)
        return shown._replace(class_name=SKIP, seed=SKIP, sampling=SKIP)

    def draw(
        self, session: ExploreSession, class_name: str, seed: str, lock: bool, sampling: Mapping[str, object]
    ) -> Iterator[ViewUpdate]:
        """Draw a picture of a class; locked scales stay as they are in the picture that is looked at."""
        with in_words():
            asked = controls.read(self.pipe.spec, class_name, 1, controls.seed_to_use(seed, lock), sampling)
            shown = controls.show(self.pipe.spec, asked)
            origin = Origin(f"{shown.class_name}, seed {shown.seed}", shown.class_name)
            if session.locked:
                trace = changeable_trace(self.pipe, session)
                asked = with_kept(trace, asked, trace.of_scales(session.locked))
                origin = replace(origin, parent=session.current)
        yield from self._paint(session if session.locked else _afresh(session), asked, origin, "drawn")

    def picture(self, session: ExploreSession, path: str, class_name: str) -> Iterator[ViewUpdate]:
        """A picture of the user's own, as the model sees it: its tokens, and how likely they were.

        Of the class that the user chose; where nobody has, of the one that it looks like.
        """
        shown = {str(controls.defaults(self.pipe.spec).class_name), session.offered}
        shown |= {session.trace.about.class_name} if session.trace else set()
        yield from self._opened(session, path, None if class_name in shown else class_name)

    def _opened(self, session: ExploreSession, path: str, class_name: str | None) -> Iterator[ViewUpdate]:
        """A picture from a file, looked at as one of a class; None: of the likeliest."""
        with in_words():
            photo = self.files.picture(path)
            tokens = self.pipe.encode(photo)
            if class_name is None:
                label = self._likeliest(photo)
            else:
                label = self.pipe.spec.label(controls.complete(self.pipe.spec, class_name))
            asked = given_request(tokens, label, Sampling(guidance=0.0))
        yield from self._paint(_afresh(session), asked, Origin(Path(path).stem, Path(path).stem), "opened")

    def _likeliest(self, photo: Image.Image) -> int:
        """Return the class that a photo looks like, and say so; no class if it looks like none."""
        spec = self.pipe.spec
        found = self.pipe.classify(photo)[0] if spec.tokenizer.order == SCALES else None
        if found is None or found.nats <= 0 or found.share < LIKELY:
            return spec.transformer.null_label
        name = spec.class_name(found.label)
        gr.Info(f"Looked at as {escape(name)}, its likeliest class. Choose another one and open it again to compare.")
        return found.label

    def file(self, session: ExploreSession, path: str) -> ViewUpdate:
        """A trace from a file."""
        with in_words():
            trace = Trace.load(Path(path))
        stem = Path(path).stem
        return self._looked_at(session, trace, stem, trace.about.class_name if trace.about.origin == "drawn" else stem)

    def example(self, session: ExploreSession, event: gr.SelectData) -> ViewUpdate:
        """A trace that comes with the app."""
        return self._shipped(session, event.index)

    def _shipped(self, session: ExploreSession, number: int) -> ViewUpdate:
        with in_words():
            trace = Trace.load(trace_files.shipped()[number])
        return self._looked_at(session, trace, trace.about.class_name, trace.about.class_name)

    def _looked_at(self, session: ExploreSession, trace: Trace, title: str, name: str) -> ViewUpdate:
        """A trace that was not made just now."""
        origin = Origin(title, name, photo=trace.keep if trace.about.origin == "edited" else None)
        return self._show(self._grown(_afresh(session), origin, trace), READY)

    def from_create(self, run: runs.Run | None, chosen: int, session: ExploreSession) -> Iterator[ViewUpdate]:
        """A picture of the Create tab, and the way here."""
        if run is None:
            yield SAME
            return
        yield from self._drawn_again(DrawnPicture(runs.alone(run, chosen), run.complete(chosen)), run.digest, session)

    def _drawn_again(self, made: DrawnPicture, digest: str, session: ExploreSession) -> Iterator[ViewUpdate]:
        """A picture that the model of a digest has drawn elsewhere, and the way here."""
        with in_words():
            self.models.require(digest)
            if not made.complete:
                raise ValueError("This picture has not all its scales: run it to the end, then look inside.")
        name = self.pipe.spec.class_name(made.request.labels[0])
        origin = Origin(f"{name}, seed {seed_text(made.request.seeds[0])}", name)
        yield from self._entered(self._paint(_afresh(session), made.request, origin, "drawn"))

    def from_edit(self, edited: DrawnEdit | None, index: int, session: ExploreSession) -> Iterator[ViewUpdate]:
        """Show what the model drew in the last square of an edit, and the way here."""
        if edited is None or not edited.squares or index < 0:
            yield SAME
            return
        with in_words():
            self.models.require(edited.digest)
            if edited.squares[-1].plan.shown and edited.requests[index].sampling.smooth:
                raise ValueError("The masked path has mixed codes here (Smooth): only single codes can be shown.")
        asked, kept = edited.last_request(index), edited.kept(index)
        origin = Origin(f"{edited.name}, edited", edited.name, photo=kept)
        yield from self._entered(self._paint(_afresh(session), asked, origin, "edited", kept))

    def _entered(self, views: Iterator[ViewUpdate]) -> Iterator[ViewUpdate]:
        """The way here from another tab, then what there is to see."""
        yield ViewUpdate(tabs=gr.Tabs(selected="explore"), bar=html.bar("Looking inside …"))
        yield from views

    def from_photo(self, path: str | None, session: ExploreSession) -> Iterator[ViewUpdate]:
        """A picture of the Learn tab, whatever it shows, and the way here."""
        if path is None:
            yield SAME
            return
        yield from self._entered(self._opened(session, path, NO_CLASS))

    def from_race(self, asked: Request | None, digest: str, session: ExploreSession) -> Iterator[ViewUpdate]:
        """Show what won a race of the Learn tab, if the model that did is loaded, and the way here."""
        if asked is None:
            yield SAME
            return
        with in_words():
            self.models.require(digest)
        name = self.pipe.spec.class_name(asked.labels[0])
        yield from self._entered(
            self._paint(_afresh(session), asked, Origin(f"{name}, seed {asked.seeds[0]}", name), "drawn")
        )

    def renew(self) -> tuple[gr.Dropdown, PageMessage, Mapping[str, object]]:
        """Class, what the page knows, and knobs for the model that is loaded."""
        name = controls.defaults(self.pipe.spec).class_name
        chosen = gr.Dropdown(controls.choices(self.pipe.spec, None), value=name)
        return chosen, messages.hello_message(self.pipe), renewed_sampling(self.models.default_sampling, self.pipe.spec)
