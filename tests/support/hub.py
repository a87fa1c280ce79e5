"""A hub on this machine, for transfers without a network, and models that look like the published ones, only tiny."""

import base64
import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from support.published import published_state, spec

from var_core.weights.registry import Published

REPOSITORY = "someone/var"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@cache
def contents(name: str) -> dict[str, bytes]:
    """Both files of a golden configuration, under the names that `model` gives them."""
    states = {f"var_{name}.pth": _transformer(name), f"vae_{name}.pth": published_state(name, "vae")}
    files = {}
    for file, state in states.items():
        written = io.BytesIO()
        torch.save(state, written)
        files[file] = written.getvalue()
    return files


def _transformer(name: str) -> dict[str, torch.Tensor]:
    """With the scale of every token noted, and the causal mask, as published files have them."""
    levels = torch.cat([torch.full((side**2,), k) for k, side in enumerate(spec(name).transformer.sides)])
    mask = torch.where(levels[:, None] >= levels, 0.0, -torch.inf)
    return published_state(name, "var") | {"lvl_1L": levels[None], "attn_bias_for_masking": mask[None, None]}


def model(name: str) -> Published:
    """A golden configuration as an entry of the registry."""
    counts = [
        sum(value.numel() for key, value in published_state(name, part).items() if not key.endswith(CONSTANTS))
        for part in ("var", "vae")
    ]
    files = (f"var_{name}.pth", counts[0], 9.9, f"vae_{name}.pth", counts[1])
    return Published(f"Tiny {name}", spec(name), *files, REPOSITORY, REPOSITORY)


CONSTANTS = ("lvl_1L", "attn_bias_for_masking", "zero_k_bias", "ema_vocab_hit_SV")


def write(name: str, folder: Path) -> tuple[Path, Path]:
    """The transformer's file and the tokenizer's, in a folder."""
    for file, content in contents(name).items():
        (folder / file).write_bytes(content)
    return folder / f"var_{name}.pth", folder / f"vae_{name}.pth"


@dataclass(frozen=True)
class Asked:
    """What a client asked for."""

    method: str
    path: str
    range: str | None
    token: str | None
    agent: str

    @property
    def start(self) -> int:
        """First byte wanted."""
        return int(re.fullmatch(r"bytes=(\d+)-", self.range)[1]) if self.range else 0


@dataclass
class Hub:
    """What is served, what was asked, and how the line misbehaves."""

    files: dict[str, bytes]
    address: str = ""
    storage: str = ""  # where large files really lie: another host, as far as clients can tell
    asked: list[Asked] = field(default_factory=list)
    cuts: int = 0  # so many answers break off half-way
    stalls: int = 0  # so many answers stop half-way, but the line stays open
    refusal: int = 0  # HTTP status of every answer, 0 = none
    ranges: bool = True  # whether it can send from the middle on
    announced: int = 0  # bytes by which the announced size is wrong
    damaged: bool = False  # whether the bytes sent are others than announced
    places: dict[str, str] = field(default_factory=dict)  # file -> repository and folder; else those of all
    made: list[dict[str, str]] = field(default_factory=list)  # repositories that were asked for
    blobs: dict[str, bytes] = field(default_factory=dict)  # large files that were sent, by their SHA-256
    go: threading.Event = field(default_factory=threading.Event)  # ends stalls

    def commit(self, lines: list[bytes]) -> None:
        """Take over the files of a commit: small ones lie in it, large ones were sent before."""
        for line in map(json.loads, lines):
            told = line["value"]
            if line["key"] == "file":
                self.files[told["path"]] = base64.b64decode(told["content"])
            elif line["key"] == "lfsFile":
                self.files[told["path"]] = self.blobs[told["oid"]]

    def gets(self, file: str) -> list[Asked]:
        """What was asked of the storage."""
        return [one for one in self.asked if one.method == "GET" and one.path == f"/stored/{file}"]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve the hub, and its storage on a port of its own."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.address, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.go.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """As HF_ENDPOINT would, had it been set before the program began."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def _noted(self) -> Asked:
        asked = Asked(
            self.command, self.path, self.headers["Range"], self.headers["Authorization"], self.headers["User-Agent"]
        )
        self.hub.asked.append(asked)
        return asked

    def _take(self) -> None:
        """Answer the questions of an upload, in the order in which they come."""
        asked, hub = self._noted(), self.hub
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if hub.refusal or not (asked.token or asked.method == "PUT"):
            return self._head(hub.refusal or 401, {"Content-Length": "0"})
        answer: dict[str, object] = {}
        if self.path == "/api/repos/create":
            hub.made.append(json.loads(body))
            answer = {"url": f"{hub.address}/{REPOSITORY}", "name": REPOSITORY}
        elif self.path == f"/api/models/{REPOSITORY}/preupload/main":
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = {path: "lfs" if path.endswith(".safetensors") else "regular" for path in paths}
            answer = {"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes.items()]}
        elif self.path == f"/{REPOSITORY}.git/info/lfs/objects/batch":
            asked_for = json.loads(body)["objects"]
            href = f"{hub.storage}/sent"
            answer = {"objects": [one | {"actions": {"upload": {"href": f"{href}/{one['oid']}"}}} for one in asked_for]}
        elif asked.method == "PUT":
            hub.blobs[hashlib.sha256(body).hexdigest()] = body
        elif self.path == f"/api/models/{REPOSITORY}/commit/main":
            hub.commit(body.splitlines())
            answer = {"commitUrl": f"{hub.address}/{REPOSITORY}/commit/{COMMIT}", "commitOid": COMMIT}
        elif self.path != "/api/validate-yaml":
            return self._head(404, {"Content-Length": "0"})
        sent = json.dumps(answer).encode()
        self._head(200, {"Content-Length": str(len(sent)), "Content-Type": "application/json"})
        self.wfile.write(sent)

    def _answer(self) -> None:
        hub, asked = self.hub, self._noted()
        file = self.path.rpartition("/")[2]
        if hub.refusal or file not in hub.files:
            self._head(hub.refusal or 404, {"Content-Length": "0", "X-Error-Code": "EntryNotFound"})
        elif re.fullmatch(rf"/{self._place(file)}", re.sub(rf"/resolve/(main|{COMMIT})/", "/", self.path)):
            self._redirect(file, hub.files[file])
        elif self.path == f"/stored/{file}":
            self._send(hub.files[file], asked.start if hub.ranges else 0)
        else:
            self._head(404, {"Content-Length": "0"})

    def _place(self, file: str) -> str:
        return f"{self.hub.places.get(file, REPOSITORY)}/{file}"

    def _redirect(self, file: str, content: bytes) -> None:
        facts = {
            "Location": f"{self.hub.storage}/stored/{file}",
            "X-Repo-Commit": COMMIT,
            "X-Linked-Size": str(len(content) + self.hub.announced),
            "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Content-Length": "0",
        }
        self._head(302, facts)

    def _send(self, content: bytes, start: int) -> None:
        hub, body = self.hub, content[start:]
        if hub.damaged:
            body = bytes(len(body))
        sizes = {"Content-Length": str(len(body))}
        if start:
            sizes["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, sizes)
        half = len(body) // 2
        with suppress(ConnectionError):  # the client may have had enough
            self.wfile.write(body[:half])
            if hub.cuts:
                hub.cuts -= 1
                self.close_connection = True
                return
            if hub.stalls:
                hub.stalls -= 1
                hub.go.wait()
            self.wfile.write(body[half:])

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
