"""The published sizes, class names, and sizes that cannot be."""

import dataclasses
import json

import pytest
from support.tiny import ENLARGING, SPEC, in_order

from var_core.config import ModelSpec, Sampling, TokenizerConfig, TransformerConfig
from var_core.formats import FORMAT
from var_core.published_specs import SPECS

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
    "spec",
    [SPEC, ENLARGING, CALLED, *SPECS.values()],
    ids=lambda spec: f"{spec.name}-{spec.tokenizer.enlarge}-{bool(spec.class_synonyms)}",
)
def test_a_spec_survives_json(spec):
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def first_format(spec: ModelSpec) -> dict:
    """A description as files of the first format hold it."""
    values = json.loads(json.dumps(spec.to_dict()))
    del values["format"], values["default_sampling"], values["showcase"]
    return values


def test_a_model_says_how_it_draws_best_or_draws_as_the_paper_does():
    values = dataclasses.replace(SPEC, default_sampling=Sampling(guidance=3.0, ramp=0.0)).to_dict()
    assert ModelSpec.from_dict(values).default_sampling == Sampling(guidance=3.0, ramp=0.0)
    with pytest.raises(ValueError, match=r"ramp 2\.0 is out of range"):
        ModelSpec.from_dict({**values, "default_sampling": {**values["default_sampling"], "ramp": 2}})


def test_a_file_from_before_models_said_how_they_draw_best_has_what_was_published_or_the_defaults():
    values = first_format(SPEC)
    assert ModelSpec.from_dict(values).default_sampling == Sampling()
    assert ModelSpec.from_dict(first_format(SPECS["var-d16"])) == SPECS["var-d16"]


def test_the_first_format_called_it_looks_and_did_not_say_what_to_show_first():
    values = {**first_format(SPEC), "looks": {"guidance": 3.0, "ramp": 0.5}}
    assert ModelSpec.from_dict(values).default_sampling == Sampling(guidance=3.0, ramp=0.5)
    assert ModelSpec.from_dict(values).showcase == "Sunflower"
    assert ModelSpec.from_dict({**values, "class_names": list("abcdefg")}).showcase == ""


@pytest.mark.parametrize("version", [0, FORMAT + 1, "2", None])
def test_a_format_that_is_not_known_is_refused(version):
    with pytest.raises(ValueError, match=f"has format {version}, and formats 1 to {FORMAT} can be read: update"):
        ModelSpec.from_dict({**SPEC.to_dict(), "format": version})


def test_a_showcase_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match="showcase 'Oak' is no class of tiny: choose one of its classes"):
        dataclasses.replace(SPEC, showcase="Oak")


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
    assert CALLED.names_of(0) == ("Lotus", "Nelumbo", "water lily")
    assert CALLED.names_of(7) == ("no class",)
    assert SPEC.names_of(1) == ("Rose",)


def test_sizes_written_before_there_were_synonyms_have_none():
    values = first_format(SPEC)
    del values["class_synonyms"]
    assert ModelSpec.from_dict(values) == SPEC


def test_sizes_written_before_there_were_orders_are_of_scales():
    values = first_format(SPEC)
    del values["tokenizer"]["order"], values["transformer"]["order"]
    assert ModelSpec.from_dict(values) == SPEC


@pytest.mark.parametrize("config", [SPEC.tokenizer, SPEC.transformer], ids=["tokenizer", "transformer"])
@pytest.mark.parametrize(
    ("sides", "order", "words"),
    [
        ((4,), "snake", "order 'snake': choose one of scales, raster, spiral, z-curve"),
        ((1, 2), "raster", r"sides \(1, 2\): the order raster takes a single map"),
        ((1,), "spiral", r"sides \(1,\): the order spiral takes a single map of side 2 or more"),
        ((), "raster", r"sides \(\): the order raster takes a single map"),
        ((6,), "z-curve", "side 6: the order z-curve needs a power of two"),
    ],
)
def test_an_order_that_cannot_be_is_refused(config, sides, order, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(config, sides=sides, order=order)


def test_a_single_map_by_scales_is_refused_with_the_orders_that_it_needs():
    with pytest.raises(ValueError, match="a single map needs another order, one of raster, spiral, z-curve"):
        TokenizerConfig((4,))


def test_what_shows_scales_refuses_a_model_of_cells_in_words():
    SPEC.need_scales("this")
    with pytest.raises(ValueError, match="tiny draws cell after cell, in spiral order, and this shows scale after"):
        in_order("spiral").need_scales("this")


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


@pytest.mark.parametrize(("refine", "blocks"), [(8, -1), (0, 2), (10, 1)])
def test_blocks_of_a_refinement_need_channels_that_divide_into_groups(refine, blocks):
    with pytest.raises(ValueError, match=f"refine_blocks {blocks}: choose 0, or more .*; it is {refine}"):
        TokenizerConfig(channels=8, norm_groups=4, stem=4, refine=refine, refine_blocks=blocks)


def test_sizes_written_before_there_was_a_refinement_have_none():
    values = first_format(SPEC)
    del values["tokenizer"]["refine"], values["tokenizer"]["refine_blocks"]
    assert ModelSpec.from_dict(values) == SPEC


@pytest.mark.parametrize("version", [1, 2])
def test_sizes_of_earlier_formats_enlarge_nothing(version):
    values = first_format(SPEC) if version == 1 else {**SPEC.to_dict(), "format": 2}
    values["tokenizer"] = {name: value for name, value in values["tokenizer"].items() if "enlarge" not in name}
    assert ModelSpec.from_dict(values) == SPEC
    assert SPEC.tokenizer.drawn_side == SPEC.tokenizer.image_side


def test_a_model_that_enlarges_draws_larger_pictures_than_it_encodes():
    assert (ENLARGING.tokenizer.image_side, ENLARGING.tokenizer.drawn_side) == (32, 64)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"enlarge": 0}, "enlarge 0 is out of range: choose 1 or more"),
        (
            {"enlarge_channels": 8},
            "enlarge 1, enlarge_channels 8, enlarge_blocks 0, refine 8: choose an enlarge of 2 or more",
        ),
        ({"enlarge": 2}, "enlarge 2, enlarge_channels 0, enlarge_blocks 0, refine 8: .* an even number of channels"),
        ({"enlarge": 2, "enlarge_channels": 7}, "enlarge_channels 7"),
        ({"enlarge": 2, "enlarge_channels": 8, "enlarge_blocks": -1}, "enlarge_blocks -1"),
        (
            {"enlarge": 2, "enlarge_channels": 8, "refine": 0},
            "refine 0: choose .* and a refine, or an enlarge of 1 alone",
        ),
    ],
)
def test_an_enlargement_that_cannot_be_is_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(SPEC.tokenizer, **{"refine": 8, **sizes})


def fields_of(values: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path to each field of a description, those within its parts too."""
    parts = ("tokenizer", "transformer", "default_sampling")
    own = [(*path, name) for name in values if name != "format"]
    return own + [field for name in parts if name in values for field in fields_of(values[name], (*path, name))]


@pytest.mark.parametrize("field", fields_of(SPEC.to_dict()), ids=".".join)
def test_a_description_of_this_format_that_lacks_a_field_is_not_guessed_at(field):
    values = SPEC.to_dict()
    within = values
    for name in field[:-1]:
        within = within[name]
    del within[field[-1]]
    with pytest.raises((TypeError, KeyError)):
        ModelSpec.from_dict(values)


def test_what_the_first_format_left_out_does_not_depend_on_the_defaults_of_today(monkeypatch):
    for kind, changes in (
        (Sampling, {"guidance": 1.0, "ramp": 0.0, "cooling": 0.5, "top_k": 7, "unguided_scales": 2, "smooth": True}),
        (TokenizerConfig, {"order": "raster", "own_codes": True, "refine": 2, "enlarge": 2, "enlarge_channels": 2}),
    ):
        names = [field.name for field in dataclasses.fields(kind)]
        defaults = [changes.get(name, getattr(kind(), name)) for name in names]
        monkeypatch.setattr(kind.__init__, "__defaults__", tuple(defaults))
    assert Sampling().guidance == 1.0
    values = first_format(SPEC)
    for name in ("order", "own_codes", "refine", "enlarge", "enlarge_channels"):
        del values["tokenizer"][name]
    assert ModelSpec.from_dict(values) == SPEC


def test_width_must_divide_into_heads():
    with pytest.raises(ValueError, match="width 64 does not divide into 5 heads"):
        TransformerConfig((1, 2), classes=3, depth=1, width=64, heads=5)


@pytest.mark.parametrize(("field", "value"), [("sides", (1, 2)), ("vocabulary", 65), ("code_width", 9)])
def test_networks_that_do_not_fit_together_are_refused(field, value):
    other = dataclasses.replace(SPEC.transformer, **{field: value})
    with pytest.raises(ValueError, match=f"disagree on {field}"):
        dataclasses.replace(SPEC, transformer=other)


def test_networks_of_different_orders_are_refused():
    with pytest.raises(ValueError, match="disagree on order: spiral and raster"):
        dataclasses.replace(in_order("spiral"), transformer=in_order("raster").transformer)


@pytest.mark.parametrize("field", ["class_names", "class_groups", "class_synonyms"])
def test_names_groups_and_synonyms_are_one_per_class_or_none(field):
    with pytest.raises(ValueError, match=f"6 {field} for 7 classes"):
        dataclasses.replace(CALLED, **{field: getattr(CALLED, field)[:-1]})
    assert getattr(dataclasses.replace(CALLED, **{field: ()}), field) == ()
