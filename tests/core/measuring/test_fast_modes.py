"""The fast modes, their times and their costs in quality."""

from functools import cache

import pytest
from support import tasks, tiny

from var_core.config import LoadOptions, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.measuring.evaluate import generated
from var_core.measuring.fast_modes import DTYPES, EXACT, modes, quality_costs, report, seconds
from var_core.measuring.reference import QualityCost, Reference, result_of
from var_core.training.features import ImageFeatures
from var_core.weights.checkpoints import LoadedModel

MODES = modes(Sampling())


@cache
def pipes() -> dict[str, Pipeline]:
    loaded = (LoadedModel(tiny.SPEC, *tiny.networks(), digest="x") for _ in DTYPES)
    return {dtype: Pipeline(one, LoadOptions("cpu", dtype)) for dtype, one in zip(DTYPES, loaded, strict=True)}


def test_the_exact_mode_comes_first_and_all_differ():
    assert (MODES[0].dtype, MODES[0].sampling) == (EXACT, Sampling())
    assert len({(mode.dtype, mode.sampling) for mode in MODES}) == len({mode.name for mode in MODES}) == len(MODES)
    assert {mode.dtype for mode in MODES} == set(DTYPES)


def test_every_mode_is_timed():
    times = seconds(pipes(), MODES, 1)
    assert len(times) == len(MODES) and all(0 < time < 60 for time in times)


def test_real_pictures_cost_nothing_and_others_do():
    reference, val = Reference.of(ImageFeatures(), tasks.seen(400, 0), len(tiny.NAMES)), tasks.seen(70, 1)
    assert reference.quality_cost(val.features, val) == QualityCost(1.0, 1.0)
    wrong = reference.quality_cost(val.features.roll(1, 0), val)  # the same pictures under other labels
    assert wrong.accuracy < 0.5 and wrong.distance == pytest.approx(1.0)
    assert reference.quality_cost(val.features + 1, val).distance > 1.5


def test_every_mode_has_a_cost():
    reference, val = Reference.of(ImageFeatures(), tasks.seen(60, 0), len(tiny.NAMES)), tasks.seen(14, 1)
    *fractions, found = quality_costs(pipes(), MODES[::4], reference, val)
    assert fractions == sorted(fractions) and fractions[-1] == 1
    for cost, mode in zip(found, MODES[::4], strict=True):
        made = result_of(generated(pipes()[mode.dtype], val.labels, mode.sampling))
        assert cost == reference.quality_cost(reference.features(made), val)


def test_the_table_compares_with_the_exact_mode():
    lines = report(MODES[:2], [0.2, 0.1], [QualityCost(4.0, 0.5), QualityCost(4.4, 0.4)]).splitlines()
    assert lines[-1] == "| guidance reused at the last 1 | 100 | 2.00 | 4.400 | 0.400 |"
    assert report(MODES[:2], [0.2, 0.1], []).splitlines()[-1] == "| guidance reused at the last 1 | 100 | 2.00 |"
