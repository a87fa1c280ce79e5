"""How long pictures take: measured, reckoned, and told."""

import pytest
from support import tiny

from var_core.published_specs import SPECS
from var_studio.shared import pace
from var_studio.shared.pace import Estimate, Pace

SPEC = tiny.SPEC


def test_nothing_is_estimated_before_anything_was_measured():
    assert Pace().of("any", SPEC) is None
    assert pace.pace_in_words(None) == "How long a picture takes here is being measured."


def test_what_runs_took_counts_by_the_picture_and_the_median_is_told():
    known = Pace()
    for seconds, pictures in ((8.0, 4), (3.0, 1), (100.0, 1)):
        known.took("any", seconds, pictures)
    assert known.of("any", SPEC) == Estimate(3.0, "measured here on 3 runs")
    for _ in range(pace.REMEMBERED):
        known.took("any", 1.0, 1)
    assert known.of("any", SPEC) == Estimate(1.0, "measured here on 5 runs")  # what is long ago is forgotten


def test_a_measured_machine_knows_of_models_that_were_never_loaded():
    known = Pace()
    known.begin(tiny.pipeline()).join()
    own = known.of(pace.name_of(tiny.pipeline()), SPEC)
    assert own.seconds > 0 and own.known == "measured here on 1 run"
    small, large = (known.of(name, SPECS[name]) for name in ("var-d16", "var-d30"))
    assert 0 < small.seconds < large.seconds
    assert small.known.startswith("reckoned from its ") and small.known.endswith("the speed of this machine")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.034, "0.034 s"), (0.0001, "0.01 s"), (1.26, "1.3 s"), (12.4, "12 s"), (150, "2 minutes")]
)
def test_times_are_told_in_two_digits(seconds: float, words: str):
    assert pace.pace_in_words(Estimate(seconds, "so")) == f"A picture takes about {words} here (so)."
    assert pace.short(Estimate(seconds, "so")) == f"about {words} a picture"
