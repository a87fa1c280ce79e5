"""Colours that Python and the page share; those of the theme are in `page/theme.py`."""

from PIL import ImageColor

MARK = "#ff2d78"  # of what is painted, and of what is chosen
MARK_RGB = ImageColor.getrgb(MARK)
MARK_ALPHA = 0.55  # over a photo
