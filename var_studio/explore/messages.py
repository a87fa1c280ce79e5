"""Messages to the page of the Explore tab, and from it. No widgets."""

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.images import tiled
from var_core.inspection.atlas import Atlas
from var_core.inspection.changes import Later
from var_core.inspection.trace import Spot, Trace

from ..shared import controls, html
from .session import ExploreSession, is_live

ATTENTION_UNIT = 65535  # what 1 is in the attention that the page is sent
SMALL = 192  # pixels along a side, at most, of pictures that the page shows small
CELLS = 5  # of a fine map, around the chosen one, that the pictures of its alternatives show
PageMessage = dict[str, object]
LATER: tuple[Later, ...] = ("free", "keep")

_serial = itertools.count(1)


class HasNumbers(Protocol):
    """A tensor on the CPU."""

    def numpy(self) -> np.ndarray: ...


def message_int(message: Mapping[str, object], name: str) -> int:
    """A whole number that the page has sent; ValueError if it is something else."""
    value = message.get(name)
    if type(value) is not int:
        raise ValueError(f"The page sent {name} '{value}', which is no whole number: reload it.")
    return value


def later_in(message: Mapping[str, object]) -> Later:
    """Return what the page wants to happen to later scales; ValueError if it has sent something else."""
    for known in LATER:
        if message.get("later") == known:
            return known
    raise ValueError(
        f"The page sent later '{message.get('later')}', which is neither of {' and '.join(LATER)}: reload it."
    )


def spot_of(trace: Trace, message: Mapping[str, object]) -> Spot:
    """The token that the page means; ValueError if it is not there."""
    spot = Spot(message_int(message, "scale"), message_int(message, "index"))
    spot.within(trace)
    return spot


def whereabouts(trace: Trace, spot: Spot) -> str:
    """Say where a token is, as people count."""
    side = trace.about.sides[spot.scale]
    return f"scale {spot.scale + 1}, row {spot.index // side + 1}, column {spot.index % side + 1}"


def hello_message(pipe: Pipeline) -> PageMessage:
    """Tell the page of the model that is loaded."""
    return {"kind": "hello", "classes": controls.class_names(pipe.spec, None), "digest": pipe.digest}


def trace_message(pipe: Pipeline, session: ExploreSession) -> PageMessage:
    """Tell all that the page shows of the picture that is looked at; tensors as base64 of little-endian numbers."""
    branch, trace = session.branch, session.seen
    about = trace.about
    numbers = {name: _packed(getattr(trace, name), "<i4") for name in ("tokens", "rank", "unguided", "likeliest")}
    reals = {
        name: _packed(getattr(trace, name), "<f4") for name in ("probability", "entropy", "divergence", "evidence")
    }
    return _message(
        "trace",
        **numbers,
        **reals,
        likeliestProbability=_packed(trace.likeliest_probability, "<f4"),
        node=branch.number,
        name=branch.name,
        turned=branch.turned,
        origin=about.origin,
        facts=[fact for fact in facts(trace) if fact != f"class {branch.name}"],
        live=is_live(pipe, trace),
        digest=about.digest,
        model=about.model,
        guided=about.label != about.null_label,
        sides=about.sides,
        locked=sorted(session.locked),
        keep=_packed(trace.keep, "u1"),
        colours=_packed(trace.colours, "u1"),
        pictures=[data_url(picture.numpy()) for picture in trace.pictures],
        seconds=trace.seconds.tolist(),
        flops=trace.flops.tolist(),
        cacheBytes=trace.cache_bytes.tolist(),
        nearness=[None if value == float("inf") else value for value in trace.nearness],
        depth=trace.queries.shape[0],
        heads=trace.queries.shape[1],
        masses=_packed((trace.masses * ATTENTION_UNIT).round(), "<u2"),
        tree=[{"n": each.number, "parent": each.parent, "title": each.title} for each in session.branches],
    )


@dataclass(frozen=True, eq=False)
class TokenQuestion:
    """A token that the page asks about."""

    session: ExploreSession
    spot: Spot

    def answer(self, atlas: Atlas | None, more: bool) -> PageMessage:
        """Tell where the token looks, what else its code stands for, and whether there is `more` to ask: `options`."""
        trace = self.session.seen
        code = int(trace.tokens[self.spot.within(trace)])
        ours = trace.about.codebook, len(trace.colours)
        known = atlas if atlas is not None and (atlas.codebook, len(atlas.uses)) == ours else None
        patches = known.patches[code][: int(known.count[code])] if known is not None else np.empty(0)
        return self._message(
            "token",
            more=more,
            attention=_packed((trace.attention(self.spot) * ATTENTION_UNIT).round(), "<u2"),
            patches=data_url(_side_by_side(patches)) if len(patches) else None,
            uses=int(known.uses[code]) if known is not None else None,
        )

    def options(self, later: Later, pictures: Sequence[np.ndarray], more: bool) -> PageMessage:
        """Tell what the picture, uint8 (D, D, 3), becomes with each of the token's likeliest alternatives.

        There are as many as are known; `more` says whether others follow. `later` is what happens to later scales.
        """
        side = self.session.seen.about.sides[self.spot.scale]
        shown = [data_url(close_up(picture, side, self.spot.index)) for picture in pictures]
        return self._message("options", later=later, more=more, pictures=shown)

    def _message(self, kind: str, **values: object) -> PageMessage:
        return _message(kind, node=self.session.current, scale=self.spot.scale, index=self.spot.index, **values)


def mix_message(session: ExploreSession, name: str, pictures: Sequence[np.ndarray], more: bool) -> PageMessage:
    """Tell the pictures of a mix, uint8 (D, D, 3), one for each cut, as many as are known; whether `more` follow."""
    shown = [data_url(small(picture)) for picture in pictures]
    return _message("mix", node=session.current, name=name, more=more, pictures=shown)


def locked_message(session: ExploreSession) -> PageMessage:
    """Tell which scales are locked."""
    return _message("locked", scales=sorted(session.locked))


def idle_message() -> PageMessage:
    """Tell that nothing came of what was asked."""
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
    lines += about.sampling.describe()
    return [*lines, f"{given} of {len(trace.keep)} tokens kept"] if given else lines


def _runs_of(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The scales at which the seed changes, with the seed from there on."""
    for scale, seed in enumerate(seeds):
        if not scale or seed != seeds[scale - 1]:
            yield scale, seed


def close_up(picture: np.ndarray, side: int, index: int) -> np.ndarray:
    """The part of a picture uint8 (D, D, 3) around a cell of a map of some side, small: `CELLS` cells wide.

    All of the picture where the map has no more cells than that; at its edge the part has the cell off its middle.
    """
    width = len(picture) * min(1.0, CELLS / side)
    left, top = ((at + 0.5) / side * (len(picture) - width) for at in (index % side, index // side))
    size = min(SMALL, round(width))
    box = (left, top, left + width, top + width)
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, box))


def small(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 (D, D, 3), averaged down to `SMALL` pixels a side where it has more."""
    return np.asarray(html.shrunk(Image.fromarray(picture), SMALL))


def data_url(pixels: np.ndarray) -> str:
    """A picture uint8 (h, w, 3) as an address that holds it."""
    return html.data_uri(Image.fromarray(pixels))


def _side_by_side(patches: np.ndarray) -> np.ndarray:
    """Patches uint8 (n, s, s, 3) in a row, apart from each other: uint8 (s, w, 3)."""
    return np.asarray(tiled([Image.fromarray(patch) for patch in patches], len(patches)))


def _message(kind: str, **values: object) -> PageMessage:
    """Number a message, so that no two are equal: the page is told of changes only."""
    return {"kind": kind, "serial": next(_serial), **values}


def _packed(tensor: HasNumbers, kind: str) -> str:
    return base64.b64encode(tensor.numpy().astype(kind).tobytes()).decode()
