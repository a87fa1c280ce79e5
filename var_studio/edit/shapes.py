"""Lines, rectangles and places of a colour that are drawn on the canvas, and how they change a mask. No widgets."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from var_core.settings import parse_int

from .mask_tools import with_rectangle

BRUSH, LASSO, RECTANGLE, SIMILAR, MOVE = TOOLS = ("Brush", "Lasso", "Rectangle", "Similar colour", "Move")
MOST_POINTS = 5000  # of a line
LIMITS = {LASSO: (3, MOST_POINTS), RECTANGLE: (2, 2), SIMILAR: (1, 1)}  # of the number of points
MOST_LETTERS = 100 * MOST_POINTS
MOST_TOLERANCE, TOLERANCE = 100, 20  # levels of 255 by which a colour may differ

Point = tuple[float, float]  # across and down, in shares of the photo from 0 to 1


class Shape(NamedTuple):
    """A closed line, for `RECTANGLE` two opposite corners, or for `SIMILAR` the one place of a colour.

    It adds to what is painted, or takes away from it.
    """

    tool: str
    points: tuple[Point, ...]
    takes: bool


def read_shape(text: str) -> Shape:
    """Return the shape that the page tells as JSON; ValueError if it is of no use."""
    if len(text) > MOST_LETTERS:
        raise ValueError(f"The line is too long: draw one of at most {MOST_POINTS} points.")
    try:
        told = json.loads(text)
        tool, points = told["tool"], tuple((float(x), float(y)) for x, y in told["points"])
        least, most = LIMITS[tool]
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        raise ValueError("What was drawn did not arrive as a shape: draw it again.") from None
    if len(points) > most:
        raise ValueError(f"The line has {len(points)} points: draw one of at most {most}.")
    if len(points) < least:
        raise ValueError("The line encloses nothing: draw around what shall be painted.")
    for x, y in points:
        if not (0 <= x <= 1 and 0 <= y <= 1):  # neither is "not a number"
            raise ValueError(f"The place {x:.2f}, {y:.2f} lies outside the photo: stay between 0 and 1.")
    return Shape(tool, points, told.get("takes") is True)


def with_shape(mask: np.ndarray, photo: np.ndarray, shape: Shape, tolerance: object) -> np.ndarray:
    """Return the mask, bool (H, W), with what a shape holds of the photo, uint8 (H, W, 3), painted or taken away."""
    size = photo.shape[1], photo.shape[0]
    places = [(min(int(x * size[0]), size[0] - 1), min(int(y * size[1]), size[1] - 1)) for x, y in shape.points]
    if shape.tool == SIMILAR:
        held = similar(photo, places[0], tolerance)
    elif shape.tool == RECTANGLE:
        held = with_rectangle(np.zeros_like(mask), places)
    else:
        held = enclosed(places, size)
    return mask & ~held if shape.takes else mask | held


def enclosed(points: Sequence[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    """Return what a closed line through pixels (x, y) encloses, bool (H, W), also where the line crosses itself."""
    filled = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(filled, [np.array(points, np.int32)], 1)
    outer, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(filled, outer, -1, 1, cv2.FILLED)
    return filled > 0


def similar(photo: np.ndarray, place: tuple[int, int], tolerance: object) -> np.ndarray:
    """Return what hangs together around a pixel (x, y) and differs from its colour by so many levels at most.

    Levels are those of CIELAB in 8 bits, each channel on its own; single pixels left out among painted ones are filled.
    """
    levels = parse_int("tolerance", tolerance)
    if not 0 <= levels <= MOST_TOLERANCE:
        raise ValueError(f"tolerance {levels} is out of range: choose 0 to {MOST_TOLERANCE}.")
    height, width = photo.shape[:2]
    found = np.zeros((height + 2, width + 2), np.uint8)  # OpenCV wants a frame of one pixel
    how = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)
    cv2.floodFill(lab, found, place, 0, (levels,) * 3, (levels,) * 3, how)
    filled = np.ascontiguousarray(found[1:-1, 1:-1])  # OpenCV fills the frame itself too
    around = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    return (filled | cv2.erode(filled, around)) > 0
