"""Folders for the files that are written for visitors, where Gradio serves them from."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

KEPT = 24 * 3600  # seconds that files which were written for visitors stay
OURS = "studio-"


def fresh_folder(cache: str) -> Path:
    """A fresh folder for files, where they are served from. Those that are too old go: Gradio knows not all files."""
    for old in Path(cache).glob(f"{OURS}*"):
        with suppress(FileNotFoundError):  # another server has been quicker
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=OURS, dir=cache))
