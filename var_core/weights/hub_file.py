"""One file from the Hugging Face hub, piece by piece, so that what was cut off goes on where it stopped.

`huggingface_hub` says where files are, what is cached, whether it is offline, and who asks. Its own download begins
anew whenever it was stopped (a partial file now has a name of its own for every call, and is deleted), cannot be
stopped while nothing arrives, and sends word of the surroundings along; so the bytes are fetched here.
"""

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from .. import __version__
from ..files import FULL
from .convert import TICK, FileProgress
from .registry import place

TRIES = 5  # in a row that bring nothing, before giving up; of the first question fewer
PAUSE = 1.0  # seconds before the second try, then longer
PATIENCE = 1.0  # seconds to wait for a transfer that was told to stop; what still arrives is thrown away
BLOCK = 2**22  # bytes that are checked at a time
AGAIN = "What has arrived is kept: the next download goes on from there."
BY_HAND = "python -m var_core convert --transformer FILE.pth --tokenizer FILE.pth"


@contextmanager
def folder_lock(title: str, store: Path) -> Iterator[None]:
    """Nobody else downloads into this folder meanwhile, in this program or another."""
    from filelock import FileLock, Timeout

    try:
        store.mkdir(parents=True, exist_ok=True)
        lock = FileLock(store / ".lock", thread_local=False)  # an iterator may end in another thread than it began in
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"A download to {store.parent} is under way: wait for it, or stop it, before {title} can begin."
        ) from error
    except OSError as error:
        raise ValueError(f"{store} cannot be written to ({error.strerror}): choose another folder.") from error
    try:
        yield
    finally:
        lock.release()


def cached(repository: str, file: str) -> Path | None:
    """A file in the hub's cache, where other programs may have put it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    return Path(found) if isinstance(found, str) else None


@dataclass(frozen=True)
class Remote:
    """A file on the hub, in the version it had when it was asked for."""

    url: str
    size: int
    etag: str


def fetch_file(repository: str, file: str, store: Path, by_hand: str = BY_HAND) -> Iterator[FileProgress]:
    """Bring one file of a repository to `store`; it appears under its name only when it is whole and right.

    ValueError says what is amiss, and what to do: `by_hand` is how a file is made use of that came another way.
    """
    work = _Transfer(repository, file, store)
    worker = threading.Thread(target=work.run, daemon=True, name=f"download {file}")
    start = time.monotonic()
    worker.start()
    try:
        while worker.is_alive():
            worker.join(TICK)
            passed = time.monotonic() - start
            yield FileProgress("download", work.name, work.done, work.total, passed, work.begun)
    finally:
        work.stopped.set()
        worker.join(PATIENCE)
    if work.error is not None:
        raise explained(work.error, repository, file, store, by_hand) from work.error
    yield from _checked(work.part, work.remote, work.name)
    os.replace(work.part, place(store, file))


def _checked(part: Path, remote: Remote, file: str) -> Iterator[FileProgress]:
    """ValueError unless the file has the SHA-256 by which the hub names it (large files are named so)."""
    if not re.fullmatch(r"[0-9a-f]{64}", remote.etag):
        return
    found, start, done = hashlib.sha256(), time.monotonic(), 0
    with open(part, "rb") as content:
        while block := content.read(BLOCK):
            found.update(block)
            done += len(block)
            yield FileProgress("check", file, done, remote.size, time.monotonic() - start)
    if found.hexdigest() != remote.etag:
        part.unlink()
        raise ValueError(f"{file} was damaged on its way, and was deleted: download it again.")


class _Transfer:
    """The work of a download in a thread of its own; the caller watches `done`, and may set `stopped`."""

    def __init__(self, repository: str, file: str, store: Path):
        self.repository, self.file, self.store = repository, file, store
        self.name = place(store, file).name
        self.stopped = threading.Event()
        self.done = self.total = self.begun = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.remote = self._retried(self._find, min(TRIES, 2))
            self.total = self.remote.size
            self.part = self._place(self.remote)
            self.begun = self.done = self.part.stat().st_size if self.part.exists() else 0
            self._retried(self._receive, TRIES)
        except Exception as error:  # carried over to the caller's thread, which says what it means
            self.error = error

    def _retried(self, work: Callable[[], Any], tries: int) -> Any:
        """Do it, and again while the line fails but something arrives in between."""
        failures, before = 0, self.done
        while not self.stopped.is_set():
            try:
                found = work()
                self._go_on()
                return found
            except _passing() as error:
                failures = failures + 1 if self.done == before else 1
                before = self.done
                if failures >= tries or _refused(error):
                    raise
                self.stopped.wait(PAUSE * failures)
        raise _Stopped

    def _find(self) -> Remote:
        """Ask for size, version and name of the content; a redirect to where that is stored is not followed."""
        from huggingface_hub import get_session, hf_hub_url

        url, wait = hf_hub_url(self.repository, self.file), _constants().HF_HUB_ETAG_TIMEOUT
        for _ in range(5):
            answer = get_session().head(url, headers=_headers(), timeout=wait, follow_redirects=False)
            onward = urljoin(url, answer.headers.get("location", url))
            if not answer.is_redirect or urlsplit(onward).netloc != urlsplit(url).netloc:
                break
            url = onward
        _check_status(answer.status_code)
        found = answer.headers
        length = found.get("x-linked-size") or (None if answer.is_redirect else found.get("content-length"))
        etag = (found.get("x-linked-etag") or found.get("etag") or "").removeprefix("W/").strip('"')
        if not (etag and length and length.isdecimal() and found.get("x-repo-commit")):
            raise ValueError(f"{url} is not answered by a Hugging Face hub: check HF_ENDPOINT, firewall and proxy.")
        pinned = hf_hub_url(self.repository, self.file, revision=found["x-repo-commit"])
        return Remote(pinned, int(length), etag)

    def _place(self, remote: Remote) -> Path:
        """Return where the part that has arrived is; parts of other versions are deleted."""
        tag = re.sub(r"\W", "", remote.etag)[:16]
        part = self.store / f"{self.name}.{tag}.part"
        for other in self.store.glob(f"{self.name}.*.part"):
            if other != part or other.stat().st_size > remote.size:
                other.unlink()
        return part

    def _receive(self) -> None:
        """Append what is missing to the part."""
        from huggingface_hub import get_session

        if self.done >= self.total:
            return
        begin = {"range": f"bytes={self.done}-"} if self.done else {}
        wait = _constants().HF_HUB_DOWNLOAD_TIMEOUT
        request = {"headers": _headers() | begin, "timeout": wait, "follow_redirects": True}
        with get_session().stream("GET", self.remote.url, **request) as answer:
            _check_status(answer.status_code)
            if self.done and answer.status_code != 206:  # it sends all of it, whatever was asked for
                self.done = 0
            self._check_size(answer.headers)
            self._go_on()
            with open(self.part, "r+b" if self.done else "wb") as content:
                content.seek(self.done)
                for block in answer.iter_bytes():
                    self._go_on()
                    self._check_length(len(block))
                    content.write(block)
                    content.flush()  # nothing is left to be written when the next download goes on
                    self.done += len(block)
        if self.done < self.total:
            raise ConnectionError("the line was closed too early")

    def _go_on(self) -> None:
        """Touch nothing that belongs to the next download, once this one was told to stop."""
        if self.stopped.is_set():
            raise _Stopped

    def _check_size(self, headers: Any) -> None:
        length = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length")
        if length and length.isdecimal() and int(length) != self.total:
            raise _WrongSize(int(length), self.total)

    def _check_length(self, count: int) -> None:
        if self.done + count > self.total:
            self.part.unlink(missing_ok=True)
            raise _WrongSize(self.done + count, self.total)


# ------------------------------------------------------------------------------------------------ what can go wrong


class _Stopped(Exception):
    """The caller no longer wants it."""


class _WrongSize(Exception):
    """(bytes sent, bytes announced)"""


class _Status(Exception):
    """(HTTP status)"""


def _check_status(status: int) -> None:
    if status >= 400:
        raise _Status(status)


def _refused(error: Exception) -> bool:
    """Say whether another try would end alike."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, _Status):
        return error.args[0] not in (408, 429, 500, 502, 503, 504)
    return isinstance(error, OfflineModeIsEnabled)


def _passing() -> tuple[type[Exception], ...]:
    """Errors that may pass."""
    from huggingface_hub.errors import HTTPError  # that of the HTTP library it uses

    return HTTPError, ConnectionError, TimeoutError, _Status


def _constants() -> Any:
    from huggingface_hub import constants

    return constants


def _headers() -> dict[str, str]:
    """Who asks, and nothing about the machine; the token that HF_TOKEN or a login on this machine gives."""
    from huggingface_hub import get_token

    headers = {"user-agent": f"var-studio/{__version__}", "accept-encoding": "identity"}
    token = None if _constants().HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return headers | ({"authorization": f"Bearer {token}"} if token else {})


def explained(error: Exception, repository: str, file: str, store: Path, by_hand: str = BY_HAND) -> Exception:
    """The sentence for the user, or the error itself if it is a fault of ours."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    where = f"{file} of {repository}"
    match error:
        case OfflineModeIsEnabled():
            text = (
                f"{where} cannot be downloaded: HF_HUB_OFFLINE is set. "
                f"Unset it, or get the files yourself and: {by_hand}"
            )
        case _WrongSize(args=(sent, announced)):
            text = (
                f"{where} should have {announced} bytes, but {sent} are sent: try again later, or get it and: {by_hand}"
            )
        case _Status(args=(401 | 403 as status,)):
            text = f"The hub refuses {where} ({status}): set HF_TOKEN to a token that may read it."
        case _Status(args=(404,)):
            text = f"There is no {where} on {_constants().ENDPOINT} (404). Get it elsewhere and: {by_hand}"
        case _Status(args=(status,)):
            text = f"The hub cannot send {where} at present ({status}): try again later. {AGAIN}"
        case OSError(errno=number) if number in FULL:
            text = f"The disk of {store} is full: make room, then download again. {AGAIN}"
        case OSError(errno=int()) if not isinstance(error, (ConnectionError, TimeoutError)):
            text = f"{store} cannot be written to ({error.strerror}): choose another folder."
        case _ if isinstance(error, _passing()):
            text = (
                f"{where} could not be had from {_constants().ENDPOINT} ({error or type(error).__name__}): "
                f"check the network, or the mirror in HF_ENDPOINT. {AGAIN}"
            )
        case _:
            return error
    return ValueError(text)
