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
        return self.ends([self.join(name, *values, event=event)])[0]

    def join(self, name: str, *values: object, event: object = None) -> str:
        """Send an event to a handler; return its id, nobody listens yet."""
        asked = {
            "data": list(values),
            "fn_index": number_of(self.page, name),
            "session_hash": self.session,
            "event_data": event,
        }
        return self.http.post("/queue/join", json=asked).raise_for_status().json()["event_id"]

    def ends(self, joined: list[str]) -> list[dict[str, Any]]:
        """Wait for the ends of events; return them in the order of the ids."""
        found: dict[str, dict[str, Any]] = {}
        with self.http.stream("GET", "/queue/data", params={"session_hash": self.session}) as told:
            for line in told.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("event_id") in joined and message["msg"] == "process_completed":
                    found[message["event_id"]] = message["output"]
                if len(found) == len(joined):
                    return [found[one] for one in joined]
        raise AssertionError(f"only {len(found)} of {len(joined)} events were answered")

    def paint(self, name: str, picture: bytes, index: int = 0) -> httpx.Response:
        """Send a layer of the canvas, which an event will name."""
        number = next(number for number, block in self.page.blocks.items() if block.elem_id == "canvas")
        form = {"type": "layer", "index": str(index), "id": name, "fn_name": "accept_blobs"}
        form |= {"component_id": str(number), "session_hash": self.session}
        return self.http.post("/component_server", data=form, files={"file": ("layer_0.png", picture)})
