"""The fast modes, their times and their prices."""

from functools import cache

import pytest
from support import tasks, tiny

from var_core.config import LoadOptions
from var_core.engine.pipeline import Pipeline
from var_core.engine.sampling import Sampling
from var_core.measuring.evaluate import features_of, generated
from var_core.measuring.fast_modes import DTYPES, EXACT, Price, Ruler, modes, prices, report, seconds
from var_core.training.features import ImageFeatures
from var_core.weights.checkpoints import LoadedModel

WAYS = modes(Sampling())


@cache
def pipes() -> dict[str, Pipeline]:
    loaded = (LoadedModel(tiny.SPEC, *tiny.networks(), digest="x") for _ in DTYPES)
    return {dtype: Pipeline(one, LoadOptions("cpu", dtype)) for dtype, one in zip(DTYPES, loaded, strict=True)}


def test_the_exact_mode_comes_first_and_all_differ():
    assert (WAYS[0].dtype, WAYS[0].sampling) == (EXACT, Sampling())
    assert len({(way.dtype, way.sampling) for way in WAYS}) == len({way.name for way in WAYS}) == len(WAYS)
    assert {way.dtype for way in WAYS} == set(DTYPES)


def test_every_mode_is_timed():
    times = seconds(pipes(), WAYS, 1)
    assert len(times) == len(WAYS) and all(0 < time < 60 for time in times)


def test_real_pictures_cost_nothing_and_others_do():
    ruler = Ruler.of(ImageFeatures(), tasks.seen(400, 0), tasks.seen(70, 1), len(tiny.NAMES))
    assert ruler.price(ruler.val.features) == Price(1.0, 1.0)
    wrong = ruler.price(ruler.val.features.roll(1, 0))  # the same pictures under other labels
    assert wrong.hits < 0.5 and wrong.distance == pytest.approx(1.0)
    assert ruler.price(ruler.val.features + 1).distance > 1.5


def test_every_mode_has_a_price():
    ruler = Ruler.of(ImageFeatures(), tasks.seen(60, 0), tasks.seen(14, 1), len(tiny.NAMES))
    *fractions, found = prices(pipes(), WAYS[::4], ruler)
    assert fractions == sorted(fractions) and fractions[-1] == 1
    for price, way in zip(found, WAYS[::4], strict=True):
        *_, made = generated(pipes()[way.dtype], ruler.val.labels, way.sampling)
        *_, features = features_of(ruler.network, made)
        assert price == ruler.price(features)


def test_the_table_compares_with_the_exact_mode():
    lines = report(WAYS[:2], [0.2, 0.1], [Price(4.0, 0.5), Price(4.4, 0.4)]).splitlines()
    assert lines[-1] == "| guidance off at the last 1 | 100 | 2.00 | 4.400 | 0.400 |"
    assert report(WAYS[:2], [0.2, 0.1], []).splitlines()[-1] == "| guidance off at the last 1 | 100 | 2.00 |"
