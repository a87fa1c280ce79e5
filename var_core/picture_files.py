"""The kinds of file that pictures are written as, with a text inside: a PNG in a text of its own, others in XMP."""

import html
import re
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .files import replacing
from .images import flat, read

PNG, JPEG, WEBP = KINDS = ("PNG", "JPEG", "WebP")
SUFFIXES_OF_KINDS = {PNG: (".png",), JPEG: (".jpg", ".jpeg"), WEBP: (".webp",)}
QUALITY = 95
SIDE_LIMITS = {JPEG: 65_500, WEBP: 16_383}  # pixels
MOST_EXIF = 65_533  # bytes, in a JPEG
CHUNK = "var-studio"  # a PNG's text of this name
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:vs="urn:var-studio" vs:recipe="{}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
IN_XMP = re.compile(r"vs:recipe(?:=([\"'])(.*?)\1|>([^<]*)<)", re.DOTALL)  # as this or another program wrote it


def kind_of(path: Path) -> str | None:
    """Return the kind of a file by its name; None: another one."""
    return next((kind for kind, suffixes in SUFFIXES_OF_KINDS.items() if path.suffix.lower() in suffixes), None)


def check_kind(size: tuple[int, int], kind: str) -> None:
    """ValueError if a picture of (width, height) is too large for a kind of file."""
    most = SIDE_LIMITS.get(kind, max(size))
    if max(size) > most:
        raise ValueError(f"{size[0]} x {size[1]} pixels: a {kind} file holds {most} a side at most. Choose PNG.")


def save(
    picture: Image.Image, file: Path | BinaryIO, kind: str, text: str, exif: bytes = b"", icc: bytes = b""
) -> None:
    """Write a picture as a file of a kind that carries a text, its EXIF and its colour profile.

    ValueError if it is too large for the kind. A JPEG shows what is transparent over white.
    """
    check_kind(picture.size, kind)
    options: dict[str, Any] = {"icc_profile": icc or None}
    if kind == PNG:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text(CHUNK, text)
    else:
        options |= {"quality": QUALITY, "xmp": XMP.format(html.escape(text)).encode()}
    if kind == JPEG:
        picture, exif = _opaque(picture), exif if len(exif) <= MOST_EXIF else b""
        options["subsampling"] = 0  # colours as sharp as the rest
    picture.save(file, format=kind.upper(), exif=exif, **options)


def _opaque(picture: Image.Image) -> Image.Image:
    """Return a picture with what is transparent over white; its colours stay those of its profile."""
    plain = picture.copy()
    plain.info.pop("icc_profile", None)
    return flat(plain)


def text_in(picture: Image.Image) -> str | None:
    """Return the text that `save` put into an open file; None if there is none."""
    if CHUNK in picture.info:
        return str(picture.info[CHUNK])
    xmp = picture.info.get("xmp", b"")
    found = IN_XMP.search(xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else str(xmp))
    return html.unescape(found[2] if found[1] else found[3]) if found else None


def as_kind(file: Path, kind: str) -> Path:
    """Return a PNG that `save` wrote as a file of another kind beside it, made if need be; itself if it is a PNG."""
    if kind == PNG:
        return file
    made = file.with_suffix(SUFFIXES_OF_KINDS[kind][0])
    if not made.exists():
        with read(file) as picture, replacing(made) as part:
            kept = (picture.info.get(name, b"") for name in ("exif", "icc_profile"))
            save(picture, part, kind, text_in(picture) or "", *kept)
    return made
