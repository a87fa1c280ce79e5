"""Pieces of HTML that several tabs show: bars, and pictures that the page holds itself."""

import base64
import io
import uuid
from collections.abc import Iterable
from html import escape

from PIL import Image

from var_core.picture_files import QUICKLY

from .visitor import visitor_mark

MOST_SMALL = 256  # pixels along a side of pictures in small places
THUMBNAIL = 160  # the same of those in a shelf
TINY = 96  # the same of those of a visit, of which all are sent at once
SHOWN = "shown"  # whose picture it is, and what tells it from all others


def bar(text: str, fraction: float = 0.0) -> str:
    """A line of text over a bar that is filled to a fraction, 0 to 1."""
    return (
        f'<div class="bar"><span>{escape(text)}</span>'
        f'<div class="track"><div class="fill" style="width:{fraction:.1%}"></div></div></div>'
    )


READY = bar("Ready")
STOPPING = bar("Stopping after this scale …")  # until the files of what is drawn are written
HOLD = '<button type="button" class="hold" aria-pressed="false" title="Or hold Space">Hold to compare</button>'


def frame(image: Image.Image, caption: str) -> str:
    """A small picture with a line of text under it."""
    text = escape(caption)
    return f'<figure><img src="{data_uri(image)}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def frames(figures: Iterable[str]) -> str:
    """Figures side by side; where there is no room for all, keys can scroll them."""
    return f'<div class="frames" role="group" aria-label="Pictures" tabindex="0">{"".join(figures)}</div>'


def data_uri(image: Image.Image) -> str:
    """A picture as an address that holds it: a PNG, written quickly."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **QUICKLY)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def small_uri(image: Image.Image, most: int = THUMBNAIL) -> str:
    """A small copy of a picture as an address that holds it: a WebP, since a page may show many of them."""
    buffer = io.BytesIO()
    shrunk(image, most).save(buffer, "WEBP", quality=77)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def shrunk(image: Image.Image, most: int = MOST_SMALL) -> Image.Image:
    """A copy of a picture for a small place on the page, at most so many pixels a side."""
    copied = image.copy()
    copied.thumbnail((most, most))
    return copied


def thumbnail(picture: Image.Image) -> Image.Image:
    """Return a copy of a picture for a row of many, in a file of its own."""
    return unique(shrunk(picture, THUMBNAIL))


def unique(image: Image.Image) -> Image.Image:
    """A picture whose file equals no other: Gradio names files by content, and writes them anew while they are read."""
    image.info[SHOWN] = f"{visitor_mark()}-{uuid.uuid4().hex}"
    return image
