import pytest

from var_core.settings import named, rows
from var_studio.shared.limits import HOME, PUBLIC, Limits


@pytest.mark.parametrize("row", rows(Limits), ids=lambda row: row.name)
def test_nobody_may_do_more_in_public_than_at_home(row):
    least = row.name == "locked_minutes"  # of which a stranger has more
    mine, theirs = named(HOME)[row.name], named(PUBLIC)[row.name]
    assert (theirs >= mine) if least or row.name == "visitors" else (theirs <= mine)


def test_limits_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"pictures 17 is out of range: choose 1 to 16\."):
        Limits(pictures=17)
