"""Seeds as people read and write them: "5", or "5, 9 from scale 4" where the finer scales go on with another one.

The same seed draws the same tokens. So a picture that begins with another one's seed, and goes on with a seed of its
own, has the other one's coarse scales, and fine ones of its own: it is like it.
"""

import re
from collections.abc import Sequence

from ..settings import parse_int
from .request import Seed

LATER = re.compile(r"\s*(\S+)\s+from\s+scale\s+(\d{1,3})\s*", re.IGNORECASE)
SeedParts = tuple[tuple[int, int], ...]  # (first scale, counted from 0, its seed), in order; the first scale is 0


def parts_of(seed: Seed) -> SeedParts:
    """Return the scales at which a picture's seed changes, each with the seed from there on."""
    if not isinstance(seed, tuple):
        return ((0, seed),)
    return tuple((scale, one) for scale, one in enumerate(seed) if not scale or one != seed[scale - 1])


def from_parts(parts: Sequence[tuple[int, int]], scales: int) -> Seed:
    """Return the seed of these parts for a picture of so many scales.

    ValueError unless the parts begin at scale 0, rise, and end within the picture.
    """
    firsts = [scale for scale, _ in parts]
    if not firsts or firsts[0] != 0 or firsts != sorted(set(firsts)) or firsts[-1] >= scales:
        told = ", ".join(str(scale + 1) for scale in firsts)
        raise ValueError(f"seeds from scales {told}: begin at scale 1, and go on upwards to {scales} at most.")
    if len({seed for _, seed in parts}) == 1:
        return parts[0][1]
    ends = [*firsts[1:], scales]
    return tuple(seed for (first, seed), end in zip(parts, ends, strict=True) for _ in range(first, end))


def seed_text(seed: Seed) -> str:
    """Return a seed as text, its scales counted from 1: "5", or "5, 9 from scale 4"."""
    return ", ".join(f"{one} from scale {scale + 1}" if scale else str(one) for scale, one in parts_of(seed))


def read_seed(text: object, scales: int) -> Seed:
    """Read what `seed_text` wrote, for a picture of so many scales; a number is taken too.

    ValueError, with what to write, if it is anything else.
    """
    first, *later = text.split(",") if isinstance(text, str) else (text,)
    parts = [(0, parse_int("seed", first))]
    for words in later:
        found = LATER.fullmatch(str(words))
        if found is None:
            raise ValueError(f"seed '{text}': write a whole number, or two as in '5, 9 from scale 4'.")
        parts.append((int(found[2]) - 1, parse_int("seed", found[1])))
    return from_parts(parts, scales)


def last_seed(seed: Seed) -> int:
    """Return the number that the last scale of a picture is drawn with."""
    return seed[-1] if isinstance(seed, tuple) else seed


def counted_on(seed: Seed, number: int) -> Seed:
    """Return the seed of a later picture of the same request: that of the finest scales has grown by a number."""
    if not isinstance(seed, tuple):
        return seed + number
    first, last = parts_of(seed)[-1]
    return (*seed[:first], *[last + number] * (len(seed) - first))


def branched(seed: Seed, scale: int, other: int, scales: int) -> Seed:
    """Return the seed of a picture that has the scales before `scale` of another one, and goes on with `other`.

    0 keeps nothing of it, `scales` all. ValueError for a scale that is not there.
    """
    if not 0 <= scale <= scales:
        raise ValueError(f"kept scales {scale}: choose 0 (none) to {scales} (all).")
    kept = [part for part in parts_of(seed) if part[0] < scale]
    return from_parts([*kept, (scale, other)] if scale < scales else kept, scales)
