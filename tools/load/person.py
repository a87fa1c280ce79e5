"""Somebody with the page of a served app open: presses its buttons, and hears what the server tells of that."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

PATIENCE = 900.0  # seconds
Message = dict[str, Any]


@dataclass
class Told:
    """Times of an event: when it was pressed and when something of it was first drawn; and its last word."""

    pressed: float
    began: float = 0.0
    ended: float = 0.0
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)  # of the widgets that have a name
    first_sign: float = 0.0  # seconds until the page could show anything
    words: list[str] = field(default_factory=list)  # of the bars, in order, and when each came
    times: list[float] = field(default_factory=list)

    @property
    def waited(self) -> float:
        """Return the seconds until the model drew for it."""
        return (self.began or self.ended) - self.pressed

    @property
    def seconds(self) -> float:
        return self.ended - self.pressed


class Page:
    """The description of a page, the same for all who open it."""

    def __init__(self, config: dict[str, Any]):
        self.names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self.first = {part["id"]: part["props"].get("value") for part in config["components"]}
        offered = next(part["props"]["choices"] for part in config["components"] if self.names[part["id"]] == "class")
        self.classes = [value for _, value in offered]
        self.events = config["dependencies"]
        self._ids = {name: number for number, name in self.names.items() if name}

    def pressed(self, name: str, trigger: str) -> dict[str, Any]:
        """Return the event of a widget that has a name."""
        target = [self._ids[name], trigger]
        return next(event for event in self.events if target in event["targets"] and event["backend_fn"])

    def following(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the events that the page makes once one has gone well."""
        found = [one for one in self.events if one.get("trigger_after") == event["id"] and one["backend_fn"]]
        return [one for one in found if not one.get("trigger_only_on_failure")]


class Person:
    """One visitor, with a session of his own."""

    def __init__(self, address: str, page: Page | None = None):
        self.http = httpx.Client(base_url=f"{address}/gradio_api", timeout=PATIENCE, trust_env=False)
        self.page = page or Page(httpx.get(f"{address}/config", timeout=60, trust_env=False).raise_for_status().json())
        self.session = secrets.token_hex(6)
        self.values = dict(self.page.first)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    def set(self, **values: object) -> None:
        """Turn widgets by name."""
        self.values |= {number: values[name] for number, name in self.page.names.items() if name in values}

    def upload(self, file: Path) -> Message:
        """Send a file; return how events name it."""
        answer = self.http.post("/upload", files={"files": (file.name, file.read_bytes())}).raise_for_status()
        return {"path": answer.json()[0], "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}

    def file(self, told: Message) -> bytes:
        """Return a file that the server has told of."""
        return self.http.get(f"/file={told['path']}").raise_for_status().content

    def press(self, name: str, trigger: str = "click", drawing: Callable[[], object] = lambda: None) -> Told:
        """Press a button, and wait for the end of all that follows; `drawing` is called once something is drawn."""
        whole, events = Told(time.monotonic()), [self.page.pressed(name, trigger)]
        while events and not whole.error:
            event = events.pop(0)
            told = self.hear(event, drawing)
            whole.first_sign = whole.first_sign or told.first_sign
            whole.began, whole.ended, whole.error = whole.began or told.began, told.ended, told.error
            whole.values |= told.values
            whole.words += told.words
            whole.times += told.times
            events += self.page.following(event)
        return whole

    def leave_once_drawing(self, name: str) -> str:
        """Press a button, and go when something is drawn: the stream is closed, and this visitor is somebody new.

        Return what was told of the drawing.
        """
        first = self.page.pressed(name, "click")
        self.hear(first)
        with self._joined(self.page.following(first)[0]) as messages:
            told = next((str(one) for one in messages if "scale " in str(one)), "")
        self.session, self.values = secrets.token_hex(6), dict(self.page.first)
        return told

    def send(self, name: str, trigger: str = "click") -> None:
        """Press a button without listening to what is told of it: another stream hears of it."""
        self.http.post("/queue/join", json=self._asked(self.page.pressed(name, trigger))).raise_for_status()

    def _asked(self, event: dict[str, Any]) -> Message:
        data = [self.values.get(number) for number in event["inputs"]]
        return {"data": data, "fn_index": event["id"], "session_hash": self.session, "trigger_id": None}

    @contextmanager
    def _joined(self, event: dict[str, Any]) -> Iterator[Iterator[Message]]:
        """Ask for an event, and give what is told of it."""
        answer = self.http.post("/queue/join", json=self._asked(event)).raise_for_status()
        number = answer.json()["event_id"]
        with self.http.stream("GET", "/queue/data", params={"session_hash": self.session}) as stream:
            lines = (json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:"))
            yield (one for one in lines if one.get("event_id") == number)

    def hear(self, event: dict[str, Any], drawing: Callable[[], object] = lambda: None) -> Told:
        """Ask for an event, and listen until the server closes the stream: one that breaks off ends what comes next."""
        told, data = Told(time.monotonic()), None
        with self._joined(event) as messages:
            for one in messages:
                if told.ended or one["msg"] not in ("process_generating", "process_completed"):
                    continue
                now, words = time.monotonic(), str(one["output"])
                told.first_sign = told.first_sign or now - told.pressed
                told.words.append(words[:4000])
                told.times.append(now)
                if "scale " in words and not told.began:
                    told.began = now
                    drawing()
                if one["msg"] == "process_completed":
                    told.ended = now
                if one["success"]:
                    data = whole(data, one)
                    self._take(event, data, told)
                else:
                    told.error = str(one["output"].get("error") or "an error without words")
        if not told.ended:
            told.error, told.ended = "the stream ended before the event did", time.monotonic()
        return told

    def _take(self, event: dict[str, Any], data: list[Any], told: Told) -> None:
        """Take over the new values of widgets."""
        for number, given in zip(event["outputs"], data, strict=False):
            is_update = isinstance(given, dict) and given.get("__type__") == "update"
            if is_update and "value" not in given:
                continue
            self.values[number] = given["value"] if is_update else given
            if self.page.names[number]:
                told.values[self.page.names[number]] = self.values[number]


def whole(before: list[Any] | None, message: Message) -> list[Any]:
    """Return the values of a message: all but the first and the last say only what is new since the one before."""
    data = message["output"].get("data", [])
    if before is None or message["msg"] == "process_completed":
        return list(data)
    return [apply_diff(value, changes) for value, changes in zip(before, data, strict=True)]
