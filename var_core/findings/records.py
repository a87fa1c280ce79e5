"""Measured rows, dataclasses of numbers and words, as a CSV and back."""

import csv
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from ..files import replacing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")

RENAMED = {"operations": "flops"}  # columns of files that earlier versions wrote -> the fields of today


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Write rows of a kind, a line each under the names of its fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
        lines.writeheader()
        lines.writerows(asdict(row) for row in rows)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read back what `write_rows` wrote, now or in an earlier version."""
    with path.open(newline="", encoding="utf-8") as file:
        return [kind(**_typed(line, kind)) for line in csv.DictReader(file)]


def _typed(line: dict[str, str], kind: type[Row]) -> dict[str, object]:
    told = {RENAMED.get(column, column): text for column, text in line.items()}
    return {field.name: cast(type, field.type)(told[field.name]) for field in fields(kind)}
