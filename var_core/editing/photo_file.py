"""The file of a photo: pixels to edit, and what else it holds, which the files of results keep."""

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ..picture_reading import flat, open_image, turned_upright
from ..xmp import kept

if TYPE_CHECKING:  # a process that only opens photos needs no networks
    from .edit import Edit

EXIF = ExifTags.Base
PARTS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# EXIF that tells how pixels lie in a TIFF, or shows in small what is no longer there: a thumbnail, a camera's preview
OF_THE_FILE = frozenset(
    {0xFE, 0xFF, 0x100, 0x101, 0x102, 0x103, 0x106, 0x107, 0x10A, 0x111, 0x115, 0x116, 0x117, 0x11C, 0x13D, 0x140}
    | {0x142, 0x143, 0x144, 0x145, 0x14A, 0x152, 0x153, 0x15B, 0x201, 0x202, 0x211, 0x212, 0x213, 0x214, 0x2BC}
    | {0x83BB, 0x8649, 0x8773, ExifTags.IFD.Interop, EXIF.MakerNote}
)

MOST_KEPT_EXIF, MOST_KEPT_ICC = 2**16, 2**22  # bytes


@dataclass(frozen=True, eq=False)
class Extras:
    """Contents of a photo's file besides colours on white: transparency, colour profile, EXIF and XMP without previews.

    Pixels are those of the profile; the model sees them as if they were sRGB.
    """

    rgba: np.ndarray | None = None  # uint8 (H, W, 4); None: nothing is transparent
    exif: bytes = b""  # upright
    icc: bytes = b""  # for RGB
    xmp: str = ""  # see `xmp.kept`

    @property
    def nbytes(self) -> int:
        """Memory that this takes."""
        return (0 if self.rgba is None else self.rgba.nbytes) + len(self.exif) + len(self.icc) + len(self.xmp)

    def picture(self, edit: "Edit", photo: np.ndarray) -> Image.Image:
        """Return a result uint8 (H, W, 3) of an edit to be written: what was not drawn is as transparent as it was."""
        if self.rgba is None:
            return Image.fromarray(photo)
        drawn = (photo != edit.photo).any(-1)
        hole_mask = edit.hole_mask()
        for part in [slice(None)] if edit.boxes is None else [box.inside(drawn.shape) for box in edit.boxes]:
            drawn[part] |= hole_mask[part]
        whole = np.dstack((photo, np.full(drawn.shape, 255, np.uint8)))
        inner, kept = whole[edit.inner], ~drawn[edit.inner]
        inner[kept] = self.rgba[kept]
        return Image.fromarray(whole)

    def exif_of(self, picture: Image.Image) -> bytes:
        """Return the EXIF for a picture, which may be larger than the photo."""
        if not self.exif:
            return b""
        found = Image.Exif()
        found.load(self.exif)
        inside = found.get_ifd(ExifTags.IFD.Exif)
        for tag, side in zip((EXIF.ExifImageWidth, EXIF.ExifImageHeight), picture.size, strict=True):
            if tag in inside:
                inside[tag] = side
        return found.tobytes()

    def shown(self, photo: np.ndarray, most: int) -> Image.Image:
        """Return the photo uint8 (H, W, 3), or a result, as a page shows it: in sRGB, at most so many pixels a side."""
        picture = Image.fromarray(photo)
        picture.thumbnail((most, most), Image.Resampling.LANCZOS, reducing_gap=1.0)  # a third of the time
        if not self.icc:
            return picture
        picture.info["icc_profile"] = self.icc
        converted = flat(picture)
        converted.info.pop("icc_profile", None)
        return converted


NO_EXTRAS = Extras()


def open_photo_file(path: Path | str) -> tuple[np.ndarray, Extras]:
    """Read a photo as uint8 (H, W, 3), upright, transparency over white, with what else its file holds.

    ValueError with the remedy if it cannot be used. A profile that is not for RGB, or is too long, is done with:
    its colours become those of sRGB.
    """
    with open_image(path, "picture") as picture:
        icc, exif, xmp = _rgb_profile(picture), _upright_exif(picture), kept(picture.info.get("xmp", b""))
        upright = turned_upright(picture)
        if icc:
            upright.info.pop("icc_profile")
        return np.array(flat(upright)), Extras(_transparent(upright), exif, icc, xmp)


def _transparent(upright: Image.Image) -> np.ndarray | None:
    """Return the pixels of a picture with their transparency, uint8 (H, W, 4); None if nothing is transparent."""
    if not upright.has_transparency_data or upright.mode.startswith("I"):
        return None
    pixels = np.array(upright.convert("RGBA"))
    return pixels if pixels[..., 3].min(initial=255) < 255 else None


def _rgb_profile(picture: Image.Image) -> bytes:
    """Return the colour profile of a picture; nothing if it is damaged, too long, or not for RGB."""
    stored = picture.info.get("icc_profile")
    if not stored or len(stored) > MOST_KEPT_ICC or picture.mode not in ("RGB", "RGBA", "P"):
        return b""
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(stored)).profile.xcolor_space
    except (ImageCms.PyCMSError, OSError):
        return b""
    return bytes(stored) if space.strip() == "RGB" else b""


def _writable(tags: Iterable[tuple[int, Any]], part: int | None = None) -> dict[int, Any]:
    """Return the tags that can be written, of the whole EXIF or of a part of it, less those of the file itself."""
    kept = {}
    for tag, value in tags:
        alone = Image.Exif()
        alone[part or tag] = {tag: value} if part else value
        with suppress(Exception):  # Pillow answers damage with errors of many kinds
            alone.tobytes()
            kept[tag] = value
    return {tag: value for tag, value in kept.items() if tag not in OF_THE_FILE}


def _upright_exif(picture: Image.Image) -> bytes:
    """Return the EXIF of a picture as that of its upright pixels, less previews and damage; nothing if too long."""
    try:
        found = picture.getexif()
        kept = _writable(found.items())
        for part in PARTS:
            if part in found:
                kept[part] = _writable(found.get_ifd(part).items(), part)
    except Exception:  # Pillow answers damage with errors of many kinds
        return b""
    upright = Image.Exif()
    upright.endian = found.endian
    for tag, value in kept.items():
        upright[tag] = value
    if not kept:
        return b""
    upright[EXIF.Orientation] = 1
    written = upright.tobytes()
    return written if len(written) <= MOST_KEPT_EXIF else b""
