"""A visitor of a served page without a browser: what a page sends, or what no page would."""

import json
import secrets
from pathlib import Path
from typing import Any

import gradio as gr
import httpx


def number_of(page: gr.Blocks, name: str) -> int:
    """Return the number of the first event whose handler has this name."""
    return next(number for number, fn in page.fns.items() if fn.name == name)


class Caller:
    """A visitor with a session of his own."""

    def __init__(self, page: gr.Blocks, address: str):
        self.page, self.session = page, secrets.token_hex(8)
        self.http = httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=60)

    def upload(self, file: Path) -> dict[str, Any]:
        """Send a file; return how events name it."""
        answer = self.http.post("/upload", files={"files": (file.name, file.read_bytes())})
        (path,) = answer.raise_for_status().json()
        return {"path": path, "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}

    def call(self, name: str, *values: object, event: object = None) -> dict[str, Any]:
        """Send an event to a handler; return what it ends with: `data`, or what went wrong as `error`."""
        asked = {
            "data": list(values),
            "fn_index": number_of(self.page, name),
            "session_hash": self.session,
            "event_data": event,
        }
        joined = self.http.post("/queue/join", json=asked).raise_for_status().json()["event_id"]
        with self.http.stream("GET", "/queue/data", params={"session_hash": self.session}) as told:
            for line in told.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("event_id") == joined and message["msg"] == "process_completed":
                    return message["output"]
        raise AssertionError(f"{name} was never answered")
