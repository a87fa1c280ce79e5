"""A rival for the editing: holes filled with copies of what surrounds them, found by PatchMatch. No model.

Coarse to fine, every patch that touches the hole looks for its nearest known patch (Barnes et al. 2009), and pixels of
the hole become the mean of what the patches over them have found (Wexler et al. 2007).
"""

import cv2
import numpy as np

Array = np.ndarray
REACH = 3  # pixels from the middle of a patch to its edge
ROUNDS = 3  # of search and vote at each size of the picture
SEARCHES = 2  # passes of propagation and random search in a round
SMALLEST = 32  # pixels along the shorter side of the coarsest picture
_AROUND = [(y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1)]


def exemplar_fill(photo: Array, mask: Array, seed: int = 0) -> Array:
    """Fill a hole, bool (H, W), in a photo uint8 (H, W, 3); the same seed fills alike. Known pixels stay."""
    levels: list[tuple[Array, Array]] = [(photo.astype(np.float32), mask)]
    while min(levels[-1][1].shape) >= 2 * SMALLEST:
        size = tuple(max(1, side // 2) for side in levels[-1][1].shape[::-1])
        smaller = cv2.resize(levels[-1][0], size, interpolation=cv2.INTER_AREA)
        levels.append((smaller, cv2.resize(levels[-1][1].astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0))
    rng = np.random.Generator(np.random.Philox(key=[seed, 0]))
    pixels, hole = levels[-1]
    filled = cv2.inpaint(pixels.round().astype(np.uint8), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(
        np.float32
    )
    donors: Array | None = None
    for pixels, hole in reversed(levels):
        height, width = hole.shape
        if filled.shape[:2] != hole.shape:
            filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
            donors = (
                None if donors is None else 2 * cv2.resize(donors, (width, height), interpolation=cv2.INTER_NEAREST)
            )
        filled = np.where(hole[..., None], filled, pixels)
        filled, donors = _settled(filled, hole, donors, rng)
    return filled.round().clip(0, 255).astype(np.uint8)


def _settled(filled: Array, hole: Array, donors: Array | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Search and vote until a picture of one size has settled; donors float32 (H, W, 2) are rows and columns."""
    around = cv2.dilate(hole.astype(np.uint8), np.ones((2 * REACH + 1,) * 2, np.uint8)) > 0
    whole = ~around  # middles of patches without a pixel of the hole
    whole[:REACH], whole[-REACH:], whole[:, :REACH], whole[:, -REACH:] = False, False, False, False
    places, known = np.argwhere(around), np.argwhere(whole)
    if not len(known):  # the hole leaves no whole patch: nothing to copy
        return filled, np.zeros((*hole.shape, 2), np.float32)
    chosen = known[rng.integers(len(known), size=len(places))]
    if donors is not None:
        before = donors[around].astype(int).clip(0, np.array(hole.shape) - 1)
        chosen = np.where(whole[tuple(before.T)][:, None], before, chosen)
    for _ in range(ROUNDS):
        patches = _patches(filled, places)
        cost = _cost(patches, filled, chosen)
        for number in range(SEARCHES):
            field = np.zeros((*hole.shape, 2), int)
            field[tuple(places.T)] = chosen
            step = 1 if number % 2 else -1
            for shift in ((step, 0), (0, step)):
                there = (places - shift).clip(0, np.array(hole.shape) - 1)
                chosen, cost = _better(patches, filled, whole, chosen, cost, field[tuple(there.T)] + shift)
            reach = max(hole.shape)
            while reach >= 1:
                jump = rng.integers(-reach, reach + 1, size=chosen.shape)
                chosen, cost = _better(patches, filled, whole, chosen, cost, chosen + jump)
                reach //= 2
        filled = _voted(filled, hole, places, chosen)
    field = np.zeros((*hole.shape, 2), np.float32)
    field[tuple(places.T)] = chosen
    return filled, field


def _patches(picture: Array, middles: Array) -> Array:
    """Return the patches around middles (n, 2), float32 (n, p, 3); beyond the edge the picture is mirrored."""
    padded = cv2.copyMakeBorder(picture, *(REACH,) * 4, cv2.BORDER_REFLECT_101)
    rows, columns = (middles + REACH).T
    return np.stack([padded[rows + y, columns + x] for y, x in _AROUND], 1)


def _cost(patches: Array, picture: Array, middles: Array) -> Array:
    return np.square(patches - _patches(picture, middles)).mean((1, 2))


def _better(
    patches: Array, picture: Array, whole: Array, chosen: Array, cost: Array, offered: Array
) -> tuple[Array, Array]:
    """Take what is offered (n, 2) where it is a known patch that is nearer than the one chosen."""
    inside = np.all((offered >= 0) & (offered < whole.shape), axis=1)
    offered = np.where(inside[:, None], offered, chosen)
    offered = np.where(whole[tuple(offered.T)][:, None], offered, chosen)
    found = _cost(patches, picture, offered)
    nearer = found < cost
    return np.where(nearer[:, None], offered, chosen), np.where(nearer, found, cost)


def _voted(picture: Array, hole: Array, places: Array, chosen: Array) -> Array:
    """Return the picture with each pixel of the hole the mean of what the patches over it have found."""
    height, width = hole.shape
    total, count = np.zeros((height, width, 3)), np.zeros((height, width, 1))
    for offset in _AROUND:
        rows, columns = (places + offset).T
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        donors = (chosen[inside] + offset).clip(0, (height - 1, width - 1))
        total[rows[inside], columns[inside]] += picture[tuple(donors.T)]  # one patch each at this offset
        count[rows[inside], columns[inside]] += 1
    return np.where(hole[..., None], total / np.maximum(count, 1), picture).astype(np.float32)
