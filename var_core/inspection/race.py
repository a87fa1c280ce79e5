"""A race: pictures painted scale by scale and cell by cell, each against a clock of its own."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from ..clock import wait_for
from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..schedule import Schedule


@dataclass(frozen=True, eq=False)
class Lane:
    """A racer, and how far it has come. Nothing in it changes later."""

    schedule: Schedule
    steps: int = 0
    seconds: float = 0.0  # of its own work alone, without decoding
    f_hat: Tensor | None = None  # (1, C, s_K, s_K); None before the first step

    @property
    def done(self) -> bool:
        return self.steps == len(self.schedule)

    @property
    def tokens(self) -> int:
        """The tokens drawn so far."""
        return sum(self.schedule.lengths[: self.steps])

    @property
    def drawn(self) -> Tensor:
        """The cells of the last map of which the picture has something, bool (s_K, s_K)."""
        side = self.schedule.sides[-1]
        if not self.schedule.by_cell:
            return torch.full((side, side), self.steps > 0)
        cells = torch.zeros(side * side, dtype=torch.bool)
        cells[list(self.schedule.cells[: self.steps])] = True
        return cells.view(side, side)


def race(runners: Sequence[tuple[Pipeline, Request]]) -> Iterator[tuple[Lane, ...]]:
    """The lanes at the start and after each step of any runner; each request is for one picture.

    Whose clock is behind makes the next step, so that each is as far as if it had the machine to itself. No clock runs
    while the lanes are looked at.
    """
    lanes = [Lane(pipe.schedule) for pipe, _ in runners]
    for pipe, request in runners:
        _warm_up(pipe, request)
    paths = [pipe.steps(request) for pipe, request in runners]
    yield tuple(lanes)
    while waiting := [number for number, lane in enumerate(lanes) if not lane.done]:
        number = min(waiting, key=lambda one: lanes[one].seconds)
        began, lane = time.perf_counter(), lanes[number]
        step = next(paths[number])
        wait_for(runners[number][0].device)
        seconds = lane.seconds + time.perf_counter() - began
        lanes[number] = Lane(lane.schedule, lane.steps + 1, seconds, step.f_hat)
        yield tuple(lanes)


def picture(pipe: Pipeline, lane: Lane) -> Image.Image:
    """Return what a lane shows, RGBA of the drawn side: decoded, and transparent where no token has come yet."""
    side = pipe.spec.tokenizer.drawn_side
    if lane.f_hat is None:
        return Image.new("RGBA", (side, side))
    image = pipe.decode(lane.f_hat)[0].convert("RGBA")
    alpha = Image.fromarray(lane.drawn.numpy()).convert("L").resize((side, side), Image.Resampling.NEAREST)
    image.putalpha(alpha)
    return image


def _warm_up(pipe: Pipeline, request: Request) -> None:
    """Steps of every shape, for nothing: the first ones after loading take longer."""
    steps = pipe.steps(request)
    for _ in range(2 if pipe.schedule.by_cell else len(pipe.schedule)):
        next(steps, None)
    wait_for(pipe.device)
