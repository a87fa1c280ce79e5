"""Tables in Markdown."""

from var_core.tables import markdown


def test_a_table_has_a_line_for_its_heads_and_one_for_each_row():
    assert markdown(["", "ms"], [["plain", 12], ["fast", "3.0"]]).splitlines() == [
        "|  | ms |",
        "|---|---|",
        "| plain | 12 |",
        "| fast | 3.0 |",
    ]
    assert markdown(["a"], []) == "| a |\n|---|"
