"""Where the scales lie, and who looks at whom."""

import pytest
import torch

from var_core.config import OFFICIAL_SIDES_256, OFFICIAL_SIDES_512, ORDERS, SCALES
from var_core.schedule import PATHS, Schedule, averaging

CELLS = [(order, side) for order in PATHS for side in (2, 4, 8)] + [("raster", 5), ("spiral", 3), ("spiral", 7)]
SIDES = [(1,), (1, 2), (1, 2, 3, 5), OFFICIAL_SIDES_256, OFFICIAL_SIDES_512]


@pytest.mark.parametrize(("sides", "total"), [(OFFICIAL_SIDES_256, 680), (OFFICIAL_SIDES_512, 2240)])
def test_published_sequences_have_680_and_2240_tokens(sides, total):
    assert Schedule(sides).total == total


@pytest.mark.parametrize("sides", SIDES)
def test_spans_tile_the_sequence_without_gaps(sides):
    schedule = Schedule(sides)
    covered = [place for span in schedule.spans for place in range(span.start, span.stop)]
    assert covered == list(range(schedule.total))
    assert [span.stop - span.start for span in schedule.spans] == [side * side for side in sides]


@pytest.mark.parametrize("sides", SIDES)
def test_levels_say_the_scale_of_each_place(sides):
    schedule = Schedule(sides)
    levels = schedule.levels()
    assert len(levels) == schedule.total
    assert all((levels[span] == scale).all() for scale, span in enumerate(schedule.spans))


@pytest.mark.parametrize("sides", SIDES[:4])
def test_mask_shows_a_token_its_own_scale_and_all_coarser_ones(sides):
    schedule = Schedule(sides)
    wanted = torch.zeros(schedule.total, schedule.total, dtype=torch.bool)
    for span in schedule.spans:
        wanted[span, : span.stop] = True
    assert torch.equal(schedule.mask(), wanted)


def test_ratio_runs_from_0_to_1():
    assert [Schedule((1, 2, 3)).ratio(scale) for scale in range(3)] == [0.0, 0.5, 1.0]
    assert Schedule((1,)).ratio(0) == 1.0


def test_split_and_cat_are_inverse():
    schedule = Schedule((1, 2, 3))
    sequence = torch.randn(2, schedule.total, 5)
    pieces = schedule.split(sequence)
    assert [piece.shape[1] for piece in pieces] == [1, 4, 9]
    assert torch.equal(torch.cat(pieces, dim=1), sequence)


@pytest.mark.parametrize("sides", SIDES)
def test_scales_visit_their_cells_row_by_row(sides):
    schedule = Schedule(sides)
    cells = torch.arange(schedule.total)[None]
    assert torch.equal(torch.cat(schedule.visit(cells), 1), cells)
    assert [len(part[0]) for part in schedule.maps(cells)] == list(schedule.lengths)


def test_every_order_but_that_of_scales_has_a_path():
    assert (SCALES, *PATHS) == ORDERS


@pytest.mark.parametrize(("order", "side"), CELLS)
def test_an_order_visits_every_cell_once_and_one_a_step(order, side):
    schedule = Schedule((side,), order)
    assert sorted(schedule.cells) == list(range(side * side))
    assert len(schedule) == schedule.total == side * side and set(schedule.lengths) == {1}
    assert [span.start for span in schedule.spans] == list(range(side * side))


@pytest.mark.parametrize(("order", "side"), CELLS)
def test_a_cell_sees_itself_and_those_visited_before(order, side):
    schedule = Schedule((side,), order)
    assert torch.equal(schedule.mask(), torch.ones(side**2, side**2).tril().bool())


def test_raster_reads_like_a_page():
    assert Schedule((3,), "raster").cells == tuple(range(9))


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_the_z_curve_interleaves_the_bits_of_row_and_column(side):
    def bits(number: int) -> str:
        return f"{number:0{side.bit_length() - 1}b}"

    keys = {
        row * side + column: int("".join(a + b for a, b in zip(bits(row), bits(column), strict=True)), 2)
        for row in range(side)
        for column in range(side)
    }
    assert Schedule((side,), "z-curve").cells == tuple(sorted(keys, key=keys.get))


@pytest.mark.parametrize("side", [2, 3, 4, 7])
def test_the_spiral_walks_on_until_it_meets_an_edge_or_itself_then_turns_right(side):
    row, column, down, right, walked = 0, 0, 0, 1, []
    while len(walked) < side * side:
        walked.append((row, column))
        ahead = row + down, column + right
        if not (0 <= ahead[0] < side and 0 <= ahead[1] < side) or ahead in walked:
            down, right = right, -down
        row, column = row + down, column + right
    assert Schedule((side,), "spiral").cells == tuple(row * side + column for row, column in walked)


def test_every_cell_is_drawn_as_the_finest_scale_is():
    assert {Schedule((4,), "spiral").ratio(step) for step in range(16)} == {1.0}


def test_visiting_gives_each_step_what_is_said_of_its_cell():
    schedule = Schedule((4,), "z-curve")
    assert [int(part) for part in schedule.visit(torch.arange(16)[None])] == list(schedule.cells)
    assert len(schedule.maps(torch.zeros(2, 16))) == 1


@pytest.mark.parametrize(("full", "side"), [(16, 1), (16, 3), (16, 6), (16, 10), (16, 16), (5, 3)])
def test_averaging_along_both_axes_is_area_resizing(full, side):
    features = torch.randn(2, 3, full, full)
    weights = averaging(full, side)
    wanted = torch.nn.functional.interpolate(features, size=(side, side), mode="area")
    torch.testing.assert_close(weights @ features @ weights.T, wanted)


def test_averaging_first_used_while_drawing_still_serves_training():
    averaging.cache_clear()
    with torch.inference_mode():
        averaging(16, 3)
    features = torch.randn(1, 1, 16, 16, requires_grad=True)
    (averaging(16, 3) @ features).sum().backward()
    assert features.grad is not None
