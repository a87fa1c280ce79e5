"""The costs of drawing: what is counted is what the formula says, and without a cache the same picture is drawn."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from support.command import fails, run

from var_core.config import TransformerConfig
from var_core.findings import records
from var_core.findings.costs import COUNT, FORMULA, WAYS, Cost, exponent, geometric_sides
from var_core.measuring.bench import counted_flops
from var_core.measuring.costs import computed, cost, draw, measure, networks, report

TINY = TransformerConfig((1,), classes=1, depth=2, width=32, heads=2, vocabulary=64, code_width=8)


@pytest.mark.parametrize("side", [2, 3, 4, 8, 16, 24, 32, 48, 64])
def test_sides_grow_geometrically_from_1_to_the_last(side):
    sides = geometric_sides(side)
    assert sides[0] == 1 and sides[-1] == side and sorted(set(sides)) == list(sides)
    assert all(after <= max(before + 1, 1.7 * before) for before, after in itertools.pairwise(sides))


def test_the_sides_to_16_are_as_told():
    assert geometric_sides(16) == (1, 2, 3, 5, 6, 9, 12, 16)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("side", [2, 5])
def test_the_formula_gives_what_is_counted(way, side):
    config = way.config(TINY, side)
    parts = networks(config)
    assert counted_flops(lambda: draw(*parts, way.cached)) == computed(config, way.cached)


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda way: way.name)
def test_without_a_cache_the_same_tokens_are_drawn(way):
    var, quantizer = networks(way.config(TINY, 4))
    torch.nn.init.normal_(var.position_embedding)
    assert torch.equal(draw(var, quantizer, cached=True), draw(var, quantizer, cached=False))


@pytest.mark.parametrize("way", WAYS[2:], ids=lambda way: way.name)
def test_attention_without_a_cache_grows_as_the_paper_says(way):
    sides = (256, 512) if way.exponent == 4 else (16, 32)
    first, second = (computed(way.config(TINY, side), False)[1] for side in sides)
    assert math.log2(second / first) == pytest.approx(way.exponent, abs=0.2)


def test_what_takes_too_long_is_computed_and_marked():
    drawn, skipped = (cost(WAYS[0], 4, TINY, repeats=1, most=most) for most in (1e9, 1e3))
    assert (drawn.source, skipped.source) == (COUNT, FORMULA)
    assert drawn.seconds > 0 and math.isnan(skipped.seconds)
    assert (drawn.flops, drawn.attention) == (skipped.flops, skipped.attention)


def test_every_way_is_measured_at_every_side():
    found = list(measure((2, 4), TINY, repeats=1, most=1e9))
    assert [(row.way, row.side) for row in found] == [(way.name, side) for side in (2, 4) for way in WAYS]
    assert [row.steps for row in found[4:]] == [4, 16, 4, 16] and [row.tokens for row in found[4:]] == [30, 16, 30, 16]


def planted() -> list[Cost]:
    """Costs whose exponents are 2 for operations, 3 for attention and 1 for seconds; raster takes 7 times as much."""
    return [
        Cost(way.name, side, 1, 1, f * side**2, f * side**3, COUNT, f * side)
        for side in (4, 16)
        for way, f in zip(WAYS, (1.0, 7.0, 1.0, 7.0), strict=True)
    ]


def test_planted_exponents_and_ratios_are_told_beside_the_papers():
    costs = planted()
    assert exponent(costs, "raster", "attention") == pytest.approx(3)
    text = report(costs)
    assert "| raster, no cache | 2.00 | 3.00 | 1.00 | 6 |" in text and "| scales | 2.00 | 3.00 | 1.00 |  |" in text
    assert "| 16 x 16 | 7.0 | 7.0 | 7.0 | 7.0 |" in text and "about 20 times" in text


def test_what_was_not_drawn_has_no_time_and_no_exponent_of_it():
    costs = [replace(row, source=FORMULA, seconds=math.nan) if row.side == 16 else row for row in planted()]
    text = report(costs)
    assert math.isnan(exponent(costs, "scales", "seconds")) and "nan" not in text
    assert text.count("(computed)") == 4 and "| scales | 2.00 | 3.00 |  |  |" in text


def test_costs_survive_a_file(tmp_path):
    records.write_rows(tmp_path / "costs.csv", Cost, planted())
    assert records.read_rows(tmp_path / "costs.csv", Cost) == planted()


def test_the_command_prints_the_tables_and_writes_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("var_core.measuring.costs.SMALL", TINY)
    out = tmp_path / "costs.csv"
    asked = ("costs", "--csv", out, "--repeats", 1)
    assert run(*asked, "--sides", "2,4", "--most-tflop", 0.001) == 0
    assert "| raster, no cache | 4 | 16 | 16 |" in capsys.readouterr().out
    assert len(records.read_rows(out, Cost)) == 8
    assert "choose two sides of 2 or more" in fails(capsys, *asked, "--sides", "4")
    assert "choose two sides of 2 or more" in fails(capsys, *asked, "--sides", "1,4")
