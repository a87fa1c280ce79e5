"""Folders for the files that are written for visitors, where Gradio serves them from."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .visitor import mark_of, visitor

KEPT = 24 * 3600  # seconds that files stay which were written for visitors of another server
OURS = "studio-"


def fresh_folder(cache: str) -> Path:
    """A fresh folder for files, where they are served from. Those that are too old go: Gradio knows not all files.

    It goes with the session of whoever asks for the event that is being answered; see `remove`.
    """
    for old in Path(cache).glob(f"{OURS}*"):
        with suppress(FileNotFoundError):  # another server has been quicker
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{OURS}{mark_of(visitor())}-", dir=cache))


def remove(cache: str, session: str) -> None:
    """Delete the folders that were made for a session."""
    for folder in Path(cache).glob(f"{OURS}{mark_of(session)}*"):
        shutil.rmtree(folder, ignore_errors=True)
