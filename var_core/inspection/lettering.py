"""Words on pictures, in a font that has letters of most languages."""

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

INK, QUIET = "#1c2024", "#646b73"


def write_line(
    sheet: Image.Image,
    corner: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    colour: str,
    width: float,
) -> None:
    """Write a text at a left top corner, cut off with an ellipsis where it would be wider than `width` pixels."""
    ImageDraw.Draw(sheet).text(corner, shortened(text, font, width), colour, font)


def shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Return a text on one line, cut off with an ellipsis where it would be wider than `width` pixels."""
    shown = " ".join(text.split())  # a line break cannot be measured
    while len(shown) > 1 and font.getlength(shown) > width:
        shown = shown[:-2].rstrip() + "…"
    return shown


@cache
def font_of(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels."""
    import matplotlib  # for its font, which has letters of most languages; slow to import, and seldom needed

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
