"""Parts that all commands share which train: settings, tokens, the bar, what a run goes on with."""

import argparse
import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..config import SCALES
from ..findings.run_log import log_of
from ..nn.tokenizer import Tokenizer
from ..schedule import Schedule
from ..schema import Fields, entry
from ..training import distributed
from ..training.crops import crop_tokens
from ..training.data import Classes, Dataset, data_digest, split_pictures
from ..training.sharp import Sharp, load_sharp, made_smaller
from ..training.tokenizer_task import TokenData, TokenSet, tokenise, tokenizer_hash
from ..training.trainer import Budget, Network, Optimisation, Task, Trainer, load_state, read_whole, write_whole
from ..words import counted
from .shared import data_options, drain, say, silent

PRECISION_HELP = "float32, bfloat16 (fast on CPUs with AVX-512 BF16), or auto"


def resumed(options: argparse.Namespace, kind: str) -> Fields | None:
    """Return what a run keeps besides weights if --resume asks to go on with it.

    ValueError rather than overwrite a run.
    """
    if options.resume:
        return entry(load_state(options.out, kind), "extra", dict)
    if (options.out / "state.pt").exists():
        raise ValueError(f"{options.out} holds a run already: add --resume to go on with it, or choose another --out.")
    return None


def optimisation(options: argparse.Namespace) -> Optimisation:
    """Return the settings on the command line; ValueError unless all processes get an equal part of the batch."""
    settings = Optimisation(
        options.batch,
        options.rate,
        ema_decay=options.ema,
        seed=options.seed,
        precision=options.precision,
        accumulate=options.accumulate,
        mirror=options.mirror,
    )
    settings.micro_batches(distributed.rank(), distributed.world())
    return settings


def read_tokens(
    options: argparse.Namespace, tokenizer: Tokenizer, device: str, pictures: Callable[[], Dataset]
) -> TokenData:
    """Read the tokens of both splits from a tokens.pt that fits the weights, or make them of `pictures()`.

    They are kept in the tokenizer's run, or in --out if the tokenizer is that of a model file. Those of a single map
    are kept in raster order, whatever order is asked for.
    """
    folder = options.tokenizer if options.tokenizer.is_dir() else options.out
    order, cells = tokenizer.config.order, list(Schedule.of(tokenizer.config).cells)
    tokenizer = tokenizer if order == SCALES else tokenizer.reordered("raster")
    path, classes = folder / ("tokens.pt" if order == SCALES else "tokens-raster.pt"), Classes.of(options.data)
    made_of = distributed.broadcast(lambda: [tokenizer_hash(tokenizer), data_digest(options.data, classes)])
    if distributed.broadcast(lambda: path.is_file() and load_tokens(path).get("made_of") == made_of):
        kept: dict[str, Any] = load_tokens(path)
    else:
        data = pictures()
        sets = [drain(tokenise(tokenizer, split, device), "tokenising") for split in (data.train, data.val)]
        kept = {"made_of": made_of, "tokens": [s.tokens for s in sets], "labels": [s.labels for s in sets]}
        path.parent.mkdir(parents=True, exist_ok=True)
        if distributed.rank() == 0:
            write_whole(kept, path)
    ordered = [tokens if order in (SCALES, "raster") else tokens[..., cells] for tokens in kept["tokens"]]
    train, val = (TokenSet(*pair) for pair in zip(ordered, kept["labels"], strict=True))
    return TokenData(classes, train, val)


def read_crops(options: argparse.Namespace, tokenizer: Tokenizer, device: str, split: str) -> Tensor:
    """Read the tokens of random squares of a split, int16 (N, L), from --out if they are there, else make them."""
    path, roots = options.out / f"crops-{split}.pt", options.crops or [options.data]
    made_of = [
        tokenizer_hash(tokenizer),
        options.per_picture,
        *(f"{path} {path.stat().st_size}" for root in roots for path in split_pictures(root, split)),
    ]

    def make() -> None:
        if path.is_file() and load_tokens(path)["made_of"] == made_of:
            return
        parts = [
            drain(crop_tokens(root, split, tokenizer, options.per_picture, number, device), f"squares of {root}")
            for number, root in enumerate(roots)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole({"made_of": made_of, "tokens": torch.cat(parts)}, path)

    distributed.broadcast(make)
    return entry(load_tokens(path), "tokens", Tensor)


def read_sharp(options: argparse.Namespace, tokenizer: Tokenizer, device: str) -> Sharp:
    """Read the pictures of --detail; their tokens are kept in --out."""
    config, path = tokenizer.config, options.out / "detail.pt"
    train, val = (
        drain(load_sharp(options.detail, split, config.drawn_side), f"reading sharp {split}")
        for split in ("train", "val")
    )
    skipped = len(train.unreadable) + len(val.unreadable)
    say(f"{counted(len(train), 'sharp train picture')} and {len(val)} for val, {skipped} skipped")
    digest = distributed.broadcast(lambda: data_digest(options.detail, Classes.of(options.detail)))
    made_of = [tokenizer_hash(tokenizer), digest, config.drawn_side]
    if not distributed.broadcast(lambda: path.is_file() and load_tokens(path).get("made_of") == made_of):
        small = made_smaller(train, config.image_side)
        tokens = drain(tokenise(tokenizer, small, device), "tokenising").tokens
        path.parent.mkdir(parents=True, exist_ok=True)
        if distributed.rank() == 0:
            write_whole({"made_of": made_of, "tokens": tokens}, path)
        distributed.wait()
    kept = load_tokens(path)
    return Sharp(train, val, TokenSet(entry(kept, "tokens", Tensor), train.labels))


def load_tokens(path: Path) -> Fields:
    """Load what `read_tokens` keeps; processes on one machine share its memory."""
    found = read_whole(path, "delete it, and it is made again", mmap=True)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no tokens: delete it, and it is made again.")
    return found


def run_training(task: Task[Network], out: Path, budget: Budget, resume: bool, report_minutes: float) -> bool:
    """Drive a trainer with a bar; after Ctrl-C or a termination signal all processes end their step, and one saves.

    Returns whether it came to its end.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(task, out)
    if resume:
        trainer.load()
    elif distributed.rank() == 0:
        log_of(out).unlink(missing_ok=True)  # of a run that was killed before it saved anything
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: trainer.stop())
    first, seconds = trainer.step, trainer.seconds
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {postfix}", disable=silent() or None) as bar:
        for row in trainer.run(budget, report_minutes=report_minutes):
            rate = task.optimisation.batch * (trainer.step - first) / max(trainer.seconds - seconds, 1e-9)
            bar.n = min(100, 100 * entry(row, "used", float))
            bar.set_postfix_str(f"step {row['step']}, loss {row['loss']:.3f}, {rate:.1f} pictures/s")
            if "sheet" in row:
                bar.write(json.dumps({key: value for key, value in row.items() if key not in ("used", "rate")}))
    if trainer.stopped:
        say(f"stopped and saved at step {trainer.step}")
    return not trainer.stopped


def training_options(made: argparse.ArgumentParser, batch: int, rate: float) -> None:
    """Add the options that all trainings share."""
    data_options(made, required=True)
    made.add_argument("--out", type=Path, required=True, help="folder of the run")
    made.add_argument("--minutes", type=float, default=math.inf, help="how long to train")
    made.add_argument("--steps", type=float, default=math.inf, help="how many steps to train")
    made.add_argument("--resume", action="store_true", help="go on with the run in --out, for so long again")
    made.add_argument("--batch", type=int, default=batch, help="pictures in a step, of all processes together")
    text = "micro-batches in which a process computes its part of a step"
    made.add_argument("--accumulate", type=int, default=1, help=text)
    made.add_argument("--rate", type=float, default=rate, help="learning rate")
    text = "last fraction of the time over which the learning rate falls to zero"
    made.add_argument("--cooldown", type=float, default=0.0, help=text)
    made.add_argument("--ema", type=float, default=0.999, help="decay of the moving average of the weights")
    made.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    made.add_argument("--precision", default="auto", help=PRECISION_HELP)
    text = "do not mirror pictures at random: where left and right have a meaning"
    made.add_argument("--no-mirror", dest="mirror", action="store_false", help=text)
    made.add_argument("--report-minutes", type=float, default=10, help="minutes between sample sheets")
