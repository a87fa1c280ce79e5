"""Intervals of figures."""

import numpy as np
import pytest

from var_core.measuring.bootstrap import Interval, interval, said


def test_an_interval_holds_the_figure_and_is_narrower_for_more_photos():
    values = np.random.default_rng(0).normal(size=400)
    few, many = (interval(lambda rows, kept=count: float(values[:kept][rows].mean()), count) for count in (20, 400))
    for found in (few, many):
        assert found.low < found.value < found.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_a_mean_s_interval_is_that_of_its_standard_error():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = interval(lambda rows: float(values[rows].mean()), 400, times=2000)
    assert found.value == values.mean()
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_a_figure_is_said_with_its_interval():
    assert said(Interval(1.25, 0.5, 2.0), 2) == "1.25 (0.50 to 2.00)"
