"""Open files of visitors in processes of their own, which are ended when they take too long, and take turns."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from var_core.schema import Fields
from var_core.words import counted

from .limits import HOME, Limits

LOG = logging.getLogger(__name__)
# A process may compute for so many seconds; where others keep it from that, it has several times as long to do so.
BUSY_MACHINE = 3 if hasattr(signal, "SIGXCPU") else 1
EXCEEDED = -int(getattr(signal, "SIGXCPU", 1000))  # what a process ends with that has computed for longer
# One thread; and what is freed goes back to the system at once.
SURROUNDINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}
PATIENCE = 60.0  # seconds that a file waits for its turn, and a process may take to start
BUSY = "Many files are being opened just now: try again in a moment."


class Worker:
    """A process that opens files. It is started when it is needed first, and again when it has ended."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._forgotten: weakref.finalize[..., Any] | None = None  # ends the process when nobody asks any more

    def ask(self, question: Mapping[str, object]) -> Fields:
        """Return the answer to a question; ValueError if there is none in time, or it is a refusal."""
        name, seconds = Path(str(question["path"])).name, self.limits.opening_seconds
        broken = f"{name} could not be opened: save it anew as a PNG, and try that."
        process = self._running()
        started = time.monotonic()
        answer = _exchange(process, question, seconds * BUSY_MACHINE)
        if answer is None:
            took_long = _ended_with(process) == EXCEEDED or time.monotonic() - started >= seconds * BUSY_MACHINE
            self.end()
            if not took_long:
                raise ValueError(broken)
            told = counted(seconds, "second")
            raise ValueError(f"{name} takes more than {told} to open. Make it smaller first, or save it anew as a PNG.")
        if "broken" in answer:
            LOG.error("opening a file: %s", answer["broken"][:200])
            raise ValueError(broken)
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        """Return the process, which is ready for a question; ValueError if it cannot be started."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        assert self._process is not None, "it has just been started"
        if not self._ready and _exchange(self._process, None, PATIENCE) is None:
            self.end()
            raise ValueError("No file can be opened just now: tell whoever runs the app.")
        self._ready = True
        return self._process

    def start(self) -> None:
        """Start the process, without waiting for it."""
        surroundings = {**os.environ, **SURROUNDINGS}
        surroundings["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")))
        )
        told = map(str, (self.limits.opening_mb, self.limits.megapixels, self.limits.opening_seconds))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "var_studio.shared.opening_worker", *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=surroundings,
        )
        self._ready = False
        if self._forgotten:
            self._forgotten.detach()
        self._forgotten = weakref.finalize(self, _ended, self._process)

    def end(self) -> None:
        """End the process, and start another one in its place."""
        assert self._process is not None, "it has been started"
        _ended(self._process)
        self.start()

    @property
    def number(self) -> int | None:
        """Number of the process; None: none has been started."""
        return self._process.pid if self._process else None


def _exchange(
    process: "subprocess.Popen[bytes]", question: Mapping[str, Any] | None, seconds: float
) -> dict[str, Any] | None:
    """Return what a process answers, or says by itself; None if it has ended, or is ended for taking too long."""
    assert process.stdin and process.stdout, "both are pipes"
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        if question is not None:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return None
    finally:
        timer.cancel()
    return json.loads(line) if line.endswith(b"\n") else None


def _ended_with(process: "subprocess.Popen[bytes]") -> int | None:
    """Return what a process has ended with that says no more; None: it has not."""
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        return None


def _ended(process: "subprocess.Popen[bytes]") -> None:
    """End a process and what leads to it."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was still to be written
                continue


class Opener:
    """Several processes that open files, and the visitors who wait for them: one file of a visitor at a time."""

    def __init__(self, limits: Limits = HOME, workers: int = 2):
        """`limits` bound the files that wait, too: each holds one of the server's threads."""
        self.workers, self.limits = tuple(Worker(limits) for _ in range(workers)), limits
        self._free = list(self.workers)
        self._waiting: list[tuple[str, object]] = []  # visitors, each with a ticket of his own; who came first is first
        self._served: list[str] = []
        self._changed = threading.Condition()

    def start(self) -> None:
        """Start all processes that do not run, without waiting for them."""
        for worker in self.workers:
            if worker.number is None:
                worker.start()

    def ask(self, visitor: str, question: Mapping[str, object]) -> Fields:
        """Return the answer to a visitor's question; ValueError with what went wrong, or if too many wait."""
        with self._turn(visitor) as worker:
            return worker.ask(question)

    @contextmanager
    def _turn(self, visitor: str) -> Iterator[Worker]:
        """Wait for one's turn."""
        ticket = (visitor, object())
        with self._changed:
            of_one = sum(other == visitor for other, _ in self._waiting)
            if len(self._waiting) >= self.limits.opening_queue or of_one >= self.limits.opening_waiting:
                raise ValueError(BUSY)
            self._waiting.append(ticket)
            mine = self._changed.wait_for(lambda: self._next() is ticket, PATIENCE)
            self._waiting.remove(ticket)
            self._changed.notify_all()
            if not mine:
                raise ValueError(BUSY)
            worker = self._free.pop()
            self._served.append(visitor)
        try:
            yield worker
        finally:
            with self._changed:
                self._free.append(worker)
                self._served.remove(visitor)
                self._changed.notify_all()

    def _next(self) -> tuple[str, object] | None:
        """Return who is next; None: nobody is, or no process is free."""
        if not self._free:
            return None
        return next((ticket for ticket in self._waiting if ticket[0] not in self._served), None)
