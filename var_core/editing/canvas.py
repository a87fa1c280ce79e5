"""Photos and masks at their own resolution: a square to work on, its hole filled, the result pasted back.

Photos are uint8 (H, W, 3), masks bool (H, W) with True = repaint, views float32 (S, S, 3) in 0..255 as the model is to
see them, coverages float32 (S, S): the fraction of each of the model's pixels that is in the hole.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..picture_reading import check_size

Array = np.ndarray
FILLS = ("spread", "telea", "navier-stokes", "mean", "none")
SMOOTHINGS = 2  # of every level of the pyramid in `spread`
THINNEST = 8  # a strip is drawn in squares so many times as wide, or half as large as the photo's shorter side
BEYOND = 1.5  # times what is painted is enough to see of a photo that has no more above and below
MOST_SIDE = 6144  # pixels of a square's side: its arrays of floats take about 450 MB each
_OPENCV_FILLS = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}


@dataclass(frozen=True)
class Box:
    """A square of `side` pixels whose corner lies at (left, top); it may reach beyond the photo."""

    left: int
    top: int
    side: int

    def inside(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of the part that lies on a photo of a shape (H, W, ...)."""
        rows = slice(min(max(self.top, 0), shape[0]), min(max(self.top + self.side, 0), shape[0]))
        return rows, slice(min(max(self.left, 0), shape[1]), min(max(self.left + self.side, 0), shape[1]))

    def cut(self, photo: Array) -> Array:
        """The square out of an array (H, W, ...); zeros where it reaches beyond."""
        rows, columns = self.inside(photo.shape)
        out = np.zeros((self.side, self.side, *photo.shape[2:]), photo.dtype)
        part = photo[rows, columns]
        top, left = rows.start - self.top, columns.start - self.left
        out[top : top + part.shape[0], left : left + part.shape[1]] = part
        return out


@dataclass(frozen=True, eq=False)
class Hole:
    """The part of a view that the model may not see: the fraction of each of its pixels, float32 (S, S) in 0..1."""

    coverage: Array

    @property
    def mask(self) -> Array:
        """The pixels that are drawn, bool (S, S): more than half of each is covered."""
        return self.coverage > 0.5

    @property
    def known(self) -> Array:
        """The pixels to go by, bool (S, S): less than half of each is covered. One half is neither."""
        return self.coverage < 0.5


def check_box(box: Box, size: tuple[int, int]) -> None:
    """ValueError unless a box that someone names shows enough of a photo of (width, height) to work on."""
    width, height = size
    named = f"the box {box.left}, {box.top}, {box.side}"
    if box.side < 1 or not (-box.side < box.left < width and -box.side < box.top < height):
        raise ValueError(f"{named} misses the photo of {width} x {height} pixels: choose another.")
    if box.side > 2 * max(width, height):
        raise ValueError(f"{named} is more than twice as large as the photo: choose a smaller one.")
    if box.side > MOST_SIDE:
        raise ValueError(f"{named} is too large: its side may be {MOST_SIDE} pixels at most. Choose a smaller one.")


def window(mask: Array, context: float, least: int, beyond: float = BEYOND) -> Box | None:
    """The square to work on: `context` times as large as what is painted, at least `least` pixels.

    It stays on the photo where it can, or else is `beyond` times as large as what is painted. It is larger than
    `MOST_SIDE` only if what is painted is. None if nothing is.
    """
    if not mask.any():
        return None
    spans = extents(mask)
    painted = max(end - start for start, end in spans)
    most = min(max(mask.shape), max(painted, MOST_SIDE))
    side = max(painted, min(max(math.ceil(context * painted), least), most))
    if side > min(mask.shape):  # beyond the shorter side nothing more is known above and below: stay near it
        side = max(min(side, min(mask.shape)), min(math.ceil(beyond * painted), most))
    top, left = (placed(*extent, side, full) for extent, full in zip(spans, mask.shape, strict=True))
    return Box(left, top, side)


def placed(start: int, end: int, side: int, full: int) -> int:
    """Return where a span of length `side` begins: around start..end, and on 0..full if it fits."""
    wanted = (start + end - side) // 2
    return min(max(wanted, 0), full - side) if side <= full else (full - side) // 2


def view(photo: Array, hole_mask: Array, box: Box, side: int) -> tuple[Array, Hole]:
    """Return what the model may see of a square, float32 (side, side, 3), and the hole in it.

    Pixels where `hole_mask` (H, W) is True, or beyond the photo, do not touch the view: the known ones are averaged.
    Where nothing is known the view is 0.
    """
    known = box.cut(~hole_mask).astype(np.float32)
    way = cv2.INTER_AREA if box.side > side else cv2.INTER_LINEAR
    weight = cv2.resize(known, (side, side), interpolation=way)
    total = cv2.resize(box.cut(photo) * known[..., None], (side, side), interpolation=way)
    coverage = np.where(weight > 1 - 1e-4, 0, np.clip(1 - weight, 0, 1)).astype(np.float32)  # rounding paints nothing
    return total / np.maximum(weight, 1e-4)[..., None] * (weight > 1e-4)[..., None], Hole(coverage)


def fill(pixels: Array, hole_mask: Array, kind: str) -> Array:
    """Fill a view (S, S, 3), where `hole_mask` (S, S), from what is known around it; with grey if nothing is.

    `kind` is one of `FILLS`: "spread" (smoothly, coarse to fine), "telea" and "navier-stokes" (OpenCV's), "mean", or
    "none" (grey).
    """
    if kind not in FILLS:
        raise ValueError(f"fill '{kind}': choose one of {', '.join(FILLS)}.")
    if not hole_mask.any():
        return pixels
    if kind == "none" or hole_mask.all():
        return np.where(hole_mask[..., None], np.float32(127.5), pixels)
    if kind == "mean":
        return np.where(hole_mask[..., None], pixels[~hole_mask].mean(0), pixels)
    if kind == "spread":
        return spread(pixels, (~hole_mask).astype(np.float32))
    around = spread(pixels, (~hole_mask).astype(np.float32))  # OpenCV looks at what it replaces
    painted = cv2.inpaint(around.round().astype(np.uint8), hole_mask.astype(np.uint8), 3, _OPENCV_FILLS[kind])
    return np.where(hole_mask[..., None], painted.astype(np.float32), pixels)


def filled_view(pixels: Array, hole_mask: Array, kind: str) -> Array:
    """Return a view filled as `fill` does, as a picture uint8 (S, S, 3)."""
    return fill(pixels, hole_mask, kind).round().clip(0, 255).astype(np.uint8)


def spread(values: Array, known: Array) -> Array:
    """Values (h, w, 3) where `known` (h, w) is 1, and smoothly between them where it is 0 (pull-push pyramid).

    Gortler et al. 1996, section 3.4. Zeros if nothing is known.
    """
    height, width = known.shape
    if max(height, width) == 1 or known.min() >= 1:
        return values * (known > 0)[..., None]
    half = (-(-width // 2), -(-height // 2))
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA).reshape(half[::-1])
    pulled = cv2.resize(values * known[..., None], half, interpolation=cv2.INTER_AREA).reshape(*half[::-1], 3)
    coarse = spread(pulled / np.maximum(weight, 1e-6)[..., None], np.minimum(1, 2 * weight))
    pushed = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
    hold = known[..., None]
    for _ in range(SMOOTHINGS):  # towards the membrane that hangs from the known values
        pushed = cv2.blur(pushed + hold * (values - pushed), (3, 3)).reshape(height, width, 3)
    return pushed + hold * (values - pushed)


def matched(drawn: Array, pixels: Array, hole: Hole) -> Array:
    """Correct a drawn picture (D, D, 3) by what it misses of the known pixels (S, S, 3); in the hole, smoothly so.

    The seam then has no step: a cheap relative of Poisson blending (Pérez et al. 2003). A picture of another side than
    the pixels is compared with them at theirs, and keeps its own detail.
    """
    missing = spread(pixels - resized_to(drawn, len(pixels)), hole.known.astype(np.float32))
    return drawn + resized_to(missing, len(drawn))


def dilated(mask: Array, pixels: int) -> Array:
    """Grow a mask (H, W) by so many pixels all around; shrink it if they are negative."""
    if pixels == 0 or not mask.any():
        return mask
    result, near = np.zeros_like(mask), around(mask, max(pixels, 1))  # beyond that nothing is painted
    result[near] = _distance(mask[near]) <= pixels if pixels > 0 else _distance(~mask[near]) > -pixels
    return result


def opacity(mask: Array, feather: int) -> Array:
    """Return the alpha of a paste, float32 (H, W): 1 on the mask, falling to 0 within `feather` pixels around it."""
    alpha = np.zeros(mask.shape, np.float32)
    if mask.any():
        near = around(mask, feather)
        distance = _distance(mask[near])
        rest = np.where(distance <= feather, 1 - distance / (feather + 1), 0).astype(np.float32)
        alpha[near] = rest * rest * (3 - 2 * rest)
    return alpha


def around(mask: Array, pixels: int) -> tuple[slice, slice]:
    """Return the rows and columns of a mask (H, W) that hold all of what is painted, and so many pixels around it."""
    (top, bottom), (left, right) = extents(mask)
    return slice(max(top - pixels, 0), bottom + pixels), slice(max(left - pixels, 0), right + pixels)


def extents(mask: Array) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first row and column of what is painted on a mask (H, W), each with the one after the last."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _distance(mask: Array) -> Array:
    """Distance of every pixel to the mask, float32 (H, W); 0 on it."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(distance * distance))  # OpenCV's roots are less exact for small arrays than for large ones


def resized_to(drawn: Array, side: int) -> Array:
    """A drawn picture (D, D, 3) at another side, float32 (side, side, 3)."""
    way = cv2.INTER_AREA if side < len(drawn) else cv2.INTER_CUBIC
    return cv2.resize(drawn.astype(np.float32), (side, side), interpolation=way)


def paste(photo: Array, large: Array, box: Box, alpha: Array) -> Array:
    """Lay a picture (n, n, 3) over a square of a photo, by `alpha` (H, W), see `opacity`; unchanged where that is 0."""
    rows, columns = box.inside(photo.shape)
    top, left = rows.start - box.top, columns.start - box.left
    under, weight = photo[rows, columns], alpha[rows, columns, None]
    over = large[top : top + under.shape[0], left : left + under.shape[1]]
    mixed = np.clip(under + weight * (over - under), 0, 255).round().astype(np.uint8)
    result = photo.copy()
    result[rows, columns] = np.where(weight > 0, mixed, under)
    return result


def extended(photo: Array, left: int, top: int, right: int, bottom: int) -> tuple[Array, Array]:
    """A photo on a larger canvas, black where it is new, and the mask of what is new; sides in pixels."""
    if min(left, top, right, bottom) < 0:
        raise ValueError(f"extend by {left}, {top}, {right}, {bottom} pixels: choose 0 or more for each side.")
    check_size("the new canvas", photo.shape[1] + left + right, photo.shape[0] + top + bottom)
    mask = np.ones((photo.shape[0] + top + bottom, photo.shape[1] + left + right), bool)
    canvas = np.zeros((*mask.shape, 3), np.uint8)
    within = slice(top, top + photo.shape[0]), slice(left, left + photo.shape[1])
    canvas[within], mask[within] = photo, False
    return canvas, mask


def tiles(size: tuple[int, int], left: int, top: int, right: int, bottom: int) -> Iterator[Box]:
    """Squares that paint an `extended` photo of (width, height) onward, in order; each overlaps what came before.

    One square does if at least two fifths of it are known and what is new is not too thin for its tokens. Otherwise
    strips of at most half a square grow to the right, left, bottom and top, in squares at most as large as the photo's
    shorter side, and half as large at least. No square is larger than `MOST_SIDE`.
    """
    width, height = size
    whole, most = max(width + left + right, height + top + bottom), max(left, top, right, bottom)
    if not most:
        return
    enough, thinnest = width * height >= 0.4 * whole**2, min(filter(None, (left, top, right, bottom)))
    if enough and thinnest >= whole / THINNEST and whole <= MOST_SIDE:
        yield Box((width + left + right - whole) // 2, (height + top + bottom - whole) // 2, whole)
        return
    shorter = min(width, height)
    side = max(1, min(shorter, MOST_SIDE, max(THINNEST * most, shorter // 2, 64)))
    half = math.ceil(side / 2)
    low, high = [left, top], [left + width, top + height]  # what is known, by axis
    for axis, rest, forward in ((0, right, True), (0, left, False), (1, bottom, True), (1, top, False)):
        while rest:
            step = math.ceil(rest / math.ceil(rest / half))  # strips of like width: none is a sliver
            rest -= step
            near = high[axis] + step - side if forward else low[axis] - step
            for across in _overlapping(low[1 - axis], high[1 - axis], side):
                yield Box(near, across, side) if axis == 0 else Box(across, near, side)
            if forward:
                high[axis] += step
            else:
                low[axis] -= step


def _overlapping(start: int, end: int, side: int) -> Iterator[int]:
    """Return starts of spans of length `side` that cover start..end; each overlaps the last by half, less a pixel."""
    count = 1 + math.ceil(max(0, end - start - side) / math.ceil(side / 2))
    return (start + round(number * (end - start - side) / max(1, count - 1)) for number in range(count))
