"""Plans: values that say which tokens are given."""

import pytest
import torch
from tiny import SIDES

from var_core.plan import Plan
from var_core.schedule import Schedule

SCHEDULE = Schedule(SIDES)


def pyramid(batch: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(64, (batch, length), generator=generator) for length in SCHEDULE.lengths]


def kept(plan: Plan) -> list[bool]:
    """For each scale, whether all of it is kept; fails if only a part is."""
    assert all(keep.all() or not keep.any() for keep in plan.keep)
    return [bool(keep.all()) for keep in plan.keep]


def test_a_free_plan_gives_nothing():
    plan = Plan.free(SCHEDULE, 3)
    assert plan.batch == 3
    assert [t.shape for t in plan.tokens] == [(3, length) for length in SCHEDULE.lengths]
    assert kept(plan) == [False] * 4


@pytest.mark.parametrize("scale", range(5))
def test_resume_keeps_the_scales_before(scale):
    plan = Plan.resume(pyramid(), scale)
    assert kept(plan) == [k < scale for k in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(plan.tokens, pyramid(), strict=True))


@pytest.mark.parametrize("scale", [-1, 5])
def test_resume_outside_the_pyramid_is_refused_with_the_range(scale):
    with pytest.raises(ValueError, match=rf"scale {scale}: choose 0 .* to 4"):
        Plan.resume(pyramid(), scale)


def test_replace_gives_the_named_tokens_and_no_other():
    plan = Plan.free(SCHEDULE, 2).replace(2, torch.tensor([1, 7]), torch.tensor([40, 50]))
    assert plan.keep[2].nonzero().tolist() == [[0, 1], [0, 7], [1, 1], [1, 7]]
    assert plan.tokens[2][:, [1, 7]].tolist() == [[40, 50], [40, 50]]
    assert not any(plan.keep[k].any() for k in (0, 1, 3))


def test_replace_leaves_the_plan_and_its_tokens_alone():
    tokens = pyramid()
    plan = Plan.resume(tokens, 1)
    plan.replace(2, torch.tensor([0]), torch.tensor([63 - int(tokens[2][0, 0])]))
    assert kept(plan) == [True, False, False, False]
    assert all(torch.equal(a, b) for a, b in zip(tokens, pyramid(), strict=True))


def test_replace_at_no_positions_changes_nothing():
    plan = Plan.resume(pyramid(), 2)
    same = plan.replace(3, torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64))
    assert all(torch.equal(a, b) for a, b in zip(plan.tokens + plan.keep, same.tokens + same.keep, strict=True))


@pytest.mark.parametrize("scale", [-1, 4])
def test_replace_at_a_scale_that_is_not_there_is_refused(scale):
    with pytest.raises(ValueError, match=f"scale {scale}: choose 0 to 3"):
        Plan.free(SCHEDULE, 1).replace(scale, torch.tensor([0]), torch.tensor([0]))


@pytest.mark.parametrize("position", [-1, 9])
def test_replace_at_a_position_that_is_not_there_is_refused(position):
    with pytest.raises(ValueError, match=rf"positions \[{position}\]: scale 2 has 0 to 8"):
        Plan.free(SCHEDULE, 1).replace(2, torch.tensor([position]), torch.tensor([0]))


def test_tokens_and_keep_of_different_shapes_are_refused():
    plan = Plan.free(SCHEDULE, 1)
    with pytest.raises(ValueError, match="they must be equal"):
        Plan(plan.tokens, plan.keep[:-1])
    with pytest.raises(ValueError, match="they must be equal"):
        Plan(plan.tokens, Plan.free(SCHEDULE, 2).keep)


def test_a_plan_moves_to_a_device_whole():
    plan = Plan.free(SCHEDULE, 1).to(torch.device("meta"))
    assert all(t.is_meta for t in plan.tokens + plan.keep)
