"""A photo as the app holds it: in memory, or in a file of its pixels that is mapped while somebody looks at it."""

import base64
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from var_core.editing.photo_file import NO_EXTRAS, Extras
from var_core.schema import Fields, entry

SMALL = 1024  # pixels of the longer side of what is kept of a photo to be shown
Seen = TypeVar("Seen")


class Photo(Protocol):
    """Pixels uint8 (H, W, 3), and what else the photo's file holds."""

    @property
    def pixels(self) -> np.ndarray: ...

    @property
    def extras(self) -> Extras: ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that this takes, in memory or in a file."""
        ...

    def shown(self, most: int) -> Image.Image:
        """Return the photo as the page shows it, at most so many pixels a side."""
        ...


@dataclass(frozen=True, eq=False)
class HeldPhoto:
    """A photo in memory."""

    pixels: np.ndarray
    extras: Extras = NO_EXTRAS

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + self.extras.nbytes

    def shown(self, most: int) -> Image.Image:
        return self.extras.shown(self.pixels, most)


@dataclass(frozen=True)
class PhotoParts:
    """Parts of the file that holds a photo, one after another: pixels, those with their transparency, a small copy."""

    shape: tuple[int, ...]  # (H, W, 3)
    transparent: bool  # then (H, W, 4) follow
    small: tuple[int, ...]  # (h, w, 3)
    exif: bytes  # not in the file
    icc: bytes
    xmp: str

    @classmethod
    def of(cls, told: Fields) -> "PhotoParts":
        """Return what the process that wrote the file has told."""
        exif, icc = (base64.b64decode(entry(told, name, str)) for name in ("exif", "icc"))
        shape, small = (tuple(entry(told, name, list)) for name in ("shape", "small"))
        return cls(shape, bool(told["transparent"]), small, exif, icc, entry(told, "xmp", str))

    @property
    def with_alpha(self) -> tuple[int, ...]:
        """Shape of the pixels with their transparency."""
        return (*self.shape[:2], 4) if self.transparent else (0,)

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return prod(self.shape) + prod(self.with_alpha) + prod(self.small)


class KeptPhoto:
    """A photo in a file of its pixels. `ready` sees to it that the file is there, whenever something is to be seen."""

    def __init__(self, place: Path, parts: PhotoParts, ready: Callable[["KeptPhoto"], None]):
        self.place, self.parts = place, parts
        self._ready = ready
        self._pixels: Callable[[], np.ndarray | None] = lambda: None  # what is looked at, while it is
        self._extras: Callable[[], Extras | None] = lambda: None
        weakref.finalize(self, place.unlink, missing_ok=True)

    @property
    def pixels(self) -> np.ndarray:
        """Pixels uint8 (H, W, 3); ValueError if the photo is kept no longer."""
        pixels = self._pixels()
        if pixels is None:
            pixels = self._mapped(self.parts.shape, 0)
            self._pixels = weakref.ref(pixels)
        return pixels

    @property
    def extras(self) -> Extras:
        """Return what else the photo's file holds; ValueError if it is kept no longer."""
        extras = self._extras()
        if extras is None:
            rgba = self._mapped(self.parts.with_alpha, prod(self.parts.shape)) if self.parts.transparent else None
            extras = Extras(rgba, self.parts.exif, self.parts.icc, self.parts.xmp)
            self._extras = weakref.ref(extras)
        return extras

    @property
    def in_use(self) -> bool:
        """Say whether somebody looks at it."""
        return self._pixels() is not None

    @property
    def size(self) -> tuple[int, int]:
        return self.parts.shape[1], self.parts.shape[0]

    @property
    def nbytes(self) -> int:
        return self.parts.nbytes

    def shown(self, most: int) -> Image.Image:
        if most > SMALL:
            return self.extras.shown(self.pixels, most)
        small = Image.fromarray(self._mapped(self.parts.small, self.nbytes - prod(self.parts.small)))
        small.thumbnail((most, most), Image.Resampling.LANCZOS, reducing_gap=1.0)  # as `Extras.shown` does
        return small

    def _mapped(self, shape: tuple[int, ...], offset: int) -> np.ndarray:
        """Map a part of the file: what is written there stays with whoever does it."""
        self._ready(self)
        return np.memmap(self.place, np.uint8, "c", offset, shape)
