"""Commands in processes of their own: forks of this one where that can be, so that nothing is imported again."""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from var_core.cli import main

# Where there is a GPU, a fork of a process that has trained cannot train.
START = "fork" if sys.platform == "linux" and not torch.cuda.is_available() else "spawn"


def begun(work: Callable[..., object], *given: object, said: Path, **surroundings: str) -> BaseProcess:
    """Start a function of a module; what it returns is the exit status, what it says is added to a file."""
    told = (work, given, said, surroundings)
    process = multiprocessing.get_context(START).Process(target=_carried_out, args=told)
    process.start()
    return process


def _carried_out(work: Callable[..., object], given: tuple[object, ...], said: Path, around: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # trainings here may have left others
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(around)
    torch.set_num_threads(1)
    with open(said, "a", encoding="utf-8", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        sys.exit(work(*given))


def started(*words: object, said: Path, **surroundings: str) -> BaseProcess:
    """Start a command."""
    return begun(main, list(map(str, words)), said=said, **surroundings)


def two_started(*words: object, said: Path) -> list[BaseProcess]:
    """Start a command in two processes that find each other, as those that torchrun starts do."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [started(*words, said=said, RANK=rank, LOCAL_RANK=rank, **meeting) for rank in "01"]
