"""Parts that several commands share: words and bars, reading pictures, processes together, options."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from tqdm import tqdm

from ..config import LoadOptions, Sampling
from ..engine.pipeline import Pipeline, pick_device
from ..engine.two_models import finished
from ..picture_files import kind_of
from ..settings import Declared, Value, parsed, rows
from ..training import distributed
from ..training.data import Classes, Dataset, Divided, PictureFolder, PictureSet, load_split
from ..training.trainer import write_whole
from ..weights import checkpoints
from ..words import counted, printable

Outcome = TypeVar("Outcome")
CommandFunction = Callable[[argparse.Namespace], None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what a parser adds commands to
PATIENCE = timedelta(hours=2)  # with a process that reads or reports while the others wait
MOST_PICTURES = 1000  # of one command that is not `sample`
EVERYTHING = 10**9  # more than there can be
SAMPLING_HELP = "how tokens are drawn (what is not given: as the model draws best)"
MODEL_OUT_HELP = "folder, or a file that ends in .safetensors (default: the user's folder of models)"
FILE_SUFFIXES = {".safetensors", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".json", ".csv", ".pt", ".pth"}
DTYPE_HELP = (
    "type of the transformer's products: auto, float32, float16, bfloat16; int8 speeds up large models on a CPU"
)
ANYWAY_HELP = "also if another version of the model made it: the same settings, for a picture like it"
DATA_HELP = "folder with train/<class>/ and val/<class>/"
TOKENIZER_HELP = "folder of the tokenizer's (or decoder's) training run, or a .safetensors file with one"


def silent() -> bool:
    """Say whether another process of the same torchrun speaks for this one."""
    return int(os.environ.get("RANK", 0)) > 0


def say(text: str) -> None:
    """Write a line, once however many processes work together."""
    if not silent():
        sys.stdout.write(printable(text) + "\n")
        sys.stdout.flush()


def complain(text: str) -> None:
    """Write a line to where errors go."""
    sys.stderr.write(printable(text) + "\n")


def drain(work: Iterator[float | Outcome], label: str) -> Outcome:
    """Show a bar for the fractions that `work` yields; return what it yields last."""
    last: float | Outcome = 0.0
    hidden = silent() or None
    with tqdm(total=100, desc=label, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", disable=hidden) as bar:
        for last in work:
            bar.n = 100 * last if isinstance(last, float) else 100
            bar.refresh()
    assert not isinstance(last, float)
    return last


def take_gpu(device: str) -> None:
    """Give each process on a machine a GPU of its own, unless the device is to be the CPU."""
    if device != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


@contextmanager
def together(world: int, kind: str) -> Iterator[None]:
    """Lets `world` processes, started by torchrun, find each other: see `distributed`."""
    if world == 1:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def jointly(run: CommandFunction) -> CommandFunction:
    """Make a command one that all processes of a torchrun carry out together."""

    @wraps(run)
    def joint(options: argparse.Namespace) -> None:
        take_gpu(options.device)
        with together(int(os.environ.get("WORLD_SIZE", 1)), pick_device(options.device)):
            run(options)
            distributed.wait()

    return joint


def read_pictures(options: argparse.Namespace, side: int) -> Dataset:
    """Read both splits of --data, with a word on every file that could not be read."""
    classes = Classes.of(options.data)

    def split(name: str) -> PictureSet:
        read = partial(read_split, options.data, name, classes, side)
        return read() if distributed.world() == 1 else read_once(read, options.out / f"{name}.pixels")

    train, val = split("train"), split("val")
    say(
        f"{len(train)} train and {counted(len(val), 'val picture')}, {counted(len(classes.names), 'class')}, "
        f"{len(train.unreadable) + len(val.unreadable)} skipped"
    )
    return Dataset(classes, train, val)


def read_split(root: PictureFolder, name: str, classes: Classes, side: int) -> PictureSet:
    """Read one split of a data folder, with a word on every file that could not be read."""
    split = drain(load_split(root, name, classes, side), f"reading {name}")
    for path in split.unreadable:
        say(f"skipped (cannot be read): {path}")
    return split


def read_once(read: Callable[[], PictureSet], path: Path) -> PictureSet:
    """Return the split that process 0 reads, in all processes: they share the memory of one file, gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    distributed.broadcast(lambda: write_whole(vars(read()), path))
    split = PictureSet(**torch.load(path, mmap=True, weights_only=True))
    distributed.wait()
    distributed.broadcast(path.unlink)
    return split


def refuse_taken(path: Path, replace: bool) -> None:
    """ValueError if a file is there and may not be replaced."""
    if path.exists() and not replace:
        raise ValueError(f"{path} is there already: add --replace to write over it.")


def names_file(out: Path, suffix: str) -> bool:
    """Say whether --out names a file of a suffix, such as ".png", not a folder."""
    return out.suffix.lower() == suffix and not out.is_dir()


def out_file(out: Path, name: str, suffix: str) -> Path:
    """Return the file that --out means: `out` itself if it ends in the suffix, else one of a name in that folder.

    ValueError if `out` would be a new folder with the name of a file of another kind.
    """
    if names_file(out, suffix):
        return out
    if out.suffix.lower() in FILE_SUFFIXES and not out.is_dir():
        raise ValueError(f"--out {out}: end the name with {suffix}, or name a folder.")
    return out / f"{name}{suffix}"


def model_file(out: Path | None, name: str) -> Path:
    """Return where to write a model of a name: as --out says, see `out_file`, or else in the user's folder of models.

    ValueError if that is among the files of an installed package, or another model of this name would hide it.
    """
    path = checkpoints.new_file(name) if out is None else out_file(out, name, checkpoints.SUFFIX)
    checkpoints.refuse_shipped(path)
    return path


def names_picture(out: Path) -> bool:
    """Say whether --out names the file of a picture, not a folder."""
    return kind_of(out) is not None and not out.is_dir()


def picture_file(out: Path, name: str, suffix: str = ".png") -> Path:
    """Return the file of a picture that --out means, as `out_file` does; its folder is made if need be."""
    path = out_file(out, name, suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def check_count(options: argparse.Namespace, times: int = 1) -> None:
    """ValueError unless --count pictures can be made, so many times, and have room in --out."""
    if not 1 <= options.count <= MOST_PICTURES // times:
        raise ValueError(f"count {options.count} is out of range: choose 1 to {MOST_PICTURES // times}.")
    if options.count * times > 1 and names_picture(options.out):
        raise ValueError(f"--out {options.out} is a single file: name a folder for {options.count * times} pictures.")


def loaded(options: argparse.Namespace, otherwise: str = "") -> Pipeline:
    """The model that the command line asks for, or the other one if it names none, and the one that finishes."""
    how = LoadOptions(options.device, options.dtype, options.compile)
    pipe, finish = Pipeline.load(options.model or otherwise, how), getattr(options, "finish", None)
    if not finish:
        if getattr(options, "from_scale", None) is not None:
            raise ValueError("--from-scale says where a second model begins: add --finish MODEL, or leave it out.")
        return pipe
    first = len(pipe.schedule) if options.from_scale is None else options.from_scale
    return finished(pipe, Pipeline.load(finish, how), first - 1)


def sampling_of(options: argparse.Namespace, usual: Sampling) -> Sampling:
    """The sampling settings on the command line; what is not there is as `usual`."""
    return parsed(usual, given(options, Sampling))


def refuse_beside(option: str, names: Iterable[str]) -> None:
    """ValueError if there are options, by the names of their values, that would not be heard beside another one."""
    if others := ", ".join(f"--{name.replace('_', '-')}" for name in names):
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
        return action.help if empty or "(default" in (action.help or "") else super()._get_help_string(action)


def command(commands: Commands, name: str, run: CommandFunction) -> argparse.ArgumentParser:
    """Add a command that does `run`, whose docstring is its help."""
    made = commands.add_parser(name, help=run.__doc__, description=run.__doc__, formatter_class=Help)
    made.set_defaults(run=run)
    made.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    return made


def data_options(made: argparse.ArgumentParser, required: bool, text: str = DATA_HELP) -> None:
    """Add --data, and how it is divided if it has no val/: see `divided`."""
    made.add_argument("--data", type=Path, required=required, help=text)
    text = "take this share of the pictures of each class for val, for instance 0.1: for a folder without val/"
    made.add_argument("--split", type=float, metavar="SHARE", help=text)
    made.add_argument("--split-seed", type=int, default=0, help="with --split: another seed takes other pictures")


def divided(options: argparse.Namespace) -> argparse.Namespace:
    """Return options whose data folder is divided as --split asks; ValueError if it cannot be."""
    if getattr(options, "split", None) is None:
        return options
    if options.data is None:
        raise ValueError("--split divides a data folder: name it with --data, or leave it out.")
    return argparse.Namespace(**{**vars(options), "data": Divided(options.data, options.split, options.split_seed)})


def model_option(*commands: argparse.ArgumentParser, required: bool = False) -> None:
    """Add --model: which model a command is about, the bundled one unless told."""
    for made in commands:
        usual = None if required else checkpoints.DEFAULT
        made.add_argument("--model", required=required, default=usual, help="name or path of a model")


def device_option(*commands: argparse.ArgumentParser) -> None:
    """Add --device: where to compute."""
    for made in commands:
        made.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def loading_options(*commands: argparse.ArgumentParser) -> None:
    """Add what says how a model is loaded: see `loaded`."""
    device_option(*commands)
    for made in commands:
        made.add_argument("--dtype", default="auto", help=DTYPE_HELP)
        made.add_argument("--compile", action="store_true", help="fuse the transformer with torch.compile: for a GPU")


def finish_options(*commands: argparse.ArgumentParser) -> None:
    """Add what says which model draws the fine scales: see `loaded`."""
    for made in commands:
        text = "a smaller model with the same tokenizer, which draws the last scales"
        made.add_argument("--finish", metavar="MODEL", help=text)
        text = "the first scale that it draws, counted from 1 (default: the last)"
        made.add_argument("--from-scale", type=int, metavar="K", help=text)


def setting_options(
    made: argparse.ArgumentParser, kind: type[Declared], title: str, usual: Mapping[str, str] | None = None
) -> None:
    """Add an option for each setting of a table; what is not given is not in the namespace: see `given`.

    `usual` tells, by name, what holds where an option is not given.
    """
    group = made.add_argument_group(title)
    for row in rows(kind):
        bounds = f"{row.help.removesuffix('.')} ({row.bounds})" if row.bounds and not row.choices else row.help
        told = usual[row.name] if usual else ""
        text = bounds.removesuffix(".") + (f" (default: {told})" if told not in ("", "False") else "")
        if row.kind is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(row.flag, action=action, default=argparse.SUPPRESS, help=text)
        else:
            choices, word = row.choices or None, None if row.choices else row.name.upper()
            group.add_argument(
                row.flag, type=row.kind, choices=choices, metavar=word, default=argparse.SUPPRESS, help=text
            )


def given(options: argparse.Namespace, kind: type[Declared]) -> dict[str, Value]:
    """The settings of a table that are on the command line, by name."""
    return {row.name: getattr(options, row.name) for row in rows(kind) if hasattr(options, row.name)}


def sampling_options(made: argparse.ArgumentParser, title: str = SAMPLING_HELP) -> None:
    """Add the settings of sampling: see `sampling_of`."""
    setting_options(made, Sampling, title)
