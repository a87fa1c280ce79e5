"""Folders for the files that are written for visitors, where Gradio serves them from."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from .canvases import PART
from .visitor import mark_of, visitor

KEPT = 24 * 3600  # seconds that files stay which were written for visitors of another server
OURS = "studio-"
HELD = ".held"  # a file in folders that outlive their session; it says when that was said last
LOOKED = 60.0  # seconds between two looks at the files that Gradio has noted
PAINTED = 600.0  # seconds that files of a canvas stay: with each event the page sends them anew
SERVER = uuid4().hex[:8]  # in the names of folders of this server: they go with their sessions, by no clock that jumps


@contextmanager
def fresh_folder(cache: str) -> Iterator[Path]:
    """Give a fresh folder for files, where they are served from; an error takes it away with all that was written.

    It goes with the session of whoever asks for the event that is being answered; see `remove`. Those of servers that
    have ended without a word go when they are too old.
    """
    for old in Path(cache).glob(f"{OURS}*"):
        with suppress(FileNotFoundError):  # another server has been quicker
            if f"-{SERVER}" not in old.name and time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_name(mark_of(visitor()))}-", dir=cache))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def lasting_folder(cache: str, mark: str) -> Path:
    """Return the one folder of a visitor of a mark that is used again and again, made if need be."""
    folder = Path(cache) / _name(mark)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove(cache: str, session: str, seconds: float = 0.0) -> bool:
    """Delete the folders that were made for a session, but for those held within so many seconds; say if all are gone.

    A visit may go on under another session; see `visits`.
    """
    left = False
    for folder in Path(cache).glob(f"{_name(mark_of(session))}*"):
        if _is_held(folder, seconds):
            left = True
        else:
            drop(folder)
    return not left


def hold(folder: Path) -> None:
    """Let a folder outlive its session from now on, and its files count as new: old ones are deleted."""
    with suppress(FileNotFoundError):
        (folder / HELD).write_text(str(time.monotonic()), encoding="ascii")
        for file in (folder, *folder.iterdir()):
            os.utime(file)


def _is_held(folder: Path, seconds: float) -> bool:
    with suppress(FileNotFoundError):
        return time.monotonic() - float((folder / HELD).read_text(encoding="ascii")) < seconds
    return False


def drop(folder: Path) -> None:
    """Delete a folder."""
    shutil.rmtree(folder, ignore_errors=True)


def folder_bytes(folder: Path) -> int:
    """Return how many bytes the files in a folder take; 0 if it is gone."""
    with suppress(FileNotFoundError):
        return sum(file.stat().st_size for file in folder.iterdir() if file.name != HELD)
    return 0


class NotedFiles:
    """The files that Gradio has noted, and since when each is as it is, by a clock that never jumps."""

    def __init__(self, noted: Sequence[set[str]], clock: Callable[[], float] = time.monotonic):
        self.noted, self.clock = noted, clock
        self._since: dict[str, tuple[int, float]] = {}  # when each was changed by the system's clock, and by this one
        self._swept = clock()

    def sweep(self, most: float) -> None:
        """Delete the files that have stayed as they are for more than so many seconds, but look once a minute only.

        Those of canvases go sooner: there are several for each stroke.
        """
        now = self.clock()
        if now - self._swept < LOOKED:
            return
        before, self._since, self._swept = self._since, {}, now
        for files in self.noted:
            for name in tuple(files):
                with suppress(OSError):  # it is gone already
                    changed = os.lstat(name).st_ctime_ns
                    known, since = before.get(name, (changed, now))
                    self._since[name] = changed, since if known == changed else now
                    kept = min(most, PAINTED) if PART.fullmatch(os.path.basename(name)) else most
                    if now - self._since[name][1] > kept:
                        os.remove(name)
                if not os.path.lexists(name):
                    files.discard(name)


def _name(mark: str) -> str:
    return f"{OURS}{mark}-{SERVER}"
