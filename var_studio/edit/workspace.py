"""The workspace of the Edit tab: a photo, the mask painted on it, and what lay there before. No widgets."""

import math
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypedDict, TypeVar

import numpy as np
from PIL import Image

from var_core.editing.edit import HALF
from var_core.editing.photo_file import NO_EXTRAS, Extras

from ..shared import html
from ..shared.kept_photo import HeldPhoto, Photo

MOST_PAST = 8  # photos to step back to, and masks
MOST_PAST_BYTES = 160_000_000  # of those photos together: one of the most pixels, if nothing in it is transparent
MOST_MASK_BYTES = 4_000_000  # of the masks to step back to, as they are packed
MOST_SHOWN = 1024  # pixels of a photo's longer side on the canvas
STAMP_ERROR = 8  # levels by which a stamp may have changed on its way


Kept = TypeVar("Kept")


class Canvas(TypedDict, total=False):
    """The value that the image editor sends: uint8 (h, w, 4) each."""

    background: np.ndarray | None
    layers: list[np.ndarray]
    composite: np.ndarray | None


class ShownCanvas(TypedDict):
    """The value that the image editor is given to show."""

    background: Image.Image
    layers: list[Image.Image]
    composite: None


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask that is kept for later, in an eighth of the memory or far less."""

    packed: bytes
    shape: tuple[int, ...]

    @classmethod
    def pack(cls, mask: np.ndarray) -> "PackedMask":
        """Pack a mask, bool (H, W)."""
        return cls(zlib.compress(np.packbits(mask).tobytes(), 1), mask.shape)

    @property
    def bits(self) -> np.ndarray:
        """Return 8 pixels a byte, uint8."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8)

    @property
    def nbytes(self) -> int:
        """Memory that this takes."""
        return len(self.packed)

    def unpack(self) -> np.ndarray:
        """Return the mask, bool (H, W)."""
        return np.unpackbits(self.bits, count=math.prod(self.shape)).reshape(self.shape).astype(bool)


@dataclass(frozen=True, eq=False)
class PackedLevels:
    """Levels of a mask that are kept for later."""

    packed: bytes
    shape: tuple[int, ...]

    @classmethod
    def pack(cls, levels: np.ndarray) -> "PackedLevels":
        """Pack levels, uint8 (H, W)."""
        return cls(zlib.compress(levels.tobytes(), 1), levels.shape)

    @property
    def nbytes(self) -> int:
        """Memory that these take."""
        return len(self.packed)

    def under(self, mask: np.ndarray) -> np.ndarray:
        """Return the levels, uint8 (H, W), for a mask, bool (H, W): where it was changed it is black or white."""
        levels = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape)
        return np.where((levels > HALF) == mask, levels, np.where(mask, 255, 0)).astype(np.uint8)


class Found(NamedTuple):
    """A thing that was found: the `pixel_hash` of its photo, where it is, and what it is called."""

    photo: str
    mask: PackedMask
    name: str


class PastPhoto(NamedTuple):
    """A photo that lay on the workspace before, with its mask, and the levels of a soft one."""

    name: str
    opened: Photo
    mask: PackedMask
    soft: PackedLevels | None = None

    @property
    def nbytes(self) -> int:
        """Memory that this takes besides the mask."""
        return self.opened.nbytes + (self.soft.nbytes if self.soft else 0)


@dataclass(frozen=True, eq=False)
class Workspace:
    """A photo under its file's name, the mask last laid on it, and what was here before.

    It is kept between a visitor's events: so the photo is mostly in a file, and masks are packed. Strokes of the brush
    are on the canvas alone until `painted_on` reads them. It may be smaller than the photo, so that the mask itself
    stays here, as fine as it was laid. `stamp` is the colour of one pixel in the corner of what the canvas shows: it
    takes a while to show a new mask, and until then it sends the strokes of the one before.
    """

    name: str
    opened: Photo
    laid: PackedMask
    masks: tuple[PackedMask, ...] = ()  # earlier ones of this photo, oldest first
    undone: tuple[PackedMask, ...] = ()  # those taken back, the last one taken back last
    past: tuple[PastPhoto, ...] = ()  # oldest first
    soft: PackedLevels | None = None  # of the mask that was opened last, if it has soft edges
    stamp: tuple[int, ...] = field(default_factory=lambda: tuple(secrets.token_bytes(3)))

    @property
    def photo(self) -> np.ndarray:
        """Pixels, uint8 (H, W, 3)."""
        return self.opened.pixels

    @property
    def extras(self) -> Extras:
        """Contents of the photo's file besides its pixels."""
        return self.opened.extras

    @property
    def mask(self) -> np.ndarray:
        """Mask last laid on the photo, bool (H, W)."""
        return self.laid.unpack()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.opened.size

    def shown(self, most: int) -> Image.Image:
        """Return the photo as the page shows it, at most so many pixels a side."""
        return self.opened.shown(most)

    def told(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask, bool (H, W), as a file holds it: with the levels, uint8 (H, W), of a soft one."""
        return mask if self.soft is None else self.soft.under(mask)

    def masked(self, mask: np.ndarray) -> "Workspace":
        """Return this with another mask, bool (H, W), and nothing to step back to but what there was."""
        return replace(self, laid=PackedMask.pack(mask))


def fresh_workspace(
    name: str,
    photo: np.ndarray,
    mask: np.ndarray | None = None,
    past: tuple[PastPhoto, ...] = (),
    extras: Extras = NO_EXTRAS,
) -> Workspace:
    """A workspace with a photo in memory, and what else its file holds; no mask: nothing is painted."""
    return laid_out(name, HeldPhoto(photo, extras), mask, past)


def laid_out(
    name: str,
    opened: Photo,
    mask: np.ndarray | None = None,
    past: tuple[PastPhoto, ...] = (),
    most: int | None = None,
    soft: PackedLevels | None = None,
) -> Workspace:
    """A workspace with a photo; of the `past` ones as many stay as have at most so many bytes together.

    `soft`: the levels of the mask, if it has soft edges.
    """
    past = past[-MOST_PAST:]
    room = MOST_PAST_BYTES if most is None else min(most - opened.nbytes, MOST_PAST_BYTES)
    kept = latest(past, [photo.nbytes for photo in past], room)
    painted = np.zeros(opened.size[::-1], bool) if mask is None else mask
    return Workspace(name, opened, PackedMask.pack(painted), past=kept, soft=soft)


def needed(now: Workspace | None) -> Workspace:
    """Return the workspace; ValueError if there is no photo on it."""
    if now is None:
        raise ValueError("There is no photo yet: open one, or choose an example.")
    return now


def latest(kept: tuple[Kept, ...], sizes: Sequence[int], most: int) -> tuple[Kept, ...]:
    """The last ones, as many as have at most so much of a size together."""
    together = np.cumsum(sizes[::-1])
    return kept[len(kept) - int((together <= most).sum()) :]


def with_mask(workspace: Workspace, canvas: Canvas | None, mask: np.ndarray) -> Workspace:
    """The workspace with another mask; the one that is there can be had again, with the strokes on it and without."""
    laid, seen = workspace.mask, painted_on(workspace, canvas)
    before = [workspace.laid] if np.array_equal(seen, laid) else [workspace.laid, PackedMask.pack(seen)]
    return _with_masks(workspace, PackedMask.pack(mask), (*workspace.masks, *before), ())


def undo(workspace: Workspace, canvas: Canvas | None) -> Workspace:
    """Return the workspace before the strokes on it, or else before the last change of its mask.

    ValueError if there is neither.
    """
    seen = painted_on(workspace, canvas)
    undone = (*workspace.undone, PackedMask.pack(seen))
    if not np.array_equal(seen, workspace.mask):
        return _with_masks(workspace, workspace.laid, workspace.masks, undone)
    if not workspace.masks:
        raise ValueError("There is nothing to undo: the mask is as it was when the photo came here.")
    return _with_masks(workspace, workspace.masks[-1], workspace.masks[:-1], undone)


def redo(workspace: Workspace, canvas: Canvas | None) -> Workspace:
    """The workspace with the mask that was taken back last; ValueError if there is none."""
    seen = painted_on(workspace, canvas)
    if not workspace.undone or not np.array_equal(seen, workspace.mask):
        raise ValueError("There is nothing to redo: no change was taken back just now.")
    return _with_masks(
        workspace, workspace.undone[-1], (*workspace.masks, PackedMask.pack(seen)), workspace.undone[:-1]
    )


def _with_masks(
    workspace: Workspace, laid: PackedMask, masks: tuple[PackedMask, ...], undone: tuple[PackedMask, ...]
) -> Workspace:
    """The workspace with a mask that the canvas is yet to show."""
    before, after = (
        latest(each[-MOST_PAST:], [one.nbytes for one in each[-MOST_PAST:]], MOST_MASK_BYTES)
        for each in (masks, undone)
    )
    return Workspace(workspace.name, workspace.opened, laid, before, after, workspace.past, workspace.soft)


def on_canvas(workspace: Workspace) -> ShownCanvas:
    """The value of the image editor that shows the photo with its mask, and in its corner the workspace's stamp."""
    background = workspace.shown(MOST_SHOWN)
    background.putpixel((0, 0), workspace.stamp)
    painted = _resized(workspace.mask, background.size)
    layer = np.zeros((*painted.shape, 4), np.uint8)
    layer[painted] = 255  # the page gives it its colour
    return {"background": html.unique(background), "layers": [html.unique(Image.fromarray(layer))], "composite": None}


def painted_on(workspace: Workspace, canvas: Canvas | None) -> np.ndarray:
    """The mask, bool (H, W): that of the workspace, changed where the image editor's layers show other than it.

    A canvas that does not show this workspace yet changes nothing.
    """
    layers = [layer[..., 3] > 0 for layer in canvas.get("layers") or ()] if canvas else []
    if canvas is None or not layers or not _shows(canvas, workspace):
        return workspace.mask
    laid, seen = workspace.mask, np.logical_or.reduce(layers)
    touched = seen != _resized(laid, seen.shape[::-1])
    if not touched.any():
        return laid
    strokes = _nearest(np.where(touched, 1 + seen, 0), workspace.size)  # both at once: of large photos this takes long
    return np.where(strokes > 0, strokes > 1, laid)


def _shows(canvas: Canvas, workspace: Workspace) -> bool:
    """Say whether what the image editor sent bears the workspace's stamp."""
    background = canvas.get("background")
    if background is None:
        return False
    return int(np.abs(background[0, 0, :3].astype(int) - workspace.stamp).max()) <= STAMP_ERROR


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at another width and height, by the nearest pixel."""
    return _nearest(mask, size) > 0


def _nearest(levels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return whole numbers up to 255 (H, W) at another width and height, uint8, by the nearest pixel."""
    return np.asarray(Image.fromarray(levels.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))


def stepped_back(workspace: Workspace, canvas: Canvas | None, index: int) -> Workspace:
    """The workspace with an earlier photo on it again, with its own mask; what lay on it joins the past.

    ValueError if that photo is no longer kept.
    """
    if not 0 <= index < len(workspace.past):
        raise ValueError("That photo is no longer kept: open it again.")
    earlier = workspace.past[index]
    everything = past(workspace, canvas)
    others = (*everything[:index], *everything[index + 1 :])
    return laid_out(earlier.name, earlier.opened, earlier.mask.unpack(), others, soft=earlier.soft)


def past(workspace: Workspace | None, canvas: Canvas | None) -> tuple[PastPhoto, ...]:
    """The past once another photo is laid on the workspace."""
    if workspace is None:
        return ()
    painted = PackedMask.pack(painted_on(workspace, canvas))
    return (*workspace.past, PastPhoto(workspace.name, workspace.opened, painted, workspace.soft))


def thumbnails(workspace: Workspace | None) -> list[Image.Image]:
    """The past, small, oldest first."""
    photos = workspace.past if workspace else ()
    return [html.unique(one.opened.shown(html.THUMBNAIL)) for one in photos]
