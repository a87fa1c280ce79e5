"""What the tabs hand to one another: where they can be reached, and what an edit leaves for other tabs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import gradio as gr
import numpy as np
from gradio.components import Component

from var_core.editing.edit import Stage, shifted
from var_core.engine.pipeline import Request
from var_core.engine.plan import Plan

from .events import Renewal, Trigger


class CreateHandover(NamedTuple):
    """The buttons that lead to Edit and Explore with a run and the picture chosen in it; the controls of the request.

    `visit` wires an event after which the controls say what the page's address asks for.
    """

    send: gr.Button
    explore: gr.Button
    run: gr.State
    chosen: gr.State
    controls: Sequence[Component]  # in the order of `controls.NAMES`, then the lock of the seed
    renewal: Renewal
    visit: Callable[[Trigger], None]


class EditHandover(NamedTuple):
    """The button that leads to Explore, the results, and the place of the one chosen."""

    explore: gr.Button
    result: gr.State
    chosen: gr.State
    renewal: Renewal


class ExploreHandover(NamedTuple):
    """How other tabs wire what opens the path of a photo in Explore, and what opens the winner of a race there."""

    renewal: Renewal
    opens_photo: Callable[[Trigger, Sequence[Component]], None]
    opens_race: Callable[[Trigger, Sequence[Component]], None]


@dataclass(frozen=True, eq=False)
class DrawnSquare:
    """What the model saw and drew in a square, without the photos around it."""

    views: np.ndarray  # uint8 (B, S, S, 3), hole filled
    drawn: np.ndarray  # uint8 (B, S, S, 3)
    free: tuple[np.ndarray, ...]  # K maps bool (s_k, s_k): what was drawn anew
    turn: int  # passes before this one
    tokens: tuple  # K maps (B, L_k): what the pass has come to
    keep: tuple  # the same of bool: what of them was kept

    @classmethod
    def from_stage(cls, stage: Stage) -> "DrawnSquare":
        """Return what the last stage of a pass has drawn."""
        keep = [keep[0].cpu().numpy() for keep in stage.work.plan.keep]
        sides = [round(len(k) ** 0.5) for k in keep]
        free = tuple(~k.reshape(side, side) for k, side in zip(keep, sides, strict=True))
        tokens = tuple(step.tokens for step in stage.progress.steps)
        return cls(stage.work.views, stage.drawn, free, stage.turn, tokens, stage.work.plan.keep)


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnEdit:
    """What the model has drawn for an edit of a photo."""

    name: str  # of the photo
    digest: str  # of the model
    requests: tuple[Request, ...]  # one for each result, to draw something like it from nothing
    squares: tuple[DrawnSquare, ...]  # one for each pass over each square

    def last_request(self, place: int) -> Request:
        """Return the request whose tokens are those of the last square of a result."""
        square, request, one = self.squares[-1], self.requests[place], slice(place, place + 1)
        plan = Plan([tokens[one].cpu() for tokens in square.tokens], [keep[one].cpu() for keep in square.keep])
        return replace(request, seeds=shifted(request.seeds, square.turn), plan=plan)
