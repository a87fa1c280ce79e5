"""Fine detail that the model is too coarse to draw, borrowed from where the photo shows it.

Where pixels are known, the photo differs from what the model drew there by detail: everything finer than the model's
own pixels, and what its tokenizer loses. A painted place takes the detail of a known place at which the model drew
alike (Freeman et al. 2002, "Example-based super-resolution", with the photo as its own example). Neighbours prefer
neighbouring donors (Ashikhmin 2001), so that textures hang together, and donors that were not used yet, so that they
do not repeat.
"""

import cv2
import numpy as np
import torch

from .canvas import resized_to

Array = np.ndarray
STRIDE = 4  # of the patches, in the model's pixels
OVERLAP = 0.25  # of neighbouring patches, in strides, at each end
SLOW = 3.0  # what varies more slowly than so many of the model's pixels is no detail
AROUND = (-6, -2, 2, 6)  # where two places are compared, in the model's pixels around their middles
FAR = 0.4  # levels that each of the model's pixels between a place and its donor costs
WORN = 25.0  # levels that each use of a donor costs
TOGETHER = 0.4  # the donors next to a neighbour's donor cost so much of what they would
ALIKE = 30.0  # levels at which a donor lends half of its detail
NEIGHBOURS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)


def borrowed(photo: Array, known: Array, drawn: Array, side: int) -> Array:
    """Detail for a square of a photo, float32 (n, n, 3), 0 where nothing can be borrowed.

    `photo` uint8 (n, n, 3) is as it is where `known` bool (n, n), `drawn` float32 (D, D, 3) what the model drew of all.
    The model's own pixels, by which places are compared, are `side` (S) along a side; what it draws may have more.
    """
    full = len(photo)
    cells = -(-side // STRIDE)
    edges = np.round(np.arange(cells + 1) * STRIDE * full / side).astype(int).clip(0, full)  # of the cells, in pixels
    margin = max(1, round(OVERLAP * STRIDE * full / side))
    size = int(np.diff(edges).max()) + 2 * margin
    starts = edges[:-1] - margin  # of the patches
    ends, tops = (starts + size).clip(0, full), starts.clip(0, full)
    counted = cv2.integral(known.astype(np.uint8))
    by_row = counted[ends] - counted[tops]
    known_pixels = by_row[:, ends] - by_row[:, tops]  # of each patch
    donors = known_pixels == size * size  # a patch that reaches beyond the square has fewer
    needy = known_pixels < np.outer(ends - tops, ends - tops)
    if not donors.any() or not needy.any():
        return np.zeros(photo.shape, np.float32)
    chosen, strength = _donors(_surroundings(resized_to(drawn, side), cells), needy, donors)
    return _blended(detail(photo, known, drawn, side), starts, size, margin, chosen, strength)


def detail(photo: Array, known: Array, drawn: Array, side: int) -> Array:
    """Return a photo (n, n, 3) less a drawn picture (D, D, 3) and slow shifts of colour; 0 where it is unknown.

    What is slow goes by the model's own pixels, `side` along a side.
    """
    full = len(photo)
    over = np.where(known[..., None], photo - resized_to(drawn, full), 0)
    small = cv2.resize(over, (side, side), interpolation=cv2.INTER_AREA)
    weight = cv2.resize(known.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(weight, (0, 0), SLOW)[..., None]
    slow = cv2.GaussianBlur(small, (0, 0), SLOW) / np.maximum(around, 1e-3)
    return np.where(known[..., None], over - cv2.resize(slow, (full, full), interpolation=cv2.INTER_LINEAR), 0)


def _surroundings(drawn: Array, cells: int) -> Array:
    """Return the pixels (S, S, 3) around the middle of each cell: (cells, cells, d), in levels."""
    pad = STRIDE + max(AROUND)
    padded = cv2.copyMakeBorder(cv2.GaussianBlur(drawn, (0, 0), 1.0), *(pad,) * 4, cv2.BORDER_REFLECT_101)
    middles = np.arange(cells) * STRIDE + STRIDE // 2 + pad
    return np.concatenate([padded[np.ix_(middles + y, middles + x)] for y in AROUND for x in AROUND], -1)


def _donors(surroundings: Array, needy: Array, donors: Array) -> tuple[Array, Array]:
    """Find for each cell where `needy` (m, m) its donor's row and column, int (m, m, 2), and how much it lends (m, m).

    Cells choose in turn, those closest to what is known first.
    """
    away = cv2.distanceTransform(needy.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    takers, givers = np.argwhere(needy), np.argwhere(donors)
    takers = takers[np.argsort(away[needy], kind="stable")]
    apart = _squares(surroundings[tuple(takers.T)], surroundings[donors])  # (takers, givers)
    apart /= surroundings.shape[-1]  # levels squared
    far = _squares(takers.astype(np.float32), givers.astype(np.float32)) * (FAR * STRIDE) ** 2
    number = np.where(donors, donors.cumsum().reshape(donors.shape) - 1, -1)  # of the giver at each cell
    lender = _turns(takers + 1, givers + 1, apart, far, np.pad(number, 1, constant_values=-1))
    strength = np.zeros(needy.shape, np.float32)
    strength[tuple(takers.T)] = 1 / (1 + apart[np.arange(len(takers)), lender[tuple(takers.T)]] / ALIKE**2)
    return np.where(needy[..., None], givers[lender], -1), strength


def _turns(takers: Array, givers: Array, apart: Array, far: Array, number: Array) -> Array:
    """The number of the giver that each cell chooses, int (m, m), -1 where it takes none.

    Places `takers` (n, 2) and `givers` (k, 2) count from 1: around the cells `number` (m + 2, m + 2) has a rim of -1.
    Plain lists, since this goes through them one by one.
    """
    cells, numbers, chosen = givers.tolist(), number.tolist(), np.full_like(number, -1).tolist()
    worn = np.zeros(len(givers), np.float32)
    for (row, column), unlike, distance in zip(takers.tolist(), apart, far, strict=True):
        cost = unlike + distance + worn
        for y, x in NEIGHBOURS:
            if (theirs := chosen[row + y][column + x]) < 0:
                continue
            near, beside = cells[theirs]
            if (index := numbers[near - y][beside - x]) >= 0:
                cost[index] = min(cost[index], TOGETHER * (unlike[index] + worn[index]))
        best = chosen[row][column] = int(cost.argmin())
        worn[best] += WORN**2
    return np.array(chosen)[1:-1, 1:-1]


def _squares(ours: Array, theirs: Array) -> Array:
    """Squared distances between rows (n, d) and rows (m, d): (n, m)."""
    # by torch: the threads of NumPy's own products go on spinning, and would slow whatever torch does next
    return torch.cdist(torch.from_numpy(ours), torch.from_numpy(theirs)).square().numpy()


def _blended(own: Array, starts: Array, size: int, margin: int, chosen: Array, strength: Array) -> Array:
    """Lay the donors' patches of detail (n, n, 3) where they are needed, blended where they overlap."""
    full = len(own)
    ramp = np.minimum(np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5) / (2 * margin), 1)
    window = np.outer(ramp, ramp).astype(np.float32)[..., None]
    total, weight = np.zeros(own.shape, np.float32), np.full((full, full, 1), 1e-6, np.float32)
    for row, column in np.argwhere(chosen[..., 0] >= 0):
        y, x = starts[row], starts[column]
        from_y, from_x = starts[chosen[row, column]]
        ys, xs = slice(max(0, -y), min(size, full - y)), slice(max(0, -x), min(size, full - x))
        part, patch = window[ys, xs], own[from_y : from_y + size, from_x : from_x + size][ys, xs]
        here = slice(y + ys.start, y + ys.stop), slice(x + xs.start, x + xs.stop)
        total[here] += strength[row, column] * part * patch
        weight[here] += part
    return total / weight
