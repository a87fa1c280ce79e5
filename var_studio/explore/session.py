"""What lies on the Explore tab: pictures that grew out of one another, and what the page is told. No widgets."""

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing.edit import shifted
from var_core.engine.pipeline import Pipeline, Request
from var_core.engine.plan import Plan
from var_core.files import ASSETS
from var_core.images import grid
from var_core.inspection import render
from var_core.inspection.atlas import Atlas
from var_core.inspection.trace import Later, Marks, Spot, Trace
from var_core.recipe import slug

from ..edit.workspace import Done
from ..shared import controls
from ..shared import run as runs
from ..shared.run import StopFlag

TRACES = ASSETS / "traces"
MOST_NODES = 40
MOST_BYTES = 2_000_000_000  # on disk, of all traces of a visitor together
SHARES = 65535  # what 1 is in the attention that the page is sent
SMALL = 192  # pixels along a side, at most, of pictures that the page shows small
CELLS = 5  # of a fine map, around the chosen one, that the pictures of its alternatives show
SUFFIXES = {"gif": ".gif", "mp4": ".mp4", "sheet": ".png", "trace": ".safetensors"}

_serial = itertools.count(1)


NOTHING = "There is no picture yet: draw one, open one, or choose an example."


@dataclass(frozen=True, eq=False)
class Made:
    """How a picture came to the tab."""

    title: str
    name: str  # of what it shows, the same for all that grew out of it
    parent: int | None = None  # the number of the one that it grew out of; None: of none
    photo: Marks | None = None  # the tokens that a photo under it has given; None: there is none
    turned: bool = False  # only a knob was turned: the next turn takes its place
    instead: int | None = None  # the number of the one whose place it took


@dataclass(frozen=True, eq=False, kw_only=True)
class Node(Made):
    """A picture on the tab. Its trace lies in a file: only the one that is looked at is held in memory."""

    number: int
    file: Path


class Inquiries:
    """Which of a visitor's questions the page still wants answered: it numbers them, and drops them in their order."""

    def __init__(self):
        self.dropped = 0

    def drop(self, number: int) -> None:
        """This one and all before it."""
        self.dropped = max(self.dropped, number)

    def wanted(self, number: int) -> bool:
        return number > self.dropped


@dataclass(frozen=True, eq=False)
class Lab:
    """All pictures of a visitor, the one that is looked at, and what was mixed last.

    `stop_flag` is the visitor's own: it ends the run under way, and tells one visitor from another. So are `inquiries`.
    """

    nodes: tuple[Node, ...] = ()
    current: int = 0
    trace: Trace | None = None  # of the current one
    locked: frozenset[int] = frozenset()  # scales whose tokens stay
    mixed: tuple[tuple[str, Request], ...] = ()
    stop_flag: StopFlag = field(default_factory=StopFlag)
    inquiries: Inquiries = field(default_factory=Inquiries)

    @property
    def node(self) -> Node:
        """The one that is looked at; ValueError if there is none."""
        return self.named(self.current)

    @property
    def seen(self) -> Trace:
        """The trace of the one that is looked at; ValueError if there is none."""
        if self.trace is None:
            raise ValueError(NOTHING)
        return self.trace

    def named(self, number: object) -> Node:
        """A picture by its number; ValueError if it is not there."""
        for node in self.nodes:
            if node.number == number:
                return node
        if not self.nodes:
            raise ValueError(NOTHING)
        raise ValueError("That picture is no longer here: only the latest ones are kept.")

    @property
    def pinned(self) -> Marks:
        """The tokens that no act draws anew: those of a photo, and those of locked scales."""
        locked, photo = self.seen.of_scales(self.locked), self.node.photo
        return locked if photo is None else locked | photo

    def at(self, number: object) -> "Lab":
        """Looking at another one; ValueError if it is not there any more."""
        node = self.named(number)
        return replace(self, current=node.number, trace=Trace.load(node.file))

    def grown(self, made: Made, trace: Trace, folder: Path) -> "Lab":
        """With one more picture, which is looked at then; its trace is written into a folder."""
        number = 1 + max((node.number for node in self.nodes), default=0)
        file = folder / f"{number}.safetensors"
        trace.save(file)
        nodes = (*self.nodes, Node(**vars(made), number=number, file=file))
        gone = [node for node in nodes if node.number == made.instead]
        return replace(self, nodes=_without(nodes, gone or _excess(nodes)), current=number, trace=trace)

    def branch(self, title: str) -> Made:
        """How a picture comes that grows out of the one that is looked at."""
        return Made(title, self.node.name, self.current, self.node.photo)

    def turn(self, title: str) -> Made:
        """The same of one that is only drawn with other settings: it takes the place of an earlier turn."""
        now = self.node
        if now.turned and all(node.parent != now.number for node in self.nodes):
            return Made(title, now.name, now.parent, now.photo, turned=True, instead=now.number)
        return replace(self.branch(title), turned=True)


def _excess(nodes: Sequence[Node]) -> list[Node]:
    """The oldest nodes, as many as have to go; the last one always stays."""
    sizes = [node.file.stat().st_size if node.file.is_file() else 0 for node in nodes]
    first = max(0, len(nodes) - MOST_NODES)
    while first < len(nodes) - 1 and sum(sizes[first:]) > MOST_BYTES:
        first += 1
    return list(nodes[:first])


def _without(nodes: Sequence[Node], gone: Sequence[Node]) -> tuple[Node, ...]:
    """The other nodes; children of one that goes are handed to its parent, and its file goes too."""
    left = list(nodes)
    for node in gone:
        node.file.unlink(missing_ok=True)
        others = [one for one in left if one is not node]
        left = [replace(one, parent=node.parent) if one.parent == node.number else one for one in others]
    return tuple(left)


def shipped() -> list[Path]:
    """Traces that come with the app."""
    return sorted(TRACES.glob("*.safetensors"))


def live(pipe: Pipeline, trace: Trace) -> bool:
    """Whether the model that made a trace is the one that is loaded."""
    return trace.about.digest == pipe.digest


def alive(pipe: Pipeline, lab: Lab) -> Trace:
    """The trace that is looked at; ValueError if there is none, or another model made it."""
    about = lab.seen.about
    if not live(pipe, lab.seen):
        raise ValueError(
            f"This trace was made by {about.model} ({about.digest}); {pipe.spec.name} is loaded. "
            "It can be looked at; to change it, load that model."
        )
    return lab.seen


def of_edit(done: Done, place: int) -> Request:
    """The request whose tokens are those of the last square of an edit's result."""
    square, request, one = done.squares[-1], done.requests[place], slice(place, place + 1)
    plan = Plan([tokens[one].cpu() for tokens in square.tokens], [keep[one].cpu() for keep in square.keep])
    return replace(request, seeds=shifted(request.seeds, square.turn), plan=plan)


# ------------------------------------------------------------------------------------------------ asked by the page


def whole(wish: Mapping, name: str) -> int:
    """A whole number that the page has sent; ValueError if it is something else."""
    value = wish.get(name)
    if type(value) is not int:
        raise ValueError(f"The page sent {name} '{value}', which is no whole number: reload it.")
    return value


def spot_of(trace: Trace, wish: Mapping) -> Spot:
    """The token that the page means; ValueError if it is not there."""
    spot = Spot(whole(wish, "scale"), whole(wish, "place"))
    spot.within(trace)
    return spot


def whereabouts(trace: Trace, spot: Spot) -> str:
    """Where a token is, as people count."""
    side = trace.about.sides[spot.scale]
    return f"scale {spot.scale + 1}, row {spot.index // side + 1}, column {spot.index % side + 1}"


# ------------------------------------------------------------------------------------------------ told to the page


def hello(pipe: Pipeline) -> dict:
    """What the page knows of the model that is loaded."""
    return {"kind": "hello", "classes": controls.classes(pipe.spec, None), "digest": pipe.digest}


def told(pipe: Pipeline, lab: Lab) -> dict:
    """All that the page shows of the picture that is looked at; tensors as base64 of little-endian numbers."""
    node, trace = lab.node, lab.trace
    about = trace.about
    numbers = {name: _packed(getattr(trace, name), "<i4") for name in ("tokens", "rank", "unguided", "likeliest")}
    reals = {name: _packed(getattr(trace, name), "<f4") for name in ("probability", "entropy", "divergence")}
    return _message(
        "trace",
        **numbers,
        **reals,
        shares=_packed(trace.likeliest_probability, "<f4"),
        node=node.number,
        name=node.name,
        turned=node.turned,
        origin=about.origin,
        facts=[fact for fact in facts(trace) if fact != f"class {node.name}"],
        live=live(pipe, trace),
        digest=about.digest,
        model=about.model,
        guided=about.label != about.null_label,
        sides=about.sides,
        locked=sorted(lab.locked),
        keep=_packed(trace.keep, "u1"),
        colours=_packed(trace.colours, "u1"),
        pictures=[address(picture.numpy()) for picture in trace.pictures],
        seconds=trace.seconds.tolist(),
        operations=trace.flops.tolist(),
        cacheBytes=trace.cache_bytes.tolist(),
        nearness=[None if value == float("inf") else value for value in trace.nearness],
        depth=trace.queries.shape[0],
        heads=trace.queries.shape[1],
        masses=_packed((trace.masses * SHARES).round(), "<u2"),
        tree=[{"n": each.number, "parent": each.parent, "title": each.title} for each in lab.nodes],
    )


@dataclass(frozen=True, eq=False)
class Inquiry:
    """A token that the page asks about."""

    lab: Lab
    spot: Spot

    def told(self, atlas: Atlas | None, more: bool) -> dict:
        """Where the token looks, and what else its code stands for; whether there is `more` to ask for: `offered`."""
        trace = self.lab.trace
        code = int(trace.tokens[self.spot.within(trace)])
        known = atlas if atlas is not None and atlas.codebook == trace.about.codebook else None
        patches = known is not None and int(known.count[code]) > 0
        return self._message(
            "token",
            more=more,
            attention=_packed((trace.attention(self.spot) * SHARES).round(), "<u2"),
            patches=address(_side_by_side(known.patches[code, : known.count[code]])) if patches else None,
            uses=int(known.uses[code]) if known is not None else None,
        )

    def offered(self, later: Later, pictures: Sequence[np.ndarray], more: bool) -> dict:
        """What would become of the picture, uint8 (S, S, 3), with each of the token's likeliest alternatives.

        As many as are known; `more` says whether others follow. `later` is what happens to later scales.
        """
        side = self.lab.trace.about.sides[self.spot.scale]
        shown = [address(close_up(picture, side, self.spot.index)) for picture in pictures]
        return self._message("options", later=later, more=more, pictures=shown)

    def _message(self, kind: str, **values: object) -> dict:
        return _message(kind, node=self.lab.current, scale=self.spot.scale, place=self.spot.index, **values)


def told_mix(lab: Lab, name: str, pictures: Sequence[np.ndarray], more: bool) -> dict:
    """The pictures of a mix, uint8 (S, S, 3), one for each cut, as many as are known; whether `more` follow."""
    shown = [address(small(picture)) for picture in pictures]
    return _message("mix", node=lab.current, name=name, more=more, pictures=shown)


def told_locked(lab: Lab) -> dict:
    """Which scales are locked."""
    return _message("locked", scales=sorted(lab.locked))


def idle() -> dict:
    """Nothing came of what was asked."""
    return _message("idle")


def facts(trace: Trace) -> list[str]:
    """Short lines that say what the picture is and how it was made."""
    about, given = trace.about, int(trace.keep.sum())
    seeds = list(_runs_of(about.scale_seeds))
    subject = about.class_name if about.label == about.null_label else f"class {about.class_name}"
    lines = [subject, f"model {about.model}"]
    if given < len(trace.keep):
        parts = [f"{seed} from scale {scale + 1}" if scale else str(seed) for scale, seed in seeds]
        lines.append(f"seed {', '.join(parts)}")
    lines += about.sampling.words()
    return [*lines, f"{given} of {len(trace.keep)} tokens kept"] if given else lines


def _runs_of(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The scales at which the seed changes, with the seed from there on."""
    for scale, seed in enumerate(seeds):
        if not scale or seed != seeds[scale - 1]:
            yield scale, seed


def close_up(picture: np.ndarray, side: int, place: int) -> np.ndarray:
    """The part of a picture uint8 (S, S, 3) around a place of a map of some side, small: `CELLS` cells wide.

    All of the picture where the map has no more cells than that; at its edge the part has the place off its middle.
    """
    width = len(picture) * min(1.0, CELLS / side)
    left, top = ((at + 0.5) / side * (len(picture) - width) for at in (place % side, place // side))
    size = min(SMALL, round(width))
    box = (left, top, left + width, top + width)
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, box))


def small(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 (S, S, 3), averaged down to `SMALL` pixels a side where it has more."""
    return np.asarray(runs.shrunk(Image.fromarray(picture), SMALL))


def address(pixels: np.ndarray) -> str:
    """A picture uint8 (h, w, 3) as an address that holds it."""
    return runs.data_uri(Image.fromarray(pixels))


def _side_by_side(patches: np.ndarray) -> np.ndarray:
    """Patches uint8 (n, s, s, 3) in a row, apart from each other: uint8 (s, w, 3)."""
    return np.asarray(grid([Image.fromarray(patch) for patch in patches], len(patches)))


def _message(kind: str, **values: object) -> dict:
    """Numbered, so that no two are equal: the page is told of changes only."""
    return {"kind": kind, "serial": next(_serial), **values}


def _packed(tensor, kind: str) -> str:
    return base64.b64encode(tensor.numpy().astype(kind).tobytes()).decode()


# ------------------------------------------------------------------------------------------------ files


def write(lab: Lab, kind: str, folder: Path) -> str:
    """The picture that is looked at as a file of one of the kinds in `SUFFIXES`; its path."""
    about = lab.seen.about
    path = folder / f"{slug(lab.node.name, 'picture')}-{about.origin}-seed-{about.seed}{SUFFIXES[kind]}"
    if kind == "trace":
        lab.trace.save(path)
    else:
        render.write(lab.trace, kind, path)
    return str(path)


def thumbnails(paths: Sequence[Path]) -> list[Image.Image]:
    """The last picture of each trace file."""
    return [Image.fromarray(Trace.load(path).pictures[-1].numpy()) for path in paths]
