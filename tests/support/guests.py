"""A server of the Create tab on loopback, whose scales are made when the test says so; and visitors who call it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gradio as gr
import httpx
import pytest
from support import tiny
from support.served import free_port, running

from var_studio.create import tab as create
from var_studio.hosting.figures import Figures
from var_studio.hosting.server import Server, behind_door, configured
from var_studio.hosting.serving import Hosting
from var_studio.hosting.watching import watch
from var_studio.shared import run as runs
from var_studio.shared.limits import Limits
from var_studio.shared.models import Models
from var_studio.shared.visitor_files import VisitorFiles

SOON = 20.0  # seconds within which anything that is awaited must have come


class Scales:
    """Counts the scales that are made, by seed, and holds each until it is let go."""

    def __init__(self) -> None:
        self.made: list[int] = []  # the first seed of the run, at each scale
        self.inside, self.most_inside = 0, 0
        self._changed, self._free = threading.Condition(), 0

    def let(self, number: int) -> None:
        """Let so many more scales be made."""
        with self._changed:
            self._free += number
            self._changed.notify_all()

    def await_held(self, made: int) -> None:
        """Wait until so many have been made in all, and one more is held."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.made) == made and self.inside, SOON), self.made

    def after_each_scale(self, original: Any) -> Any:
        """Return `run.after_each_scale`, held and counted."""

        def held(pipe: Any, request: Any) -> Iterator[Any]:
            for run in original(pipe, request):
                with self._changed:
                    self.inside += 1
                    self.most_inside = max(self.most_inside, self.inside)
                    self._changed.notify_all()
                    assert self._changed.wait_for(lambda: self._free, SOON), "nobody let this scale be made"
                    self._free -= 1
                    self.inside -= 1
                    self.made.append(request.seeds[0])
                    self._changed.notify_all()
                yield run

        return held


class House:
    """A served page, with what the test looks at."""

    def __init__(self, limits: Limits, scales: Scales):
        self.scales, self.models = scales, Models(tiny.pipeline(), limits=limits)
        with gr.Blocks() as self.page:
            self.made = create.tab(self.models, VisitorFiles(limits))
        placed, figures = Hosting(port=free_port()), Figures()
        watch(self.page, figures)
        self.door = behind_door(self.page, self.models, placed, {}, figures)
        self.sessions, self.address = self.page.state_holder, placed.address
        self.server = partial(Server, configured(self.door, placed, limits))

    def number(self, name: str) -> int:
        """Return the number of the first event whose handler has a name."""
        return next(number for number, event in self.page.fns.items() if event.name == name)

    def await_runs(self, number: int) -> None:
        """Wait until so many runs are under way or waiting."""
        ticks = threading.Event()
        for _ in range(int(SOON / 0.02)):
            if sum(self.models.desk.turns.busy()) == number:
                return
            ticks.wait(0.02)
        pytest.fail(f"{self.models.desk.turns.busy()}, not {number} in all")


class Guest:
    """A visitor, by the calls that a browser makes."""

    def __init__(self, house: House, name: str):
        self.house, self.name = house, name
        self.client = httpx.Client(base_url=f"{house.address}gradio_api", timeout=SOON)

    def body(self, event: str, **values: object) -> dict[str, object]:
        """Return what is sent to begin an event: values by label, else as the page shows them first."""
        number = self.house.number(event)
        data = [values.get(str(getattr(one, "label", "")), one.value) for one in self.house.page.fns[number].inputs]
        return {"fn_index": number, "data": data, "session_hash": self.name}

    def join(self, event: str, **values: object) -> str:
        """Begin an event, and return its id; nobody listens yet."""
        answer = self.client.post("/queue/join", json=self.body(event, **values))
        return answer.raise_for_status().json()["event_id"]

    def call(self, event: str, **values: object) -> httpx.Response:
        """Call an event directly, past Gradio's queue."""
        return self.client.post(f"/run/{event}", json=self.body(event, **values))

    @contextmanager
    def listening(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Open the visitor's stream of answers."""
        with self.client.stream("GET", "/queue/data", params={"session_hash": self.name}) as answer:
            lines = (line for line in answer.iter_lines() if line.startswith("data: "))
            yield (json.loads(line.removeprefix("data: ")) for line in lines)

    def ask(self, event: str, **values: object) -> list[dict[str, Any]]:
        """Begin an event, and return all that is told of it to its end."""
        joined, told = self.join(event, **values), []
        with self.listening() as messages:
            for message in messages:
                if message.get("event_id") == joined:
                    told.append(message)
                if message["msg"] == "process_completed" and message["event_id"] == joined:
                    return told
        raise AssertionError("the stream ended before the event did")

    def prepare(self, seed: int, pictures: int = 1) -> None:
        """Press Run, up to where the model is needed."""
        values = {"Seed": str(seed), "Pictures": pictures, "Keep this seed": True}
        assert self.ask("prepare", **values)[-1]["success"]

    def run(self, seed: int, pictures: int = 1) -> "Running":
        """Press Run, and listen in a thread of its own."""
        self.prepare(seed, pictures)
        return Running(self)


class Running(threading.Thread):
    """A run of a visitor who listens to its end."""

    def __init__(self, guest: Guest):
        super().__init__(daemon=True)
        self.guest, self.told = guest, []
        self.start()

    def run(self) -> None:
        self.told = self.guest.ask("watch")

    def over(self) -> list[dict[str, Any]]:
        """Wait for its end, and return all that was told."""
        self.join(SOON)
        assert not self.is_alive(), "it goes on"
        return self.told


@contextmanager
def served(limits: Limits) -> Iterator[House]:
    """Serve the tab while a test module runs."""
    scales, patch = Scales(), pytest.MonkeyPatch()
    patch.setattr(runs, "after_each_scale", scales.after_each_scale(runs.after_each_scale))
    try:
        house = House(limits, scales)
        with running(house.server):
            yield house
            scales.let(10_000)
    finally:
        patch.undo()
