"""Memory: how much of it is free, how much pictures need while they are drawn, and how many may be drawn at once."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch

from .config import ModelSpec, TransformerConfig

FILLED = 0.9  # of what is free, so much may be planned with: other programs move, too
# What a number of the largest scale costs, in float32 numbers, as measured on a CPU; heaps waste a fifth of it.
WORK = 28  # each of a token's `width` features, in a block: modulated, queries, keys, values, feed-forward, residuals
DRAW = 9  # each of its logits: filters and distributions beside each other
SMOOTH = 14  # the same in smooth mode, with noise for every code


class Group(NamedTuple):
    """Names of the files in which a cgroup tells its limit, what is used of it, and what of that gives way."""

    folder: str
    limit: str
    used: str
    files: tuple[str, ...]


CGROUPS = {
    "": Group("", "memory.max", "memory.current", ("active_file", "inactive_file")),  # version 2
    "memory": Group(
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
}


def picture_bytes(
    spec: ModelSpec, lengths: Sequence[int], branches: int = 2, smooth: bool = False, number: int = 4, context: int = 0
) -> int:
    """Return the bytes that each picture of a pass adds while its largest scale is drawn, besides weights.

    It counts keys and values of all scales, of `lengths` tokens each, and of `context` more, in numbers of `number`
    bytes, for one or two `branches` of guidance; and what a block, or the draw, works with. On a CPU, for passes of 4
    pictures or more by models of 256 and 512 pixels, what was measured lay between 0.86 and 1.04 of it; a single
    picture needs less.
    """
    sizes, largest = spec.transformer, max(lengths)
    cache = kept_bytes(sizes, branches, sum(lengths) + context, number)
    block = 4 * WORK * branches * largest * sizes.width
    draw = 4 * (SMOOTH if smooth else DRAW) * largest * sizes.vocabulary
    return cache + max(block, draw)


def kept_bytes(sizes: TransformerConfig, branches: int, tokens: int, number: int) -> int:
    """Keys and values of so many tokens, in numbers of `number` bytes."""
    return number * 2 * branches * sizes.depth * tokens * sizes.width


def decoder_bytes(spec: ModelSpec) -> int:
    """Return the bytes that decoding needs besides weights, which is done for one picture at a time."""
    sizes = spec.tokenizer
    enlarging = 4 * 8 * (sizes.enlarge_channels // 2) * sizes.image_side**2 + 4 * 3 * 4 * sizes.drawn_side**2
    return 4 * 8 * sizes.channels * sizes.image_side**2 + (enlarging if sizes.enlarge > 1 else 0)


def fitting(each: int, free: int | None) -> int:
    """Return how many pictures of so many bytes each fit into what is free; at least 1. None: no limit is known."""
    return 10**9 if free is None else max(1, int(FILLED * free) // each)


def is_shortage(error: Exception) -> bool:
    """Say whether an error is that of somebody who was refused memory, on a CPU or a GPU."""
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or "can't allocate memory" in str(error)


def portions(count: int, most: int) -> list[slice]:
    """`count` pictures in as few parts of at most `most` as can be, and these of like sizes."""
    size = -(-count // -(-count // most))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


# ------------------------------------------------------------------------------------------------ what is free


def free_memory(device: str) -> int | None:
    """Bytes that this program can still have on "cpu", "mps" or "cuda"; None where the system does not tell."""
    if device == "cuda":
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # what torch has, and can use again
        return torch.cuda.mem_get_info()[0] + kept
    told = (machine_memory(), container_memory())
    return min((found for found in told if found is not None), default=None)


def machine_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that the whole machine still has; where only its size is known, that."""
    with suppress(OSError, ValueError, IndexError):  # Linux: what is cached can be had, too
        lines = meminfo.read_text(encoding="ascii").splitlines()
        return 1024 * int(next((line for line in lines if line.startswith("MemAvailable:")), "").split()[1])
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def container_memory(member: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that the cgroups of this process still allow it, as a container limits them; None without a limit.

    `member` lists the groups of a process, which lie under `root`, of version 1 or 2; those above count as well.
    """
    left = []
    for controllers, path in _groups(member):
        for kind in set(controllers.split(",")) & CGROUPS.keys():
            group = CGROUPS[kind]
            top = root / group.folder
            folder = top / path.lstrip("/")
            within = [above for above in (folder, *folder.parents) if above == top or top in above.parents]
            left += [found for above in within if (found := _left(above, group)) is not None]
    return min(left, default=None)


def _groups(member: Path) -> Iterator[tuple[str, str]]:
    """The controllers of each hierarchy, with commas, and the place of the process in it; version 2 names none."""
    with suppress(OSError, ValueError):
        for line in member.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            yield controllers, path


def _left(folder: Path, group: Group) -> int | None:
    """Bytes that one group still allows; None if it sets no limit, or is not there."""
    try:
        most, now = ((folder / name).read_text(encoding="ascii").strip() for name in (group.limit, group.used))
        if most == "max":
            return None
        counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, int(most) - int(now) + sum(int(counts.get(name, 0)) for name in group.files))
    except (OSError, ValueError):
        return None
