"""Holds a loaded model, and does what one asks of it. The only place where pictures, devices and networks meet."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from ..config import AUTO, ON_CPU, LoadOptions
from ..device_memory import fitting, free_memory, is_shortage, picture_bytes, portions
from ..nn.layers import Block, compile_block
from ..nn.linear import pack, to_int8
from ..nn.transformer import VAR
from ..weights import checkpoints, pretrained
from ..weights.checkpoints import LoadedModel
from ..words import counted
from . import sampling
from .classifier import ClassShare, classify
from .codec import Codec
from .plan import Plan
from .prefix_cache import PrefixCache
from .progress import Progress
from .relay import Finish, relayed
from .request import Request
from .sampling import Step

INT8 = "int8"
SMALL = 100_000_000  # weights of a transformer whose products are too small for several cores
MOST_LANES = 4  # runs at the same time on a CPU: more would take memory, and none would be faster


@dataclass(frozen=True)
class Result:
    """Finished pictures and the steps that led to them."""

    images: list[Image.Image]
    steps: tuple[Step, ...]

    @property
    def tokens(self) -> list[Tensor]:
        """The pyramid: K maps (B, L_k)."""
        return [step.tokens for step in self.steps]


class Pipeline(Codec):
    """A model on a device, ready to use from several threads: a run keeps its state to itself."""

    def __init__(self, loaded: LoadedModel, options: LoadOptions = ON_CPU):
        super().__init__(loaded.spec, loaded.tokenizer, loaded.preview, torch.device(options.device))
        self.digest, self.masked_digest, self.path = loaded.digest, loaded.masked_digest, loaded.path
        self.options = options
        self.var = loaded.var.to(self.device)
        self.masked = loaded.masked.to(self.device) if loaded.masked is not None else None
        transformers = [self.var] + ([self.masked] if self.masked is not None else [])
        if options.dtype == INT8 and options.compiled:
            raise ValueError("int8 and torch.compile do not go together: choose one of them.")
        for transformer in transformers:
            if options.dtype == INT8:
                to_int8(transformer.blocks)
            if options.compiled:
                for block in cast(Iterable[Block], transformer.blocks):
                    compile_block(block)
            elif self.device.type == "cpu":
                pack(transformer)
        self.finish: Finish | None = None
        self._sharing = _runs_at_once(self.var, options, self.device)

    @classmethod
    def load(
        cls,
        name: str = checkpoints.DEFAULT,
        options: LoadOptions = AUTO,
        folder: Path | None = None,
    ) -> "Pipeline":
        """Load a model by name or path; ValueError if it, the device or the dtype cannot be had."""
        device = pick_device(options.device)
        loaded = checkpoints.load(name, folder, pick_dtype(options.dtype, device), device)
        return cls(loaded, replace(options, device=device))

    @classmethod
    def from_pretrained(cls, source: str | Path, options: LoadOptions = AUTO) -> "Pipeline":
        """Load a file, a folder, a model by name, or "owner/name" on the Hugging Face hub: `pretrained.locate`."""
        return cls.load(str(pretrained.locate(source)), options)

    def save_pretrained(self, folder: str | Path, license: str | None = None) -> Path:
        """Copy the model's file into a folder, with a card; ValueError if it has none. See `pretrained.save`."""
        return pretrained.save(self._file(), Path(folder), license)

    def push_to_hub(self, repository: str, license: str | None = None, private: bool = False) -> str:
        """Upload the model's file, with a card, to a repository of the hub; return its address: `pretrained.push`."""
        return pretrained.push(self._file(), repository, license, private)

    def _file(self) -> Path:
        if self.path is None:
            raise ValueError(f"{self.spec.name} was made in memory: write it with checkpoints.save, and load it first.")
        if not self.path.is_file() or checkpoints.file_digest(self.path) != self.digest:
            raise ValueError(f"{self.path} is gone, or another model now than the one that is loaded: load it anew.")
        return self.path

    @property
    def lanes(self) -> int:
        """Return how many runs are drawn at the same time where many are wanted."""
        return self._sharing

    @property
    def loader(self) -> Callable[[str, LoadOptions, Path | None], "Pipeline"]:
        """Return what loads another model as this one was loaded. It does not hold on to this one."""
        return type(self).load

    @torch.inference_mode()
    def classify(self, image: Image.Image, coverage: Tensor | None = None) -> list[ClassShare]:
        """Return classes that a square picture, resized to S, may be of, the likeliest first.

        Tokens of which more than half lies where `coverage` (S, S) is 1 do not count; what is there must have been
        filled. ValueError unless the model draws scale by scale.
        """
        self.spec.need_scales("its classes' likelihood")
        tokens = self.encode(image)
        counted = torch.ones(self.schedule.total, dtype=torch.bool)
        if coverage is not None:
            plan = Plan.inpaint(tokens, coverage.to(self.device), self.schedule, min_coverage=0.5, first_free_scale=0)
            counted = plan.kept[0].cpu()
        return classify(self.var, self.tokenizer.quantizer, tokens, counted)

    def steps(self, request: Request, cache: PrefixCache | None = None) -> Iterator[Step]:
        """Make the request's pictures in one pass, scale by scale; closing the iterator stops within one scale.

        The `cache` of an earlier run saves what this one would compute again; see `PrefixCache`. A plan that is `shown`
        is drawn by the masked path: ValueError if the model has none, or with a cache. Where another model finishes,
        it draws the fine scales of whole pictures, of requests without a plan and without a cache.
        """
        request.check(self.spec)
        var = self.var
        if self.finish is not None and request.plan is None and cache is None:
            return relayed(var, self.finish, self.tokenizer.quantizer, request)
        if request.plan is not None and request.plan.shown:
            if self.masked is None:
                raise ValueError(f"{self.spec.name} has no masked path: ask for a plan that is not shown.")
            if cache is not None:
                raise ValueError("The masked path has no use for a cache: leave it out, or show nothing of the plan.")
            var = self.masked
        return sampling.steps(var, self.tokenizer.quantizer, request, cache)

    def at_once(self, request: Request, free: int | None = None) -> int:
        """Return how many pictures of a request go in one pass: as many as need no more than `free` bytes, at least 1.

        By default those that are free where the model is, shared by as many runs as may be drawn at the same time.
        """
        some = any(label != self.spec.transformer.null_label for label in request.labels)
        branches = 2 if some and request.sampling.guidance else 1
        number = self.var.position_embedding.element_size()  # that of keys and values
        shown = request.plan is not None and request.plan.shown and self.masked is not None
        context = self.masked.context if shown and self.masked is not None else 0
        lengths, smooth = self.schedule.lengths, request.sampling.smooth
        each = picture_bytes(self.spec, lengths, branches, smooth, number, context)
        if free is None and (found := free_memory(self.device.type)) is not None:
            free = found // self._sharing
        most = fitting(each, free)
        return min(most, len(request.labels))

    def stream(self, request: Request, free: int | None = None) -> Iterator[Progress]:
        """Make the request's pictures, step by step; where memory is short, one part of them after another.

        Each is the same picture however they are parted. Closing the iterator stops within one scale; `free` is as in
        `at_once`.
        """
        request.check(self.spec)
        begun: tuple[tuple[Step, ...], ...] = ()
        parts = portions(len(request.labels), self.at_once(request, free))
        for rows in parts:
            steps: tuple[Step, ...] = ()
            with _short_memory_in_words(self, part := request.part(rows)):
                for step in self.drawn(part):
                    steps = (*steps, step)
                    yield Progress((*begun, steps), parts[-1].stop, parts[0].stop, len(self.schedule))
            begun = (*begun, steps)

    def drawn(self, request: Request) -> Iterator[Step]:
        """Make the request's pictures in one pass, as `steps` does; kept without their distributions, which are large.

        The place where drawing can be done elsewhere.
        """
        return (replace(step, distribution=None) for step in self.steps(request))

    def run(self, request: Request, free: int | None = None) -> Result:
        """All steps of a request, and its pictures; see `stream`."""
        *_, done = self.stream(request, free)
        return Result(self.decode(done.f_hat), done.steps)


@contextmanager
def _short_memory_in_words(pipe: Pipeline, request: Request) -> Iterator[None]:
    """Draw a request within; ValueError that says how many pictures fit now where memory is too short for it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        count, remedy = len(request.labels), "close other programs, or choose a smaller model."
        if count > 1:
            remedy = f"about {min(pipe.at_once(request), count // 2)} would fit now. Ask for so many, or {remedy}"
        raise ValueError(f"Memory is too short for {counted(count, 'picture')} at once: {remedy}") from None


def use_threads(count: int) -> None:
    """Let the CPU's work use so many threads; ValueError unless that is 1 or more."""
    if count < 1:
        raise ValueError(f"threads {count} is out of range: choose 1 or more.")
    torch.set_num_threads(count)


def _runs_at_once(var: VAR, options: LoadOptions, device: torch.device) -> int:
    """Return how many runs draw at the same time, each with its part of the threads that this thread has now.

    Several on a CPU, whose cores the small products of a small model do not keep busy together: see `part_of_threads`.
    Compiled blocks cannot be compiled in two threads at once.
    """
    small = sum(weight.numel() for weight in var.parameters()) < SMALL
    several = device.type == "cpu" and small and not options.compiled
    return min(MOST_LANES, torch.get_num_threads()) if several else 1


def part_of_threads() -> Callable[[int], None]:
    """Return what gives the thread that calls it its part of the CPU's threads, where so many share them.

    To be called before any thread has got a part, since torch counts threads for each: all of them are shared.
    """
    threads = torch.get_num_threads()

    def share(sharing: int) -> None:
        part = max(1, threads // sharing)
        if torch.get_num_threads() != part:  # to set it costs, even if nothing changes
            torch.set_num_threads(part)

    return share


def pick_dtype(name: str, device: str) -> torch.dtype:
    """The type in which weights of the transformer's blocks are loaded.

    "auto" is float16 on "cuda", as the authors of VAR sample, and float32 elsewhere; others by their names. "int8", for
    the CPU alone, rounds them after loading: faster products, a quarter of the memory, nearly the same pictures.
    """
    types = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, INT8: torch.float32}
    if name == "auto":
        return torch.float16 if device == "cuda" else torch.float32
    if name not in types:
        raise ValueError(f"dtype '{name}' is not known. Choose auto, or one of: {', '.join(types)}.")
    if name == INT8 and device != "cpu":
        raise ValueError(f"int8 is for the CPU, not for {device}: choose auto, or add --device cpu.")
    return types[name]


def pick_device(name: str) -> str:
    """ "auto" takes the best there is; a device that is not there raises ValueError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, available in there.items() if available)
    if not there.get(name, False):
        usable = ", ".join(device for device, available in there.items() if available)
        raise ValueError(f"Device '{name}' is not available here. Choose auto, or one of: {usable}.")
    return name
