"""All that can be seen of how one picture came about, as a value and as a file that opens without the model."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..config import TransformerConfig
from ..device_memory import kept_bytes
from ..engine.pipeline import Pipeline, Request
from ..engine.plan import Plan
from ..engine.prefix_cache import PrefixCache
from ..engine.sampling import Draw, Sampling, Step, guide, seed_at
from ..schedule import Schedule

KEY = "var-studio-trace"  # of the JSON text in a file's metadata
VERSION = 2  # of the file's format, in that text; 1 wrote none
RENAMED = {"seeds": "scale_seeds", "operations": "flops", "shares": "likeliest_probability"}  # version 1 -> 2
LIKELIEST = 10  # tokens remembered for each place
UNKNOWN = -1  # no token: nothing was drawn here
ORIGINS = ("drawn", "edited", "opened")
FIRST = 5  # of a token's alternatives, the likeliest, are made before the others
CHUNK_BYTES = 10**9  # for the caches of pictures made side by side

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
MOST_PRODUCTS = 40 * 10**9  # for the means of attention; d30 needs 33 thousand million, d36 500
AT_ONCE = 2**21  # numbers, while these means are made
SOFTMAX = 64  # products that take as long as one exponential and its sums

T = TypeVar("T")
Later = Literal["free", "keep"]  # tokens of finer scales, after a change

Marks = Tensor  # bool (L,): which of a trace's tokens


@dataclass(frozen=True)
class About:
    """What a trace is of. `origin`: "drawn" from nothing, "edited", or "opened" (a picture that was given)."""

    model: str
    digest: str
    codebook: str  # its `codebook_hash`: equal where tokens mean the same
    sides: tuple[int, ...]
    label: int
    class_name: str
    null_label: int
    scale_seeds: tuple[int, ...]  # one for each of the K scales
    sampling: Sampling
    origin: str = "drawn"
    device: str = "cpu"

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.sides)

    @property
    def seed(self) -> int:
        """That of the last scale."""
        return self.scale_seeds[-1]


@dataclass(frozen=True)
class Spot:
    """Where a token of a pyramid is: a scale (0 to K - 1), and an index in it (0 to L_k - 1), row by row."""

    scale: int
    index: int

    def within(self, trace: Trace) -> int:
        """Its position in the sequence of a trace's L tokens; ValueError if there is none such."""
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
    unguided: Tensor  # (L,) int32: what the same chance would have drawn without guidance; UNKNOWN where given
    likeliest: Tensor  # (L, LIKELIEST) int32, falling
    likeliest_probability: Tensor  # (L, LIKELIEST) float32
    queries: Tensor  # (depth, H, L, D/H) float16, scaled; of the conditional branch
    keys: Tensor  # the same shape
    pictures: Tensor  # (K, S, S, 3) uint8: decoded after each scale
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
        """What makes this picture (again)."""
        return Request((self.about.label,), (self.about.scale_seeds,), self.about.sampling, self.plan())

    def of_scales(self, scales: Collection[int]) -> Marks:
        """Marks on all tokens of some scales."""
        return torch.isin(self.schedule.levels(), torch.tensor(sorted(scales), dtype=torch.int64))

    def attention(self, spot: Spot) -> Tensor:
        """Where the token at a spot looks: float32 (depth, H, L); each row sums to 1.

        Nothing on later scales (the block-causal mask). ValueError if there is no such spot.
        """
        place, end = spot.within(self), self.schedule.spans[spot.scale].stop
        found = torch.zeros(self.queries.shape[:3])
        for seen, queries, keys in zip(found, self.queries, self.keys, strict=True):  # block by block, to save memory
            seen[:, :end] = _mean_attention(queries[:, place, None], keys[:, :end])
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
        chance = torch.Generator().manual_seed(0)
        found = []
        for cost, products, span in zip(each, _shared(wanted, MOST_PRODUCTS), spans, strict=True):
            shuffled = torch.randperm(span.stop - span.start, generator=chance)
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
        self._check_size(Path(path).name)
        tensors = {key: tensor.contiguous() for key, tensor in self._tensors().items()}
        save_file(tensors, path, metadata={KEY: json.dumps({"version": VERSION, **asdict(self.about)})})

    def _tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "about"}

    @classmethod
    def load(cls, path: Path) -> Trace:
        """The inverse of `save`, bit by bit; ValueError, with the reason, if the file is no trace or does not fit."""
        name = Path(path).name
        try:
            _check_bytes(name, Path(path).stat().st_size)
            with safe_open(path, "pt") as file:
                text = (file.metadata() or {}).get(KEY)
                if text is None:
                    raise ValueError(f"{name} holds no trace: choose a file that Explore has saved.")
                known = {field.name for field in fields(cls)} | RENAMED.keys()
                if not known.issuperset(file.keys()) or len(text) > MOST_TEXT:
                    raise ValueError(f"{name} is damaged, or was saved by another version.")
                # copies, since what safetensors gives is the file itself: if that is cut, the process dies
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such file.") from error
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{name} is not a trace: choose a .safetensors file that Explore has saved.") from error
        try:
            version, values = _parsed(text)
            trace = cls(_about(upgrade(values, version)), **upgrade(tensors, version))
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            raise ValueError(f"{name} is damaged, or was saved by another version.") from error
        trace.check(name)
        return trace

    def check(self, name: str) -> None:
        """ValueError unless all shapes and types fit each other, and all values are such as there can be."""
        self._check_shapes(name)
        self._check_values(name)

    def _check_shapes(self, name: str) -> None:
        total, scales = self.schedule.total, len(self.schedule)
        if self.queries.ndim != 4 or not self.queries.numel() or self.pictures.ndim != 4 or self.colours.ndim != 2:
            raise ValueError(f"{name} is damaged: its tensors do not fit each other.")
        self._check_size(name)
        side, vocabulary = self.pictures.shape[1], len(self.colours)
        likeliest, (depth, heads, _, width) = min(LIKELIEST, vocabulary), self.queries.shape
        wanted = {
            **dict.fromkeys(("tokens", "rank", "unguided"), ((total,), torch.int32)),
            **dict.fromkeys(("probability", "entropy", "divergence"), ((total,), torch.float32)),
            "keep": ((total,), torch.bool),
            "likeliest": ((total, likeliest), torch.int32),
            "likeliest_probability": ((total, likeliest), torch.float32),
            **dict.fromkeys(("queries", "keys"), ((depth, heads, total, width), torch.float16)),
            "pictures": ((scales, max(1, side), side, 3), torch.uint8),
            "seconds": ((scales,), torch.float32),
            **dict.fromkeys(("flops", "cache_bytes"), ((scales,), torch.int64)),
            "colours": ((vocabulary, 3), torch.uint8),
        }
        for key, tensor in self._tensors().items():
            if (tuple(tensor.shape), tensor.dtype) != wanted[key]:
                raise ValueError(
                    f"{name} is damaged: its '{key}' of shape {tuple(tensor.shape)} does not fit the rest."
                )

    def _check_size(self, name: str) -> None:
        depth, heads, _, width = self.queries.shape
        shape = self.schedule.total, len(self.schedule), depth, heads, heads * width
        found = (*shape, len(self.colours), self.pictures.shape[1])
        for (what, most), size in zip(MOST.items(), found, strict=True):
            if size > most:
                raise ValueError(f"{name} is too large: it has {size} {what}, and {most} can be opened.")
        _check_bytes(name, sum(tensor.nbytes for tensor in self._tensors().values()))

    def _check_values(self, name: str) -> None:
        last, most = len(self.colours) - 1, torch.finfo(torch.float32).max
        limits = {
            **dict.fromkeys(("tokens", "likeliest"), (0, last)),
            "unguided": (UNKNOWN, last),
            "rank": (1, last + 1),
            **dict.fromkeys(("probability", "likeliest_probability"), (0, 1)),
            **dict.fromkeys(("entropy", "divergence", "seconds"), (0, most)),
            **dict.fromkeys(("queries", "keys"), (-most, most)),
        }
        for key, (low, high) in limits.items():
            values = getattr(self, key)
            if not low <= values.min().item() <= values.max().item() <= high:
                raise ValueError(f"{name} is damaged: its '{key}' holds numbers outside {low} to {high}.")


def _check_bytes(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{name} is too large: it has {size / 1e6:.0f} MB, and {MOST_BYTES / 1e6:.0f} can be opened.")


def _mean_attention(queries: Tensor, keys: Tensor) -> Tensor:
    """How much n queries look at m keys in the mean; float16 (b, n, D/H) and (b, m, D/H) -> float32 (b, m)."""
    return (queries.float() @ keys.float().transpose(1, 2)).softmax(-1).mean(1)


def _shared(wanted: list[int], most: int) -> list[int]:
    """What each gets of `most`: all that it wants if that is little, else what the others who want much get too."""
    shares, left = {}, most
    for done, place in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[place] = min(wanted[place], left // (len(wanted) - done))
        left -= shares[place]
    return [shares[place] for place in range(len(wanted))]


def _parsed(text: str) -> tuple[int, dict[str, Any]]:
    """The version of a file and the values of its `About`, from JSON; errors as in `_about`."""
    values = json.loads(text)
    version = values.pop("version", 1)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError("version")
    return version, values


def upgrade(values: dict[str, T], version: int) -> dict[str, T]:
    """What a file of a version names, under today's names: the values of its `About`, or its tensors."""
    return {RENAMED.get(name, name): value for name, value in values.items()} if version == 1 else values


def _about(values: dict[str, Any]) -> About:
    """From JSON; TypeError, KeyError or ValueError if it is something else."""
    sides, sampling = tuple(values["sides"]), Sampling(**values["sampling"])
    about = About(**{**values, "sides": sides, "scale_seeds": tuple(values["scale_seeds"]), "sampling": sampling})
    plain = {str: (str,), int: (int,), bool: (bool,), float: (float, int)}
    for part in (about, sampling):
        for field, kind in get_type_hints(type(part)).items():
            value = getattr(part, field)
            if kind in plain and type(value) not in plain[kind]:
                raise TypeError(field)
            if kind is str:
                value.encode()  # half a surrogate pair is no text
                if len(value) > MOST_LETTERS:
                    raise ValueError(field)
    growing = all(type(side) is int for side in sides) and all(a < b for a, b in itertools.pairwise(sides))
    if not (sides and sides[0] == 1 and growing and sides[-1] <= MOST_CELLS):
        raise ValueError("sides")
    if len(about.scale_seeds) != len(sides) or not all(
        type(seed) is int and 0 <= seed < 2**63 for seed in about.scale_seeds
    ):
        raise ValueError("scale_seeds")
    if about.origin not in ORIGINS or not 0 <= about.label <= about.null_label:
        raise ValueError("range")
    return about


def codebook_hash(codebook: Tensor) -> str:
    """What tells a codebook (V, C) from others: 12 hex digits."""
    return hashlib.sha256(codebook.detach().float().cpu().numpy().tobytes()).hexdigest()[:12]


def colours(codebook: Tensor) -> Tensor:
    """A colour for each code of a codebook (V, C): uint8 (V, 3), near for near codes.

    The three directions in which the codes differ most become lightness and the two axes of colour of CIELAB; each is
    stretched so that it is used evenly.
    """
    codes = codebook.detach().double().cpu()
    centred = codes - codes.mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)
    axes = directions.flip(1)[:, :3]
    axes = axes * axes.sum(0).sign().where(axes.sum(0) != 0, torch.ones(()).double())  # an eigenvector has two signs
    order = (centred @ axes).argsort(0).argsort(0)  # (V, 3): ranks along each axis
    even = torch.nn.functional.pad(order.float() / max(1, len(codes) - 1), (0, 3 - axes.shape[1]), value=0.5)
    low, high = torch.tensor([30.0, -40.0, -40.0]), torch.tensor([90.0, 40.0, 40.0])  # wider, more would leave sRGB
    lab = (low + even * (high - low)).numpy()[None].astype(np.float32)
    return torch.from_numpy((cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)[0] * 255).round().astype(np.uint8))


def flops(config: TransformerConfig, branches: int) -> list[int]:
    """Floating-point operations of matrix products at each scale (a multiplication and an addition are two)."""
    width, prefix, found = config.width, 0, []
    for length in Schedule.of(config).lengths:
        prefix += length
        block = (4 + 2 * config.mlp_ratio) * width**2 + 2 * prefix * width  # of one token
        first = config.code_width * width if prefix > length else 0  # the coarsest scale is shown a class, not codes
        found.append(2 * branches * length * (config.depth * block + first) + 2 * length * width * config.vocabulary)
    return found


def cache_bytes(config: TransformerConfig, branches: int, width_of_number: int) -> list[int]:
    """Bytes of keys and values up to and with each scale."""
    return [kept_bytes(config, branches, span.stop, width_of_number) for span in Schedule.of(config).spans]


@dataclass(frozen=True)
class Timed:
    """A step and the seconds that it took."""

    step: Step
    seconds: float


def timed(pipe: Pipeline, request: Request, memory: PrefixCache) -> Iterator[Timed]:
    """The steps of a request, remembered; each with its time, 0 where the memory knew the scale.

    ValueError unless the model draws scale by scale.
    """
    pipe.spec.need_scales("a trace")
    reads, began = memory.reads, time.perf_counter()
    for step in pipe.steps(request, memory):
        took = time.perf_counter() - began
        yield Timed(step, took if memory.reads > reads else 0.0)
        reads, began = memory.reads, time.perf_counter()


@torch.inference_mode()
def examine(
    pipe: Pipeline, request: Request, steps: Sequence[Timed], memory: PrefixCache, origin: str = "drawn"
) -> Trace:
    """The trace of a request for one picture, after all its `steps` were made with this `memory`.

    Decoding is the larger part of the work, unless `picture` was called for each step before.
    """
    if len(request.labels) != 1:
        raise ValueError(f"{len(request.labels)} pictures: a trace is of one.")
    schedule, sampling, var = pipe.schedule, request.sampling, pipe.var
    tokens = torch.cat([one.step.tokens for one in steps], 1)  # (1, L)
    keep = torch.cat([one.step.keep for one in steps], 1)[0]  # (L,)
    plain, *rest = var.logits(torch.cat(memory.hidden, 1)).split(1)  # (1, L, V); without a class there is one branch
    unconditional = rest[0] if rest else plain
    levels = schedule.levels().tolist()
    strengths, heats = (
        plain.new_tensor([of(scale, schedule) for scale in levels])[:, None]
        for of in (sampling.strength, sampling.heat)
    )
    logits = (guide(plain, unconditional, strengths) if rest else plain) / heats
    logs = logits.log_softmax(-1)
    own = logits.gather(-1, tokens[..., None])
    count = min(LIKELIEST, logits.shape[-1])
    shares, likeliest = logs[0].topk(count)
    return Trace(
        _describe(pipe, request, origin),
        tokens[0].int().cpu(),
        keep.cpu(),
        logs.gather(-1, tokens[..., None])[0, :, 0].exp().cpu(),
        -torch.linalg.vecdot(logs.exp(), logs)[0].cpu(),
        ((logits > own).sum(-1)[0] + 1).int().cpu(),
        _divergence(plain, unconditional)[0].cpu(),
        _unguided(pipe, request, plain, keep).int().cpu(),
        likeliest.int().cpu(),
        shares.exp().cpu(),
        memory.cache.queries[:, 0].half().cpu(),
        memory.cache.keys[:, 0].half().cpu(),
        torch.from_numpy(np.stack([picture(pipe, one.step, memory) for one in steps])),
        torch.tensor([one.seconds for one in steps]),
        torch.tensor(flops(pipe.spec.transformer, len(memory.labels))),
        torch.tensor(cache_bytes(pipe.spec.transformer, len(memory.labels), memory.cache.store.element_size())),
        colours(pipe.tokenizer.quantizer.codebook),
    )


def _divergence(conditional: Tensor, unconditional: Tensor) -> Tensor:
    """KL of one distribution to another, nats, from logits (1, L, V): (1, L)."""
    ours, theirs = conditional.log_softmax(-1), unconditional.log_softmax(-1)
    chances = ours.exp()
    return (torch.linalg.vecdot(chances, ours) - torch.linalg.vecdot(chances, theirs)).clamp_min(0)


def _unguided(pipe: Pipeline, request: Request, logits: Tensor, keep: Tensor) -> Tensor:
    """What the chance of a request draws from conditional logits (1, L, V); UNKNOWN where `keep` (L,). int64 (L,)."""
    chooser, found = Draw(request.sampling, request.seeds, pipe.schedule), []
    for scale, span in enumerate(pipe.schedule.spans):
        places = (~keep[span]).nonzero()[:, 0]
        tokens = torch.full_like(keep[span], UNKNOWN, dtype=torch.int64)
        if len(places):
            shares = chooser.distribution(logits[:, span][:, places], scale)
            tokens[places] = chooser.choose(shares, scale, places, pipe.tokenizer.quantizer)[0][0]
        found.append(tokens)
    return torch.cat(found)


def picture(pipe: Pipeline, step: Step, memory: PrefixCache) -> np.ndarray:
    """uint8 (S, S, 3): what a step has come to, decoded unless the memory holds it, which it does then."""
    known = memory.decoded.get(step.scale)
    if known is None or not torch.equal(known[0], step.f_hat):
        memory.decoded[step.scale] = known = step.f_hat, pipe.pixels(step.f_hat)[0]
    return known[1]


def _describe(pipe: Pipeline, request: Request, origin: str) -> About:
    spec, label = pipe.spec, request.labels[0]
    return About(
        spec.name[:MOST_LETTERS],
        pipe.digest,
        codebook_hash(pipe.tokenizer.quantizer.codebook),
        spec.tokenizer.sides,
        label,
        spec.class_name(label)[:MOST_LETTERS],
        spec.transformer.null_label,
        tuple(seed_at(request.seeds[0], scale) for scale in range(len(pipe.schedule))),
        request.sampling,
        origin,
        pipe.device.type,
    )


def recorded(pipe: Pipeline, request: Request, memory: PrefixCache | None = None, origin: str = "drawn") -> Trace:
    """Make a picture and the trace of it."""
    memory = memory or PrefixCache()
    return examine(pipe, request, list(timed(pipe, request, memory)), memory, origin)


def given_request(tokens: list[Tensor], label: int, sampling: Sampling) -> Request:
    """The request that shows how likely the tokens of a given picture, K maps (1, L_k), are to the model."""
    return Request((label,), (0,), sampling, Plan.resume(tokens, len(tokens)))


def swapped(trace: Trace, spot: Spot, value: int, later: Later, pinned: Marks | None = None) -> Request:
    """What makes the picture with the token at a spot set to `value`.

    All others up to and with its scale are given as they are. With `later` "keep" so are the finer ones; "free" draws
    them anew with their seeds, but for those `pinned`. ValueError for what is not there.
    """
    last = len(trace.colours) - 1
    if type(value) is not int or not 0 <= value <= last:
        raise ValueError(f"token {value} is not in the codebook: choose 0 to {last}.")
    plan = _around(trace, spot, later, pinned)
    return _planned(trace, plan.replace(spot.scale, torch.tensor([spot.index]), torch.tensor([value])))


def redrawn_token(trace: Trace, spot: Spot, seed: int, later: Later, pinned: Marks | None = None) -> Request:
    """As `swapped`, but the token is drawn anew, its scale with another `seed`."""
    return _planned(trace, _around(trace, spot, later, pinned), {spot.scale}, seed)


def rerolled(trace: Trace, scale: int, seed: int, pinned: Marks | None = None) -> Request:
    """What keeps the scales before `scale`, and tokens `pinned`, and draws all others with another `seed`."""
    plan = _pin(Plan.resume(trace.pyramid(), scale), trace, pinned)
    return _planned(trace, plan, {k for k, keep in enumerate(plan.keep) if not keep.all()}, seed)


def resampled(trace: Trace, sampling: Sampling, pinned: Marks | None = None) -> Request:
    """The trace's request with other settings; tokens `pinned` stay besides those that it gives."""
    return replace(_planned(trace, _pin(trace.plan(), trace, pinned)), sampling=sampling)


def _planned(trace: Trace, plan: Plan, scales: Collection[int] = (), seed: int = 0) -> Request:
    """The trace's request with a plan that gives tokens of it, and another seed at some scales."""
    _check_codes(trace, plan)
    seeds = tuple(seed if scale in scales else own for scale, own in enumerate(trace.about.scale_seeds))
    return replace(trace.request(), seeds=(seeds,), plan=plan)


def _check_codes(trace: Trace, plan: Plan) -> None:
    """ValueError if a plan gives tokens that stand for mixtures of codes, since these would not stay as they are."""
    if trace.about.sampling.smooth and (plan.kept[0] & ~trace.keep).any():
        raise ValueError(
            "This picture was drawn in smooth mode, where codes are mixtures: turn Smooth off to change single tokens "
            "or scales."
        )


def _around(trace: Trace, spot: Spot, later: Later, pinned: Marks | None) -> Plan:
    """All is given but the token at a spot and, if `later` is "free", all after its scale that is not `pinned`."""
    spot.within(trace)
    place = torch.tensor([spot.index])
    plan = _pin(Plan.resample(trace.pyramid(), spot.scale, place, later), trace, pinned)
    keep = [k.index_fill(1, place, False) if n == spot.scale else k for n, k in enumerate(plan.keep)]
    return Plan(plan.tokens, keep)


def _pin(plan: Plan, trace: Trace, pinned: Marks | None) -> Plan:
    """A plan with tokens `pinned` of the trace given too."""
    if pinned is None:
        return plan
    if pinned.dtype != torch.bool or pinned.shape != trace.keep.shape:
        raise ValueError(f"pinned {pinned.dtype} {tuple(pinned.shape)}: give bool {tuple(trace.keep.shape)}.")
    stay = trace.schedule.split(pinned[None])
    tokens = [torch.where(p, o, t) for p, o, t in zip(stay, trace.pyramid(), plan.tokens, strict=True)]
    return Plan(tokens, [k | p for k, p in zip(plan.keep, stay, strict=True)])


@dataclass(frozen=True, eq=False)
class Batch:
    """How far a series of pictures has come, and those that are finished, in order.

    `share` is that of the work, 0 to 1, as if decoding were half of it.
    """

    share: float
    pictures: tuple[np.ndarray, ...]  # uint8 (S, S, 3) each


def alternatives(
    pipe: Pipeline,
    trace: Trace,
    memory: PrefixCache,
    spot: Spot,
    values: Sequence[int],
    later: Later,
    pinned: Marks | None = None,
) -> Iterator[Batch]:
    """The picture for each of n `values` that the token at a spot could have, in order.

    There is a `Batch` after each scale and each picture. Each picture is what `swapped` makes. Scales that the `memory`
    knows of this trace are not computed again; it is only read.
    """
    if not values:
        raise ValueError("no tokens to try: give one or more.")
    _check_model(pipe, trace)
    requests = [swapped(trace, spot, value, later, pinned) for value in values]
    return _pictures(pipe, requests, memory, spot.scale + 1, FIRST)


def mixtures(pipe: Pipeline, requests: Sequence[Request]) -> Iterator[Batch]:
    """The pictures of `mixture_requests`, in order, a `Batch` after each scale and picture."""
    return _pictures(pipe, requests, None, 0, len(requests))


def mixture_requests(pipe: Pipeline, coarse: Trace, fine: Trace | int, pinned: Marks | None = None) -> list[Request]:
    """What makes pictures with the coarse scales of one and the fine ones of another, at each of K + 1 cuts.

    At cut k the scales before k, and at all cuts the tokens `pinned`, are those of `coarse`. The others are those of
    `fine` if that is a trace; if it is a label they are drawn for it, with the seeds and the sampling of `coarse`.
    """
    _check_model(pipe, coarse)
    ours, cuts = coarse.pyramid(), range(len(pipe.schedule) + 1)
    if isinstance(fine, Trace):
        _check_model(pipe, fine)
        _check_codes(fine, Plan.resume(fine.pyramid(), len(ours)))
        label, theirs = fine.about.label, fine.pyramid()
        plans = [Plan.resume([*ours[:cut], *theirs[cut:]], len(ours)) for cut in cuts]
    else:
        label, plans = fine, [Plan.resume(ours, cut) for cut in cuts]
    return [replace(_planned(coarse, _pin(plan, coarse, pinned)), labels=(label,)) for plan in plans]


def _check_model(pipe: Pipeline, trace: Trace) -> None:
    """ValueError if the tokens of a trace mean something else to this model."""
    ours = pipe.schedule.sides, codebook_hash(pipe.tokenizer.quantizer.codebook)
    if ours != (trace.about.sides, trace.about.codebook):
        raise ValueError(
            f"{pipe.spec.name} cannot read the tokens of a picture by {trace.about.model}: load the model that made it."
        )


def _pictures(
    pipe: Pipeline, requests: Sequence[Request], memory: PrefixCache | None, scales: int, most: int
) -> Iterator[Batch]:
    """The pictures of requests for one each, of one sampling, made in chunks of at most `most`.

    A memory may know what they are shown at their first `scales`.
    """
    count, done = min(most, _at_once(pipe, memory is not None)), ()
    for start in range(0, len(requests), count):
        chunk = requests[start : start + count]
        plan = Plan.joined([request.plan for request in chunk])
        if plan.kept.all():  # nothing is left to the transformer
            f_hat = pipe.summed(plan.tokens)
        else:
            labels, seeds = zip(*((request.labels[0], request.seeds[0]) for request in chunk), strict=True)
            asked = Request(labels, seeds, chunk[0].sampling, plan)
            for step in pipe.steps(asked, memory and memory.spread(len(chunk), scales)):
                f_hat, end = step.f_hat, pipe.schedule.spans[step.scale].stop
                if end < pipe.schedule.total:
                    yield Batch((start + len(chunk) * end / pipe.schedule.total / 2) / len(requests), done)
        for number, one in enumerate(f_hat, 1):
            done = (*done, pipe.pixels(one[None])[0])
            yield Batch((start + (len(chunk) + number) / 2) / len(requests), done)


def _at_once(pipe: Pipeline, remembered: bool) -> int:
    """How many pictures' keys and values, and queries where they are `remembered`, `CHUNK_BYTES` hold; at least 1."""
    config = pipe.spec.transformer
    most = cache_bytes(config, 2, pipe.var.position_embedding.element_size())[-1]  # with both branches of guidance
    return max(1, CHUNK_BYTES // (3 * most // 2 if remembered else most))
