"""The names, synonyms and groups of ImageNet's classes, and the script that makes them."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tools import imagenet_classes as tool
from var_core.config import ModelSpec
from var_core.published_specs import published
from var_core.weights.imagenet import FILE, classes
from var_studio.shared import controls

ROOT = Path(__file__).resolve().parents[3]
VALUES = json.loads(FILE.read_text(encoding="utf-8"))
CLASSES = VALUES["classes"]

# Birds under two ancestors, and a bat that is as near to "bird" as to "tool". Words: offset, lemmas, hypernyms.
NOUNS = """\
  1 This line is part of the licence.
00000001 03 n 01 entity 0 000 | all there is
00000002 05 n 01 bird 0 001 @ 00000001 n 0000 | it flies
00000003 05 n 02 wading_bird 0 wader 0 002 @ 00000002 n 0000 ~ 00000005 n 0000 | it wades
00000004 06 n 01 tool 0 001 @ 00000001 n 0000 | it works
00000005 05 n 01 crane 0 002 @ 00000003 n 0000 #m 00000004 n 0000 | a bird
00000006 06 n 02 crane 1 derrick 0 001 @ 00000004 n 0000 | a machine
00000007 05 n 01 bat 0 002 @ 00000004 n 0000 @i 00000002 n 0000 | both
00000008 05 n 03 heron 0 Ardea 0 grey_heron 0 001 @ 00000003 n 0000 | another bird
"""
GROUPS = {"bird": ("n00000002",), "tool": ("n00000004",), "other": ("n00000001",)}


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    known = classes()
    return dataclasses.replace(
        published(16), class_names=known.names, class_groups=known.groups, class_synonyms=known.synonyms
    )


def test_there_are_1000_classes_in_the_order_of_their_ids():
    wnids = [one["wnid"] for one in CLASSES]
    assert len(set(wnids)) == 1000
    assert wnids == sorted(wnids)
    assert (wnids[0], wnids[-1]) == ("n01440764", "n15075141")


def test_all_classes_have_a_name_of_their_own_in_any_case():
    assert len({name.casefold() for name in classes().names}) == len(classes().names) == 1000


@pytest.mark.parametrize(
    ("label", "name"),
    [
        *((0, "tench"), (1, "goldfish"), (22, "bald eagle"), (88, "macaw"), (134, "crane (wading bird)")),
        *((207, "golden retriever"), (263, "Pembroke"), (281, "tabby"), (291, "lion"), (388, "giant panda")),
        *((437, "beacon"), (483, "castle"), (517, "crane (lifting device)"), (562, "fountain"), (817, "sports car")),
        *((836, "sunglass (converging lens)"), (837, "sunglasses (spectacles)"), (933, "cheeseburger")),
        *((950, "orange"), (980, "volcano"), (985, "daisy"), (999, "toilet tissue")),
    ],
)
def test_well_known_labels_have_their_names(label, name):
    assert classes().names[label] == name


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *(("Tinca tinca", 0), ("lighthouse", 437), ("KING OF BEASTS", 291), ("toilet paper", 999), ("tabby cat", 281)),
        *(("red panda", 387), ("partridge", 86), ("harp", 594), ("dark glasses", 837), ("sunglass", 836)),
    ],
)
def test_a_class_is_found_by_a_synonym_but_a_name_wins(spec, text, label):
    assert spec.label(text) == spec.label(controls.complete(spec, text)) == label


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("crane", r"crane \(wading bird\) or crane \(lifting device\)"),
        ("cardigan", r"Cardigan \(corgi\) or cardigan \(sweater\)"),
        ("maillot", r"maillot \(tights\) or maillot \(swimsuit\)"),
        ("panda", "lesser panda or giant panda"),
    ],
)
def test_what_two_classes_are_called_is_answered_with_both(spec, text, names):
    with pytest.raises(ValueError, match=f"'{text}' may mean {names}: say which"):
        spec.label(controls.complete(spec, text))


def test_every_name_leads_back_to_its_label_also_through_the_controls(spec):
    assert [spec.label(controls.complete(spec, name)) for name in spec.class_names[::37]] == [*range(0, 1000, 37)]


def test_a_typed_name_or_synonym_is_in_the_dropdown_and_enter_takes_the_class_of_that_name(spec):
    choices = controls.choices(spec, None)
    assert sorted(name for _, name in choices) == sorted(controls.class_names(spec, None))
    shown = [(text.casefold(), name) for text, name in choices]
    for label, synonyms in enumerate(spec.class_synonyms):
        name = spec.class_names[label]
        assert next(found for text, found in shown if name.casefold() in text) == name
        (text,) = (text for text, found in shown if found == name)
        assert all(word.casefold() in text for word in synonyms)


def test_the_groups_split_the_classes_and_none_is_too_large_to_look_through(spec):
    counts = Counter(classes().groups)
    assert counts.keys() == VALUES["groups"].keys() == tool.GROUPS.keys()
    assert sum(counts.values()) == 1000 and max(counts.values()) <= 130
    assert sum(len(controls.class_names(spec, group)) for group in controls.groups(spec)) == 1000


def test_a_class_is_in_the_group_of_its_ancestor_and_every_ancestor_is_needed():
    owner = {ancestor: group for group, ancestors in tool.GROUPS.items() for ancestor in ancestors}
    assert {group: tuple(named) for group, named in VALUES["groups"].items()} == tool.GROUPS
    assert all(owner[one["ancestor"]] == one["group"] for one in CLASSES)
    assert {one["ancestor"] for one in CLASSES} == owner.keys()


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("dog", ("golden retriever", "Chihuahua", "Cardigan (corgi)")),
        ("cat", ("tabby", "lion")),
        ("other mammal", ("giant panda", "red fox", "gorilla")),
        ("bird", ("bald eagle", "macaw", "crane (wading bird)")),
        ("reptile and amphibian", ("bullfrog", "Komodo dragon")),
        ("insect and spider", ("ladybug", "tarantula")),
        ("plant and fungus", ("daisy", "agaric")),
        ("fruit and vegetable", ("orange", "broccoli")),
        ("food and drink", ("cheeseburger", "espresso")),
        ("vehicle", ("sports car", "space shuttle", "golfcart")),
        ("clothing", ("cardigan (sweater)", "crash helmet", "cloak")),
        ("building and structure", ("castle", "fountain", "beacon", "dome")),
        ("landscape", ("volcano", "valley")),
        ("home and kitchen", ("toilet tissue", "teapot")),
        ("other", ("bubble", "scuba diver")),
    ],
)
def test_groups_hold_what_one_looks_for_in_them(spec, group, names):
    assert set(names) <= set(controls.class_names(spec, group))


def test_the_script_says_the_same_of_a_small_wordnet():
    synsets = tool.read_synsets(NOUNS)
    assert synsets["n00000003"] == tool.Synset(("wading bird", "wader"), ("n00000002",))
    listed = tool.build(synsets, ["n00000005", "n00000006", "n00000007", "n00000008"], GROUPS)["classes"]
    assert [one["name"] for one in listed] == ["crane (wading bird)", "crane (tool)", "bat", "heron"]
    assert [one["synonyms"] for one in listed] == [["crane"], ["crane", "derrick"], [], ["Ardea", "grey heron"]]
    assert [one["group"] for one in listed] == ["bird", "tool", "bird", "bird"]


def test_the_nearest_ancestor_decides_and_a_class_without_one_is_refused():
    synsets = tool.read_synsets(NOUNS)
    assert tool.nearest(synsets, "n00000005", ["n00000001", "n00000003", "n00000002"]) == "n00000003"
    assert tool.nearest(synsets, "n00000003", ["n00000003"]) == "n00000003"
    with pytest.raises(ValueError, match="n00000006 has none of the 1 ancestors"):
        tool.nearest(synsets, "n00000006", ["n00000002"])


def test_the_file_is_as_the_script_writes_it_and_small():
    assert tool.as_text(VALUES) == FILE.read_text(encoding="utf-8")
    assert FILE.stat().st_size < 150_000


def test_importing_the_specs_does_not_read_the_names():
    code = "import sys, var_core.config; assert 'var_core.weights.imagenet' not in sys.modules"
    code += "; import var_core.weights.imagenet as i"
    code += "; assert i.classes.cache_info().currsize == 0"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_the_licence_of_wordnet_lies_beside_its_names():
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in (FILE.parent / "LICENSE").read_text(encoding="utf-8")
