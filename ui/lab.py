"""What lies on the Explore tab: pictures that grew out of one another, and what the page is told. No widgets."""

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from var_core import viz
from var_core.atlas import Atlas, path_for
from var_core.config import ModelSpec
from var_core.edit import shifted
from var_core.memory import Memory
from var_core.pipeline import Pipeline, Request
from var_core.plan import Plan
from var_core.sampling import Sampling
from var_core.trace import Marks, Trace

from . import controls, runs
from .desk import Done
from .runs import Brake

TRACES = Path(__file__).resolve().parent.parent / "assets" / "traces"
MOST_NODES = 40
MOST_BYTES = 400_000_000  # of all traces of a visitor together
LOSSLESS_SIDE = 256  # larger pictures go to the page as JPEG
FILES = ("gif", "mp4", "sheet", "trace")
SUFFIXES = {"gif": ".gif", "mp4": ".mp4", "sheet": ".png", "trace": ".safetensors"}

_serial = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Node:
    """A picture on the tab, and which one it grew out of (None: of none)."""

    number: int
    parent: int | None
    title: str
    trace: Trace
    photo: Marks | None = None  # those that a photo under it has given; None: there is none

    @property
    def size(self) -> int:
        """Bytes of its largest parts."""
        trace = self.trace
        return sum(part.nbytes for part in (trace.queries, trace.keys, trace.pictures, trace.likeliest, trace.shares))


@dataclass(frozen=True, eq=False)
class Lab:
    """All pictures of a visitor, the one that is looked at, and what was mixed last.

    `memory` and `brake` are the visitor's own: what the last run read, and what ends the run under way.
    """

    nodes: tuple[Node, ...] = ()
    current: int = 0
    locked: frozenset[int] = frozenset()  # scales whose tokens stay
    mixed: tuple[tuple[str, Request], ...] = ()
    memory: Memory = field(default_factory=Memory)
    brake: Brake = field(default_factory=Brake)

    @property
    def node(self) -> Node:
        """The one that is looked at; ValueError if there is none."""
        for node in self.nodes:
            if node.number == self.current:
                return node
        raise ValueError("There is no picture yet: draw one, open one, or choose an example.")

    @property
    def pinned(self) -> Marks:
        """The tokens that no act draws anew: those of a photo, and those of locked scales."""
        node = self.node
        locked = node.trace.of_scales(self.locked)
        return locked if node.photo is None else locked | node.photo

    def at(self, number: int) -> "Lab":
        """Looking at another one; ValueError if it is not there any more."""
        if all(node.number != number for node in self.nodes):
            raise ValueError("That picture is no longer here: only the latest ones are kept.")
        return replace(self, current=number)

    def grown(self, title: str, trace: Trace, parent: int | None = None) -> "Lab":
        """With one more picture, which is looked at then; `parent`: the number of the one that it grew out of."""
        photo = next((node.photo for node in self.nodes if node.number == parent), None)
        if parent is None and trace.about.origin == "edited":
            photo = trace.keep
        node = Node(next(_serial), parent, title, trace, photo)
        return replace(self, nodes=_fitting((*self.nodes, node)), current=node.number)

    def turned(self, title: str, trace: Trace) -> "Lab":
        """With another draw of the same, in the place of the last one where that too was only a turn of a knob."""
        now = self.node
        if now.title.startswith(TURNED) and all(node.parent != now.number for node in self.nodes):
            kept = tuple(node for node in self.nodes if node is not now)
            return replace(self, nodes=kept).grown(title, trace, now.parent)
        return self.grown(title, trace, now.number)


TURNED = "drawn with "


def _fitting(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The latest nodes that fit; children of one that goes are handed to its parent. The last one always stays."""
    kept = list(nodes)
    while len(kept) > 1 and (len(kept) > MOST_NODES or sum(node.size for node in kept) > MOST_BYTES):
        gone = kept.pop(0)
        kept = [replace(node, parent=gone.parent) if node.parent == gone.number else node for node in kept]
    return tuple(kept)


def shipped() -> list[Path]:
    """Traces that come with the app."""
    return sorted(TRACES.glob("*.safetensors"))


def atlas_of(pipe: Pipeline) -> Atlas | None:
    """What the codes of a model stand for, if such a file lies beside its own; ValueError if it is damaged."""
    path = path_for(pipe.path) if pipe.path else None
    return Atlas.load(path) if path and path.is_file() else None


def live(pipe: Pipeline, trace: Trace) -> bool:
    """Whether the model that made a trace is the one that is loaded."""
    return trace.about.digest == pipe.digest


def alive(pipe: Pipeline, lab: Lab) -> Trace:
    """The trace that is looked at; ValueError unless its model is loaded."""
    trace = lab.node.trace
    if not live(pipe, trace):
        raise ValueError(
            f"This trace was made by {trace.about.model} ({trace.about.digest}); {pipe.spec.name} is loaded. "
            "It can be looked at; to change it, start the app with that model."
        )
    return trace


def of_edit(done: Done, place: int) -> Request:
    """The request whose tokens are those of the last square of an edit's result."""
    square, request, one = done.squares[-1], done.requests[place], slice(place, place + 1)
    plan = Plan([tokens[one].cpu() for tokens in square.tokens], [keep[one].cpu() for keep in square.keep])
    return replace(request, seeds=shifted(request.seeds, square.turn), plan=plan)


def turned_title(sampling: Sampling) -> str:
    """What a turn of a knob is called."""
    smooth = ", smooth" if sampling.smooth else ""
    return f"{TURNED}guidance {sampling.guidance:g}, temperature {sampling.temperature:g}{smooth}"


# ------------------------------------------------------------------------------------------------ told to the page


def hello(spec: ModelSpec) -> dict:
    """What the page knows before anything is looked at."""
    return {"kind": "hello", "classes": controls.classes(spec, None)}


def told(pipe: Pipeline, lab: Lab) -> dict:
    """All that the page shows of the picture that is looked at; tensors as base64 of little-endian numbers."""
    node = lab.node
    trace, about = node.trace, node.trace.about
    return _message(
        "trace",
        node=node.number,
        title=about.class_name if about.origin == "drawn" else f"{about.class_name}, {about.origin}",
        origin=about.origin,
        facts=facts(trace),
        live=live(pipe, trace),
        model=about.model,
        guided=about.label != about.null_label,
        sides=about.sides,
        locked=sorted(lab.locked),
        tokens=_packed(trace.tokens, "<i4"),
        keep=_packed(trace.keep, "u1"),
        rank=_packed(trace.rank, "<i4"),
        unguided=_packed(trace.unguided, "<i4"),
        likeliest=_packed(trace.likeliest, "<i4"),
        shares=_packed(trace.shares, "<f4"),
        probability=_packed(trace.probability, "<f4"),
        entropy=_packed(trace.entropy, "<f4"),
        divergence=_packed(trace.divergence, "<f4"),
        colours=_packed(trace.colours, "u1"),
        pictures=[address(picture.numpy()) for picture in trace.pictures],
        seconds=trace.seconds.tolist(),
        operations=trace.operations.tolist(),
        cacheBytes=trace.cache_bytes.tolist(),
        nearness=[None if value == float("inf") else value for value in trace.nearness()],
        depth=trace.queries.shape[0],
        heads=trace.queries.shape[1],
        masses=_packed(trace.masses() * 65535, "<u2"),
        tree=[{"n": each.number, "parent": each.parent, "title": each.title} for each in lab.nodes],
    )


def told_token(
    lab: Lab, atlas: Atlas | None, scale: int, place: int, later: str, pictures: Sequence[np.ndarray] | None, more: bool
) -> dict:
    """Where a token of the picture looks, and what else its code stands for.

    `pictures`, uint8 (S, S, 3) each, are what would become of the picture with its likeliest alternatives; None: not
    known. `more` says whether others follow.
    """
    node = lab.node
    trace = node.trace
    check_place(trace, scale, place)
    where = trace.schedule.spans[scale].start + place
    code = int(trace.tokens[where])
    known = atlas if atlas is not None and atlas.codebook == trace.about.codebook else None
    patches = known is not None and int(known.count[code]) > 0
    return _message(
        "token",
        node=node.number,
        scale=scale,
        place=place,
        later=later,
        more=more,
        attention=_packed(trace.attention(where) * 65535, "<u2"),
        patches=address(np.asarray(known.strip(code))) if patches else None,
        uses=int(known.uses[code]) if known is not None else None,
        pictures=None if pictures is None else [address(picture) for picture in pictures],
    )


def told_mix(lab: Lab, name: str, pictures: np.ndarray) -> dict:
    """The pictures of a mix, uint8 (K + 1, S, S, 3), one for each cut."""
    return _message("mix", node=lab.current, name=name, pictures=[address(picture) for picture in pictures])


def idle() -> dict:
    """Nothing came of what was asked."""
    return _message("idle")


def check_place(trace: Trace, scale: object, place: object) -> None:
    """ValueError unless a scale and a place in it are there."""
    lengths = trace.schedule.lengths
    if type(scale) is not int or not 0 <= scale < len(lengths):
        raise ValueError(f"scale {scale}: choose 0 to {len(lengths) - 1}.")
    if type(place) is not int or not 0 <= place < lengths[scale]:
        raise ValueError(f"place {place}: scale {scale} has 0 to {lengths[scale] - 1}.")


def facts(trace: Trace) -> list[str]:
    """Short lines that say what the picture is and how it was made."""
    about = trace.about
    sampling = about.sampling
    lines = [f"class {about.class_name}", f"model {about.model}"]
    if about.origin != "opened":
        lines.append(f"seed {about.seed}")
    lines += [f"guidance {sampling.guidance:g}", f"temperature {sampling.temperature:g}"]
    given = int(trace.keep.sum())
    return [*lines, f"{given} of {len(trace.keep)} tokens given"] if given else lines


def address(pixels: np.ndarray) -> str:
    """A picture uint8 (h, w, 3) as an address that holds it."""
    return runs.data_uri(Image.fromarray(pixels), lossless=max(pixels.shape) <= LOSSLESS_SIDE)


def _message(kind: str, **values: object) -> dict:
    """Numbered, so that no two are equal: the page is told of changes only."""
    return {"kind": kind, "serial": next(_serial), **values}


def _packed(tensor, kind: str) -> str:
    return base64.b64encode(tensor.numpy().astype(kind).tobytes()).decode()


# ------------------------------------------------------------------------------------------------ files


def write(lab: Lab, kind: str, folder: Path) -> str:
    """The picture as a file of one of the `FILES` kinds; its path."""
    trace = lab.node.trace
    about = trace.about
    words = "".join(letter if letter.isalnum() else "-" for letter in about.class_name.lower())
    path = folder / f"{words}-{about.origin}-seed-{about.seed}{SUFFIXES[kind]}"
    if kind == "gif":
        viz.write_gif(trace, path)
    elif kind == "mp4":
        viz.write_mp4(trace, path)
    elif kind == "sheet":
        viz.contact_sheet(trace).save(path)
    else:
        trace.save(path)
    return str(path)


def thumbnails(paths: Sequence[Path]) -> list[Image.Image]:
    """The last picture of each trace file."""
    return [Image.fromarray(Trace.load(path).pictures[-1].numpy()) for path in paths]
