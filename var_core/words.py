"""Words that fit a number, words that a terminal only shows, and lists of texts."""

import csv
import io
import re
from collections.abc import Iterable

# What moves the cursor, colours, rings or turns the direction of writing; lines and tabs stay.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "1,200 pictures", "7 classes"."""
    if number == 1:
        return f"{number:,} {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def printable(text: str) -> str:
    """Return a text without control characters, for a terminal: what comes out of files could be anything."""
    return CONTROLS.sub("", text)


def comma_separated(values: Iterable[str]) -> str:
    """Return texts as one, with commas between them; those that have a comma stand in quotes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def from_commas(text: str) -> list[str]:
    """Return the texts that `comma_separated` put together, without what is empty; ValueError if it did not."""
    try:
        found = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise ValueError(f"'{text}' is no list: put commas between the values.") from error
    return [value.strip() for value in found if value.strip()]
