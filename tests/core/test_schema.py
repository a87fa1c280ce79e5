"""Values from files are made into dataclasses only if every field is there, of its type and within its bounds."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import pytest
from msgspec import Meta

from var_core.schema import MOST_DEPTH, entry, exact, parse_fields, parse_json


@dataclass(frozen=True)
class Inner:
    """A part with a rule of its own."""

    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}.")


@dataclass(frozen=True)
class Outer:
    """A whole with a part, or none."""

    count: Annotated[int, Meta(ge=1, le=9)]
    share: float
    names: tuple[str, ...]
    inner: Inner | None = None


WHOLE = Outer(3, 0.5, ("a", "b"), Inner(1, 2))


def told(**values: object) -> dict:
    return {**json.loads(json.dumps(asdict(WHOLE))), **values}


def test_what_json_gives_becomes_the_value_and_its_parts():
    assert exact(Outer, told()) == WHOLE
    assert exact(Outer, told(inner=None)).inner is None
    assert exact(Outer, told(share=2)).share == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": 10}, "count: expected `int` <= 9"),
        ({"count": 2**70}, "count: expected `int` <= 9"),
        ({"count": True}, "count: expected `int`, got `bool`"),
        ({"count": 1.5}, "count: expected `int`, got `float`"),
        ({"share": "much"}, "share: expected `float`, got `str`"),
        ({"names": ["a", 3]}, r"names\[1\]: expected `str`, got `int`"),
        ({"names": "ab"}, "names: expected `array`, got `str`"),
        ({"inner": {"low": 1}}, "inner: object missing required field `high`"),
        ({"inner": {"low": 1, "high": 2, "middle": 3}}, "inner: object contains unknown field `middle`"),
        ({"colour": 1}, "object contains unknown field `colour`"),
    ],
)
def test_what_is_missing_unknown_of_another_type_or_out_of_bounds_is_named(values, words):
    with pytest.raises(TypeError, match=f"(?i)^{words}"):
        exact(Outer, told(**values))


def test_a_field_with_a_default_has_to_be_told_too():
    short = told()
    del short["inner"]
    with pytest.raises(TypeError, match="missing required field `inner`"):
        exact(Outer, short)


def test_what_a_part_says_of_values_that_do_not_go_together_is_passed_on():
    with pytest.raises(ValueError, match=r"^low 5 is above high 2\.$"):
        exact(Outer, told(inner={"low": 5, "high": 2}))


@pytest.mark.parametrize("values", [None, 3, [], "text", {1: 2}])
def test_what_is_no_object_is_refused(values):
    with pytest.raises(TypeError):
        exact(Outer, values)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "nul", '{"a": 1} 2', "1" * 5000, '"\\ud800"', "[" * 100_000),
        "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1),
        '"' + "x" * 200_000 + '"',
        None,
    ],
    ids=lambda text: str(text)[:9],
)
def test_a_text_that_is_no_json_or_too_long_or_too_deep_is_refused(text):
    with pytest.raises(TypeError, match="its description is "):
        parse_json(text, 150_000)


def test_brackets_in_texts_are_no_depth_and_what_is_deep_enough_is_read():
    deep = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert parse_json(deep, 100) == json.loads(deep)
    quoted = json.dumps({"a": "[{" * 100 + '\\"', "b": ['"[', "\\"]})
    assert parse_json(quoted, 1000) == json.loads(quoted)
    assert parse_json("[[], [], {}]" + " " * 50, 100) == [[], [], {}]


def test_fields_are_read_by_name_and_by_kind():
    values = parse_fields('{"sides": [1, 2], "name": "tiny"}', 100)
    assert entry(values, "sides", list) == [1, 2] and entry(values, "name", str) == "tiny"
    with pytest.raises(TypeError, match="name is no list"):
        entry(values, "name", list)
    with pytest.raises(KeyError, match="seed"):
        entry(values, "seed", int)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"name"'])
def test_json_without_names_holds_no_fields(text: str):
    with pytest.raises(TypeError, match="no list of names"):
        parse_fields(text, 100)
