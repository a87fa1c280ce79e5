"""Values from files: checked against the fields of a dataclass before anything is made of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_type_hints

import msgspec

MOST_DEPTH = 32  # lists and objects within one another
MARK = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
Kind = TypeVar("Kind")
Fields = dict[str, object]  # values by name, of which nothing is known before they are checked


def parse_json(text: str, most: int) -> object:
    """Parse JSON that a file holds; TypeError if it is none, has over `most` characters, or is nested too deep."""
    if not isinstance(text, str) or len(text) > most:
        raise TypeError(f"its description is no text of at most {most} characters")
    if _depth(text) > MOST_DEPTH:
        raise TypeError(f"its description is nested more than {MOST_DEPTH} deep")
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError as error:
        raise TypeError(f"its description is no JSON: {error}") from error
    return found


def parse_fields(text: str, most: int) -> Fields:
    """Parse JSON of names and their values; TypeError if it is something else, or as `parse_json`."""
    found = parse_json(text, most)
    if not isinstance(found, dict):
        raise TypeError("its description is no list of names with their values")
    return found


def entry(values: Mapping[str, object], name: str, kind: type[Kind]) -> Kind:
    """Return the value under a name; KeyError if there is none, TypeError if it is of another kind."""
    found = values[name]
    if not isinstance(found, kind):
        raise TypeError(f"{name} is no {kind.__name__}")
    return found


def _depth(text: str) -> int:
    """Return how many lists and objects of a JSON text lie within one another, without parsing it."""
    depth, deepest, quoted = 0, 0, False
    for mark in MARK.findall(text):
        if mark == '"':
            quoted = not quoted
        elif not quoted and mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif not quoted and mark in "]}":
            depth -= 1
    return deepest


def exact(kind: type[Kind], values: object) -> Kind:
    """Make a value of a dataclass, and of those within it, of plain values from a file.

    TypeError, which names the field, unless all fields are there, of their types and within the bounds that these
    carry (`msgspec.Meta`), and no others. Whole numbers may stand for fractions, and lists for tuples. ValueError of
    the dataclass itself if the values do not go together.
    """
    fields_alone: Any = kind
    try:
        msgspec.convert(values, _schema(fields_alone))
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ValueError):  # what the dataclass says
            raise error.__cause__ from None
        raise TypeError(_in_words(str(error))) from error


@cache
def _schema(kind: type) -> type[msgspec.Struct]:
    """Return a dataclass as what msgspec checks most strictly: no field may be missing, none may be unknown."""
    hints = get_type_hints(kind, include_extras=True)
    table = [(field.name, _strict(hints[field.name])) for field in fields(kind)]
    return msgspec.defstruct(kind.__name__, table, forbid_unknown_fields=True)


def _strict(hint: Any) -> Any:
    if isinstance(hint, UnionType):
        return Union[tuple(_strict(part) for part in get_args(hint))]  # noqa: UP007
    within = is_dataclass(hint)
    return _schema(hint) if within else hint


def _in_words(told: str) -> str:
    """Put the field first in what msgspec says, for example "depth: expected `int` <= 256"."""
    what, _, where = told.partition(" - at ")
    field = where.strip("`").removeprefix("$").removeprefix(".")
    return f"{field}: {what[:1].lower()}{what[1:]}" if field else what
