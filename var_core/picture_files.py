"""The kinds of file that pictures are written as, with a text inside: a PNG in a text of its own, others in XMP."""

import zlib
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .files import replacing
from .picture_reading import flat, open_file
from .xmp import text_of, with_text

PNG, JPEG, WEBP = KINDS = ("PNG", "JPEG", "WebP")
SUFFIXES_OF_KINDS = {PNG: (".png",), JPEG: (".jpg", ".jpeg"), WEBP: (".webp",)}
QUALITY = 95
SIDE_LIMITS = {JPEG: 65_500, WEBP: 16_383}  # pixels
# How a PNG is packed: in a fifth of the usual time, and photos get no larger.
QUICKLY: dict[str, Any] = {"compress_level": 1, "compress_type": zlib.Z_RLE}
MOST_EXIF, MOST_XMP = 65_533, 65_502  # bytes, in a JPEG
CHUNK = "var-studio"  # a PNG's text of this name
XMP_CHUNK = "XML:com.adobe.xmp"  # the same for XMP, by its standard


def kind_of(path: Path) -> str | None:
    """Return the kind of a file by its name; None: another one."""
    return next((kind for kind, suffixes in SUFFIXES_OF_KINDS.items() if path.suffix.lower() in suffixes), None)


def check_kind(size: tuple[int, int], kind: str) -> None:
    """ValueError if a picture of (width, height) is too large for a kind of file."""
    most = SIDE_LIMITS.get(kind, max(size))
    if max(size) > most:
        raise ValueError(f"{size[0]} x {size[1]} pixels: a {kind} file holds {most} a side at most. Choose PNG.")


def save_picture(
    picture: Image.Image,
    file: Path | BinaryIO,
    kind: str,
    text: str,
    exif: bytes = b"",
    icc: bytes = b"",
    xmp: str = "",
) -> None:
    """Write a picture as a file of a kind that carries a text, its EXIF, its colour profile and its XMP.

    A path holds it whole, or is as it was. ValueError if it is too large for the kind, or cannot be written. A JPEG
    shows what is transparent over white.
    """
    check_kind(picture.size, kind)
    options: dict[str, Any] = {"icc_profile": icc or None}
    if kind == PNG:
        options |= {"pnginfo": PngInfo()} | QUICKLY
        options["pnginfo"].add_text(CHUNK, text)
        if xmp:
            options["pnginfo"].add_itxt(XMP_CHUNK, xmp)
    else:
        options |= {"quality": QUALITY, "xmp": with_text(xmp, text)}
        if len(options["xmp"]) > MOST_XMP:
            options["xmp"] = with_text("", text)  # what the recipe leaves no room for is lost
    if kind == JPEG:
        picture, exif = _opaque(picture), exif if len(exif) <= MOST_EXIF else b""
        options["subsampling"] = 0  # colours as sharp as the rest
    save_whole(picture, file, kind.upper(), exif=exif, **options)


def save_whole(picture: Image.Image, file: Path | BinaryIO, kind: str = PNG, **options: object) -> None:
    """Write a picture as Pillow does, `kind` being its name for one; at a path all of it, or nothing.

    Unwritten if that cannot be written.
    """
    if not isinstance(file, Path):
        picture.save(file, format=kind, **options)
        return
    with replacing(file) as part:
        picture.save(part, format=kind, **options)


def _opaque(picture: Image.Image) -> Image.Image:
    """Return a picture with what is transparent over white; its colours stay those of its profile."""
    plain = picture.copy()
    plain.info.pop("icc_profile", None)
    return flat(plain)


def text_in(picture: Image.Image) -> str | None:
    """Return the text that `save_picture` put into an open file; None if there is none."""
    if CHUNK in picture.info:
        return str(picture.info[CHUNK])
    return text_of(picture.info.get("xmp", b""))


def recipe_text(path: Path) -> str:
    """Return the text that `save_picture` put into a file; ValueError, with the reason, if there is none."""
    try:
        with open_file(path) as picture:
            text = text_in(picture)
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file.") from error
    except Exception as error:  # Pillow answers damage with errors of many kinds
        raise ValueError(f"{Path(path).name} is not a picture that can be read.") from error
    if text is None:
        raise ValueError(
            f"{Path(path).name} carries no recipe: use a file downloaded here (other programs strip the recipe)."
        )
    return text


def as_kind(file: Path, kind: str) -> Path:
    """Return a PNG of `save_picture` as a file of another kind beside it, made if need be; a PNG: itself."""
    if kind == PNG:
        return file
    made = file.with_suffix(SUFFIXES_OF_KINDS[kind][0])
    if not made.exists():
        with open_file(file) as picture:
            exif, icc = (picture.info.get(name, b"") for name in ("exif", "icc_profile"))
            save_picture(picture, made, kind, text_in(picture) or "", exif, icc, picture.info.get(XMP_CHUNK, ""))
    return made
