"""Races: each runner paints its own picture, whoever is behind moves, and a clock counts its own work alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from support import tiny

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.inspection.race import Lane, picture, race
from var_core.schedule import PATHS

PIPES = [tiny.pipeline(), tiny.pipeline(tiny.in_order("raster"))]
ASKED = Request((1,), (5,), Sampling(guidance=2.0))


def run() -> list[tuple[Lane, ...]]:
    return list(race([(pipe, ASKED) for pipe in PIPES]))


def test_a_race_ends_with_the_pictures_that_the_runners_paint_alone():
    for pipe, lane in zip(PIPES, run()[-1], strict=True):
        shown = picture(pipe, lane)
        assert lane.done and shown.mode == "RGBA"
        assert np.array_equal(np.asarray(shown)[..., :3], np.asarray(pipe.run(ASKED).images[0]))
        assert (np.asarray(shown)[..., 3] == 255).all()


def test_one_step_is_made_at_a_time_by_whoever_is_behind():
    seen = run()
    assert [lane.steps for lane in seen[0]] == [0, 0] and len(seen) == 1 + sum(len(pipe.schedule) for pipe in PIPES)
    for before, after in pairwise(seen):
        (moved,) = [place for place in (0, 1) if after[place].steps > before[place].steps]
        assert after[moved].steps == before[moved].steps + 1 and after[moved].seconds > before[moved].seconds
        assert before[1 - moved] is after[1 - moved]
        assert before[moved].seconds <= before[1 - moved].seconds or before[1 - moved].done


@pytest.mark.parametrize("order", PATHS)
def test_a_cell_is_seen_once_its_token_has_come(order):
    pipe = tiny.pipeline(tiny.in_order(order))
    for (lane,) in race([(pipe, ASKED)]):
        assert lane.tokens == int(lane.drawn.sum()) == lane.steps
        assert sorted(lane.drawn.flatten().nonzero()[:, 0].tolist()) == sorted(pipe.schedule.cells[: lane.steps])
        cover = np.asarray(picture(pipe, lane))[..., 3].reshape(4, 8, 4, 8)
        assert (cover == cover[:, :1, :, :1]).all()
        assert torch.equal(torch.from_numpy(cover[:, 0, :, 0] > 0), lane.drawn)


def test_scales_are_seen_as_a_whole_picture_from_the_first_on():
    for lane in (lanes[0] for lanes in run()):
        assert lane.drawn.all() if lane.steps else not lane.drawn.any()
    assert [lanes[0].tokens for lanes in run()][-1] == 30
