"""Bodies of requests, bounded before Gradio reads them."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from var_core.files import FULL

from ..shared.canvases import PART
from ..shared.guarded_events import NO_ROOM
from ..shared.limits import MEGABYTE, Limits
from .addresses import address
from .budgets import Budgets
from .form_bodies import FormReader
from .json_bodies import MOST_FILES, check_json
from .origins import own_hosts
from .refusals import Refused, reading
from .routes import API

PATIENCE = 30.0  # seconds without a byte after which a body is given up
LOGIN_BYTES = 16_000
IN_MEMORY = MEGABYTE  # of a form that is checked as a whole before it is handed on
BLOB_FIELDS = {"type": ("background", "layer", "composite"), "fn_name": ("accept_blobs",)}
# A number is refused here that no page sends; how many layers are opened is told where that is done.
MOST_FORM_LAYERS = 16


class Bodies:
    """Reads the bodies of requests before Gradio does: bounded in size, time and number, checked for what they hold."""

    def __init__(self, app: ASGIApp, limits: Limits, uploads: Path, root: str = "", patience: float = PATIENCE):
        """`uploads`: where Gradio writes files while they arrive; `root`: the app's public address, if it is known."""
        self.app, self.limits, self.root, self.patience = app, limits, root, patience
        self.broken = BrokenUploads(uploads, patience)
        self.budgets = Budgets(limits.uploads, limits.upload_mb)
        self.painting = Budgets(limits.painted, limits.painted_mb)  # one stroke is several pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, headers = scope["path"].rstrip("/"), Headers(scope=scope)
        if scope["method"] != "POST":
            await self.app(scope, _bounded(receive, 0, self.patience), send)
        elif path == f"{API}/upload":
            await self._upload(scope, receive, send)
        elif path == f"{API}/component_server":
            await self._blob(scope, receive, send)
        elif path == "/login":
            body = await _whole(_bounded(receive, LOGIN_BYTES, self.patience))
            await self.app(scope, _again([body], receive), send)
        else:
            if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                raise Refused(415, "json", "This must be JSON (application/json).")
            body = await _whole(_bounded(receive, self.limits.request_kb * 1000, self.patience))
            check_json(body, self.limits.text, own_hosts(headers, self.root))
            await self.app(scope, _again([body], receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand an upload on as it arrives, so that the page can show how far it is."""
        failed = False

        async def sending(message: Message) -> None:
            nonlocal failed
            failed = failed or (message["type"] == "http.response.start" and message["status"] >= 500)
            if not failed:
                await send(message)

        with self.broken.swept():
            try:
                await reading(self.app, scope, self._form(scope, receive, MOST_FILES, self._budget)[0], sending)
            except OSError as error:
                if not failed or error.errno not in FULL:
                    raise
                raise Refused(507, "room", NO_ROOM) from error

    async def _blob(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a picture of the editor's once it is here as a whole: Gradio would keep it in memory at once."""
        form, reader = self._form(scope, receive, 1, lambda _: self.painting)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as kept:
            while True:
                message = await form()
                if message["type"] == "http.disconnect":
                    return
                kept.write(message.get("body", b""))
                if not message.get("more_body"):
                    break
            _check_blob(reader)
            kept.seek(0)
            await self.app(scope, _again(iter(lambda: kept.read(IN_MEMORY), b""), receive), send)

    def _budget(self, reader: FormReader) -> Budgets:
        """Return what an upload is counted by: a canvas sends several files with each event, which nobody chose."""
        is_canvas = bool(reader.names) and all(map(PART.fullmatch, reader.names))
        return self.painting if is_canvas else self.budgets

    def _form(
        self, scope: Scope, receive: Receive, most_files: int, budget: Callable[[FormReader], Budgets]
    ) -> tuple[Receive, FormReader]:
        """Return what reads a form, bounded and counted by a budget, and what follows it."""
        visitor, headers = address(scope), Headers(scope=scope)
        reader = FormReader(headers.get("content-type", ""), most_files)
        bounded = _bounded(receive, self.limits.file_mb * MEGABYTE, self.patience)
        told = headers.get("content-length", "")
        if told.isdecimal() and int(told[:20]) > self.limits.file_mb * MEGABYTE:
            raise _too_large(self.limits.file_mb * MEGABYTE)

        async def received() -> Message:
            message = await bounded()
            before = reader.files
            reader.write(message.get("body", b""))
            budget(reader).spend(visitor, reader.files - before, len(message.get("body", b"")))
            return message

        return received, reader


class BrokenUploads:
    """Removes what uploads that were broken off, or refused, leave behind in Gradio's folder."""

    def __init__(self, folder: Path, patience: float, clock: Callable[[], float] = time.monotonic):
        self.folder, self.patience, self.clock, self.under_way = folder, patience, clock, 0
        self._seen: dict[Path, tuple[int, float]] = {}  # when each was written last, and since when that is known

    def swept(self) -> "BrokenUploads":
        return self

    def __enter__(self) -> None:
        self.under_way += 1

    def __exit__(self, *failure: object) -> None:
        self.under_way -= 1
        for path in self._left():
            path.unlink(missing_ok=True)

    def _left(self) -> Iterator[Path]:
        """Yield files that no upload writes to any more: those that are finished lie in folders."""
        now, before, self._seen = self.clock(), self._seen, {}
        for path in self.folder.glob("tmp*"):
            try:
                written = path.stat().st_mtime_ns
            except FileNotFoundError:  # finished at this moment
                continue
            known, since = before.get(path, (written, now))
            self._seen[path] = written, since if known == written else now
            if path.is_file() and (now - self._seen[path][1] > 4 * self.patience or not self.under_way):
                yield path


def _check_blob(reader: FormReader) -> None:
    """Refused unless a form is a picture that the editor sends."""
    fields = {name: value.decode("utf-8", "replace") for name, value in reader.fields.items()}
    for name, known in BLOB_FIELDS.items():
        if fields.get(name) not in known:
            raise Refused(404, "route", "There is nothing here.")
    index, component = fields.get("index", "null"), fields.get("component_id", "")
    if index not in ("", "null") and (not index.isdecimal() or int(index[:9]) >= MOST_FORM_LAYERS):
        raise Refused(413, "form", f"More than {MOST_FORM_LAYERS} layers.")
    if reader.files != 1 or not component.isdecimal() or not fields.get("id") or not fields.get("session_hash"):
        raise Refused(400, "form", "This form cannot be read.")


def _too_large(most: int) -> Refused:
    words = f"{most // MEGABYTE} MB" if most >= MEGABYTE else f"{most // 1000} kB"
    return Refused(413, "size", f"This is larger than {words}.")


def _bounded(receive: Receive, most: int, patience: float) -> Receive:
    """Return what receives a body: Refused if it has more than `most` bytes, or pauses for longer than `patience`."""
    taken, is_over = 0, False

    async def received() -> Message:
        nonlocal taken, is_over
        if is_over:  # what comes now is only that the visitor leaves, for which the app may wait long
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), patience)
        except asyncio.TimeoutError:
            raise Refused(408, "slow", "This took too long to arrive: try again.") from None
        taken += len(message.get("body", b""))
        is_over = not message.get("more_body")
        if taken > most:
            raise _too_large(most)
        return message

    return received


async def _whole(receive: Receive) -> bytes:
    """Return a whole body; of a visitor who has left, what has come."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(parts: "list[bytes] | Iterator[bytes]", receive: Receive) -> Receive:
    """Return what hands a body on that was read before, and then what comes after it."""
    waiting, is_over = iter(parts), False

    async def received() -> Message:
        nonlocal is_over
        if is_over:
            return await receive()
        part = next(waiting, None)
        is_over = part is None
        return {"type": "http.request", "body": part or b"", "more_body": not is_over}

    return received
