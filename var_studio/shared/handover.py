"""Handovers between the tabs: where each can be reached, and what an edit leaves for others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import numpy as np
from gradio.components import Component

from var_core.editing.edit import EditStage
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.files import replacing
from var_core.inspection.trace import Marks

from .events import Renewal, Trigger, Widgets
from .left_runs import LeftRuns
from .visit_pictures import VisitPicture


class Giving(NamedTuple):
    """An event after which a tab gives pictures to the visit: made of the values of these widgets."""

    trigger: Trigger
    inputs: Sequence[Component]
    pictures: Callable[..., list[VisitPicture]]


class DrawnPicture(NamedTuple):
    """A picture of Create: the request that draws it again, and whether it has all its scales."""

    request: Request
    complete: bool


class SavedTrace(NamedTuple):
    """A picture of Explore: the file of its trace, and what it shows."""

    file: str
    title: str


class CreateHandover(NamedTuple):
    """The buttons that lead to Edit and Explore with a run and the picture chosen in it; the controls of the request.

    `asked` holds what was asked for last. `visit` wires an event after which the controls say what the page's address
    asks for; `shows` one after which the stage shows the run, or makes what was asked for, that a function finds from
    the value of a widget; `uses` one after which the controls say how the picture of a visit in a state was made, if it
    is of this tab; `draws` one after which the grid of a visit in a state is drawn again. `left` takes over the runs
    whose visitors leave, and gives away what `gives` makes pictures of.
    """

    send: gr.Button
    explore: gr.Button
    asked: gr.State
    run: gr.State
    chosen: gr.State
    controls: Sequence[Widgets]  # in the order in which `controls.read` takes their values, then the lock of the seed
    renewal: Renewal
    visit: Callable[[Trigger], None]
    shows: Callable[[Trigger, Callable[[object], object], Component], None]
    gives: Giving
    left: LeftRuns
    uses: Callable[[Trigger, gr.Tabs, gr.State], None]
    draws: Callable[[Trigger, gr.Tabs, gr.State], None]


class EditHandover(NamedTuple):
    """The button that leads to Explore, the results, and the index of the one chosen; `uses` as that of Create.

    `opens` wires an event after which the picture of a visit in a state lies on the canvas; `sees` one after which
    all results of its edit are shown again, if it was made in this tab; `dresses` one after which the canvas shows the
    mask as the widgets say.
    """

    explore: gr.Button
    result: gr.State
    chosen: gr.State
    renewal: Renewal
    gives: Giving
    left: LeftRuns
    uses: Callable[[Trigger, gr.State], None]
    opens: Callable[[Trigger, gr.State], None]
    sees: Callable[[Trigger, gr.State], None]
    dresses: Callable[[Trigger], None]


class ExploreHandover(NamedTuple):
    """Functions with which other tabs wire what opens a photo by its path in Explore, or the winner of a race.

    The same for the picture of a visit in a state; `uses` as that of Create.
    """

    renewal: Renewal
    gives: Giving
    uses: Callable[[Trigger, gr.State], None]
    opens_picture: Callable[[Trigger, Sequence[Component]], None]
    opens_photo: Callable[[Trigger, Sequence[Component]], None]
    opens_race: Callable[[Trigger, Sequence[Component]], None]


@dataclass(frozen=True, eq=False)
class DrawnSquare:
    """A square of an edit, as the model saw it and drew in it, without the photos around it."""

    views: np.ndarray  # uint8 (B, S, S, 3), hole filled
    drawn: np.ndarray  # uint8 (B, D, D, 3)
    free: tuple[np.ndarray, ...]  # K maps bool (s_k, s_k): what was drawn anew
    turn: int  # passes before this one
    seeds: tuple[int, ...]  # of the variations, in this pass
    plan: Plan  # of B pictures: the tokens that the pass has come to, and which of them were kept

    @classmethod
    def from_stage(cls, stage: EditStage) -> "DrawnSquare":
        """Return what the last stage of a pass has drawn."""
        assert stage.drawn is not None, "a pass has drawn something once it is over"
        keep = [keep[0].cpu().numpy() for keep in stage.work.plan.keep]
        sides = [round(len(k) ** 0.5) for k in keep]
        free = tuple(~k.reshape(side, side) for k, side in zip(keep, sides, strict=True))
        tokens = tuple(step.tokens for step in stage.progress.steps)
        return cls(
            stage.work.views,
            stage.drawn,
            free,
            stage.turn,
            stage.seeds,
            replace(stage.work.plan, tokens=tokens, target=None, source=None),
        )

    def of(self, order: Sequence[int]) -> "DrawnSquare":
        """Return the square of some of the variations, in this order."""
        rows, seeds = list(order), tuple(self.seeds[row] for row in order)
        return replace(self, views=self.views[rows], drawn=self.drawn[rows], seeds=seeds, plan=self.plan.part(rows))


@dataclass(frozen=True, eq=False)
class KeptSquare:
    """A square of a finished edit, whose pictures lie in a file."""

    file: str
    free: tuple[np.ndarray, ...]  # these as in `DrawnSquare`
    turn: int
    seeds: tuple[int, ...]
    plan: Plan

    @classmethod
    def of(cls, square: DrawnSquare, file: Path) -> "KeptSquare":
        """Write a square's pictures into a file, and return the rest."""
        with replacing(file) as part, open(part, "wb") as written:
            np.savez(written, views=square.views, drawn=square.drawn)
        return cls(str(file), square.free, square.turn, square.seeds, square.plan)

    @property
    def views(self) -> np.ndarray:
        """Return what the model saw; ValueError if it is no longer kept."""
        return self._read("views")

    @property
    def drawn(self) -> np.ndarray:
        """Return what the model drew; ValueError if it is no longer kept."""
        return self._read("drawn")

    def _read(self, name: str) -> np.ndarray:
        if not Path(self.file).is_file():
            raise ValueError("The pictures of this edit are no longer kept: run it again.")
        with np.load(self.file) as kept:
            return np.asarray(kept[name])


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnEdit:
    """The squares that the model has drawn for an edit of a photo."""

    name: str  # of the photo
    digest: str  # of the model
    requests: tuple[Request, ...]  # one for each result, to draw something like it from nothing
    squares: tuple[KeptSquare, ...]  # one for each pass over each square

    def kept(self, index: int) -> Marks:
        """Return marks on the tokens of the last square of a result that are the photo's."""
        return self.squares[-1].plan.kept[index].cpu()

    def last_request(self, index: int) -> Request:
        """Return the request whose tokens are those of the last square of a result.

        Tokens that the masked path has drawn, or that leant towards the photo, are given, since next-scale prediction
        would draw others.
        """
        square, request, one = self.squares[-1], self.requests[index], slice(index, index + 1)
        tokens, keep = ([level[one].cpu() for level in levels] for levels in (square.plan.tokens, square.plan.keep))
        given = square.plan.shown or square.plan.likeness > 0
        plan = Plan.resume(tokens, len(tokens)) if given else Plan(tokens, keep)
        return replace(request, seeds=(square.seeds[index],), plan=plan)


class ChosenEdit(NamedTuple):
    """A picture of Edit: an edit, and one of its results."""

    result: DrawnEdit
    number: int  # of the result, from 0
