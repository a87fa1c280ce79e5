"""The published sizes, class names, and sizes that cannot be."""

import dataclasses
import json

import pytest
from tiny import SPEC

from var_core.config import SPECS, ModelSpec, TokenizerConfig, TransformerConfig

SYNONYMS = (
    ("Nelumbo", "water lily"),
    ("Rosa",),
    (),
    ("Tulipa", "ROSE"),
    ("wood",),
    ("hill",),
    ("water", "wood", "Wood"),
)
CALLED = dataclasses.replace(SPEC, class_synonyms=SYNONYMS)


def test_specs_are_the_five_published_models():
    assert list(SPECS) == ["var-d16", "var-d20", "var-d24", "var-d30", "var-d36-s"]
    assert [spec.transformer.width for spec in SPECS.values()] == [1024, 1280, 1536, 1920, 2304]
    assert [spec.tokenizer.image_side for spec in SPECS.values()] == [256, 256, 256, 256, 512]
    assert [spec.transformer.shared_adaln for spec in SPECS.values()] == [False] * 4 + [True]
    assert all(spec.transformer.null_label == 1000 for spec in SPECS.values())


@pytest.mark.parametrize(
    "spec", [SPEC, CALLED, *SPECS.values()], ids=lambda spec: f"{spec.name}-{bool(spec.class_synonyms)}"
)
def test_a_spec_survives_json(spec):
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="colour"):
        ModelSpec.from_dict({**SPEC.to_dict(), "colour": 1})


def test_the_picture_is_patch_times_last_side():
    assert SPEC.tokenizer.patch == 4 * 2  # the stem, then one halving
    assert SPEC.tokenizer.image_side == SPEC.tokenizer.patch * SPEC.tokenizer.sides[-1]


@pytest.mark.parametrize("text", ["Rose", "rose", " ROSE ", "1"])
def test_a_class_is_found_by_name_in_any_case_and_by_number(text):
    assert SPEC.label(text) == 1


def test_every_class_name_leads_back_to_its_label():
    for label in range(SPEC.transformer.classes + 1):
        assert SPEC.label(SPEC.class_name(label)) == label


def test_no_class_is_the_null_label():
    assert SPEC.label("no class") == SPEC.label("7") == SPEC.transformer.null_label


def test_without_names_a_class_is_called_by_its_number():
    nameless = SPECS["var-d16"]
    assert nameless.class_name(207) == "207"
    assert nameless.label("207") == 207


@pytest.mark.parametrize(("text", "hint"), [("sunflour", "Sunflower"), ("8", "Lotus"), ("", "Lotus"), ("-1", "Lotus")])
def test_an_unknown_class_is_named_with_a_hint(text, hint):
    with pytest.raises(ValueError, match=f"no class '{text}'.*{hint}"):
        SPEC.label(text)


@pytest.mark.parametrize(("text", "label"), [("nelumbo", 0), (" Water Lily ", 0), ("Hill", 5), ("WATER", 6)])
def test_a_class_is_found_by_a_synonym_in_any_case(text, label):
    assert CALLED.label(text) == label


def test_a_display_name_wins_over_a_synonym():
    assert CALLED.label("rose") == 1
    assert dataclasses.replace(SPEC, class_synonyms=(("no class",), *SYNONYMS[1:])).label("no class") == 7


def test_a_synonym_of_several_classes_is_answered_with_all_of_them():
    with pytest.raises(ValueError, match="'Wood' may mean Forest or Sea: say which"):
        CALLED.label("Wood")


@pytest.mark.parametrize(("text", "hint"), [("nelumba", "Lotus"), ("wod", "Forest, Sea"), ("ter", "Lotus, Sea")])
def test_a_hint_by_a_synonym_is_a_display_name(text, hint):
    with pytest.raises(ValueError, match=f"no class '{text}'.*: {hint}"):
        CALLED.label(text)


def test_what_holds_all_of_the_text_is_a_nearer_hint_than_what_looks_like_it():
    named = dataclasses.replace(SPEC, class_synonyms=(("mourn",), *[()] * 6))
    with pytest.raises(ValueError, match="Did you mean: Mountain, Lotus"):
        named.label("moun")


def test_all_that_a_class_is_called_begins_with_its_name():
    assert CALLED.words(0) == ("Lotus", "Nelumbo", "water lily")
    assert CALLED.words(7) == ("no class",)
    assert SPEC.words(1) == ("Rose",)


def test_sizes_written_before_there_were_synonyms_have_none():
    values = SPEC.to_dict()
    del values["class_synonyms"]
    assert ModelSpec.from_dict(values) == SPEC


@pytest.mark.parametrize("sides", [(), (2, 3), (1, 3, 2), (1, 2, 2)])
def test_sides_must_start_at_1_and_grow(sides):
    with pytest.raises(ValueError, match="must start at 1 and grow"):
        TokenizerConfig(sides)


def test_channels_must_divide_into_groups():
    with pytest.raises(ValueError, match=r"100 channels do not divide into 32 groups.*multiple"):
        TokenizerConfig(channels=100)


@pytest.mark.parametrize(("refine", "stem"), [(-1, 4), (8, 1), (8, 3)])
def test_a_refinement_needs_channels_and_an_even_stem(refine, stem):
    with pytest.raises(ValueError, match=f"refine {refine}: choose 0, or more with an even stem; it is {stem}"):
        TokenizerConfig(stem=stem, refine=refine)


def test_sizes_written_before_there_was_a_refinement_have_none():
    values = SPEC.to_dict()
    del values["tokenizer"]["refine"]
    assert ModelSpec.from_dict(values) == SPEC


def test_width_must_divide_into_heads():
    with pytest.raises(ValueError, match="width 64 does not divide into 5 heads"):
        TransformerConfig((1, 2), classes=3, depth=1, width=64, heads=5)


@pytest.mark.parametrize(("field", "value"), [("sides", (1, 2)), ("vocabulary", 65), ("code_width", 9)])
def test_networks_that_do_not_fit_together_are_refused(field, value):
    other = dataclasses.replace(SPEC.transformer, **{field: value})
    with pytest.raises(ValueError, match=f"disagree on {field}"):
        dataclasses.replace(SPEC, transformer=other)


@pytest.mark.parametrize("field", ["class_names", "class_groups", "class_synonyms"])
def test_names_groups_and_synonyms_are_one_per_class_or_none(field):
    with pytest.raises(ValueError, match=f"6 {field} for 7 classes"):
        dataclasses.replace(CALLED, **{field: getattr(CALLED, field)[:-1]})
    assert getattr(dataclasses.replace(CALLED, **{field: ()}), field) == ()
