"""Settings that a person turns, each declared once: the field of a dataclass that carries its bounds, label and help.

Validation, widgets, options of the command line, recipes and links are all made from `rows`.
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

ROW = "row"  # of a field's metadata: its `Setting`
Value = float | int | bool | str
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


class Declared(Protocol):
    """A dataclass whose fields are all made by `declared`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Kind = TypeVar("Kind", bound=Declared)
Default = TypeVar("Default", float, int, bool, str)


@dataclass(frozen=True)
class Setting:
    """One row of a table: all that is known of a setting. Its kind is that of its default: float, int, bool or str."""

    label: str
    help: str
    low: float = 0
    high: float = 1
    step: float = 1
    most_shown: float | None = None  # where a slider ends, if not at `high`
    typed: bool = False  # into a box: the bounds are too wide for a slider
    choices: tuple[str, ...] = ()
    choice_words: tuple[str, ...] = ()  # what the app calls each of them; empty: the same
    short: str = ""  # how `described` says it, with {} for the value; empty: the label
    idle: Value | None = None  # a value that does nothing, so that `described` leaves it out
    name: str = ""  # of the field, which `rows` fills in with its default
    default: Value = 0.0

    @property
    def kind(self) -> type:
        """float, int, bool or str."""
        return type(self.default)

    @property
    def flag(self) -> str:
        """Return the option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def bounds(self) -> str:
        """Say what it takes, in words; empty for a switch."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return "" if self.kind is bool else f"{self.low} to {self.high}"

    @property
    def term(self) -> str:
        """Return the technical word, which the label may have in brackets, as errors and short texts say it."""
        return self.label.rpartition("(")[2].rstrip(")").lower()

    def check(self, value: Value) -> None:
        """ValueError, with what to choose, unless the value is one of the choices or within the bounds."""
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.name} '{value}': choose {self.bounds}.")
        elif self.kind is not bool and not (isinstance(value, (int, float)) and self.low <= value <= self.high):
            raise ValueError(f"{self.name} {value} is out of range: choose {self.bounds}.")

    def parse(self, value: object) -> Value:
        """Read a value of a form, a link or a call, which may be text; ValueError, in words, if it cannot be used."""
        called = self.term
        if self.kind is bool:
            found: Value = parse_switch(called, value)
        elif self.kind is int:
            found = parse_int(called, value)
        else:
            found = str(value) if self.kind is str else parse_float(called, value)
        self.check(found)
        return found

    def told(self, value: Value) -> str:
        """Return a value as text: "on", "off", a number or a word."""
        if self.kind is bool:
            return "on" if value else "off"
        return f"{value:g}" if isinstance(value, float) else str(value)

    def says(self, value: Value) -> str:
        """The setting in a few words, for example "top-k 100"."""
        if self.kind is bool:
            return f"{'' if value else 'no '}{self.short or self.term}"
        said = self.told(value)
        return (self.short or f"{self.term} {{}}").format(said, s="" if value == 1 else "s")


def declared(default: Default, row: Setting) -> Default:
    """Declare a field of a dataclass as a setting: its default, and its row, which `rows` gives name and default."""
    return field(default=default, metadata={ROW: row})


@cache
def rows(kind: type[Declared]) -> tuple[Setting, ...]:
    """The table of a dataclass of settings: a row for each field, in their order."""
    return tuple(replace(one.metadata[ROW], name=one.name, default=one.default) for one in fields(kind))


def named(settings: Declared) -> dict[str, Value]:
    """The values of settings by name, in the order of their table."""
    return {row.name: getattr(settings, row.name) for row in rows(type(settings))}


def check(settings: Declared) -> None:
    """ValueError, with what to choose, unless all settings are within their bounds."""
    for row in rows(type(settings)):
        row.check(getattr(settings, row.name))


def parsed(usual: Kind, values: Mapping[str, object]) -> Kind:
    """Read settings from values by name, which may be text: those of a form, a link or a call.

    What is not named stays as `usual`; names of no setting are passed over. ValueError as in `Setting.parse`.
    """
    found = {row.name: row.parse(values[row.name]) for row in rows(type(usual)) if row.name in values}
    return replace(usual, **found)


def described(settings: Declared) -> list[str]:
    """The settings as a user reads them; what does nothing is left out."""
    table = [(row, getattr(settings, row.name)) for row in rows(type(settings))]
    return [row.says(value) for row, value in table if row.idle is None or value != row.idle]


def parse_float(name: str, value: object) -> float:
    """Read a finite number, also from text; ValueError, in words, if it is none."""
    if value is None or value == "":
        raise ValueError(f"{name} is empty: type a number.")
    try:
        found = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{name} '{value}' is not a number.")
    return found


def parse_int(name: str, value: object) -> int:
    """Read a whole number, also from text; ValueError, in words, if it is none."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 100:
        return int(value)  # not through float: seeds have up to 19 digits
    if type(value) is int:
        return value
    found = parse_float(name, value)
    if not found.is_integer():
        raise ValueError(f"{name} {value} is not a whole number.")
    return int(found)


def parse_switch(name: str, value: object) -> bool:
    """Read on or off, also from text; ValueError, in words, if it is neither."""
    word = str(value).lower()
    if word not in TRUE + FALSE:
        raise ValueError(f"{name} '{value}' is neither on nor off.")
    return word in TRUE
