"""Controls to requests and back, links, and classes by name."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from support import tiny
from support.form import SPEC, read

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.published_specs import published
from var_core.schedule import Schedule
from var_core.settings import Setting, rows
from var_studio.shared import controls

CALLED = replace(
    SPEC, class_synonyms=(("Nelumbo",), ("Rosa", "rose bush"), (), (), ("deep sea", "wood"), (), ("wood",))
)


def test_the_controls_as_they_open_ask_for_the_defaults():
    assert controls.read(SPEC, *controls.defaults(SPEC).all()) == Request((2,), (0,), Sampling())


@pytest.mark.parametrize(
    ("control", "value", "sampling"),
    [
        ("guidance", 2.5, Sampling(guidance=2.5)),
        ("ramp", 0.3, Sampling(ramp=0.3)),
        ("temperature", 0.7, Sampling(temperature=0.7)),
        ("cooling", 0.6, Sampling(cooling=0.6)),
        ("top_k", 5, Sampling(top_k=5)),
        ("top_p", 0.5, Sampling(top_p=0.5)),
        ("smooth", True, Sampling(smooth=True)),
    ],
)
def test_each_drawing_control_changes_its_own_setting(control: str, value: object, sampling: Sampling):
    assert read(**{control: value}) == Request((2,), (0,), sampling)


def test_class_count_and_seed_make_the_labels_and_the_seeds():
    assert read(**{"class": "Sea", "count": 3, "seed": "41"}) == Request((6, 6, 6), (41, 42, 43))


def test_no_class_can_be_asked_for():
    assert read(**{"class": "no class"}).labels == (SPEC.transformer.null_label,)


def test_part_of_a_name_is_enough_when_only_one_class_has_it():
    assert read(**{"class": "sunf"}).labels == (2,)


@pytest.mark.parametrize(("text", "name"), [("nelu", "Lotus"), ("ROSE B", "Rose"), ("deep", "Forest")])
def test_part_of_a_synonym_is_enough_when_only_one_class_has_it(text, name):
    assert controls.complete(CALLED, text) == name


@pytest.mark.parametrize("text", ["o", "woo", "wood", "sea", "rosa", "birch"])
def test_a_whole_name_and_what_several_or_no_classes_have_is_left_as_it_is(text):
    assert controls.complete(CALLED, text) == text


def test_seeds_beyond_a_browsers_numbers_survive():
    assert read(seed=str(2**62 + 1)).seeds == (2**62 + 1,)


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        ("class", "Sunflour", "no class 'Sunflour'. Did you mean: Sunflower"),
        ("class", None, "no class ''"),
        ("count", 0, "pictures 0 is out of range: choose 1 to 16"),
        ("count", 17, "pictures 17 is out of range"),
        ("count", 1.5, "pictures 1.5 is not a whole number"),
        ("count", float("inf"), "pictures 'inf' is not a number"),
        ("seed", "", "seed is empty"),
        ("seed", "lucky", "seed 'lucky' is not a number"),
        ("seed", "-1", "seed -1 is out of range"),
        ("seed", str(2**63), "is out of range"),
        ("guidance", 31, "guidance 31.0 is out of range: choose 0 to 30"),
        ("guidance", None, "guidance is empty"),
        ("guidance", float("nan"), "guidance 'nan' is not a number"),
        ("ramp", 1.5, "ramp 1.5 is out of range: choose 0 to 1"),
        ("ramp", None, "guidance ramp is empty"),
        ("temperature", 0, "temperature 0.0 is out of range"),
        ("cooling", 1, "cooling 1.0 is out of range: choose 0 to 0.95"),
        ("top_k", -1, "top_k -1 is out of range"),
        ("top_k", None, "top-k is empty"),
        ("top_p", 1.1, "top_p 1.1 is out of range"),
        ("smooth", "perhaps", "smooth 'perhaps' is neither on nor off"),
    ],
)
def test_bad_input_is_answered_with_what_it_takes(control: str, value: object, sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(**{control: value})


@pytest.mark.parametrize(
    "request_",
    [
        Request((3,), (7,)),
        Request((1,) * 16, tuple(range(5, 21)), Sampling(0.0, 0.5, 0.05, 0.95, 0, 1.0, True)),
        Request((7, 7), (2**62, 2**62 + 1), Sampling(guidance=3.14159)),
    ],
)
def test_showing_a_request_and_reading_it_back_changes_nothing(request_: Request):
    assert controls.read(SPEC, *controls.show(SPEC, request_).all()) == request_


def test_a_link_from_before_a_setting_was_there_means_what_it_meant():
    assert controls.from_link(SPEC, {"temperature": "0.7"}) == Request((2,), (0,), Sampling(temperature=0.7))
    assert Sampling(temperature=0.7).heat(3, Schedule((1, 2, 3, 4))) == 0.7


def test_a_link_brings_all_settings_back():
    wanted = Request((2, 2), (8, 9), Sampling(1.5, 0.5, 0.8, 0.7, 12, 0.9, True))
    query = dict(pair.split("=") for pair in controls.link(SPEC, wanted).removeprefix("?").split("&"))
    assert controls.from_link(SPEC, query) == wanted


def test_a_short_link_leaves_the_rest_at_its_default():
    assert controls.from_link(SPEC, {"class": "lotus", "seed": "7"}) == Request((0,), (7,))


@pytest.mark.parametrize("name", controls.NUMBERS_OF_SCALES)
def test_a_link_that_asks_for_more_scales_than_there_are_is_lowered_and_draws_the_same(name: str):
    most, (label,) = controls.scales_of(SPEC), (row.label for row in rows(Sampling) if row.name == name)
    asked = controls.from_link(SPEC, {name: str(most + 5)})
    sampling, told = controls.lowered(SPEC, asked.sampling)
    assert (getattr(sampling, name), told) == (most, f"Lowered to this model's {most} scales: {label}.")
    assert controls.lowered(SPEC, sampling) == (sampling, "")
    assert tiny.pipeline().run(replace(asked, sampling=sampling)).images == tiny.pipeline().run(asked).images


def test_both_numbers_of_scales_are_lowered_in_one_sentence():
    asked = controls.from_link(SPEC, dict.fromkeys(controls.NUMBERS_OF_SCALES, "99"))
    assert controls.lowered(SPEC, asked.sampling)[1].endswith("Scales without guidance, Scales that reuse guidance.")


def test_groups_split_the_classes():
    assert controls.groups(SPEC) == ["flower", "scene"]
    assert controls.class_names(SPEC, "scene") == ["Forest", "Mountain", "Sea"]
    assert controls.class_names(SPEC, None) == [*tiny.NAMES, "no class"]


def test_a_dropdown_shows_names_alone_where_there_are_no_synonyms():
    for group in (None, *controls.groups(SPEC)):
        assert controls.choices(SPEC, group) == [(name, name) for name in controls.class_names(SPEC, group)]


def test_a_dropdown_shows_the_synonyms_that_the_name_does_not_say_and_whole_names_come_first():
    assert controls.choices(CALLED, "scene") == [
        ("Sea, wood", "Sea"),  # typing "sea" and Enter takes it, not Forest
        ("Forest, deep sea, wood", "Forest"),
        ("Mountain", "Mountain"),
    ]
    named = replace(SPEC, class_synonyms=(("lot", "Nelumbo"), *[()] * 6))
    assert controls.choices(named, "flower")[0] == ("Lotus, Nelumbo", "Lotus")


def test_a_random_class_is_one_of_the_group():
    assert {controls.random_class(SPEC, "scene") for _ in range(50)} <= {"Forest", "Mountain", "Sea"}


def test_a_model_without_class_names_has_controls_too():
    spec = published(16)
    assert controls.groups(spec) == []
    assert controls.read(spec, *controls.defaults(spec).all()).labels == (0,)


@pytest.mark.parametrize("row", [row for row in rows(Sampling) if row.kind in (int, float)], ids=lambda row: row.name)
def test_a_link_that_says_a_setting_out_of_range_is_answered_in_words(row: Setting):
    with pytest.raises(ValueError, match=f"{row.name} .* is out of range: choose {row.low} to {row.high}"):
        controls.from_link(SPEC, {row.name: str(row.kind(row.high + row.step))})


def test_several_classes_get_the_same_seeds_and_travel_in_links():
    asked = controls.read(SPEC, "Sea", 2, "5", {}, ["lotus", "Sea"])
    assert asked == Request((6, 6, 0, 0), (5, 6) * 2)
    assert controls.show(SPEC, asked).also == ("Lotus",)
    assert controls.read(SPEC, *controls.show(SPEC, asked).all()) == asked
    query = dict(parse_qsl(controls.link(SPEC, asked).removeprefix("?")))
    assert query["also"] == "Lotus" and controls.from_link(SPEC, query) == asked


def test_more_pictures_in_all_than_a_run_may_have_are_answered():
    with pytest.raises(ValueError, match="6 pictures of each of 3 classes are 18, of at most 16 in all"):
        controls.read(SPEC, "Sea", 6, "5", {}, ["lotus", "rose"])


def test_a_seed_whose_finer_scales_go_on_with_another_travels_in_links():
    asked = controls.read(SPEC, "Sea", 2, "5, 9 from scale 3", {})
    assert asked.seeds == ((5, 5, 9, 9), (5, 5, 10, 10))
    query = dict(parse_qsl(controls.link(SPEC, asked).removeprefix("?")))
    assert controls.from_link(SPEC, query) == asked
