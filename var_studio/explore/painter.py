"""Make a picture of the Explore tab with its trace, and show it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.engine.seeds import seed_text
from var_core.inspection.recording import decoded_step, examine, timed_steps
from var_core.inspection.trace import Marks, Trace

from ..shared import html
from ..shared import run as runs
from ..shared.events import in_words
from ..shared.html import READY
from ..shared.models import Models
from ..shared.served_files import fresh_folder
from ..shared.visitor_files import VisitorFiles
from . import messages
from .layout import ViewUpdate
from .session import ExploreSession, Origin, is_live

SOON = 0.3  # seconds after which a run tells how far it is


@dataclass(frozen=True)
class Painter:
    """Makes and shows pictures, for handlers of the tab's events. They return new values in the order of the outputs.

    A generator always yields, if only `SAME`: else Gradio would empty all outputs.
    """

    models: Models
    cache: str  # where Gradio serves files from
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def _paint(
        self, session: ExploreSession, asked: Request, origin: Origin, kind: str, kept: Marks | None = None
    ) -> Iterator[ViewUpdate]:
        """Make a request's picture and its trace; a run of more than a moment says how far it is and can be stopped.

        `kept` says which tokens somebody has kept, if not those that the request gives.
        """
        session.stop_flag.clear()
        done, said, prefix_cache = [], time.perf_counter(), self.models.slot.of(session.stop_flag)
        # of a large model decoding takes longer than most scales
        patience = SOON if runs.decodes_live(self.pipe) else 0.0
        with in_words():
            for one in timed_steps(self.pipe, asked, prefix_cache):
                done.append(one)
                if session.stop_flag.is_set():
                    yield self.failed()._replace(bar=html.bar("Stopped. The picture is as it was."))
                    return
                if time.perf_counter() - said > patience:
                    said = time.perf_counter()
                    scales = len(self.pipe.schedule)
                    words = html.bar(f"scale {len(done)} of {scales}", len(done) / scales)
                    yield ViewUpdate(bar=words).with_buttons(running=True)
                decoded_step(self.pipe, one.step, prefix_cache)
            trace = examine(self.pipe, asked, done, prefix_cache, kind, kept)
        spent, computed = sum(one.seconds for one in done), sum(one.seconds > 0 for one in done)
        words = f"{computed} of {len(done)} scales computed · {spent:.2f} s"
        if kept is not None and _kept(asked):
            words = "Drawn by the masked path, which sees its surroundings: the numbers are next-scale prediction's."
        elif _kept(asked) and (origin.turned or origin.parent is None):
            words = "All tokens are kept: the settings change only what the model thinks of them."
        yield self._show(self._grown(session, origin, trace), html.bar(words, 1.0))

    def _grown(self, session: ExploreSession, origin: Origin, trace: Trace) -> ExploreSession:
        """Return the session with one more picture, whose file is written."""
        with in_words(), fresh_folder(self.cache) as folder:
            return session.with_branch(origin, trace, folder, self.models.limits.visitor_bytes)

    def _show(self, session: ExploreSession, bar: str) -> ViewUpdate:
        """The view of the picture that is looked at; where they can, the controls say what made it."""
        about = session.seen.about
        update = ViewUpdate(bar=bar, channel=messages.trace_message(self.pipe, session), session=session)
        if is_live(self.pipe, session.seen):
            update = update._replace(class_name=about.class_name)
            if not session.seen.keep.any():  # else the seed alone does not make it again
                update = update._replace(seed=seed_text(about.scale_seeds))
        if about.origin != "opened":  # what was not drawn says nothing of how to draw
            update = update.with_sampling(about.sampling)
        return update.with_buttons(running=False)

    def failed(self) -> ViewUpdate:
        """Return all to what it was, after an error or at the end of what left no picture."""
        return ViewUpdate(bar=READY, channel=messages.idle_message()).with_buttons(running=False)


def _afresh(session: ExploreSession) -> ExploreSession:
    """The session before a picture that grows out of none."""
    return replace(session, locked=frozenset(), mixed=())


def _kept(asked: Request) -> bool:
    """Say whether all tokens of a request are given."""
    return asked.plan is not None and bool(asked.plan.kept.all())


def _kind_of_origin(before: Trace, asked: Request) -> str:
    """Say what a picture is that comes from another: an opened one is drawn as soon as anything in it is."""
    return "drawn" if before.about.origin == "opened" and not _kept(asked) else before.about.origin
