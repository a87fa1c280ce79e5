"""Every setting is declared once, and all that is made from its row follows it."""

import argparse
import dataclasses
import json
from dataclasses import dataclass

import pytest
from support.settings import another

from var_core.cli.shared import given, setting_options
from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.schema import exact
from var_core.settings import Declared, Setting, check, declared, described, named, parsed, rows


@dataclass(frozen=True)
class Example:
    """A table of one setting of each kind, as somebody may add one."""

    speed: float = declared(1.5, Setting("Speed", "How fast it goes.", 0.5, 4, 0.5))
    turns: int = declared(3, Setting("Turns", "How often.", 0, 9, short="{} turn{s}"))
    mirror: bool = declared(False, Setting("Mirror", "Left becomes right.", short="mirrored", idle=False))
    way: str = declared("up", Setting("Way", "Where it goes.", choices=("up", "down")))

    def __post_init__(self):
        check(self)


TABLES = (Sampling, EditSettings, Example)
ROWS = [(kind, row) for kind in TABLES for row in rows(kind)]
NUMBERS = [(kind, row) for kind, row in ROWS if row.kind in (int, float)]


def label(value: object) -> str | None:
    return value.__name__ if isinstance(value, type) else value.name if isinstance(value, Setting) else None


def each(pairs: list[tuple[type[Declared], Setting]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("kind", "row"), pairs, ids=label)


def on_the_command_line(kind: type[Declared], *words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    setting_options(parser, kind, "settings")
    return given(parser.parse_args([*words]), kind)


@pytest.mark.parametrize("kind", TABLES, ids=label)
def test_a_table_has_a_row_for_each_field_with_its_type_and_default(kind):
    told = [(field.name, field.type, field.default) for field in dataclasses.fields(kind)]
    assert [(row.name, row.kind, row.default) for row in rows(kind)] == told


@each(ROWS)
def test_a_row_says_all_that_a_person_needs(kind, row):
    assert len(row.choice_words) in (0, len(row.choices))
    assert row.term == row.label.lower() or row.label.lower().endswith(f" ({row.term})")
    assert row.label and row.help.endswith(".") and row.label[0].isupper() and row.help[0].isupper()
    assert row.low < row.high and row.step > 0 and (row.most_shown or row.high) <= row.high
    row.check(row.default)
    assert getattr(kind(), row.name) == row.default


@each(NUMBERS)
def test_bounds_hold_and_what_lies_beyond_is_refused_with_them(kind, row):
    for end, beyond in ((row.low, row.low - row.step), (row.high, row.high + row.step)):
        assert getattr(kind(**{row.name: row.kind(end)}), row.name) == end
        with pytest.raises(ValueError, match=rf"^{row.name} .* is out of range: choose {row.low} to {row.high}\.$"):
            kind(**{row.name: row.kind(beyond)})
    with pytest.raises(ValueError, match="out of range"):
        kind(**{row.name: float("nan")})


def test_a_choice_that_is_none_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="way 'left': choose one of up, down"):
        Example(way="left")


@each(ROWS)
def test_the_command_line_has_an_option_for_it(kind, row):
    value = another(row)
    words = [row.flag if value else f"--no-{row.flag[2:]}"] if row.kind is bool else [f"{row.flag}={value}"]
    assert on_the_command_line(kind, *words) == {row.name: value}
    assert on_the_command_line(kind) == {}


@each(NUMBERS)
def test_the_command_line_refuses_what_is_out_of_range(kind, row):
    with pytest.raises(ValueError, match=f"{row.name} .* is out of range"):
        parsed(kind(), on_the_command_line(kind, f"{row.flag}={row.kind(row.high + row.step)}"))


@each(ROWS)
def test_a_form_or_a_link_may_say_it_as_text(kind, row):
    value = another(row)
    changed = dataclasses.replace(kind(), **{row.name: value})
    assert parsed(kind(), {row.name: value}) == parsed(kind(), {row.name: str(value)}) == changed
    assert parsed(changed, {"colour": "red"}) == changed
    assert parsed(kind(), named(changed)) == changed


@each([pair for pair in ROWS if pair[1].kind is not str])
def test_a_form_that_says_nothing_useful_is_answered_in_words(kind, row):
    with pytest.raises(ValueError, match=f"^{row.term} 'much' is (not a number|neither on nor off)"):
        parsed(kind(), {row.name: "much"})


@each(ROWS)
def test_a_file_gives_it_back_and_needs_it(kind, row):
    changed = dataclasses.replace(kind(), **{row.name: another(row)})
    values = json.loads(json.dumps(dataclasses.asdict(changed)))
    assert exact(kind, values) == changed
    with pytest.raises(TypeError):
        exact(kind, {name: value for name, value in values.items() if name != row.name})
    with pytest.raises(TypeError):
        exact(kind, {**values, row.name: [row.default]})


@each(NUMBERS)
def test_a_file_that_says_it_out_of_range_is_refused(kind, row):
    with pytest.raises(ValueError, match=f"{row.name} .* is out of range"):
        exact(kind, {**named(kind()), row.name: row.kind(row.high + row.step)})


@each(ROWS)
def test_a_description_names_what_is_not_idle(kind, row):
    changed = dataclasses.replace(kind(), **{row.name: another(row)})
    said = row.says(another(row))
    assert said in described(changed)
    assert (row.says(row.default) in described(kind())) == (row.default != row.idle)


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=label)
def test_another_value_is_said_in_other_words(row):
    assert row.says(another(row)) != row.says(row.default)


def test_one_thing_is_not_said_in_the_plural():
    assert rows(Example)[1].says(1) == "1 turn" and rows(Example)[1].says(2) == "2 turns"
    assert described(Sampling(unguided_scales=1))[-1] == "last 1 scale unguided"


def test_what_is_not_of_its_type_in_a_file_is_refused():
    with pytest.raises(TypeError, match="turns: expected `int`, got `bool`"):
        exact(Example, {**named(Example()), "turns": True})
    assert exact(Example, {**named(Example()), "speed": 2}).speed == 2
