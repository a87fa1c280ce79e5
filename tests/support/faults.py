"""Faults of disk and memory that the system itself makes: no room for files, programs that end in mid-write."""

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORK = multiprocessing.get_context("fork")
PATIENCE = 100  # seconds that a process may take
SENTENCE_ENDS = (".", ".\n")


@contextmanager
def no_room(beyond: int = 0) -> Iterator[None]:
    """The system has no room for files of more than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def killed_in_mid_write(write: Callable[[], object], at: int) -> None:
    """Do it in a process that the system ends at a byte of a file: as of `kill -9`, no line of it runs after that."""

    def run() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
        write()

    assert outcome(run) == -signal.SIGXFSZ, "it was not in mid-write"


def outcome(run: Callable[[], object]) -> int | None:
    """Do it in a process of its own; what that ends with, negative for a signal."""
    process = FORK.Process(target=run)
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
    return process.exitcode


def program(*words: object, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, in the checkout."""
    command = [sys.executable, *map(str, words)]
    found = {**os.environ, "OMP_NUM_THREADS": "1", **surroundings}
    return subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True, timeout=PATIENCE)


def mounts() -> bool:
    """Say whether a small disk can be had here."""
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True).returncode == 0
    )


def on_small_disk(folder: Path, options: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run Python with a small disk mounted on a folder, as these options of `mount` say; then list what is on it."""
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        'mount -t tmpfs -o "$1" none "$2" && shift && at="$1" && shift && "$@"; ended=$?; ls -A "$at" >&1; exit $ended'
    )
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", options, str(folder), sys.executable, *map(str, words)]
    found = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True, timeout=PATIENCE)


def one_sentence(text: str) -> bool:
    """Say whether a program has told its end in one line, without a traceback."""
    return text.count("\n") == 1 and text.endswith(SENTENCE_ENDS) and "Traceback" not in text
