"""What several commands need: words and bars, reading pictures, processes together, options."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..config import LoadOptions
from ..engine.pipeline import Pipeline, pick_device
from ..engine.sampling import Sampling
from ..training import distributed as processes

PATIENCE = timedelta(hours=2)  # with a process that reads or reports while the others wait
EVERYTHING = 10**9  # more than there can be
DRAWING = "how tokens are drawn (what is not given: as the model draws best)"
DTYPE_HELP = (
    "type of the transformer's products: auto, float32, float16, bfloat16; int8 speeds up large models on a CPU"
)
TOKENIZER_HELP = "folder of the tokenizer's (or decoder's) training run, or a .safetensors file with one"


def silent() -> bool:
    """Whether another process of the same torchrun speaks for this one."""
    return int(os.environ.get("RANK", 0)) > 0


def say(text: str) -> None:
    """Write a line, once however many processes work together."""
    if not silent():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def drain(work: Iterator[float | Any], label: str) -> Any:
    """Show a bar for the fractions that `work` yields; returns what it yields last."""
    last, hidden = None, silent() or None
    with tqdm(total=100, desc=label, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", disable=hidden) as bar:
        for last in work:
            bar.n = 100 * last if isinstance(last, float) else 100
            bar.refresh()
    return last


def take_gpu(device: str) -> None:
    """Give each process on a machine a GPU of its own, unless the device is to be the CPU."""
    if device != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


@contextmanager
def together(world: int, kind: str) -> Iterator[None]:
    """Lets `world` processes, started by torchrun, find each other: see `processes`."""
    if world == 1:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def jointly(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """A command that all processes of a torchrun carry out together."""

    @wraps(run)
    def joint(options: argparse.Namespace) -> None:
        take_gpu(options.device)
        with together(int(os.environ.get("WORLD_SIZE", 1)), pick_device(options.device)):
            run(options)
            processes.wait()

    return joint


def read_pictures(options: argparse.Namespace, side: int) -> tuple:
    """Classes, train and val split of --data, with a word on every file that could not be read."""
    from ..training.data import Classes

    classes = Classes.of(options.data)
    splits = []
    for name in ("train", "val"):
        read = partial(read_split, options.data, name, classes, side)
        splits.append(read() if processes.world() == 1 else read_once(read, options.out / f"{name}.pixels"))
    say(
        f"{len(splits[0])} train and {len(splits[1])} val pictures, {len(classes.names)} classes, "
        f"{sum(len(split.unreadable) for split in splits)} skipped"
    )
    return classes, *splits


def read_split(root: Path, name: str, classes: Any, side: int) -> Any:
    """One split of a data folder, with a word on every file that could not be read."""
    from ..training.data import load_split

    split = drain(load_split(root, name, classes, side), f"reading {name}")
    for path in split.unreadable:
        say(f"skipped (cannot be read): {path}")
    return split


def read_once(read: Callable[[], Any], path: Path) -> Any:
    """The split that process 0 reads, for all processes: they share the memory of one file, gone when they end."""
    from ..training.data import PictureSet
    from ..training.trainer import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    processes.told(lambda: write_whole(vars(read()), path))
    split = PictureSet(**torch.load(path, mmap=True, weights_only=True))
    processes.wait()
    processes.told(path.unlink)
    return split


def refuse_taken(path: Path, replace: bool) -> None:
    """ValueError if a file is there and may not be replaced."""
    if path.exists() and not replace:
        raise ValueError(f"{path} is there already: add --replace to write over it.")


def loaded(options: argparse.Namespace, otherwise: str = "") -> Pipeline:
    """The model that the command line asks for, or the other one if it names none."""
    name = options.model or otherwise
    return Pipeline.load(name, LoadOptions(options.device, options.dtype, options.compile))


def sampling_of(options: argparse.Namespace, usual: Sampling) -> Sampling:
    """The sampling settings on the command line; what is not there is as `usual`."""
    return replace(usual, **{name: getattr(options, name) for name in sampling_given(options)})


def sampling_given(options: argparse.Namespace) -> list[str]:
    """The sampling settings that are on the command line."""
    return [field.name for field in fields(Sampling) if hasattr(options, field.name)]


def refuse_beside(option: str, given: Sequence[str]) -> None:
    """ValueError if options are given that would not be heard beside another one."""
    if given:
        others = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"{option} says all of that: leave out {others}, or {option}.")


def integers(text: str) -> tuple[int, ...]:
    """ "1,2,3" -> (1, 2, 3)."""
    return tuple(int(part) for part in text.split(","))


def numbers(text: str) -> tuple[float, ...]:
    """ "1.5,3" -> (1.5, 3.0)."""
    return tuple(float(part) for part in text.split(","))


def names(text: str) -> tuple[str, ...]:
    """ "top half, centre box" -> ("top half", "centre box")."""
    return tuple(part.strip() for part in text.split(","))


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells every default that says something, and that its text has not told."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        empty = action.default is None or action.default is False or action.default in ((), EVERYTHING, math.inf)
        return action.help if empty or "(default" in action.help else super()._get_help_string(action)


def command(commands: Any, name: str, run: Any) -> argparse.ArgumentParser:
    """A new command that does `run`, whose docstring is its help."""
    made = commands.add_parser(name, help=run.__doc__, description=run.__doc__, formatter_class=Help)
    made.set_defaults(run=run)
    made.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    return made


def device_option(*commands: argparse.ArgumentParser) -> None:
    """Where to compute."""
    for made in commands:
        made.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def loading_options(*commands: argparse.ArgumentParser) -> None:
    """How a model is loaded: see `loaded`."""
    device_option(*commands)
    for made in commands:
        made.add_argument("--dtype", default="auto", help=DTYPE_HELP)
        made.add_argument("--compile", action="store_true", help="fuse the transformer with torch.compile: for a GPU")


def sampling_options(made: argparse.ArgumentParser, title: str = DRAWING) -> None:
    """What is not given is not in the namespace: see `sampling_of`."""
    group = made.add_argument_group(title)
    ramp = "share of the guidance that grows with the scales, from nothing at the first to all at the last"
    last = "last scales drawn without guidance: faster, but less of the class"
    for name, kind, text in (
        ("--guidance", float, "how strictly to follow the class"),
        ("--ramp", float, ramp),
        ("--temperature", float, "below 1 is safer, above 1 wilder"),
        ("--cooling", float, "share of the temperature that is gone at the last scale"),
        ("--top-k", int, "draw from the k likeliest tokens, 0 = all"),
        ("--top-p", float, "draw from the likeliest of this mass, 1 = all"),
        ("--unguided-scales", int, last),
    ):
        group.add_argument(name, type=kind, default=argparse.SUPPRESS, help=text)
    text = "mix codes instead of choosing one"
    group.add_argument("--smooth", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
