"""All that can be seen of how one picture came about, as a value and as a file that opens without the model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..config import ModelSpec, Sampling
from ..engine.plan import Plan
from ..engine.request import Request
from ..files import header_bytes, replacing
from ..formats import FORMAT, FORMAT_KEY, sampling_of_format, split_format
from ..schedule import Schedule
from ..schema import Fields, entry, exact, parse_fields

KEY = "var-studio-trace"  # of the JSON text in a file's metadata
RENAMED = {"seeds": "scale_seeds", "operations": "flops", "shares": "likeliest_probability"}  # format 1 -> 2
LIKELIEST = 10  # tokens remembered at each position
UNKNOWN = -1  # no token: nothing was drawn here
ORIGINS = ("drawn", "edited", "opened")

# What a file may hold: the largest published model (36 blocks and heads, 2240 tokens in 10 scales), and somewhat more.
MOST = {
    "tokens": 3000,
    "scales": 24,
    "blocks": 64,
    "heads": 64,
    "numbers in a token's query": 8192,
    "codes": 65536,
    "pixels along a picture's side": 1024,
}
MOST_BYTES = 800_000_000
MOST_CELLS = 64  # along one side of its finest scale
MOST_LETTERS, MOST_TEXT = 200, 50_000  # of each text, and of the JSON that holds them
MOST_HEADER = 200_000  # bytes of a file's list of tensors, with that text
MOST_PRODUCTS = 40 * 10**9  # for the means of attention; d30 needs 33 thousand million, d36 500
AT_ONCE = 2**21  # numbers, while these means are made
SOFTMAX = 64  # products that take as long as one exponential and its sums

ShortText = Annotated[str, Meta(max_length=MOST_LETTERS)]
Marks = Tensor  # bool (L,): which of a trace's tokens


@dataclass(frozen=True)
class About:
    """Description of what a trace is of.

    `origin` is "drawn" (from nothing), "edited" or "opened" (a picture that was given).
    """

    model: ShortText
    digest: ShortText
    codebook: ShortText  # its `codebook_hash`: equal where tokens mean the same
    sides: Annotated[tuple[Annotated[int, Meta(ge=1, le=MOST_CELLS)], ...], Meta(min_length=1)]
    label: int
    class_name: ShortText
    null_label: int
    scale_seeds: tuple[Annotated[int, Meta(ge=0, le=2**63 - 1)], ...]  # one for each of the K scales
    sampling: Sampling
    origin: str = "drawn"
    device: ShortText = "cpu"

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.sides)

    @property
    def seed(self) -> int:
        """The seed of the last scale."""
        return self.scale_seeds[-1]


@dataclass(frozen=True)
class Spot:
    """Place of a token in a pyramid: a scale (0 to K - 1), and an index in it (0 to L_k - 1), row by row."""

    scale: int
    index: int

    def within(self, trace: Trace) -> int:
        """Return the position in the sequence of a trace's L tokens; ValueError if there is none such."""
        lengths = trace.schedule.lengths
        if type(self.scale) is not int or not 0 <= self.scale < len(lengths):
            raise ValueError(f"scale {self.scale}: choose 0 to {len(lengths) - 1}.")
        if type(self.index) is not int or not 0 <= self.index < lengths[self.scale]:
            raise ValueError(f"index {self.index}: scale {self.scale} has 0 to {lengths[self.scale] - 1}.")
        return trace.schedule.spans[self.scale].start + self.index


@dataclass(frozen=True, eq=False)
class Trace:
    """A picture's pyramid of L tokens in K scales, all scales one after another, and what the model thought of each.

    Distributions are those over the V codes after guidance and temperature, before top-k and top-p: what the model
    holds likely, also where a token was given and not drawn.
    """

    about: About
    tokens: Tensor  # (L,) int32
    keep: Tensor  # (L,) bool: given, not drawn
    probability: Tensor  # (L,) float32: of the token
    entropy: Tensor  # (L,) float32: of its distribution, nats
    rank: Tensor  # (L,) int32: 1 = the likeliest
    divergence: Tensor  # (L,) float32: KL of the conditional to the unconditional distribution, nats; 0 without a class
    evidence: (
        Tensor  # (L,) float32: nats that the class adds to the token's log-probability; 0 in earlier versions' files
    )
    unguided: Tensor  # (L,) int32: what the same seeds would have drawn without guidance; UNKNOWN where given
    likeliest: Tensor  # (L, LIKELIEST) int32, falling
    likeliest_probability: Tensor  # (L, LIKELIEST) float32
    queries: Tensor  # (depth, H, L, D/H) float16, scaled; of the conditional branch
    keys: Tensor  # the same shape
    pictures: Tensor  # (K, D, D, 3) uint8: decoded after each scale
    seconds: Tensor  # (K,) float32: time that each scale took, 0 where it was remembered
    flops: Tensor  # (K,) int64: floating-point operations of the transformer, both branches
    cache_bytes: Tensor  # (K,) int64: keys and values up to and with this scale, both branches
    colours: Tensor  # (V, 3) uint8: one colour for each code, near for near codes

    @property
    def schedule(self) -> Schedule:
        return self.about.schedule

    def pyramid(self) -> list[Tensor]:
        """K maps of tokens, int64 (1, L_k)."""
        return self.schedule.split(self.tokens.long()[None])

    def plan(self) -> Plan:
        """The plan that gives what was given."""
        return Plan(self.pyramid(), self.schedule.split(self.keep[None]))

    def request(self) -> Request:
        """Return the request that makes this picture again, unless a masked path drew it."""
        return Request((self.about.label,), (self.about.scale_seeds,), self.about.sampling, self.plan())

    def of_scales(self, scales: Collection[int]) -> Marks:
        """Marks on all tokens of some scales."""
        return torch.isin(self.schedule.levels(), torch.tensor(sorted(scales), dtype=torch.int64))

    def attention(self, spot: Spot) -> Tensor:
        """Return the attention of the token at a spot to all others: float32 (depth, H, L); each row sums to 1.

        Nothing on later scales (the block-causal mask). ValueError if there is no such spot.
        """
        position, end = spot.within(self), self.schedule.spans[spot.scale].stop
        found = torch.zeros(self.queries.shape[:3])
        for seen, queries, keys in zip(found, self.queries, self.keys, strict=True):  # block by block, to save memory
            seen[:, :end] = _mean_attention(queries[:, position, None], keys[:, :end])
        return found

    @cached_property
    def masses(self) -> Tensor:
        """Attention from scale to scale: float32 (depth, H, K, K), the mean over the row's tokens; rows sum to 1.

        Where all tokens would take more than `MOST_PRODUCTS`, the mean is over some of them, chosen at random.
        """
        queries, keys = self.queries.flatten(0, 1), self.keys.flatten(0, 1)  # (depth * H, L, D/H)
        levels, scales = self.schedule.levels(), len(self.schedule)
        found = torch.zeros(len(keys), scales, scales)
        for scale, (asked, span) in enumerate(zip(self._asked(), self.schedule.spans, strict=True)):
            few = max(1, AT_ONCE // (span.stop * max(len(asked), keys.shape[-1])))  # heads
            for start in range(0, len(keys), few):
                some = slice(start, start + few)
                seen = _mean_attention(queries[some, asked], keys[some, : span.stop])  # (few, span.stop)
                found[some, scale] = found[some, scale].index_add(1, levels[: span.stop], seen)
        return found.unflatten(0, self.queries.shape[:2])

    def _asked(self) -> list[Tensor]:
        """Positions of the tokens of each scale that `masses` looks at: all where that is not too much."""
        depth, heads, _, width = self.queries.shape
        spans = self.schedule.spans
        each = [depth * heads * span.stop * (width + SOFTMAX) for span in spans]  # products for one token
        wanted = [cost * (span.stop - span.start) for cost, span in zip(each, spans, strict=True)]
        rng = torch.Generator().manual_seed(0)
        found = []
        for cost, products, span in zip(each, _divided(wanted, MOST_PRODUCTS), spans, strict=True):
            shuffled = torch.randperm(span.stop - span.start, generator=rng)
            found.append(span.start + shuffled[: max(1, products // cost)].sort().values)
        return found

    @cached_property
    def nearness(self) -> list[float]:
        """PSNR in dB of each scale's picture to the last one, infinite for the last."""
        last = self.pictures[-1].double()
        errors = [(picture.double() - last).square().mean().item() for picture in self.pictures]
        return [float("inf") if error == 0 else 10 * float(np.log10(255**2 / error)) for error in errors]

    def save(self, path: Path) -> None:
        """Write it to a safetensors file, with `about` as JSON in its metadata; ValueError if it is too large."""
        _check_size(self, Path(path).name)
        tensors = {key: tensor.contiguous() for key, tensor in self.tensors().items()}
        with replacing(Path(path)) as part:
            save_file(tensors, part, metadata={KEY: json.dumps({FORMAT_KEY: FORMAT, **asdict(self.about)})})

    def tensors(self) -> dict[str, Tensor]:
        """All of it but `about`, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "about"}

    @classmethod
    def load(cls, path: Path) -> Trace:
        """The inverse of `save`, bit by bit; ValueError, with the reason, if the file is no trace or does not fit."""
        name = Path(path).name
        try:
            _check_bytes(name, Path(path).stat().st_size)
            if header_bytes(path) > MOST_HEADER:
                raise SafetensorError("a long list of tensors")
            with safe_open(path, "pt") as file:
                text = (file.metadata() or {}).get(KEY)
                if text is None:
                    raise ValueError(f"{name} holds no trace: choose a file that Explore has saved.")
                known = {field.name for field in fields(cls)} | RENAMED.keys()
                if not known.issuperset(file.keys()):
                    raise ValueError(f"{name} is damaged, or was saved by another version.")
                # copies, since what safetensors gives is the file itself: if that is cut, the process dies
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such file.") from error
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{name} is not a trace: choose a .safetensors file that Explore has saved.") from error
        try:
            values = upgrade({**parse_fields(text, MOST_TEXT), "tensors": tensors})
            drawn = entry(values, "tensors", dict)
            del values["tensors"]
            trace = cls(**drawn, about=_about(values))
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(f"{name} is damaged, or was saved by another version.") from error
        _check(trace, name)
        return trace


def has_sizes_of(trace: Trace, spec: ModelSpec) -> bool:
    """Say whether a trace has the scales, classes and codes of a model."""
    ours = spec.transformer.sides, spec.transformer.null_label, spec.transformer.vocabulary
    return ours == (trace.about.sides, trace.about.null_label, len(trace.colours))


def _mean_attention(queries: Tensor, keys: Tensor) -> Tensor:
    """Return how much n queries look at m keys in the mean; float16 (b, n, D/H) and (b, m, D/H) -> float32 (b, m)."""
    return (queries.float() @ keys.float().transpose(1, 2)).softmax(-1).mean(1)


def _divided(wanted: list[int], most: int) -> list[int]:
    """Divide `most`: each gets all that it wants if that is little, else what the others who want much get too."""
    parts: dict[int, int] = {}
    left = most
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        parts[index] = min(wanted[index], left // (len(wanted) - done))
        left -= parts[index]
    return [parts[index] for index in range(len(wanted))]


def upgrade(values: Mapping[str, object]) -> Fields:
    """Return what a trace's file holds as it is called today, from values of this or any earlier format.

    The values are those of its `About`, and its "tensors" by name. ValueError if a later version of this program wrote
    them.
    """
    version, told = split_format("This trace", values)
    if version == 1:
        told = {RENAMED.get(name, name): value for name, value in told.items()}
        told["tensors"] = {RENAMED.get(name, name): one for name, one in entry(told, "tensors", dict).items()}
    told["sampling"] = sampling_of_format(version, entry(told, "sampling", dict))
    tensors = entry(told, "tensors", dict)
    if version < 3 and "entropy" in tensors:
        told["tensors"] = {"evidence": torch.zeros_like(tensors["entropy"]), **tensors}
    return told


def _about(values: Fields) -> About:
    """Make an `About` of values from JSON; TypeError or ValueError if it is something else."""
    about = exact(About, values)
    if about.sides[0] != 1 or not all(a < b for a, b in itertools.pairwise(about.sides)):
        raise ValueError("sides")
    if len(about.scale_seeds) != len(about.sides):
        raise ValueError("scale_seeds")
    if about.origin not in ORIGINS or not 0 <= about.label <= about.null_label:
        raise ValueError("range")
    return about


def _check(trace: Trace, name: str) -> None:
    """ValueError unless all shapes and types fit each other, and all values are such as there can be."""
    _check_shapes(trace, name)
    _check_values(trace, name)


def _check_shapes(trace: Trace, name: str) -> None:
    total, scales = trace.schedule.total, len(trace.schedule)
    if trace.queries.ndim != 4 or not trace.queries.numel() or trace.pictures.ndim != 4 or trace.colours.ndim != 2:
        raise ValueError(f"{name} is damaged: its tensors do not fit each other.")
    _check_size(trace, name)
    side, vocabulary = trace.pictures.shape[1], len(trace.colours)
    likeliest, (depth, heads, _, width) = min(LIKELIEST, vocabulary), trace.queries.shape
    wanted = {
        **dict.fromkeys(("tokens", "rank", "unguided"), ((total,), torch.int32)),
        **dict.fromkeys(("probability", "entropy", "divergence", "evidence"), ((total,), torch.float32)),
        "keep": ((total,), torch.bool),
        "likeliest": ((total, likeliest), torch.int32),
        "likeliest_probability": ((total, likeliest), torch.float32),
        **dict.fromkeys(("queries", "keys"), ((depth, heads, total, width), torch.float16)),
        "pictures": ((scales, max(1, side), side, 3), torch.uint8),
        "seconds": ((scales,), torch.float32),
        **dict.fromkeys(("flops", "cache_bytes"), ((scales,), torch.int64)),
        "colours": ((vocabulary, 3), torch.uint8),
    }
    for key, tensor in trace.tensors().items():
        if (tuple(tensor.shape), tensor.dtype) != wanted[key]:
            raise ValueError(f"{name} is damaged: its '{key}' of shape {tuple(tensor.shape)} does not fit the rest.")


def _check_size(trace: Trace, name: str) -> None:
    depth, heads, _, width = trace.queries.shape
    shape = trace.schedule.total, len(trace.schedule), depth, heads, heads * width
    found = (*shape, len(trace.colours), trace.pictures.shape[1])
    for (what, most), size in zip(MOST.items(), found, strict=True):
        if size > most:
            raise ValueError(f"{name} is too large: it has {size} {what}, and {most} can be opened.")
    _check_bytes(name, sum(tensor.nbytes for tensor in trace.tensors().values()))


def _check_values(trace: Trace, name: str) -> None:
    last, most = len(trace.colours) - 1, torch.finfo(torch.float32).max
    limits = {
        **dict.fromkeys(("tokens", "likeliest"), (0, last)),
        "unguided": (UNKNOWN, last),
        "rank": (1, last + 1),
        **dict.fromkeys(("probability", "likeliest_probability"), (0, 1)),
        **dict.fromkeys(("entropy", "divergence", "seconds"), (0, most)),
        **dict.fromkeys(("queries", "keys", "evidence"), (-most, most)),
    }
    for key, (low, high) in limits.items():
        values = getattr(trace, key)
        if not low <= values.min().item() <= values.max().item() <= high:
            raise ValueError(f"{name} is damaged: its '{key}' holds numbers outside {low} to {high}.")


def _check_bytes(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{name} is too large: it has {size / 1e6:.0f} MB, and {MOST_BYTES / 1e6:.0f} can be opened.")
