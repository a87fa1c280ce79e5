"""Squares of photos: what the model may see of them, and what it may change."""

import math
from itertools import islice

import cv2
import numpy as np
import pytest

from var_core.editing.canvas import (
    FILLS,
    MOST_SIDE,
    Box,
    Hole,
    check_box,
    dilated,
    extended,
    fill,
    matched,
    opacity,
    paste,
    resized_to,
    spread,
    tiles,
    view,
    window,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def rectangle(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


def test_a_box_on_the_photo_cuts_its_pixels():
    photo = noise(20, 30)
    assert np.array_equal(Box(5, 2, 10).cut(photo), photo[2:12, 5:15])


def test_a_box_beyond_the_photo_is_zero_there():
    photo = noise(6, 6)
    cut = Box(-2, 3, 8).cut(photo)
    assert np.array_equal(cut[:3, 2:], photo[3:])
    assert not cut[3:].any() and not cut[:, :2].any()


def test_a_box_that_misses_the_photo_is_all_zero():
    assert not Box(50, 50, 4).cut(noise(6, 6)).any()


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (64, 64)])
@pytest.mark.parametrize("extent", [(0, 1), (10, 14), (5, 40)])
def test_the_window_holds_what_is_painted_and_stays_on_the_photo_if_it_fits(shape, extent):
    mask = rectangle(*shape, slice(*extent), slice(*extent))
    box = window(mask, 2.0, 16)
    assert box.cut(mask).sum() == mask.sum()
    assert box.side >= min(16, *shape)
    if box.side <= min(shape):
        assert min(box.left, box.top) >= 0 and box.left + box.side <= shape[1] and box.top + box.side <= shape[0]


def test_a_window_around_a_strip_wider_than_the_photo_is_high_reaches_beyond_it_evenly():
    box = window(rectangle(40, 90, slice(10, 20), slice(0, 90)), 2.0, 16)
    assert box == Box(0, -25, 90)


def test_a_window_around_a_wide_mask_shows_what_lies_left_and_right_of_it():
    mask = rectangle(400, 600, slice(100, 300), slice(75, 525))
    box = window(mask, 2.0, 16)
    assert box.left < 75 - 20 and box.left + box.side > 525 + 20


@pytest.mark.parametrize("high", [300, 340, 399])
def test_a_small_context_holds_for_a_mask_nearly_as_high_as_the_photo(high):
    mask = rectangle(400, 600, slice(0, high), slice(100, 200))
    assert window(mask, 1.15, 16, beyond=1.15).side == math.ceil(1.15 * high)
    assert window(mask, 2.0, 16).side == max(400, math.ceil(1.5 * high))


def test_context_never_makes_a_window_too_large_to_work_on():
    mask = rectangle(6500, 8000, slice(1000, 5000), slice(1000, 5000))
    assert window(mask, 10.0, 16).side == MOST_SIDE
    assert window(rectangle(500, 8000, slice(0, 50), slice(0, 5000)), 10.0, 16).side == MOST_SIDE
    assert window(rectangle(500, 8000, slice(0, 50), slice(0, 7000)), 10.0, 16).side == 7000  # all of what is painted


@pytest.mark.parametrize("box", [Box(0, 0, 1), Box(-9, 19, 10), Box(29, -59, 60), Box(-20, -30, 60)])
def test_a_box_that_touches_the_photo_is_taken(box):
    check_box(box, (30, 20))


@pytest.mark.parametrize(
    ("box", "size", "words"),
    [
        (Box(0, 0, 0), (30, 20), "the box 0, 0, 0 misses the photo of 30 x 20 pixels: choose another"),
        (Box(0, 0, -5), (30, 20), "misses"),
        (Box(30, 0, 9), (30, 20), "misses"),
        (Box(0, -9, 9), (30, 20), "misses"),
        (Box(0, 0, 61), (30, 20), "more than twice as large as the photo: choose a smaller one"),
        (Box(0, 0, MOST_SIDE + 1), (9000, 20), f"may be {MOST_SIDE} pixels at most. Choose a smaller one"),
    ],
)
def test_a_box_that_cannot_be_worked_on_is_refused_with_the_remedy(box, size, words):
    with pytest.raises(ValueError, match=words):
        check_box(box, size)


@pytest.mark.parametrize("full", [301, 999])
def test_rounding_covers_no_pixel_that_is_known(full):
    unknown = rectangle(full, full, slice(0, 30), slice(0, 30))
    _, hole = view(noise(full, full), unknown, Box(0, 0, full), 32)
    assert not hole.coverage[10:].any() and not hole.coverage[:, 10:].any() and hole.coverage.max() <= 1


def test_half_covered_pixels_are_neither_drawn_nor_gone_by():
    hole = Hole(np.array([[0, 0.4, 0.5, 0.6, 1]], np.float32))
    assert hole.mask.tolist() == [[False, False, False, True, True]]
    assert hole.known.tolist() == [[True, True, False, False, False]]


def test_there_is_no_window_around_nothing():
    assert window(np.zeros((8, 8), bool), 2.0, 16) is None


@pytest.mark.parametrize("side", [8, 16, 40])
def test_unknown_pixels_do_not_touch_the_view(side):
    unknown = rectangle(32, 32, slice(9, 20), slice(3, 31))
    first, second = noise(32, 32), noise(32, 32)
    second[unknown] = 255 - second[unknown]
    (a, hole), (b, other) = (view(photo, unknown, Box(-4, 0, 32), side) for photo in (first, second))
    assert np.array_equal(a, b) and np.array_equal(hole.coverage, other.coverage)


def test_a_view_of_a_known_square_of_its_own_size_is_the_square():
    photo = noise(32, 32)
    pixels, hole = view(photo, np.zeros((32, 32), bool), Box(4, 8, 16), 16)
    assert np.abs(pixels - photo[8:24, 4:20]).max() < 0.01 and not hole.coverage.any()


def test_the_cover_is_the_share_of_unknown_pixels():
    _, hole = view(noise(16, 16), rectangle(16, 16, slice(0, 3), slice(0, 16)), Box(0, 0, 16), 8)
    assert np.allclose(hole.coverage[:, 0], [1, 0.5, 0, 0, 0, 0, 0, 0])


def test_half_known_pixels_show_what_is_known_of_them():
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[::2] = 200
    pixels, _ = view(photo, rectangle(4, 4, slice(1, 4, 2), slice(0, 4)), Box(0, 0, 4), 2)
    assert np.allclose(pixels, 200, atol=0.01)


@pytest.mark.parametrize("kind", FILLS)
def test_a_fill_changes_the_hole_alone_and_only_reads_around_it(kind):
    hole = rectangle(16, 16, slice(4, 9), slice(0, 7))
    pixels = noise(16, 16).astype(np.float32)
    other = np.where(hole[..., None], 0, pixels)
    filled = fill(pixels, hole, kind)
    assert np.array_equal(filled[~hole], pixels[~hole])
    assert np.allclose(filled, fill(other, hole, kind), atol=1e-3)
    assert filled.min() >= 0 and filled.max() <= 255


@pytest.mark.parametrize("kind", FILLS)
def test_a_fill_of_everything_is_grey_and_of_nothing_the_view_itself(kind):
    pixels = noise(8, 8).astype(np.float32)
    assert (fill(pixels, np.ones((8, 8), bool), kind) == 127.5).all()
    assert np.array_equal(fill(pixels, np.zeros((8, 8), bool), kind), pixels)


@pytest.mark.parametrize("kind", FILLS[:-1])
def test_a_fill_continues_a_plain_colour(kind):
    plain = np.full((16, 16, 3), 90, np.float32)
    assert np.allclose(fill(plain, rectangle(16, 16, slice(3, 9), slice(3, 9)), kind), 90, atol=4)


def test_an_unknown_fill_is_refused_with_the_choice():
    with pytest.raises(ValueError, match="fill 'magic': choose one of spread, telea"):
        fill(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), bool), "magic")


def test_spreading_keeps_known_values_and_stays_between_them():
    values = noise(13, 7).astype(np.float32)
    known = (np.random.default_rng(1).random((13, 7)) < 0.3).astype(np.float32)
    spread_out = spread(values, known)
    assert np.allclose(spread_out[known > 0], values[known > 0], atol=1e-3)
    low, high = values[known > 0].min(0), values[known > 0].max(0)
    assert (spread_out >= low - 1e-2).all() and (spread_out <= high + 1e-2).all()


@pytest.mark.parametrize("start", [29, 32, 48])  # 32 lies on an edge of every level of the pyramid
def test_spreading_leaves_no_crease_at_the_edge(start):
    values = cv2.GaussianBlur(noise(64, 64).astype(np.float32), (0, 0), 3)
    known = np.zeros((64, 64), np.float32)
    known[:, :start] = 1
    across = np.abs(spread(values, known)[:, start] - values[:, start - 1]).mean()
    assert across < 1.5 * np.abs(values[:, start] - values[:, start - 1]).mean()


def test_spreading_nothing_gives_zeros():
    assert not spread(noise(5, 8).astype(np.float32), np.zeros((5, 8), np.float32)).any()


def test_matching_gives_the_known_pixels_and_lifts_the_hole_by_what_lacks_around_it():
    pixels, cover = np.full((16, 16, 3), 100, np.float32), np.zeros((16, 16), np.float32)
    cover[5:10, 5:10] = 1
    drawn = np.full((16, 16, 3), 70, np.float32)
    drawn[7, 7] += 20
    fitted = matched(drawn, pixels, Hole(cover))
    assert np.allclose(fitted[cover == 0], 100)
    assert np.allclose(fitted[5:10, 5:10] - drawn[5:10, 5:10], 30, atol=0.1)


def test_growing_by_nothing_is_nothing_and_of_nothing_too():
    mask = rectangle(9, 9, slice(3, 5), slice(3, 5))
    assert np.array_equal(dilated(mask, 0), mask)
    assert not dilated(np.zeros((9, 9), bool), 3).any()


def test_a_grown_mask_reaches_so_many_pixels_and_shrinks_back():
    mask = rectangle(30, 30, slice(10, 20), slice(10, 20))
    grown = dilated(mask, 4)
    assert grown[6, 15] and not grown[5, 15] and grown[15, 23] and not grown[15, 24]
    assert np.array_equal(dilated(grown, -4) & mask, mask) and not dilated(mask, -5).any()


@pytest.mark.parametrize("seed", range(20))
def test_growing_shrinking_and_feathering_go_by_the_nearest_pixel_wherever_it_lies(seed):
    """Also at the edges: only what is near the mask is looked at."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 24, 2)
    mask = np.zeros((height, width), bool)
    for _ in range(rng.integers(0, 3)):
        top, left = rng.integers(0, height), rng.integers(0, width)
        mask[top : top + rng.integers(1, 12), left : left + rng.integers(1, 12)] = True
    rows, columns = np.mgrid[:height, :width]

    def distance_to(where):
        apart = [np.full((height, width), np.inf), *(np.hypot(rows - y, columns - x) for y, x in np.argwhere(where))]
        return np.min(apart, axis=0)

    for pixels in (1, 3, 30):
        assert np.array_equal(dilated(mask, pixels), distance_to(mask) <= pixels)
        assert np.array_equal(dilated(mask, -pixels), distance_to(~mask) > pixels)
        rest = np.clip(1 - distance_to(mask) / (pixels + 1), 0, 1) * (distance_to(mask) <= pixels)
        assert np.allclose(opacity(mask, pixels), rest * rest * (3 - 2 * rest), atol=1e-6)


def test_what_is_near_the_mask_is_the_same_in_a_photo_of_any_size():
    small = noise(20, 20)[..., 0] > 200
    large = np.zeros((300, 300), bool)
    large[140:160, 140:160] = small
    padded = np.pad(small, 30)
    near = slice(110, 190), slice(110, 190)
    assert np.array_equal(dilated(large, 7)[near], dilated(padded, 7))
    assert np.array_equal(opacity(large, 7)[near], opacity(padded, 7))


@pytest.mark.parametrize("feather", [0, 1, 5])
def test_opacity_is_1_on_the_mask_and_0_beyond_the_feather(feather):
    mask = rectangle(30, 30, slice(10, 20), slice(12, 18))
    share = opacity(mask, feather)
    assert (share[mask] == 1).all()
    assert np.array_equal(share > 0, dilated(mask, feather))
    assert (np.diff(share[15, 18:]) <= 0).all()


def test_opacity_of_nothing_is_0():
    assert not opacity(np.zeros((5, 6), bool), 3).any()


def test_pasting_a_square_of_its_own_size_at_full_opacity_is_that_square():
    photo, drawn = noise(20, 30), noise(10, 10, seed=1)
    result = paste(photo, resized_to(drawn, 10), Box(25, -4, 10), np.ones((20, 30), np.float32))
    assert np.array_equal(result[:6, 25:], drawn[4:, :5])
    changed = (result != photo).any(-1)
    assert not changed[6:].any() and not changed[:, :25].any()


@pytest.mark.parametrize("side", [5, 10, 33])
def test_pasting_changes_nothing_where_opacity_is_0(side):
    photo = noise(40, 40)
    share = np.zeros((40, 40), np.float32)
    share[6:14, 8:30] = 0.5
    result = paste(photo, resized_to(noise(10, 10, seed=1), side), Box(4, 4, side), share)
    assert np.array_equal(result[share == 0], photo[share == 0])
    assert (result != photo).any() and photo is not result


def test_an_extended_photo_lies_where_it_should():
    photo = noise(10, 20)
    canvas, mask = extended(photo, 1, 2, 3, 4)
    assert canvas.shape == (16, 24, 3) and mask.sum() == 16 * 24 - 10 * 20
    assert np.array_equal(canvas[~mask].reshape(10, 20, 3), photo) and not canvas[mask].any()


def test_extending_by_less_than_nothing_is_refused():
    with pytest.raises(ValueError, match="choose 0 or more for each side"):
        extended(noise(4, 4), 0, -1, 0, 0)


@pytest.mark.parametrize("size", [(20, 20), (50, 20), (20, 50), (1, 1), (7, 100)])
@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (3, 3, 3, 3), (40, 0, 0, 0), (0, 61, 0, 13), (30, 30, 30, 30)])
def test_tiles_paint_everything_that_is_new_and_each_touches_what_is_known(size, sides):
    _, unknown = extended(np.zeros((size[1], size[0], 3), np.uint8), *sides)
    for box in tiles(size, *sides):
        place = box.inside(unknown.shape)
        assert unknown[place].any(), "a square with nothing to do"
        assert not unknown[place].all() or size == (1, 1), "a square with nothing to go by"
        unknown[place] = False
    assert not unknown.any()


@pytest.mark.parametrize("size", [(1000, 1000), (1001, 503), (900, 1600), (2000, 1000), (4000, 3000), (60, 33)])
@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.13, 0.3, 0.5, 0.77, 1])
def test_a_photo_of_ordinary_shape_is_extended_in_few_squares(size, share):
    sides = [max(2, round(share * length)) for length in size * 2]
    assert len(list(tiles(size, *sides))) <= (24 if share < 0.2 else 52)


def test_the_first_squares_come_without_the_others():
    first = islice(tiles((1, 1), 0, 0, 10**12, 10**12), 3)
    assert list(first) == [Box(1, 0, 1), Box(2, 0, 1), Box(3, 0, 1)]


def test_a_thin_border_takes_squares_half_as_large_as_the_photo_s_shorter_side():
    boxes = list(tiles((4000, 3000), 0, 0, 10, 0))
    assert [box.side for box in boxes] == [1500] * 3 and all(box.left == 4000 + 10 - 1500 for box in boxes)


def test_no_square_of_an_extension_is_larger_than_can_be_worked_on():
    assert len(list(tiles((MOST_SIDE - 900, 5000), 0, 0, 900, 900))) == 1
    assert max(box.side for box in tiles((MOST_SIDE, 5000), 0, 0, 900, 900)) < MOST_SIDE
    assert {box.side for box in tiles((7000, 7000), 0, 0, 7000, 0)} == {MOST_SIDE}


def test_strips_are_of_like_width():
    ends = sorted(box.left + box.side for box in tiles((1000, 503), 0, 0, 1000, 0))
    assert len(ends) == 4 and np.diff([1000, *ends]).min() == 250


def test_a_small_border_is_painted_in_one_square():
    assert list(tiles((100, 100), 20, 20, 20, 20)) == [Box(0, 0, 140)]
