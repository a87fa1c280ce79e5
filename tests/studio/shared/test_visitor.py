"""Who asks, and where from."""

import pytest

from var_studio.shared.visitor import household, mark_of, visitor, visitor_mark


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("testclient", ""),
    ],
)
def test_a_home_counts_once_and_this_machine_tells_nothing(host: str, counted: str):
    assert household(host) == counted


def test_where_no_server_runs_nobody_asks():
    assert visitor() == ""
    assert visitor_mark() == mark_of("") != mark_of("anna")
