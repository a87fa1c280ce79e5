"""Rows come back from their files as they were, also from those that earlier versions wrote."""

from dataclasses import dataclass

import pytest

from var_core.findings import records


@dataclass(frozen=True)
class Measured:
    name: str
    depth: int
    flops: float


ROWS = [Measured("small, plain", 3, 1.5e12), Measured("large", 6, float("inf"))]


def test_rows_come_back_as_they_were(tmp_path):
    records.write_rows(tmp_path / "new" / "rows.csv", Measured, ROWS)
    assert records.read_rows(tmp_path / "new" / "rows.csv", Measured) == ROWS


def test_a_column_under_its_earlier_name_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name,depth,operations\nlarge,6,inf\n", encoding="utf-8")
    assert records.read_rows(path, Measured) == ROWS[1:]


def test_rows_that_cannot_be_made_leave_the_old_file(tmp_path):
    path = tmp_path / "kept.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        records.write_rows(path, Measured, (1 / 0 for _ in range(1)))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
