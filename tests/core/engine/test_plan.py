"""Plans: values that say which tokens are given."""

from dataclasses import replace

import pytest
import torch
from support.tiny import SIDES, networks

from var_core.engine.plan import Plan
from var_core.nn.tokenizer import Tokenizer
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


def test_resampling_frees_the_named_tokens_and_all_later_scales():
    plan = Plan.resample(pyramid(), 2, torch.tensor([0, 8]))
    assert plan.keep[0].all() and plan.keep[1].all() and not plan.keep[3].any()
    assert (~plan.keep[2]).nonzero().tolist() == [[0, 0], [0, 8], [1, 0], [1, 8]]


def test_resampling_may_keep_later_scales():
    plan = Plan.resample(pyramid(), 1, torch.tensor([3]), later="keep")
    assert [int((~keep[0]).sum()) for keep in plan.keep] == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="later 'no': choose free or keep"):
        Plan.resample(pyramid(), 1, torch.tensor([3]), later="no")


@pytest.mark.parametrize(("scale", "position"), [(4, 0), (-1, 0), (2, 9), (2, -1)])
def test_resampling_what_is_not_there_is_refused(scale, position):
    with pytest.raises(ValueError, match=r"choose 0 to 3|scale 2 has 0 to 8"):
        Plan.resample(pyramid(), scale, torch.tensor([position]))


def cover(*spans: tuple[slice, slice]) -> torch.Tensor:
    painted = torch.zeros(12, 12)  # cells of 12, 6, 4 and 3 pixels
    for span in spans:
        painted[span] = 1
    return painted


def inpainted(painted: torch.Tensor, min_coverage: float = 0.5, first_free_scale: int = 0) -> list[list[int]]:
    """The free positions of each scale."""
    plan = Plan.inpaint(pyramid(), painted, SCHEDULE, min_coverage=min_coverage, first_free_scale=first_free_scale)
    assert all((keep == keep[:1]).all() for keep in plan.keep)
    return [(~keep[0]).nonzero()[:, 0].tolist() for keep in plan.keep]


def test_a_token_is_free_if_more_than_the_share_of_its_cell_is_covered():
    left = cover((slice(None), slice(0, 5)))  # of 12 columns
    assert inpainted(left, 0.5) == [[], [0, 2], [0, 3, 6], [0, 1, 4, 5, 8, 9, 12, 13]]
    assert inpainted(left, 0.7) == [[], [0, 2], [0, 3, 6], [0, 4, 8, 12]]
    assert inpainted(left, 0.0)[:2] == [[0], [0, 2]]


def test_before_the_first_free_scale_only_what_is_wholly_covered_is_free():
    left = cover((slice(None), slice(0, 7)))
    assert inpainted(left, 0.0, 0)[:3] == [[0], [0, 1, 2, 3], [0, 1, 3, 4, 6, 7]]
    assert inpainted(left, 0.0, 2)[:3] == [[], [0, 2], [0, 1, 3, 4, 6, 7]]
    assert inpainted(left, 0.0, 3)[:3] == [[], [0, 2], [0, 3, 6]]


@pytest.mark.parametrize("min_coverage", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("first", [0, 4])
def test_a_full_cover_frees_all_and_an_empty_one_nothing(min_coverage, first):
    assert inpainted(torch.ones(12, 12), min_coverage, first) == [list(range(side * side)) for side in SIDES]
    assert inpainted(torch.zeros(12, 12), min_coverage, first) == [[], [], [], []]


def test_a_plan_with_a_target_quantizes_what_is_left_of_it():
    quantizer = networks()[0].quantizer
    f, f_hat = torch.randn(2, 8, 4, 4), torch.randn(2, 8, 4, 4)
    plan = Plan.inpaint(pyramid(), cover(), SCHEDULE, min_coverage=0.5, first_free_scale=0, target=f)
    wanted = quantizer.nearest(quantizer.pool(f - f_hat, 2), 2)
    assert torch.equal(plan.given(quantizer, f_hat, 2), wanted)
    fixed = Plan.resume(pyramid(), 4)
    assert torch.equal(fixed.given(quantizer, f_hat, 2), pyramid()[2])
    assert plan.to(torch.device("meta")).target.is_meta
    assert plan.replace(0, torch.tensor([0]), torch.tensor([5])).target is None


def leaning(likeness: float) -> tuple[Tokenizer, Plan, torch.Tensor]:
    """A tokenizer, a free plan that leans towards a picture, and that picture's features."""
    tokenizer = networks()[0]
    f = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(4))
    return tokenizer, replace(Plan.free(SCHEDULE, 2), source=f, likeness=likeness), f


def test_a_plan_leans_towards_the_codes_that_bring_it_nearest_to_its_source():
    tokenizer, plan, f = leaning(3.0)
    quantizer, logits = tokenizer.quantizer, torch.zeros(2, 1, 64)
    f_hat = quantizer.empty(2)
    found = plan.leant(logits, quantizer, f_hat, 0, torch.tensor([0]))
    assert found.argmax(-1).flatten().tolist() == quantizer.tokens(f)[0].flatten().tolist()
    assert found.max() == 3 and (found > 0).sum() == 2
    assert plan.leant(logits, quantizer, f_hat, 1, torch.tensor([0])) is logits  # the last three scales do not
    assert torch.equal(replace(plan, source=None).leant(logits, quantizer, f_hat, 0, torch.tensor([0])), logits)


def test_what_a_plan_leans_towards_goes_with_its_pictures():
    _, plan, f = leaning(2.0)
    second = plan.part([1])
    assert torch.equal(second.source, f[1:]) and second.likeness == 2
    both = Plan.joined([plan.part([0]), second])
    assert torch.equal(both.source, f) and both.likeness == 2
    assert plan.to(torch.device("meta")).source.is_meta
    with pytest.raises(ValueError, match="1 of 2 plans have a source"):
        Plan.joined([second, replace(second, source=None)])
    with pytest.raises(ValueError, match="lean differently"):
        Plan.joined([second, replace(second, likeness=1.0)])
