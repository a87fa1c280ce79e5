"""Measured curves as SVG: whole, readable on any ground, with the numbers that they were made of."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from var_core.findings import svg as plots
from var_core.findings.costs import WAYS, Cost
from var_core.findings.scaling import MEASURES, PAPER, ScalingPoint
from var_core.measuring import costs

COSTS = [
    Cost(way.name, side, side**2, side, 1e6 * side**3, 1e5 * side**4, "counted", 0.01 * side**2)
    for way in WAYS
    for side in (4, 8, 16)
]
POINT = ScalingPoint(1, 10**5, 10, 60.0, 1e12, 6.5, 6.0, 0.96, 0.94)
POINTS = [
    replace(
        POINT,
        depth=depth,
        parameters=10 ** (4 + depth),
        step=step,
        flops=10.0 ** (10 + depth) * step,
        **dict.fromkeys(MEASURES, 0.9 / depth / step),
    )
    for depth in (1, 2, 3)
    for step in (10, 20)
]


def words(svg: str) -> str:
    """All text of a figure, which must be one."""
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg") and root.get("aria-label")
    return " ".join("".join(node.itertext()) for node in root.iter() if node.tag.endswith("text"))


@pytest.mark.parametrize("measure", ["seconds", "flops"])
def test_costs_tell_every_way_with_its_exponent(measure):
    told = re.sub(r"\s", "", words(plots.of_costs(COSTS, measure)))
    for way in WAYS:
        power = costs.exponent(COSTS, way.name, measure)
        assert f"{way.name}:".replace(" ", "") in told and f"{power:.1f}" in told
    assert costs.exponent(COSTS, "raster", "flops") == pytest.approx(3)


@pytest.mark.parametrize("measure", MEASURES)
def test_scaling_tells_ours_and_the_papers_exponent(measure):
    told = re.sub(r"\s", "", words(plots.of_scaling(POINTS, measure))).replace("−", "-")  # noqa: RUF001
    exponent = re.search(r"here\(correlation-[\d.]+\):N(-[\d.]+)", told)
    assert exponent and float(exponent[1]) == pytest.approx(-0.237, abs=0.01)  # of 1/depth against 10^depth
    assert f"thepaper:N{PAPER[measure].exponent:.2g}" in told


def test_what_does_not_lie_on_a_line_is_called_no_law():
    losses = {1: 5.0, 2: 4.0, 3: 5.1}
    told = words(plots.of_scaling([replace(point, loss_mean=losses[point.depth]) for point in POINTS], "loss_mean"))
    assert re.search(r"here \(correlation -?0\.\d+\): no law", told)


def test_training_names_every_size():
    told = words(plots.of_training(POINTS))
    assert all(size in told for size in ("0.1 M", "1 M", "10 M"))


FIGURES = {
    "costs": lambda: plots.of_costs(COSTS, "seconds"),
    "scaling": lambda: plots.of_scaling(POINTS, "loss_mean"),
    "training": lambda: plots.of_training(POINTS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_the_colour_of_the_text_around_and_leaves_the_page_as_it_is(name):
    svg = FIGURES[name]()
    assert "currentColor" in svg and plots.INK not in svg
    assert not re.search(r"#000000|#ffffff|fill: white|fill: black|<style|<metadata|<image|http-equiv", svg)
    ids = re.findall(r' id="([^"]+)"', svg)
    assert svg.startswith("<svg") and all(f"#{name}" in svg for name in ids)
