"""Where the scales lie, and who looks at whom."""

import pytest
import torch

from var_core.config import OFFICIAL_SIDES_256, OFFICIAL_SIDES_512
from var_core.schedule import Schedule, averaging

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
