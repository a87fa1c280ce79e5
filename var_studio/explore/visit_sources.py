"""Pictures of the visit on the Explore tab."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from var_core.engine.seeds import seed_text
from var_core.inspection.trace import Trace
from var_core.settings import named

from ..shared.events import SKIP, in_words
from ..shared.handover import ChosenEdit, DrawnPicture, SavedTrace
from ..shared.visit_pictures import VisitPicture
from .layout import SAME, ViewUpdate
from .session import ExploreSession
from .sources import Sources


class VisitSources(Sources):
    """Handlers of what takes up a picture of the visit."""

    def from_visit(self, picture: VisitPicture | None, session: ExploreSession) -> Iterator[ViewUpdate]:
        """A picture of the visit, whichever tab made it, and the way here."""
        made = picture.made if picture else None
        if isinstance(made, ChosenEdit):
            yield from self.from_edit(made.result, made.number, session)
        elif picture is not None and isinstance(made, SavedTrace):
            with in_words():
                picture.need_files()
                trace = Trace.load(Path(made.file))
            yield from self._entered(iter([self._looked_at(session, trace, made.title, made.title)]))
        elif picture is not None and isinstance(made, DrawnPicture):
            yield from self._drawn_again(made, picture.digest, session)
        else:
            yield SAME

    def take(self, picture: VisitPicture | None) -> tuple[object, ...]:
        """The way here, and the class, seed and draw of a picture that was kept here, with the seed locked."""
        if picture is None or not isinstance(made := picture.made, SavedTrace):
            return (SKIP,) * 5
        with in_words():
            self.models.require(picture.digest)
            picture.need_files()
            about = Trace.load(Path(made.file)).about
        seed = seed_text(about.scale_seeds)
        return gr.Tabs(selected="explore"), about.class_name, seed, True, named(about.sampling)
