"""Scaling laws: the fits find what was planted, the counts are those of real networks."""

import json
from dataclasses import astuple, replace

import pytest
import torch
from support import tiny
from torch.utils.flop_counter import FlopCounterMode

from var_core.cli.experiments import DEPTHS
from var_core.config import TransformerConfig
from var_core.findings import records
from var_core.findings.scaling import (
    MEASURES,
    PAPER,
    PowerLaw,
    ScalingPoint,
    best_by_compute,
    frontier,
    laws,
    parameters,
    points_of,
    rate_of,
    report,
    seen,
)
from var_core.flops import training_flops
from var_core.nn.transformer import VAR
from var_core.schedule import Schedule

CODES = tiny.SPEC.tokenizer
POINT = ScalingPoint(1, 100, 10, 1.0, 1e9, 4.0, 5.0, 0.9, 0.95)


@pytest.mark.parametrize("planted", list(PAPER.values()))
def test_a_planted_law_is_found(planted):
    sizes = [10.0**power for power in (-4, -3.2, -2.5, -1.9)]
    law = PowerLaw.fit(sizes, [planted.factor * x**planted.exponent for x in sizes])
    assert astuple(law) == pytest.approx(astuple(replace(planted, correlation=-1.0)))
    assert law(1.7) == pytest.approx(planted.factor * 1.7**planted.exponent)


def test_a_noisy_law_is_found_nearly():
    rng = torch.Generator().manual_seed(0)
    sizes = [10.0**power for power in torch.linspace(-4, -1, 30).tolist()]
    noise = torch.exp(0.01 * torch.randn(30, generator=rng)).tolist()
    law = PowerLaw.fit(sizes, [(2.0 * x) ** -0.2 * y for x, y in zip(sizes, noise, strict=True)])
    assert law.exponent == pytest.approx(-0.2, abs=0.01) and -1 < law.correlation < -0.99


@pytest.mark.parametrize(("x", "y"), [([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 0.0]), ([-1.0, 2.0], [1.0, 1.0])])
def test_what_no_law_can_be_of_is_refused(x, y):
    with pytest.raises(ValueError, match="a power law needs two different sizes and values above 0"):
        PowerLaw.fit(x, y)


def test_what_rises_or_scatters_is_no_law():
    sizes = [1.0, 2.0, 4.0, 8.0]
    assert PowerLaw.fit(sizes, [8.0, 4.1, 2.0, 1.0]).lawful
    assert not PowerLaw.fit(sizes, [1.0, 2.0, 4.0, 8.0]).lawful and not PowerLaw.fit(sizes, [3.0, 1.0, 3.0, 2.0]).lawful


def test_what_does_not_change_has_no_slope():
    law = PowerLaw.fit([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    assert law.exponent == pytest.approx(0) and law.correlation == 0


@pytest.mark.parametrize("depth", DEPTHS[:3])
def test_parameters_are_those_of_the_blocks(depth):
    config = TransformerConfig.of_depth(depth, CODES, 7)
    assert (config.width, config.heads, config.depth) == (64 * depth, depth, depth)
    network = VAR(config)
    blocks = (network.blocks, network.block_modulations)
    assert parameters(config) == sum(weight.numel() for part in blocks for weight in part.parameters())


def test_the_learning_rate_goes_with_one_over_the_width():
    assert [rate_of(TransformerConfig.of_depth(depth, CODES, 7), 6e-4) for depth in (1, 3, 6)] == pytest.approx(
        [18e-4, 6e-4, 3e-4]
    )


def test_the_sizes_reach_from_a_tenth_of_a_million_to_twenty():
    counts = [parameters(TransformerConfig.of_depth(depth, CODES, 108)) for depth in DEPTHS]
    assert len(counts) >= 6 and counts == sorted(counts)
    assert counts[0] < 1.5e5 and 1e7 < counts[-1] < 2e7


@pytest.mark.parametrize("depth", [1, 2])
def test_operations_are_those_that_training_takes(depth):
    config = replace(TransformerConfig.of_depth(depth, CODES, 7), vocabulary=64)
    network, schedule = VAR(config), Schedule(tiny.SIDES)
    shown = torch.randn(3, schedule.total - 1, CODES.code_width)
    with FlopCounterMode(display=False) as counter:
        network(torch.tensor([0, 1, 2]), shown).sum().backward()
    counted = counter.get_total_flops()
    assert counted == pytest.approx(3 * training_flops(config, schedule.total), rel=0.1)


def test_a_part_of_the_places_costs_a_part():
    schedule = Schedule(tiny.SIDES)
    assert seen(schedule, 0) == schedule.total == 30 and seen(schedule, 5) == 1 + 4 + 5 + 5


def test_the_frontier_holds_what_nothing_cheaper_beats():
    costs = [(1, 5.0), (2, 6.0), (3, 4.0), (4, 4.5), (5, 3.0)]
    points = [replace(POINT, flops=cost, loss_mean=loss) for cost, loss in costs]
    assert [point.flops for point in frontier(points[::-1], "loss_mean")] == [1, 3, 5]


def test_sizes_are_best_one_after_the_other():
    costs = [(10, 1, 5.0), (10, 3, 4.0), (20, 2, 4.1), (20, 4, 3.9), (20, 8, 3.0), (30, 9, 3.5)]
    points = [replace(POINT, parameters=size, flops=cost, loss_mean=loss) for size, cost, loss in costs]
    assert best_by_compute(points, "loss_mean") == [(10, 1), (20, 2), (10, 3), (20, 8)]


def test_points_survive_a_file(tmp_path):
    points = [POINT, replace(POINT, depth=2, seconds=1 / 3, flops=1.5e13)]
    records.write_rows(tmp_path / "deep" / "points.csv", ScalingPoint, points)
    assert records.read_rows(tmp_path / "deep" / "points.csv", ScalingPoint) == points


def test_a_log_becomes_points_where_val_was_measured(tmp_path):
    figures = {"val_loss": 5.0, "val_error": 0.95, "loss_by_scale": [1, 4.0], "error_by_scale": [0.5, 0.9]}
    rows = [{"step": 20, "seconds": 1.0, "loss": 6.0}, {"step": 40, "seconds": 2.0, **figures}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    config = TransformerConfig.of_depth(1, CODES, 7)
    (point,) = points_of(tmp_path, config, batch=4, tokens=30)
    assert point == ScalingPoint(
        1, parameters(config), 40, 2.0, 40 * 4 * training_flops(config, 30), 4.0, 5.0, 0.9, 0.95
    )


def test_laws_are_of_the_last_point_of_each_size():
    ends = [replace(POINT, depth=d, step=9, parameters=10**d, **dict.fromkeys(MEASURES, 3.0 / d)) for d in (1, 2, 3)]
    early = [replace(point, step=1, loss_mean=99.0) for point in ends]
    assert laws([*ends, *early]) == laws(ends)
    text = report([*early, *ends])
    assert "| 2 | 100 | 9 |" in text and "| 0.833 N^-0.2 |" in text and "99" not in text
