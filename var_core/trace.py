"""All that can be seen of how one picture came about, as a value and as a file that opens without the model."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_type_hints

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .config import TransformerConfig
from .memory import Memory
from .pipeline import Pipeline, Request
from .plan import Plan
from .sampling import Draw, Sampling, Step, guide
from .schedule import Schedule

KEY = "var-studio-trace"  # of the JSON text in a file's metadata
LIKELIEST = 10  # tokens remembered for each place
UNKNOWN = -1  # no token: nothing was drawn here
ORIGINS = ("drawn", "edited", "opened")
MOST_SIDE = 2048  # of the pictures in a file
MOST_CELLS = 64  # along one side of its finest scale
Later = Literal["free", "keep"]  # tokens of finer scales, after a change

Marks = Tensor  # bool (L,): which of a trace's tokens


@dataclass(frozen=True)
class About:
    """What a trace is of. `origin`: "drawn" from nothing, "edited", or "opened" (a picture that was given)."""

    model: str
    digest: str
    codebook: str  # fingerprint: equal where tokens mean the same
    sides: tuple[int, ...]
    label: int
    class_name: str
    null_label: int
    seed: int
    sampling: Sampling
    origin: str = "drawn"
    device: str = "cpu"

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.sides)


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
    shares: Tensor  # (L, LIKELIEST) float32: their probabilities
    queries: Tensor  # (depth, H, L, D/H) float16, scaled; of the conditional branch
    keys: Tensor  # the same shape
    pictures: Tensor  # (K, S, S, 3) uint8: decoded after each scale
    seconds: Tensor  # (K,) float32: time that each scale took, 0 where it was remembered
    operations: Tensor  # (K,) int64: floating-point operations of the transformer, both branches
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
        return Request((self.about.label,), (self.about.seed,), self.about.sampling, self.plan())

    def of_scales(self, scales: Collection[int]) -> Marks:
        """Marks on all tokens of some scales."""
        return torch.isin(self.schedule.levels(), torch.tensor(sorted(scales), dtype=torch.int64))

    def attention(self, place: int) -> Tensor:
        """Where the token at `place` of the sequence looks: float32 (depth, H, L); each row sums to 1.

        Nothing on later scales (the block-causal mask).
        """
        end = self.schedule.spans[int(self.schedule.levels()[place])].stop
        query, keys = self.queries[:, :, place, :, None].float(), self.keys[:, :, :end].float()
        seen = (keys @ query)[..., 0].softmax(-1)  # (depth, H, end)
        return torch.nn.functional.pad(seen, (0, self.schedule.total - end))

    def masses(self) -> Tensor:
        """Attention from scale to scale: float32 (depth, H, K, K), the mean over the row's tokens; rows sum to 1."""
        spans, levels = self.schedule.spans, self.schedule.levels()
        found = torch.zeros(*self.queries.shape[:2], len(spans), len(spans))
        for block, (queries, keys) in enumerate(zip(self.queries.float(), self.keys.float(), strict=True)):
            for scale, span in enumerate(spans):
                seen = (queries[:, span] @ keys[:, : span.stop].transpose(1, 2)).softmax(-1).mean(1)  # (H, span.stop)
                found[block, :, scale] = found[block, :, scale].index_add(1, levels[: span.stop], seen)
        return found

    def nearness(self) -> list[float]:
        """PSNR in dB of each scale's picture to the last one, infinite for the last."""
        last = self.pictures[-1].double()
        errors = [(picture.double() - last).square().mean().item() for picture in self.pictures]
        return [float("inf") if error == 0 else 10 * float(np.log10(255**2 / error)) for error in errors]

    def save(self, path: Path) -> None:
        """Write it to a safetensors file, with `about` as JSON in the file's metadata."""
        save_file(self._tensors(), path, metadata={KEY: json.dumps(asdict(self.about))})

    def _tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name).contiguous() for field in fields(self) if field.name != "about"}

    @classmethod
    def load(cls, path: Path) -> Trace:
        """The inverse of `save`, bit by bit; ValueError, with the reason, if the file is no trace or does not fit."""
        name = Path(path).name
        try:
            with safe_open(path, "pt") as file:
                text = (file.metadata() or {}).get(KEY)
                if text is None:
                    raise ValueError(f"{name} holds no trace: choose a file that Explore has saved.")
                # copies, since what safetensors gives is the file itself: if that is cut, the process dies
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such file.") from error
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{name} is not a trace: choose a .safetensors file that Explore has saved.") from error
        try:
            trace = cls(_about(json.loads(text)), **tensors)
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
        side, vocabulary = self.pictures.shape[1], len(self.colours)
        likeliest, (depth, heads, _, width) = min(LIKELIEST, vocabulary), self.queries.shape
        wanted = {
            **dict.fromkeys(("tokens", "rank", "unguided"), ((total,), torch.int32)),
            **dict.fromkeys(("probability", "entropy", "divergence"), ((total,), torch.float32)),
            "keep": ((total,), torch.bool),
            "likeliest": ((total, likeliest), torch.int32),
            "shares": ((total, likeliest), torch.float32),
            **dict.fromkeys(("queries", "keys"), ((depth, heads, total, width), torch.float16)),
            "pictures": ((scales, min(max(1, side), MOST_SIDE), side, 3), torch.uint8),
            "seconds": ((scales,), torch.float32),
            **dict.fromkeys(("operations", "cache_bytes"), ((scales,), torch.int64)),
            "colours": ((vocabulary, 3), torch.uint8),
        }
        for key, tensor in self._tensors().items():
            if (tuple(tensor.shape), tensor.dtype) != wanted[key]:
                raise ValueError(
                    f"{name} is damaged: its '{key}' of shape {tuple(tensor.shape)} does not fit the rest."
                )

    def _check_values(self, name: str) -> None:
        last, most = len(self.colours) - 1, torch.finfo(torch.float32).max
        limits = {
            **dict.fromkeys(("tokens", "likeliest"), (0, last)),
            "unguided": (UNKNOWN, last),
            "rank": (1, last + 1),
            **dict.fromkeys(("probability", "shares"), (0, 1)),
            **dict.fromkeys(("entropy", "divergence", "seconds"), (0, most)),
            **dict.fromkeys(("queries", "keys"), (-most, most)),
        }
        for key, (low, high) in limits.items():
            values = getattr(self, key)
            if not low <= values.min().item() <= values.max().item() <= high:
                raise ValueError(f"{name} is damaged: its '{key}' holds numbers outside {low} to {high}.")


def _about(values: dict) -> About:
    """From JSON; TypeError, KeyError or ValueError if it is something else."""
    sides, sampling = tuple(values["sides"]), Sampling(**values["sampling"])
    about = About(**{**values, "sides": sides, "sampling": sampling})
    plain = {str: (str,), int: (int,), bool: (bool,), float: (float, int)}
    for part in (about, sampling):
        for field, kind in get_type_hints(type(part)).items():
            value = getattr(part, field)
            if kind in plain and type(value) not in plain[kind]:
                raise TypeError(field)
            if kind is str:
                value.encode()  # half a surrogate pair is no text
    growing = all(type(side) is int for side in sides) and all(a < b for a, b in itertools.pairwise(sides))
    if not (sides and sides[0] == 1 and growing and sides[-1] <= MOST_CELLS):
        raise ValueError("sides")
    if about.origin not in ORIGINS or not 0 <= about.label <= about.null_label or not 0 <= about.seed < 2**63:
        raise ValueError("range")
    return about


def fingerprint(codebook: Tensor) -> str:
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


def operations(config: TransformerConfig, branches: int) -> list[int]:
    """Floating-point operations of matrix products at each scale (a multiplication and an addition are two)."""
    width, prefix, found = config.width, 0, []
    for length in Schedule(config.sides).lengths:
        prefix += length
        block = (4 + 2 * config.mlp_ratio) * width**2 + 2 * prefix * width  # of one token
        first = config.code_width * width if prefix > length else 0  # the coarsest scale is shown a class, not codes
        found.append(2 * branches * length * (config.depth * block + first) + 2 * length * width * config.vocabulary)
    return found


def cache_bytes(config: TransformerConfig, branches: int, width_of_number: int) -> list[int]:
    """Bytes of keys and values up to and with each scale."""
    ends = [span.stop for span in Schedule(config.sides).spans]
    return [2 * branches * config.depth * config.width * width_of_number * end for end in ends]


@dataclass(frozen=True)
class Timed:
    """A step and the seconds that it took."""

    step: Step
    seconds: float


def timed(pipe: Pipeline, request: Request, memory: Memory) -> Iterator[Timed]:
    """The steps of a request, remembered; each with its time, 0 where the memory knew the scale."""
    reads, began = memory.reads, time.perf_counter()
    for step in pipe.steps(request, memory):
        took = time.perf_counter() - began
        yield Timed(step, took if memory.reads > reads else 0.0)
        reads, began = memory.reads, time.perf_counter()


@torch.inference_mode()
def examine(pipe: Pipeline, request: Request, steps: Sequence[Timed], memory: Memory, origin: str = "drawn") -> Trace:
    """The trace of a request for one picture, after all its `steps` were made with this `memory`."""
    if len(request.labels) != 1:
        raise ValueError(f"{len(request.labels)} pictures: a trace is of one.")
    schedule, sampling, var = pipe.schedule, request.sampling, pipe.var
    tokens = torch.cat([one.step.tokens for one in steps], 1)  # (1, L)
    keep = torch.cat([one.step.keep for one in steps], 1)[0]  # (L,)
    plain, *rest = var.logits(torch.cat(memory.hidden, 1)).split(1)  # (1, L, V); without a class there is one branch
    unconditional = rest[0] if rest else plain
    strengths = torch.tensor([sampling.guidance * schedule.ratio(k) for k in schedule.levels().tolist()])
    guided = guide(plain, unconditional, strengths.to(plain)[:, None]) if rest else plain
    logits = guided / sampling.temperature
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
        torch.from_numpy(np.stack([_picture(pipe, one.step, memory) for one in steps])),
        torch.tensor([one.seconds for one in steps]),
        torch.tensor(operations(pipe.spec.transformer, len(memory.labels))),
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
            shares = chooser.distribution(logits[:, span][:, places])
            tokens[places] = chooser.choose(shares, scale, places, pipe.tokenizer.quantizer)[0][0]
        found.append(tokens)
    return torch.cat(found)


def _picture(pipe: Pipeline, step: Step, memory: Memory) -> np.ndarray:
    """uint8 (S, S, 3): what a step has come to, decoded unless the memory holds it."""
    known = memory.decoded.get(step.scale)
    if known is None or not torch.equal(known[0], step.f_hat):
        memory.decoded[step.scale] = known = step.f_hat, pipe.pixels(step.f_hat)[0]
    return known[1]


def _describe(pipe: Pipeline, request: Request, origin: str) -> About:
    spec, label = pipe.spec, request.labels[0]
    return About(
        spec.name,
        pipe.digest,
        fingerprint(pipe.tokenizer.quantizer.codebook),
        spec.tokenizer.sides,
        label,
        spec.class_name(label),
        spec.transformer.null_label,
        request.seeds[0],
        request.sampling,
        origin,
        pipe.device.type,
    )


def recorded(pipe: Pipeline, request: Request, memory: Memory | None = None, origin: str = "drawn") -> Trace:
    """Make a picture and the trace of it."""
    memory = memory or Memory()
    return examine(pipe, request, list(timed(pipe, request, memory)), memory, origin)


def opened(tokens: list[Tensor], label: int, sampling: Sampling) -> Request:
    """The request that shows how likely the tokens of a given picture, K maps (1, L_k), are to the model."""
    return Request((label,), (0,), sampling, Plan.resume(tokens, len(tokens)))


def swapped(trace: Trace, scale: int, place: int, value: int, later: Later, pinned: Marks | None = None) -> Request:
    """What makes the picture with the token at `place` (0 to L_k - 1) of a scale set to `value`.

    All others up to and with that scale are given as they are. With `later` "keep" so are the finer ones; "free" draws
    them anew with the trace's seed, but for those `pinned`. ValueError for what is not there.
    """
    if not 0 <= value < len(trace.colours):
        raise ValueError(f"token {value} is not in the codebook: choose 0 to {len(trace.colours) - 1}.")
    plan = _around(trace, scale, place, later, pinned)
    return replace(trace.request(), plan=plan.replace(scale, torch.tensor([place]), torch.tensor([value])))


def redrawn_token(
    trace: Trace, scale: int, place: int, seed: int, later: Later, pinned: Marks | None = None
) -> Request:
    """As `swapped`, but the token is drawn anew, with another `seed`; so are the finer ones if `later` is "free"."""
    return replace(trace.request(), seeds=(seed,), plan=_around(trace, scale, place, later, pinned))


def rerolled(trace: Trace, scale: int, seed: int, pinned: Marks | None = None) -> Request:
    """What keeps the scales before `scale`, and tokens `pinned`, and draws all others with another `seed`."""
    return replace(trace.request(), seeds=(seed,), plan=_pin(Plan.resume(trace.pyramid(), scale), trace, pinned))


def resampled(trace: Trace, sampling: Sampling, pinned: Marks | None = None) -> Request:
    """The trace's request with other settings; tokens `pinned` stay besides those that it gives."""
    return replace(trace.request(), sampling=sampling, plan=_pin(trace.plan(), trace, pinned))


def _around(trace: Trace, scale: int, place: int, later: Later, pinned: Marks | None) -> Plan:
    """All is given but the token at `place` of a scale and, if `later` is "free", all after that scale not `pinned`."""
    plan = _pin(Plan.resample(trace.pyramid(), scale, torch.tensor([place]), later), trace, pinned)
    keep = [k.index_fill(1, torch.tensor([place]), False) if n == scale else k for n, k in enumerate(plan.keep)]
    return Plan(plan.tokens, keep)


def _pin(plan: Plan, trace: Trace, pinned: Marks | None) -> Plan:
    """A plan with tokens `pinned` of the trace given too."""
    if pinned is None:
        return plan
    if pinned.dtype != torch.bool or pinned.shape != trace.keep.shape:
        raise ValueError(f"pinned {pinned.dtype} {tuple(pinned.shape)}: give bool {tuple(trace.keep.shape)}.")
    stay = trace.schedule.split(pinned[None])
    return Plan(trace.pyramid(), [k | p for k, p in zip(plan.keep, stay, strict=True)])


def alternatives(
    pipe: Pipeline,
    trace: Trace,
    memory: Memory,
    scale: int,
    place: int,
    values: Sequence[int],
    later: Later,
    pinned: Marks | None = None,
) -> np.ndarray:
    """The picture for each of n `values` that the token at `place` of a scale could have: uint8 (n, S, S, 3).

    Each is what `swapped` makes. Scales that the `memory` knows of this trace are not computed again; it is only read.
    """
    if not values:
        raise ValueError("no tokens to try: give one or more.")
    _check_model(pipe, trace)
    requests = [swapped(trace, scale, place, value, later, pinned) for value in values]
    return _pictures(pipe, requests, memory, scale + 1)


def mixtures(
    pipe: Pipeline, coarse: Trace, fine: Trace | int, seed: int | None = None
) -> tuple[np.ndarray, list[Request]]:
    """One picture's coarse scales with another's fine ones, at every cut: uint8 (K + 1, S, S, 3), and what makes each.

    At cut k the scales before k have the tokens of `coarse`. The others have those of `fine` if that is a trace; if it
    is a label they are drawn for it, with `seed` (None: that of `coarse`) and the sampling of `coarse`.
    """
    _check_model(pipe, coarse)
    ours, cuts = coarse.pyramid(), range(len(pipe.schedule) + 1)
    if isinstance(fine, Trace):
        _check_model(pipe, fine)
        label, theirs = fine.about.label, fine.pyramid()
        plans = [Plan.resume([*ours[:cut], *theirs[cut:]], len(ours)) for cut in cuts]
    else:
        label, plans = fine, [Plan.resume(ours, cut) for cut in cuts]
    seeds = (coarse.about.seed if seed is None else seed,)
    requests = [Request((label,), seeds, coarse.about.sampling, plan) for plan in plans]
    return _pictures(pipe, requests, Memory(), 0), requests


def _check_model(pipe: Pipeline, trace: Trace) -> None:
    """ValueError if the tokens of a trace mean something else to this model."""
    ours = pipe.schedule.sides, fingerprint(pipe.tokenizer.quantizer.codebook)
    if ours != (trace.about.sides, trace.about.codebook):
        raise ValueError(
            f"{pipe.spec.name} cannot read the tokens of a picture by {trace.about.model}: load the model that made it."
        )


def _pictures(pipe: Pipeline, requests: Sequence[Request], memory: Memory, scales: int) -> np.ndarray:
    """The pictures of requests for one each, of one sampling, made in one batch: uint8 (n, S, S, 3).

    The memory may know what they are shown at their first `scales`.
    """
    plan, sampling = Plan.joined([request.plan for request in requests]), requests[0].sampling
    if all(keep.all() for keep in plan.keep):  # nothing is left to the transformer
        return np.stack([np.asarray(picture) for picture in pipe.reconstruct(list(plan.tokens))])
    labels, seeds = zip(*((request.labels[0], request.seeds[0]) for request in requests), strict=True)
    *_, last = pipe.steps(Request(labels, seeds, sampling, plan), memory.spread(len(requests), scales))
    return pipe.pixels(last.f_hat)
