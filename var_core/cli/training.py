"""Commands that train, and what is made of what was trained."""

import argparse
import json
import math
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from ..config import ORDERS, SCALES, LoadOptions, TokenizerConfig, TransformerConfig
from ..engine.pipeline import Pipeline, pick_device, pick_dtype
from ..engine.sampling import Sampling
from ..nn.transformer import PARTS
from ..schedule import Schedule
from ..training import distributed as processes
from ..weights import checkpoints
from .shared import (
    TOKENIZER_HELP,
    command,
    device_option,
    drain,
    integers,
    jointly,
    read_pictures,
    read_split,
    refuse_taken,
    sampling_of,
    sampling_options,
    say,
    silent,
)

SIDES = (1, 2, 3, 4, 6, 10, 16)  # of a tokenizer's maps that is trained from nothing
START_HELP = (
    f"begin with the weights of this one, of its sizes but for --residual-blocks and its maps: {TOKENIZER_HELP}"
)


def resumed(options: argparse.Namespace, kind: str) -> dict | None:
    """What a run keeps besides weights if --resume asks to go on with it; ValueError rather than overwrite one."""
    from ..training.trainer import load_state

    if options.resume:
        return load_state(options.out, kind)["extra"]
    if (options.out / "state.pt").exists():
        raise ValueError(f"{options.out} holds a run already: add --resume to go on with it, or choose another --out.")
    return None


@jointly
def train_tokenizer(options: argparse.Namespace) -> None:
    """Train a tokenizer, or go on with one."""
    from ..training.export import load_tokenizer
    from ..training.tokenizer_task import TokenizerTask

    settings, kept = optimisation(options), resumed(options, TokenizerTask.KIND)
    start = load_tokenizer(options.start) if options.start and not kept else None
    config = TokenizerConfig(**kept["config"]) if kept else tokenizer_sizes(options, start)
    classes, train, val = read_pictures(options, config.image_side)
    torch.manual_seed(options.seed)
    device = pick_device(options.device)
    choices = {"perceptual": options.perceptual, "start": start}
    run_training(TokenizerTask(config, train, val, classes, settings, device, **choices), options)


def tokenizer_sizes(options: argparse.Namespace, start: Any) -> TokenizerConfig:
    """The sizes on the command line, or those of a tokenizer to start from with the blocks and the maps it says."""
    usual = start.config.residual_blocks if start else 1
    blocks = usual if options.residual_blocks is None else options.residual_blocks
    if start:
        sides = options.sides or (start.config.sides if options.order == SCALES else start.config.sides[-1:])
        maps = {"sides": sides, "order": options.order, "own_codes": options.own_codes}
        return replace(start.config, residual_blocks=blocks, **maps)
    return TokenizerConfig(
        options.sides or SIDES,
        options.vocabulary,
        options.code_width,
        options.channels,
        options.multipliers,
        blocks,
        options.norm_groups,
        options.stem,
        order=options.order,
        own_codes=options.own_codes,
    )


@jointly
def train_decoder(options: argparse.Namespace) -> None:
    """Train the decoder of a trained tokenizer on, or go on with that: tokens keep their meaning."""
    from ..training.decoder_task import DecoderTask, refined
    from ..training.export import load_tokenizer
    from ..training.tokenizer_task import same_tokenizer

    settings, kept = optimisation(options), resumed(options, DecoderTask.KIND)
    tokenizer, device = load_tokenizer(options.tokenizer), pick_device(options.device)
    if kept:
        same_tokenizer(kept, tokenizer)
    sizes = kept["config"] if kept else vars(options)
    tokenizer = refined(tokenizer, *(sizes.get(name, 0) for name in ("refine", "refine_blocks")))
    var = drawing(options, tokenizer, device) if options.drawn_by else None
    if kept and kept.get("drawn") and not var:
        raise ValueError(f"In {options.out} a model draws half of the last tokens: name it with --drawn-by.")
    if kept and kept.get("maps") and not options.feature_adversarial:
        raise ValueError(f"In {options.out} features are judged too: say how much with --feature-adversarial.")
    classes, *splits = read_pictures(options, tokenizer.config.image_side)
    tokens, _ = read_tokens(options, tokenizer.to(device), device, lambda: splits)
    torch.manual_seed(options.seed)
    choices = {name: getattr(options, name) for name in ("perceptual", "adversarial", "feature_adversarial")}
    run_training(DecoderTask(tokenizer, *splits, tokens, classes, settings, device, **choices, var=var), options)


def drawing(options: argparse.Namespace, tokenizer: Any, device: str) -> Any:
    """The transformer of --drawn-by; ValueError unless it draws tokens of this tokenizer, by scales, of this data."""
    from ..training.data import Classes
    from ..training.tokenizer_task import same_in_file

    made = checkpoints.load(options.drawn_by, dtype=pick_dtype(options.precision, device), device=device)
    if made.spec.tokenizer.order != SCALES or not same_in_file(made.tokenizer, tokenizer):
        raise ValueError(f"{options.drawn_by} draws tokens of another tokenizer than {options.tokenizer}.")
    drawn, wanted = ([name.casefold() for name in of] for of in (made.spec.class_names, Classes.of(options.data).names))
    if drawn != wanted:  # a file begins names with a capital
        raise ValueError(f"{options.drawn_by} draws other classes than those in {options.data}.")
    return made.var


@jointly
def train_transformer(options: argparse.Namespace) -> None:
    """Train a transformer on the tokens of a trained tokenizer, or go on with one."""
    from ..training.data import Classes
    from ..training.export import load_tokenizer
    from ..training.tokenizer_task import same_in_file, same_tokenizer
    from ..training.transfer import TRANSLATED, translated
    from ..training.transformer_task import TransformerTask, check_shares

    settings, kept = replace(optimisation(options), muon=options.muon), resumed(options, TransformerTask.KIND)
    tokenizer, classes = load_tokenizer(options.tokenizer), Classes.of(options.data)
    begun = checkpoints.load(options.start) if options.start and not kept else None
    given = TransformerConfig(**kept["config"]) if kept else begun.spec.transformer if begun else None
    tokenizer = tokenizer.reordered(given.order if given else options.order or tokenizer.config.order)
    if begun and given.order == SCALES:
        given = replace(given, sides=tokenizer.config.sides)
    config = transformer_sizes(options, tokenizer.config, len(classes.names), given)
    if kept:
        same_tokenizer(kept, tokenizer)
    usual = {"without": (), "self_correction": 0.0, "class_dropout": 0.1}  # of runs that do not say
    parts = {name: kept.get(name, value) if kept else getattr(options, name) for name, value in usual.items()}
    check_shares(parts["class_dropout"], parts["self_correction"], config.order)
    device = pick_device(options.device)
    splits = cache(lambda: read_pictures(options, tokenizer.config.image_side)[1:])
    begin = begun and begun.var
    if begun and not same_in_file(begun.tokenizer, tokenizer):
        say(f"The tokens of {options.tokenizer} are another tokenizer's than those that {options.start} has learned.")
        begin = translated(begin, begun.tokenizer, tokenizer, splits()[0].spread(TRANSLATED))
    train, val = read_tokens(options, tokenizer.to(device), device, splits)
    splits.cache_clear()  # training needs no pictures
    torch.manual_seed(options.seed)
    parts |= {"most_per_scale": options.most_per_scale, "compiled": options.compile}
    parts["start"] = begin
    run_training(TransformerTask(config, tokenizer, train, val, classes, settings, device, **parts), options)


def transformer_sizes(
    options: argparse.Namespace, codes: TokenizerConfig, classes: int, given: TransformerConfig | None
) -> TransformerConfig:
    """The sizes given, or those on the command line; ValueError unless they fit the tokenizer and the data."""
    if given is None:
        sizes = (options.depth, options.width, options.heads, codes.vocabulary, codes.code_width)
        return TransformerConfig(codes.sides, classes, *sizes, shared_adaln=options.shared_adaln, order=codes.order)
    if (codes.sides, classes) != (given.sides, given.classes):
        raise ValueError(
            f"The transformer has sides {given.sides} and {given.classes} classes, the tokenizer {codes.sides} and "
            f"{options.data} {classes}: they must be equal."
        )
    if (codes.vocabulary, codes.code_width) != (given.vocabulary, given.code_width):
        raise ValueError(
            f"The transformer has {given.vocabulary} codes of {given.code_width} numbers, the tokenizer "
            f"{codes.vocabulary} of {codes.code_width}: they must be equal."
        )
    return given


def read_tokens(options: argparse.Namespace, tokenizer: Any, device: str, pictures: Callable[[], Iterable]) -> tuple:
    """Tokens of both splits: from a tokens.pt if it fits the weights, else made of `pictures()` and kept there.

    It lies in the tokenizer's run, or in --out if the tokenizer is that of a model file. Those of a single map lie in
    raster order, whatever order is asked for. `pictures` gives both splits.
    """
    from ..training.data import Classes, digest
    from ..training.tokenizer_task import TokenSet, tokenise, tokenizer_hash
    from ..training.trainer import write_whole

    folder = options.tokenizer if options.tokenizer.is_dir() else options.out
    order, cells = tokenizer.config.order, list(Schedule.of(tokenizer.config).cells)
    tokenizer = tokenizer if order == SCALES else tokenizer.reordered("raster")
    path = folder / ("tokens.pt" if order == SCALES else "tokens-raster.pt")
    made_of = processes.told(lambda: [tokenizer_hash(tokenizer), digest(options.data, Classes.of(options.data))])
    if processes.told(lambda: path.is_file() and load_tokens(path).get("made_of") == made_of):
        kept = load_tokens(path)
    else:
        sets = [drain(tokenise(tokenizer, split, device), "tokenising") for split in pictures()]
        kept = {"made_of": made_of, "tokens": [s.tokens for s in sets], "labels": [s.labels for s in sets]}
        path.parent.mkdir(parents=True, exist_ok=True)
        if processes.rank() == 0:
            write_whole(kept, path)
    ordered = [tokens if order in (SCALES, "raster") else tokens[..., cells] for tokens in kept["tokens"]]
    return tuple(TokenSet(*pair) for pair in zip(ordered, kept["labels"], strict=True))


def load_tokens(path: Path) -> dict:
    """What `read_tokens` keeps; processes on one machine share its memory."""
    return torch.load(path, mmap=True, weights_only=True)


def optimisation(options: argparse.Namespace) -> Any:
    """The settings on the command line; ValueError unless all processes get an equal share of the batch."""
    from ..training.trainer import Optimisation

    settings = Optimisation(
        options.batch,
        options.rate,
        average=options.average,
        seed=options.seed,
        precision=options.precision,
        accumulate=options.accumulate,
        mirror=options.mirror,
    )
    settings.shares(processes.rank(), processes.world())
    return settings


def run_training(task: Any, options: argparse.Namespace) -> bool:
    """Drive a trainer with a bar; after Ctrl-C or a termination signal all processes end their step, and one saves.

    Returns whether it came to its end.
    """
    from ..training.distributed import rank
    from ..training.trainer import Budget, Trainer

    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(task, options.out)
    if options.resume:
        trainer.load()
    elif rank() == 0:
        trainer.log_file.unlink(missing_ok=True)  # of a run that was killed before it saved anything
    budget = Budget(options.minutes, options.steps, options.decay)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: trainer.stop())
    first, seconds = trainer.step, trainer.seconds
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {postfix}", disable=silent() or None) as bar:
        for row in trainer.run(budget, report_minutes=options.report_minutes):
            rate = options.batch * (trainer.step - first) / max(trainer.seconds - seconds, 1e-9)
            bar.n = min(100, 100 * row["used"])
            bar.set_postfix_str(f"step {row['step']}, loss {row['loss']:.3f}, {rate:.1f} pictures/s")
            if "sheet" in row:
                bar.write(json.dumps({key: value for key, value in row.items() if key not in ("used", "rate")}))
    if trainer.stopped:
        say(f"stopped and saved at step {trainer.step}")
    return not trainer.stopped


def plot(options: argparse.Namespace) -> None:
    """The curves of a training run."""
    from ..training.curves import plot as draw

    say(str(draw(options.run_folder)))


def export(options: argparse.Namespace) -> None:
    """Both trained networks, averaged weights, as one checkpoint file for the app."""
    from ..training.export import export as write
    from ..training.export import load_tokenizer, load_transformer

    out = options.out or checkpoints.new_file(options.name)
    tokenizer, default_sampling = load_tokenizer(options.tokenizer), sampling_of(options, Sampling())
    classes, train, _ = read_pictures(options, tokenizer.config.image_side)
    var = load_transformer(options.transformer, tokenizer)
    write(out, options.name, tokenizer, var, classes, train, default_sampling)
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def atlas(options: argparse.Namespace) -> None:
    """Patches of what each code of a model adds to the val pictures of --data, as a file beside the model's."""
    from ..inspection.atlas import build, path_for
    from ..training.data import Classes

    out = path_for(checkpoints.find(options.model))
    checkpoints.refuse_shipped(out)
    refuse_taken(out, options.replace)
    pipe = Pipeline.load(options.model, LoadOptions(options.device))
    val = read_split(options.data, "val", Classes.of(options.data), pipe.spec.tokenizer.image_side)
    pictures = (Image.fromarray(pixels) for pixels in val.pixels.numpy())
    found = build(pipe, tqdm(pictures, total=len(val), unit="picture", disable=None))
    found.save(out)
    used = int((found.uses > 0).sum())
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB): {used} of {len(found.uses)} codes in {len(val)} pictures")


def add_commands(commands: Any) -> None:
    """Add them to the program's."""
    _training_commands(commands)
    _run_commands(commands)


def _training_commands(commands: Any) -> None:
    train = commands.add_parser("train", help="Train a tokenizer, its decoder, or a transformer.")
    networks = train.add_subparsers(required=True)
    _train_tokenizer_command(networks)
    _train_decoder_command(networks)
    _train_transformer_command(networks)


def _train_tokenizer_command(commands: Any) -> None:
    made = command(commands, "tokenizer", train_tokenizer)
    _training_options(made, batch=8, rate=5e-4)
    made.add_argument("--start", type=Path, help=START_HELP)
    text = f"sides of the token maps (default: {','.join(map(str, SIDES))}, or those of --start)"
    made.add_argument("--sides", type=integers, help=text)
    made.add_argument("--order", choices=ORDERS, default=SCALES, help="scales; or, for a single side, of its cells")
    made.add_argument("--vocabulary", type=int, default=4096, help="codes in the codebook")
    made.add_argument("--code-width", type=int, default=16, help="numbers in a code")
    made.add_argument("--channels", type=int, default=64, help="channels at the finest level")
    made.add_argument("--multipliers", type=integers, default=(1, 2), help="channels of each level, fine to coarse")
    made.add_argument("--residual-blocks", type=int, help="blocks in each level (default: 1, or those of --start)")
    made.add_argument("--norm-groups", type=int, default=16, help="groups of the normalisation layers")
    made.add_argument("--stem", type=int, default=4, help="pixel-unshuffle factor before the first convolution")
    text = "each scale has an equal part of the vocabulary to itself, instead of all sharing all"
    made.add_argument("--own-codes", action="store_true", help=text)
    made.add_argument("--perceptual", type=float, default=0.2, help="weight of the perceptual loss")
    device_option(made)


def _train_decoder_command(commands: Any) -> None:
    made = command(commands, "decoder", train_decoder)
    _training_options(made, batch=8, rate=2e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--perceptual", type=float, default=0.5, help="weight of the perceptual loss")
    made.add_argument("--adversarial", type=float, default=0.1, help="weight of the discriminator's loss")
    text = "weight of a second discriminator, of features; the perceptual loss then sees pictures at full size"
    made.add_argument("--feature-adversarial", type=float, default=0.0, help=text)
    made.add_argument("--refine", type=int, default=0, help="channels that smooth the pixel-shuffle's blocks, 0 = none")
    made.add_argument("--refine-blocks", type=int, default=0, help="residual blocks of that network")
    text = "let this model draw the last tokens of half of the pictures, so that the decoder gets used to them"
    made.add_argument("--drawn-by", metavar="MODEL", help=text)
    device_option(made)


def _train_transformer_command(commands: Any) -> None:
    made = command(commands, "transformer", train_transformer)
    _training_options(made, batch=8, rate=8e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument(
        "--start", metavar="MODEL", help="begin with the weights of this model, and its sizes but for the maps"
    )
    made.add_argument("--order", choices=ORDERS, help="of the cells of a single map (default: the tokenizer's)")
    made.add_argument("--depth", type=int, default=8, help="number of blocks")
    made.add_argument("--width", type=int, default=192, help="model width")
    made.add_argument("--heads", type=int, default=3, help="attention heads")
    made.add_argument("--shared-adaln", action="store_true", help="all blocks share one AdaLN layer, which is smaller")
    text = "share of the pictures that are shown without their class, which guidance needs"
    made.add_argument("--class-dropout", type=float, default=0.1, help=text)
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    text = "largest share of a picture's tokens that wrong ones replace, which finer scales learn to make up for"
    made.add_argument("--self-correction", type=float, default=0.0, help=text)
    text = f"parts to do without, of {', '.join(PARTS)}"
    made.add_argument("--without", choices=PARTS, nargs="+", default=(), help=text)
    text = "fuse the blocks with torch.compile: faster after the first minute; needs a C++ compiler"
    made.add_argument("--compile", action="store_true", help=text)
    text = "train the matrices of the blocks with Muon instead of AdamW: learns more in a step, which takes longer"
    made.add_argument("--muon", action="store_true", help=text)
    device_option(made)


def _training_options(made: argparse.ArgumentParser, batch: int, rate: float) -> None:
    made.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    made.add_argument("--out", type=Path, required=True, help="folder of the run")
    made.add_argument("--minutes", type=float, default=math.inf, help="how long to train")
    made.add_argument("--steps", type=float, default=math.inf, help="how many steps to train")
    made.add_argument("--resume", action="store_true", help="go on with the run in --out, for so long again")
    made.add_argument("--batch", type=int, default=batch, help="pictures in a step, of all processes together")
    made.add_argument("--accumulate", type=int, default=1, help="parts in which a process computes its share of a step")
    made.add_argument("--rate", type=float, default=rate, help="learning rate")
    made.add_argument(
        "--decay", type=float, default=0.0, help="last part of the time over which the rate falls to zero"
    )
    made.add_argument("--average", type=float, default=0.999, help="decay of the averaged weights")
    made.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    made.add_argument("--precision", default="auto", help="float32, bfloat16 (fast on CPUs with AVX-512 BF16), or auto")
    text = "do not mirror pictures at random: where left and right have a meaning"
    made.add_argument("--no-mirror", dest="mirror", action="store_false", help=text)
    made.add_argument("--report-minutes", type=float, default=10, help="minutes between sample sheets")


def _run_commands(commands: Any) -> None:
    curves = command(commands, "plot", plot)
    curves.add_argument("run_folder", type=Path, help="folder of a training run")
    pack = command(commands, "export", export)
    pack.add_argument("--data", type=Path, required=True, help="the data folder that both were trained on")
    pack.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    pack.add_argument("--transformer", type=Path, required=True, help="folder of the transformer's training run")
    pack.add_argument("--name", required=True, help="name of the model")
    pack.add_argument("--out", type=Path, default=None, help="file to write (default: in the user's folder of models)")
    sampling_options(pack, "how the model draws best, which its file will say")
    shown = command(commands, "atlas", atlas)
    shown.add_argument("model", help="name or path of a model")
    shown.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    shown.add_argument("--replace", action="store_true", help="replace an atlas that is there already")
    device_option(shown)
