"""The log of a training run: a row of figures every few steps, as JSON, in the run's folder."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files import replacing
from ..schema import Fields, parse_fields

LogRow = Mapping[str, object]  # numbers, lists of numbers, and the name of a sheet of pictures
MOST_ROW = 100_000  # characters


def log_of(run: Path) -> Path:
    """Return the path of a run's log."""
    return run / "log.jsonl"


def read_log(run: Path) -> list[Fields]:
    """Return the rows of a run's log, first to last; ValueError if there is none.

    A last one that a crash, or a full disk, has broken off is left out.
    """
    path = log_of(run)
    if not path.is_file():
        raise ValueError(f"{run}: no {path.name} here; name the folder of a training run.")
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [parse_fields(line, MOST_ROW) for line in lines if line.endswith("\n")]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove the lines that are no rows of figures.") from error


def write_log(run: Path, rows: Iterable[LogRow]) -> None:
    """Write a run's log anew."""
    with replacing(log_of(run)) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def append_log(run: Path, row: LogRow) -> None:
    """Add a row to a run's log."""
    with log_of(run).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
