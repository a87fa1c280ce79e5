import pytest

from var_core.settings import named, rows
from var_studio.shared.limits import HOME, PUBLIC, Limits, foot


@pytest.mark.parametrize("row", rows(Limits), ids=lambda row: row.name)
def test_nobody_may_do_more_in_public_than_at_home(row):
    least = row.name == "locked_minutes"  # of which a stranger has more
    mine, theirs = named(HOME)[row.name], named(PUBLIC)[row.name]
    assert (theirs >= mine) if least or row.name == "visitors" else (theirs <= mine)


def test_limits_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"pictures 17 is out of range: choose 1 to 16\."):
        Limits(pictures=17)


def test_the_foot_says_what_holds_and_how_busy_it_is():
    told = foot(Limits(pictures=1, waiting=2), 3, 4)
    assert "1 picture a run · 8 variations and 1,000 squares an edit · 2 runs waiting" in told
    assert "3 runs under way, 4 waiting" in told
    assert "30 MB · 120 files and 500 MB an hour · " in foot(PUBLIC)
