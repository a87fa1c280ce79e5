"""Read a `Request` from the controls, and say what they should show for one. Pure functions."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from var_core.config import ModelSpec, Sampling
from var_core.engine.request import Request
from var_core.engine.seeds import counted_on, read_seed, seed_text
from var_core.schedule import Schedule
from var_core.settings import Declared, Value, named, parse_int, parsed, rows
from var_core.words import comma_separated, from_commas

from .limits import HOME

MOST_PICTURES = HOME.pictures
NAMES = ("class", "count", "seed", *(row.name for row in rows(Sampling)))  # of what a link says
NUMBERS_OF_SCALES = ("unguided_scales", "reused_scales")  # settings of the draw that end at the model's
MOST_SEED = 2**31 - 1  # of the seeds that are rolled; typed ones may be larger


@dataclass(frozen=True)
class ControlValues:
    """The values of the controls that ask for a request."""

    class_name: str
    count: int
    seed: str  # text: a browser's numbers end at 2^53, and finer scales may have another one
    sampling: Mapping[str, Value]  # by name
    also: tuple[str, ...] = ()  # more classes

    def all(self) -> tuple[str, int, str, Mapping[str, Value], list[str]]:
        """Return the values in the order in which `read` takes them."""
        return self.class_name, self.count, self.seed, self.sampling, list(self.also)

    def by_name(self) -> dict[str, Value]:
        """Return the values by their `NAMES` in a link, and more classes as `also` where there are any."""
        more = {"also": comma_separated(self.also)} if self.also else {}
        return {"class": self.class_name, "count": self.count, "seed": self.seed, **self.sampling, **more}


def read(
    spec: ModelSpec,
    class_name: object,
    count: object,
    seed: object,
    sampling: Mapping[str, object],
    also: Iterable[str] | None = None,
    most: int = MOST_PICTURES,
) -> Request:
    """Return the request that control values ask for, those of the `sampling` by name.

    So many pictures of the class and of each that is asked for `also`, at `most` so many in all. Picture i of a class
    has the seed + i. Values may be text. Anything unusable raises ValueError that says which control, and what it
    takes.
    """
    names = (str(class_name or ""), *map(str, also or ()))
    labels = tuple(dict.fromkeys(spec.label(complete(spec, name)) for name in names))
    pictures, first = parse_int("pictures", count), read_seed(seed, scales_of(spec))
    if not 1 <= pictures <= most:
        raise ValueError(f"pictures {pictures} is out of range: choose 1 to {most}.")
    if pictures * len(labels) > most:
        raise ValueError(
            f"{pictures} pictures of each of {len(labels)} classes are {pictures * len(labels)}, of at most {most} in "
            "all: choose fewer pictures, or fewer classes."
        )
    seeds = tuple(counted_on(first, number) for number in range(pictures))
    each = tuple(label for label in labels for _ in seeds)
    return Request(each, seeds * len(labels), parsed(Sampling(), sampling))


def show(spec: ModelSpec, request: Request) -> ControlValues:
    """Return the control values that ask for a request: the inverse of `read`."""
    name, *also = (spec.class_name(label) for label in dict.fromkeys(request.labels))
    count = request.labels.count(request.labels[0])
    return ControlValues(name, count, seed_text(request.seeds[0]), named(request.sampling), tuple(also))


def defaults(spec: ModelSpec) -> ControlValues:
    """Return what the controls say when the page opens: a class that the model draws well, at its best."""
    label = spec.label(spec.showcase) if spec.showcase else 0
    return show(spec, Request((label,), (0,), spec.default_sampling))


def from_link(spec: ModelSpec, query: Mapping[str, str], most: int = MOST_PICTURES) -> Request:
    """Return the request of a link's query; what it leaves out is at its default. ValueError as in `read`."""
    asked = {**defaults(spec).by_name(), **query}
    also = from_commas(str(asked.get("also", "")))
    return read(spec, asked["class"], asked["count"], asked["seed"], asked, also, most)


def lowered(spec: ModelSpec, sampling: Sampling) -> tuple[Sampling, str]:
    """Return the settings with no number of scales above the model's, and words on what was lowered, or none.

    They draw the same pictures: more scales than there are mean all of them.
    """
    most = scales_of(spec)
    over = [row for row in rows(Sampling) if row.name in NUMBERS_OF_SCALES and getattr(sampling, row.name) > most]
    if not over:
        return sampling, ""
    fitting = parsed(sampling, dict.fromkeys((row.name for row in over), most))
    return fitting, f"Lowered to this model's {most} scales: {', '.join(row.label for row in over)}."


def scales_of(spec: ModelSpec) -> int:
    """Return how many steps a model draws a picture in: its scales, or its cells if it draws those one by one."""
    return len(Schedule.of(spec.tokenizer))


def link(spec: ModelSpec, request: Request) -> str:
    """Return the query of a link that brings these settings back."""
    return "?" + urlencode(show(spec, request).by_name())


def other_than(usual: Declared, settings: Declared) -> list[str]:
    """Say the settings that are not as usual."""
    was = named(usual)
    return [row.says(value) for row in rows(type(settings)) if (value := getattr(settings, row.name)) != was[row.name]]


def roll() -> str:
    """A fresh seed, as the seed box shows it."""
    return str(secrets.randbelow(MOST_SEED + 1))


def seed_to_use(seed: str, lock: bool) -> str:
    """Return the seed of the seed box if it is locked, else a fresh one."""
    return seed if lock else roll()


def groups(spec: ModelSpec) -> list[str]:
    """The groups that the classes fall into, in the order of their first class."""
    return list(dict.fromkeys(spec.class_groups))


def class_names(spec: ModelSpec, group: str | None) -> list[str]:
    """The names to choose from in a group; None: all, and "no class"."""
    return [spec.class_name(label) for label in _members(spec, group)]


def choices(spec: ModelSpec, group: str | None) -> list[tuple[str, str]]:
    """Return the classes for a dropdown: name and synonyms, which it shows and searches, and the name alone."""
    shown = [(_called(*spec.names_of(label)), spec.class_name(label)) for label in _members(spec, group)]
    return _whole_first(shown) if spec.class_synonyms else shown


def random_class(spec: ModelSpec, group: str | None) -> str:
    """Return any class of a group."""
    return secrets.choice(class_names(spec, group)[: spec.transformer.classes])


def complete(spec: ModelSpec, text: str) -> str:
    """The only class that has the text in its name or in a synonym.

    The text itself if there is none, or several, or if it is a whole name or synonym: then the spec knows whose.
    """
    wanted = text.strip().casefold()
    called = [[word.casefold() for word in spec.names_of(label)] for label in _members(spec, None)]
    found = [label for label, words in enumerate(called) if any(wanted in word for word in words)]
    whole_word = any(wanted in words for words in called)
    return spec.class_name(found[0]) if len(found) == 1 and not whole_word else text


def _members(spec: ModelSpec, group: str | None) -> list[int]:
    """The labels in a group; None: all, and that of "no class"."""
    if group is None:
        return list(range(spec.transformer.classes + 1))
    return [label for label, name in enumerate(spec.class_groups) if name == group]


def _called(name: str, *synonyms: str) -> str:
    """A class in a list: a synonym that the name has in it adds nothing."""
    return ", ".join((name, *(word for word in synonyms if word.casefold() not in name.casefold())))


def _whole_first(shown: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The choices, with "lion" moved before "sea lion": of all that have what was typed, Enter takes the first."""
    ordered: list[tuple[str, str]] = []
    for text, name in shown:
        having = (index for index, (other, _) in enumerate(ordered) if name.casefold() in other.casefold())
        ordered.insert(next(having, len(ordered)), (text, name))
    return ordered
