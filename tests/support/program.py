"""A program that calls the documented endpoints of a served app, over plain HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx


class Program:
    """Calls endpoints by name."""

    def __init__(self, address: str):
        self.http = httpx.Client(base_url=f"{address}gradio_api", timeout=100, trust_env=False)

    def upload(self, file: Path) -> dict[str, Any]:
        """Send a file; return how calls name it."""
        answer = self.http.post("/upload", files={"files": (file.name, file.read_bytes())})
        (path,) = answer.raise_for_status().json()
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def told(self, name: str, *values: object) -> tuple[str, Any]:
        """Call an endpoint; the last thing that is told of it, "complete" or "error", and its data."""
        event = self.http.post(f"/call/{name}", json={"data": values}).raise_for_status().json()["event_id"]
        kind, data = "", None
        with self.http.stream("GET", f"/call/{name}/{event}") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind != "heartbeat":
                    data = json.loads(line.removeprefix("data: "))
        return kind, data

    def call(self, name: str, *values: object) -> Any:
        """Return what an endpoint answers."""
        kind, data = self.told(name, *values)
        assert kind == "complete", data
        return data

    def refused(self, name: str, *values: object) -> str:
        """Return the words with which an endpoint refuses."""
        kind, data = self.told(name, *values)
        assert kind == "error", data
        return data if isinstance(data, str) else data["error"]
