"""Random holes, and which tokens are known beside them."""

import numpy as np
import pytest
import torch
from support.tiny import pipeline

from var_core.engine.plan import Plan
from var_core.training import holes
from var_core.training.holes import known_tokens, random_hole

SCHEDULE = pipeline().schedule
SIDE = SCHEDULE.sides[-1]


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 0]))


@pytest.mark.parametrize("side", [2, 4, 16])
def test_every_hole_has_a_cell(side):
    found = [random_hole(side, rng(seed)) for seed in range(100)]
    assert all(hole.shape == (side, side) and hole.dtype == bool and hole.any() for hole in found)


def test_nearly_every_hole_is_another_and_leaves_something():
    found = [random_hole(16, rng(seed)) for seed in range(100)]
    assert sum(not hole.all() for hole in found) > 90
    assert len({hole.tobytes() for hole in found}) > 90


def test_a_seed_draws_the_same_hole():
    assert (random_hole(16, rng(3)) == random_hole(16, rng(3))).all()


def test_beside_no_picture_at_all_nothing_or_single_tokens_are_known():
    shares = [known_tokens(None, SCHEDULE, rng(seed)).float().mean() for seed in range(50)]
    assert all(share < 1 for share in shares) and max(shares) > 0.3


def test_without_further_tokens_known_ones_are_those_that_an_edit_would_keep(monkeypatch):
    monkeypatch.setattr(holes, "MORE_KNOWN", 0.0)
    tokens = [torch.zeros(1, length, dtype=torch.int64) for length in SCHEDULE.lengths]
    for seed in range(20):
        hole, random = random_hole(SIDE, rng(seed)), rng(100 + seed)
        found = known_tokens(hole, SCHEDULE, random)
        again = rng(100 + seed)
        cover, strict = again.choice(holes.COVERS), int(again.integers(holes.STRICT))
        coverage = torch.from_numpy(hole).float()
        plan = Plan.inpaint(tokens, coverage, SCHEDULE, min_coverage=cover, first_free_scale=min(strict, len(SCHEDULE)))
        assert torch.equal(found, plan.kept[0])


def test_in_the_hole_further_tokens_are_known_now_and_then():
    hole = np.ones((SIDE, SIDE), bool)
    found = [bool(known_tokens(hole, SCHEDULE, rng(seed)).any()) for seed in range(100)]
    assert 20 < sum(found) < 60
