"""Acts on the picture that the Explore tab shows, by the page's own view, the knobs and the buttons."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import gradio as gr

from var_core.config import Sampling
from var_core.inspection import alternatives, changes
from var_core.settings import parsed

from ..shared import controls, html
from ..shared.events import SKIP, Unchanged, halt, in_words
from ..shared.html import READY
from ..shared.served_files import fresh_folder
from . import messages, trace_files
from .layout import SAME, ViewUpdate
from .messages import PageMessage, TokenQuestion
from .mix_acts import MixActs
from .painter import SOON, _kept, _kind_of_origin
from .session import ExploreSession, changeable_trace, is_live


class PageActs(MixActs):
    """Handlers of the page's own view, of the knobs and of the buttons that save."""

    def turn(self, session: ExploreSession, knobs: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """Draw the same again with other settings; only what changes is computed. The knobs stay as they are."""
        yield SAME
        if not session.branches:
            return
        with in_words():
            sampling = parsed(Sampling(), knobs)
            if sampling == session.seen.about.sampling:
                return
            trace = changeable_trace(self.pipe, session)
            asked = changes.resampled(trace, sampling, session.pinned)
        origin = session.origin_of_turn(", ".join(sampling.describe()))
        for view in self._paint(session, asked, origin, _kind_of_origin(trace, asked)):
            yield view._replace(sampling=SKIP)

    def act(self, session: ExploreSession, event: gr.EventData) -> Iterator[ViewUpdate]:
        """Do whatever was asked for on the page's own view."""
        message = event._data if isinstance(event._data, Mapping) else {}
        acts = {
            "lock": self._lock,
            "goto": self._goto,
            "token": self._token,
            "options": self._options,
            "swap": self._swap,
            "redraw": self._redraw,
            "reroll": self._reroll,
            "mix": self._mix,
            "take": self._take,
        }
        with in_words():
            does = acts.get(str(message.get("does")))
            if does is None:
                raise ValueError("The page asked for something unknown: reload it.")
            yield from does(session, message)

    def _lock(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """A scale is locked from now on, or no longer."""
        scale = messages.message_int(message, "scale")
        after = replace(session, locked=session.locked ^ ({scale} & set(range(len(session.seen.schedule)))))
        yield ViewUpdate(session=after, channel=messages.locked_message(after))

    def _goto(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        yield self._show(session.at(message.get("node")), READY)

    def _token(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """Tell where a token looks, and whether it can be asked what else could have been there."""
        trace = session.seen
        question = TokenQuestion(session, messages.spot_of(trace, message))
        more = is_live(self.pipe, trace) and not trace.about.sampling.smooth
        yield ViewUpdate(channel=question.answer(self.models.atlas, more))

    def _options(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        """Show the picture with each alternative of a token, one after another, until the page wants no more."""
        trace, later = changeable_trace(self.pipe, session), messages.later_in(message)
        number = messages.message_int(message, "number")
        question = TokenQuestion(session, messages.spot_of(trace, message))
        values = trace.likeliest[question.spot.within(trace)].tolist()
        prefix_cache, known, began, slow = self.models.slot.of(session.stop_flag), 0, time.perf_counter(), False
        told: PageMessage | Unchanged = SKIP
        for batch in alternatives.alternatives(
            self.pipe, trace, prefix_cache, question.spot, values, later, session.pinned
        ):
            if not session.questions.wanted(number):
                break
            slow = slow or time.perf_counter() - began > SOON
            bar = html.bar("what else it could have been", batch.fraction) if slow else SKIP
            new = len(batch.pictures) > known
            if new:
                known = len(batch.pictures)
                told = question.options(later, batch.pictures, known < len(values))
            yield ViewUpdate(bar=bar, channel=told if new else SKIP)
        if known < len(values):
            yield self.failed()
        elif slow:
            yield ViewUpdate(bar=READY, channel=told)  # again: of two updates in one frame the second alone is heard

    def hush(self, session: ExploreSession, event: gr.EventData) -> None:
        """The page wants no answer any more to a question, and to none before it."""
        message = event._data if isinstance(event._data, Mapping) else {}
        with in_words():
            session.questions.drop(messages.message_int(message, "number"))

    def _swap(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        trace = changeable_trace(self.pipe, session)
        spot, value = messages.spot_of(trace, message), messages.message_int(message, "value")
        asked = changes.swapped(trace, spot, value, messages.later_in(message), session.pinned)
        yield from self._branch(session, asked, f"{messages.whereabouts(trace, spot)} set to {value}")

    def _redraw(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        trace, seed = changeable_trace(self.pipe, session), int(controls.roll())
        spot = messages.spot_of(trace, message)
        asked = changes.redrawn_token(trace, spot, seed, messages.later_in(message), session.pinned)
        yield from self._branch(session, asked, f"{messages.whereabouts(trace, spot)} drawn anew, seed {seed}")

    def _reroll(self, session: ExploreSession, message: Mapping[str, object]) -> Iterator[ViewUpdate]:
        trace, seed = changeable_trace(self.pipe, session), int(controls.roll())
        scale = messages.message_int(message, "scale")
        asked = changes.rerolled(trace, scale, seed, session.pinned)
        if _kept(asked):
            raise ValueError("All tokens from there on are locked, or a photo's: unlock a scale to draw it anew.")
        yield from self._branch(session, asked, f"from scale {scale + 1}, seed {seed}")

    def stop(self, session: ExploreSession) -> tuple[str, gr.Button]:
        """End the run under way; the bar and Stop say so."""
        return halt(session.stop_flag)

    def exported(self, kind: str, session: ExploreSession) -> Iterator[tuple[str | Unchanged]]:
        """Write the picture as a file, for the one widget that takes it; give way after each frame of a film."""
        with in_words(), fresh_folder(self.cache) as folder:
            path = trace_files.export_path(session, kind, folder)
            for _ in trace_files.exporting(session, kind, path):
                yield (SKIP,)
        yield (str(path),)
