"""Colours that Python and the page share; those of the theme are in `page/theme.py`."""

from PIL import ImageColor

MARK = "#ff2d78"  # of what is painted, and of what is chosen
MARK_RGB = ImageColor.getrgb(MARK)
MARK_ALPHA = 0.55  # over a photo
MARKS = {"Pink": MARK, "Green": "#22c55e", "Blue": "#2f6bff", "Yellow": "#ffd60a", "White": "#ffffff"}  # to choose from

# Of what the scripts paint, by the names that they use, in the words of CSS.
ON_MAPS = {
    "mark": MARK,
    "same": "white",  # tokens with the code of the chosen one
    "cursor": "#ffd60a",
    "edge": "rgb(0 0 0 / 70%)",  # around every frame
    "unknown": "rgb(128 128 128)",  # where a heat map has no value
    "veil": "rgb(128 128 128 / 70%)",  # over what an edit kept
    "darkText": "#000",  # on the light colours of a heat map
    "lightText": "#fff",
}
