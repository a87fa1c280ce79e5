"""The 1000 classes of ImageNet-1k: names, synonyms and groups, as `assets/imagenet` has them."""

import json
from dataclasses import dataclass
from functools import cache

from ..files import ASSETS

FILE = ASSETS / "imagenet" / "classes.json"


@dataclass(frozen=True)
class ImageNetClasses:
    """One of each per class, in the official order: that of the WordNet ids, which is that of the labels.

    Names are unique in any case. A synonym may belong to several classes, or be the name of another. `ModelSpec` takes
    all three, as `class_names`, `class_synonyms` and `class_groups`.
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...]


@cache
def classes() -> ImageNetClasses:
    """The classes; the file is read at the first call."""
    listed = json.loads(FILE.read_text(encoding="utf-8"))["classes"]
    return ImageNetClasses(
        names=tuple(one["name"] for one in listed),
        synonyms=tuple(tuple(one["synonyms"]) for one in listed),
        groups=tuple(one["group"] for one in listed),
    )
