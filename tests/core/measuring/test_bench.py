"""The benchmark counts what it should."""

import pytest
from support import tiny

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.measuring import bench
from var_core.measuring.bench import BenchRow, edits, flop_gauge, measure, report, scales, traces


@pytest.mark.slow
def test_every_scale_and_the_decoder_have_a_row():
    rows, speed = measure(tiny.pipeline(), Request((1,), (0,)), repeats=1)
    assert len(rows) == len(tiny.SIDES) + 1
    assert all(row.seconds > 0 and row.flops > 0 for row in rows)
    assert speed > 0


def test_operations_of_the_largest_scale_are_those_of_its_matrix_products():
    pipe = tiny.pipeline()
    config, tokens, seen = pipe.spec.transformer, 16, 30
    linear = config.depth * 12 * config.width**2 + config.code_width * config.width + config.width * config.vocabulary
    attention = config.depth * 2 * seen * config.width
    by_hand = 2 * 2 * tokens * (linear + attention)  # a product is two operations; two branches of guidance
    assert scales(pipe, Request((1,), (0,)), flop_gauge)[3].flops == pytest.approx(by_hand, rel=0.1)


def test_one_branch_costs_half_of_two_but_for_the_head():
    one = scales(tiny.pipeline(), Request((1,), (0,), Sampling(guidance=0.0)), flop_gauge)[3].flops
    two = scales(tiny.pipeline(), Request((1,), (0,)), flop_gauge)[3].flops
    spec = tiny.SPEC.transformer
    head = 2 * 16 * spec.width * spec.vocabulary  # of the fourth scale's 16 tokens, once for both branches
    assert one - head == pytest.approx((two - head) / 2, rel=0.1)


def test_the_report_adds_up():
    text = report([BenchRow("a", 1e9, 0.02), BenchRow("b", 3e9, 0.04)], 1e11)
    assert "| whole picture | 4.000 | 60.0 | 40.0 | 1.50 |" in text


def test_both_edits_are_timed():
    assert all(0 < seconds < 60 for seconds in edits(tiny.pipeline(), Sampling(), repeats=1))


def test_a_picture_and_its_trace_are_timed_in_turns(monkeypatch):
    made = []
    monkeypatch.setattr(bench, "timed", lambda work, _device: (work(), made.append(work), float(len(made)))[-1])
    plain, traced = traces(tiny.pipeline(), Sampling(), repeats=3)
    assert len(made) == 8 and made[0] is not made[1]
    assert (plain, traced) == (5.0, 6.0)  # the medians of 3, 5, 7 and of 4, 6, 8: the first round does not count


def test_a_trace_takes_time():
    assert all(0 < seconds < 60 for seconds in traces(tiny.pipeline(), Sampling(), repeats=1))
