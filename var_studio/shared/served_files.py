"""Folders for the files that are written for visitors, where Gradio serves them from."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .visitor import mark_of, visitor

KEPT = 24 * 3600  # seconds that files stay which were written for visitors of another server
OURS = "studio-"
HELD = ".held"  # a file in folders that outlive their session; its time is when that was said last


def fresh_folder(cache: str) -> Path:
    """A fresh folder for files, where they are served from. Those that are too old go: Gradio knows not all files.

    It goes with the session of whoever asks for the event that is being answered; see `remove`.
    """
    for old in Path(cache).glob(f"{OURS}*"):
        with suppress(FileNotFoundError):  # another server has been quicker
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{OURS}{mark_of(visitor())}-", dir=cache))


def remove(cache: str, session: str, seconds: float = 0.0) -> bool:
    """Delete the folders that were made for a session, but for those held within so many seconds; say if all are gone.

    A visit may go on under another session; see `visits`.
    """
    left = False
    for folder in Path(cache).glob(f"{OURS}{mark_of(session)}*"):
        if _is_held(folder, seconds):
            left = True
        else:
            drop(folder)
    return not left


def hold(folder: Path) -> None:
    """Let a folder outlive its session from now on, and its files count as new: Gradio deletes old ones."""
    with suppress(FileNotFoundError):
        (folder / HELD).touch()
        for file in (folder, *folder.iterdir()):
            os.utime(file)


def _is_held(folder: Path, seconds: float) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - (folder / HELD).stat().st_mtime < seconds
    return False


def drop(folder: Path) -> None:
    """Delete a folder."""
    shutil.rmtree(folder, ignore_errors=True)


def size(folder: Path) -> int:
    """Return how many bytes the files in a folder take; 0 if it is gone."""
    with suppress(FileNotFoundError):
        return sum(file.stat().st_size for file in folder.iterdir())
    return 0
