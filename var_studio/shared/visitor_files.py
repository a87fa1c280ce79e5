"""Files that visitors give: opened apart from the server. Photos are kept as files of their pixels, within a budget."""

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
from PIL import Image

from var_core.editing.edit import HALF
from var_core.files import FORGOTTEN
from var_core.picture_files import save_whole
from var_core.recipe import Recipe
from var_core.schema import Fields, entry

from . import html, served_files
from .kept_photo import KeptPhoto, PhotoParts
from .limits import HOME, MEGABYTE, Limits
from .opening import Opener
from .visitor import visitor, visitor_mark

OURS = "var-studio-photos-"
MOST_SERVED = 32  # pictures that a page shows for a moment: its canvas, and the photos that lay there before


class VisitorFiles:
    """Opens the files of all visitors. All that it raises are ValueErrors, in words for the visitor."""

    def __init__(self, limits: Limits = HOME):
        self.limits = limits
        self.opener = Opener(limits)
        painted = replace(limits, opening_queue=2 * limits.opening_queue)
        self.canvas_opener = Opener(painted, 1)  # what is painted is small, and need not wait for photos
        self._kept: dict[int, weakref.ref[KeptPhoto]] = {}  # those whose files are there; who was used first is first
        self._served: dict[str, list[Path]] = {}  # of each visitor, the oldest first
        self._changing = threading.RLock()
        self._folder: Path | None = None

    def photo(self, path: Path | str) -> KeptPhoto:
        """Open a photo, as `photo_file.open_photo_file` does, and keep it."""
        source, place = Path(path), self._fresh()
        parts = PhotoParts.of(self._ask("photo", source, place))
        made = KeptPhoto(place, parts, lambda photo: self._ready(photo, source))
        self._used(made)
        return made

    def picture(self, path: Path | str) -> Image.Image:
        """Open a picture, as `picture_reading.open_photo` does."""
        with self._part() as place:
            shape = entry(self._ask("picture", path, place), "shape", list)
            return Image.fromarray(np.fromfile(place, np.uint8).reshape(shape))

    def mask(self, path: Path | str, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int] | None]:
        """Open a mask for a photo of (width, height), as `picture_reading.open_mask` does."""
        levels, found = self.levels(path, size)
        return levels > HALF, found

    def levels(self, path: Path | str, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int] | None]:
        """Open a mask for a photo of (width, height), as `picture_reading.open_levels` does."""
        with self._part() as place:
            told = self._ask("mask", path, place, size=size)
            levels = np.fromfile(place, np.uint8)
        if told["found"] is None:
            return levels.reshape(size[::-1]), None
        width, height = entry(told, "found", list)
        return levels.reshape(size[::-1]), (width, height)

    def recipe(self, path: Path | str) -> Recipe:
        """Return the recipe inside a picture, as `Recipe.read` does."""
        return Recipe.from_json(entry(self._ask("text", path, Path()), "text", str))

    def canvas(self, given: Path | str | bytes, most: int) -> np.ndarray:
        """Open a picture that the page's canvas has sent, of so many pixels at most, as uint8 (h, w, 4)."""
        with self._part() as place, self._part() as sent:
            if isinstance(given, bytes):
                sent.write_bytes(given)
            path = sent if isinstance(given, bytes) else Path(given)
            question = {"task": "canvas", "path": str(path), "target": str(place), "most": most}
            shape = entry(self.canvas_opener.ask(uuid4().hex, question), "shape", list)
            return np.fromfile(place, np.uint8).reshape(shape)

    def served(self, picture: Image.Image, cache: str) -> str:
        """Write what a page shows for a moment where files are served from; return where.

        Of each visitor the last ones stay. A picture that is `html.unique` says whose it is.
        """
        name = str(picture.info.get(html.SHOWN) or visitor_mark()).partition("-")[0]
        file = served_files.lasting_folder(cache, name) / f"{uuid4().hex}.png"
        save_whole(picture, file, compress_level=1)
        with self._changing:
            files = self._served.setdefault(name, [])
            files.append(file)
            while len(files) > MOST_SERVED:
                files.pop(0).unlink(missing_ok=True)
        return str(file)

    @property
    def bytes_kept(self) -> int:
        """Size of all photos' files together."""
        return sum(photo.nbytes for photo in self._photos())

    def _ask(self, task: str, path: Path | str, target: Path, **more: object) -> Fields:
        question = {"task": task, "path": str(path), "target": str(target), **more}
        return self.opener.ask(visitor(), question)

    def _ready(self, photo: KeptPhoto, source: Path) -> None:
        """See to it that a photo's file is there, and note that it is used."""
        self._used(photo)
        if photo.place.is_file():
            return
        gone = f"The photo {source.stem} is no longer kept: open it again."
        if not source.is_file():
            raise ValueError(gone)
        if PhotoParts.of(self._ask("photo", source, photo.place)) != photo.parts:
            raise ValueError(gone)

    def _used(self, photo: KeptPhoto) -> None:
        """Note that a photo is used now; of the others the files of those go that were used first, if there must."""
        with self._changing:
            self._kept.pop(id(photo), None)
            self._kept[id(photo)] = weakref.ref(photo)
            excess = self.bytes_kept - self.limits.all_mb * MEGABYTE
            for other in self._photos()[:-1]:
                if excess > 0 and not other.in_use:
                    with suppress(OSError):  # it is open: not every system takes it away then
                        other.place.unlink()
                        del self._kept[id(other)]
                        excess -= other.nbytes

    def _photos(self) -> list[KeptPhoto]:
        """Return the photos whose files are there; who was used first is first."""
        with self._changing:
            there = {number: photo for number, kept in self._kept.items() if (photo := kept()) is not None}
            self._kept = {number: self._kept[number] for number in there}
            return list(there.values())

    @contextmanager
    def _part(self) -> Iterator[Path]:
        """Give the place of a file that is gone afterwards."""
        place = self._fresh()
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)

    def _fresh(self) -> Path:
        """Return the place of a new file, in a folder that only this app reads."""
        with self._changing:
            if self._folder is None or not self._folder.is_dir():
                _sweep()
                self._folder = Path(tempfile.mkdtemp(prefix=OURS))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder / uuid4().hex


def _sweep() -> None:
    """Take away the folders of servers that have ended without a word."""
    for folder in Path(tempfile.gettempdir()).glob(f"{OURS}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(folder, ignore_errors=True)
