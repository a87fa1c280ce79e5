"""The app served in this process, a proxy before it, and visitors that speak HTTP with it."""

import asyncio
import json
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from support import tiny

from var_studio import main as app
from var_studio.hosting.figures import Figures
from var_studio.hosting.server import Server, behind_door, configured
from var_studio.hosting.serving import CACHE, Hosting
from var_studio.hosting.watching import watch
from var_studio.shared.limits import HOME, Limits
from var_studio.shared.models import Models


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def running(make: Callable[[Callable[[], None]], uvicorn.Server]) -> Iterator[None]:
    """Run a server, which calls what it is given once it serves, in a thread."""
    serving = threading.Event()
    server = make(serving.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert serving.wait(60)
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(cache: Path, hosting: Hosting = Hosting(), limits: Limits = HOME) -> Iterator[tuple[str, Figures]]:  # noqa: B008
    """Serve the app over the tiny model; its address and its figures."""
    placed = replace(hosting, port=free_port())
    figures = Figures()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(cache))
        models = Models(tiny.pipeline(), limits=limits)
        page = app.page_of(models)
        watch(page, figures)
        door = behind_door(page, models, placed, {}, figures)
        with running(lambda told: Server(configured(door, placed, limits), told)):
            yield placed.address, figures


@dataclass(frozen=True)
class Passed:
    """A request that came to a proxy, and the status of its answer."""

    method: str
    path: str
    status: int


def proxy(upstream: str, path: str, headers: dict[str, str], log: list[Passed]) -> ASGIApp:
    """A proxy that serves `upstream` under a path, which it takes off, adds headers, and writes a log."""

    async def passing(scope: Scope, receive: Receive, send: Send) -> None:
        def noted(status: int, raw: list[tuple[bytes, bytes]]) -> dict[str, Any]:
            log.append(Passed(scope["method"], scope["path"], status))
            return {"type": "http.response.start", "status": status, "headers": raw}

        if not scope["path"].startswith(f"{path}/"):
            await send(noted(404, []))
            await send({"type": "http.response.body"})
            return
        target = upstream.rstrip("/") + scope["raw_path"].decode().removeprefix(path)
        if scope["query_string"]:
            target += f"?{scope['query_string'].decode()}"

        async def body() -> AsyncIterator[bytes]:
            while True:
                message = await receive()
                yield message.get("body", b"")
                if not message.get("more_body"):
                    return

        told = {name.decode(): value.decode() for name, value in scope["headers"]}
        content = body() if "content-length" in told or "transfer-encoding" in told else None
        async with httpx.AsyncClient(trust_env=False, timeout=60, verify=False) as client:
            request = client.build_request(scope["method"], target, headers={**told, **headers}, content=content)
            answer = await client.send(request, stream=True)

            async def pass_on() -> None:
                await send(noted(answer.status_code, answer.headers.raw))
                async for part in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body"})

            async def leave() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass

            both = {asyncio.create_task(pass_on()), asyncio.create_task(leave())}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            await answer.aclose()

    return passing


@contextmanager
def proxied(upstream: str, path: str, log: list[Passed] | None = None, **headers: str) -> Iterator[str]:
    """Serve what is at `upstream` under a path; its address there, without a slash at the end.

    `log` gets a line for each request.
    """
    port = free_port()
    added = {name.replace("_", "-"): value for name, value in headers.items()}
    passing = proxy(upstream, path, added, [] if log is None else log)
    config = uvicorn.Config(passing, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    with running(lambda told: Server(config, told)):
        yield f"http://127.0.0.1:{port}{path}"


class Visitor:
    """Somebody with the page open: fires its events as it does, and takes what they answer."""

    def __init__(self, address: str, **headers: str):
        self.http = httpx.Client(base_url=address, trust_env=False, timeout=60, headers=headers)
        self.session = uuid.uuid4().hex[:12]

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the page is made of."""
        return self.http.get("config").raise_for_status().json()

    def event(self, name: str) -> dict[str, Any]:
        """The first event whose handler has a name."""
        return next(event for event in self.config["dependencies"] if event["api_name"] == name)

    def join(self, name: str, **changed: object) -> httpx.Response:
        """Ask for an event with all widgets as they are on a fresh page, but for those that are changed."""
        event = self.event(name)
        shown = {part["id"]: part["props"] for part in self.config["components"]}
        data = [changed.get(shown[key].get("elem_id"), shown[key].get("value")) for key in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "trigger_id": None}
        return self.http.post("gradio_api/queue/join", json=body)

    def fire(self, name: str, **changed: object) -> dict[str, Any]:
        """Ask for an event and wait for its end: Gradio's last message about it."""
        self.join(name, **changed).raise_for_status()
        with self.http.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    return message
        raise AssertionError(f"{name} never ended")
