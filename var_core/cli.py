"""`python -m var_core ...`: make pictures and traces of them, get models, train, export, evaluate, measure."""

import argparse
import hashlib
import io
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from functools import cache, partial, wraps
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from . import __version__, checkpoints, processes, rows
from .canvas import FILLS, Box
from .config import METRICS, ORDERS, SCALES, SPECS, ModelSpec, TokenizerConfig, TransformerConfig
from .edit import CHANGING, REPAINTING, Edit, Settings, onward, run
from .images import grid, open_mask, open_photo
from .pipeline import Pipeline, Request, pick_device, pick_dtype, use_threads
from .recipe import Recipe
from .registry import MODELS, fits, named, short_of_memory, size
from .sampling import Sampling
from .schedule import Schedule
from .transformer import PARTS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one sentence about what was wrong."""
    options = parser().parse_args(arguments)
    try:
        if options.threads is not None:
            use_threads(options.threads)
        options.run(options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130
    return 0


def silent() -> bool:
    """Whether another process of the same torchrun speaks for this one."""
    return int(os.environ.get("RANK", 0)) > 0


def say(text: str) -> None:
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


def loaded(options: argparse.Namespace, otherwise: str = "") -> Pipeline:
    """The model that the command line asks for, or the other one if it names none."""
    name = options.model or otherwise
    return Pipeline.load(name, device=options.device, dtype=options.dtype, compiled=options.compile)


# ------------------------------------------------------------------------------------------------ pictures


def generate(options: argparse.Namespace) -> None:
    """Pictures of one class, seeds counting up from --seed, each a PNG with its recipe."""
    pipe = loaded(options)
    label = pipe.spec.label(options.class_name)
    sampling = sampling_of(options, pipe.spec.looks)
    if not 1 <= options.count <= 1000:
        raise ValueError(f"count {options.count} is out of range: choose 1 to 1000.")
    if options.scales:
        pipe.spec.need_scales("--scales")
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in tqdm(range(options.seed, options.seed + options.count), unit="picture", disable=None):
        request = Request((label,), (seed,), sampling)
        recipe, result = Recipe.of(pipe, request, 0), pipe.run(request)
        recipe.save(result.images[0], options.out / f"{recipe.stem}.png")
        if options.scales:
            frames = [pipe.decode(step.f_hat)[0] for step in result.steps]
            grid(frames, columns=len(frames)).save(options.out / f"{recipe.stem}-scales.png")
    say(f"{options.count} pictures in {options.out}")


def sample(options: argparse.Namespace) -> None:
    """Many pictures for those who measure a model, and the .npz that evaluators read; goes on after a stop.

    Under torchrun the processes share the work; the pictures are the same however many there are.
    """
    from . import sample as work

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    take_gpu(options.device)
    pipe = loaded(options)
    spec = pipe.spec
    names = options.classes.split(",")
    labels = tuple(range(spec.transformer.classes)) if names == ["all"] else tuple(map(spec.label, names))
    sampling = METRICS if options.metrics else sampling_of(options, pipe.spec.looks)
    job = work.Job(options.count, labels, options.out, options.seed, sampling, options.batch)
    if pipe.at_once(job.request(range(job.batch))) < job.batch:
        say(f"Memory is short for {job.batch} pictures at once: they are made in parts.")
    with together(world, pipe.device.type):
        ours = len(job.left(rank, world))
        with tqdm(total=ours, unit="picture", disable=True if rank else None) as bar:
            for made in work.sample(pipe, job, rank, world):
                bar.update(made)
        processes.wait()
    if rank == 0:
        packed = options.out.with_suffix(".npz")
        work.pack(job, packed)
        say(f"{job.count} pictures in {options.out}, all of them in {packed}")


DRAWING = "how tokens are drawn (what is not given: as the model draws best)"
PATIENCE = timedelta(hours=2)  # with a process that reads or reports while the others wait


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


def edit(options: argparse.Namespace) -> None:
    """Repaint what a mask says of a photo, or draw it beyond its edges; each result a PNG with its recipe."""
    pipe = loaded(options)
    job = asked_edit(options, pipe)
    options.out.mkdir(parents=True, exist_ok=True)
    if job.painted.any():
        mask_file = vacant(options.out / f"{options.photo.stem}-mask.png", lambda file: shows(file, job.painted))
        if not mask_file.exists():
            Image.fromarray(job.painted).save(mask_file)
    for place, seed in enumerate(tqdm(job.seeds, unit="photo", disable=None)):
        recipe = Recipe.of_edit(pipe, job, place)
        one = replace(job, labels=(job.labels[place],), seeds=(seed,))
        made = io.BytesIO()
        recipe.save(Image.fromarray(run(pipe, one)[0]), made)
        write_new(options.out / f"{options.photo.stem}-{recipe.stem}.png", made.getvalue())
    say(f"{len(job.seeds)} photos in {options.out}")


def vacant(wanted: Path, same: Callable[[Path], bool]) -> Path:
    """The path wanted, numbered while a file is there that is not the `same`; says so."""
    path, number = wanted, 1
    while path.exists() and not same(path):
        number += 1
        path = wanted.with_stem(f"{wanted.stem}-{number}")
    if path != wanted:
        say(f"{wanted} is there already: {path.name} instead.")
    return path


def shows(file: Path, mask: np.ndarray) -> bool:
    """Whether a file gives this mask, bool (H, W)."""
    try:
        return np.array_equal(open_mask(file, mask.shape[::-1])[0], mask)
    except ValueError:
        return False


def write_new(wanted: Path, content: bytes) -> None:
    """Write a file under the name wanted, or numbered if another one has it."""
    vacant(wanted, lambda file: file.is_file() and file.read_bytes() == content).write_bytes(content)


def asked_edit(options: argparse.Namespace, pipe: Pipeline) -> Edit:
    """The edit that the command line asks for; ValueError if there is nothing to do."""
    if len(options.extend) != 4:
        raise ValueError(f"extend {options.extend}: give four numbers of pixels, for left, top, right and bottom.")
    photo = open_photo(options.photo)
    size = photo.shape[1::-1]
    painted, found = np.zeros(photo.shape[:2], bool), None
    if options.mask:
        painted, found = open_mask(options.mask, size)
    if found:
        say(f"{options.mask.name} has {found[0]} x {found[1]} pixels, the photo {size[0]} x {size[1]}: mask resized.")
    if options.like:
        return Recipe.read(options.like).edit(pipe, photo, painted)
    if not (painted.any() or any(options.extend)):
        raise ValueError("Nothing to do: give a --mask with white where to repaint, or sides to --extend.")
    if not 1 <= options.count <= 1000:
        raise ValueError(f"count {options.count} is out of range: choose 1 to 1000.")
    label = pipe.spec.label(options.into) if options.into else pipe.spec.transformer.null_label
    seeds = tuple(range(options.seed, options.seed + options.count))
    sampling = sampling_of(options, pipe.spec.looks)
    job = Edit(photo, painted, (label,) * options.count, seeds, sampling, settings_of(options))
    if options.box:
        return looking_at(job, options.box, options.extend)
    return onward(job, *options.extend) if any(options.extend) else job


def looking_at(job: Edit, numbers: tuple[int, ...], extend: tuple[int, ...]) -> Edit:
    """The edit in the square of left, top and side alone; ValueError if it cannot be done there."""
    if len(numbers) != 3:
        raise ValueError(f"box {numbers}: give three numbers of pixels, for left, top and side.")
    if any(extend):
        raise ValueError("An extension has squares of its own: leave out --box or --extend.")
    box = Box(*numbers)
    boxed = replace(job, boxes=(box,))
    if not job.unknown()[box.inside(job.mask.shape)].any():
        raise ValueError("Nothing is painted inside the box: choose another box, or leave it out.")
    return boxed


def settings_of(options: argparse.Namespace) -> Settings:
    """The edit settings on the command line."""
    usual = CHANGING if options.into and not any(options.extend) else REPAINTING
    asked = {field.name: getattr(options, field.name) for field in fields(Settings)}
    return replace(usual, **{name: value for name, value in asked.items() if value is not None})


def sampling_of(options: argparse.Namespace, usual: Sampling) -> Sampling:
    """The sampling settings on the command line; what is not there is as `usual`."""
    names = [field.name for field in fields(Sampling) if hasattr(options, field.name)]
    return replace(usual, **{name: getattr(options, name) for name in names})


def replay(options: argparse.Namespace) -> None:
    """The picture of a PNG's recipe, made again."""
    recipe = Recipe.read(options.picture)
    pipe = loaded(options, recipe.model)
    out = options.out or options.picture.with_name(options.picture.stem + "-again.png")
    recipe.save(pipe.run(recipe.request(pipe)).images[0], out)
    say(str(out))


def trace(options: argparse.Namespace) -> None:
    """Everything the model thought while it drew a picture, or of a picture given, as a file for the Explore tab."""
    from . import viz
    from .trace import opened, recorded

    check_trace(options)
    pipe = loaded(options)
    sampling = sampling_of(options, pipe.spec.looks)
    label = pipe.spec.label(options.class_name) if options.class_name else pipe.spec.transformer.null_label
    if options.picture:
        tokens = pipe.encode(Image.fromarray(open_photo(options.picture)))
        found = recorded(pipe, opened(tokens, label, sampling), origin="opened")
    else:
        found = recorded(pipe, Request((label,), (options.seed or 0,), sampling))
    for kind in TRACE_FILES:
        if path := getattr(options, kind):
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "out":
                found.save(path)
            else:
                viz.write(found, kind, path)
            say(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")


TRACE_FILES = {"out": (".safetensors",), "gif": (".gif",), "mp4": (".mp4",), "sheet": (".png", ".jpg", ".webp")}


def check_trace(options: argparse.Namespace) -> None:
    """ValueError unless `trace` is asked for something that can be, into files that can be written."""
    if not (options.picture or options.class_name):
        raise ValueError("Nothing to trace: give a --class to draw ('no class' is one too), or a --picture.")
    if options.picture and options.seed is not None:
        raise ValueError("A picture that is given has no seed: leave out --seed or --picture.")
    for name, suffixes in TRACE_FILES.items():
        path = getattr(options, name)
        if path and path.suffix.lower() not in suffixes:
            raise ValueError(f"--{name} {path}: end the name with {' or '.join(suffixes)}.")
        if path:
            refuse_taken(path, options.replace)


def refuse_taken(path: Path, replace: bool) -> None:
    """ValueError if a file is there and may not be replaced."""
    if path.exists() and not replace:
        raise ValueError(f"{path} is there already: add --replace to write over it.")


def list_classes(options: argparse.Namespace) -> None:
    """Class ids, groups and names of a model."""
    spec = checkpoints.read_spec(checkpoints.find(options.model))
    for label, (group, name) in enumerate(zip(spec.class_groups, spec.class_names, strict=True)):
        say(f"{label:4d}  {group:10s} {name}")


# ------------------------------------------------------------------------------------------------ models


def download(options: argparse.Namespace) -> None:
    """A published model from the Hugging Face hub, made into a file of this program; `list` has their names."""
    from .download import fetch

    model = named(options.name)
    device = pick_device("auto")
    for problem in short_of_memory(model, device, pick_dtype("auto", device)):
        sys.stderr.write(f"note: {problem}\n")
    try:
        follow(fetch(model, options.folder))
    except KeyboardInterrupt:
        sys.stderr.write("What has arrived is kept: the same command goes on from there.\n")
        raise
    say(f"{checkpoints.file_for(model.name, options.folder)} is ready: give it as --model.")


def convert(options: argparse.Namespace) -> None:
    """The two files of a model as its authors published it, made into one file of this program."""
    from .convert import convert as work
    from .convert import pair, recognise

    files = pair(options.transformer, options.tokenizer)
    spec = recognise(*files, options.name)
    out = options.out or checkpoints.file_for(spec.name)
    say(f"{files[0]} and {files[1]}: {spec.name}, {spec.tokenizer.image_side} px, depth {spec.transformer.depth}")
    follow(work(*files, out, options.name))
    say(f"{out} ({size(out.stat().st_size)}) is ready: give it as --model.")


def list_models(options: argparse.Namespace) -> None:
    """The models that are here, and those that could be downloaded: what they need, and whether they fit."""
    from .download import supply

    here = checkpoints.available(options.folder)
    for name in here:
        path = checkpoints.file_for(name, options.folder)
        try:
            side = f"{checkpoints.read_spec(path).tokenizer.image_side} px"
        except ValueError as error:
            side = str(error)
        say(f"{name:20s} here, {size(path.stat().st_size)}, {side}")
    for model in (model for model in MODELS.values() if model.name not in here):
        found = supply(model, options.folder)
        say(
            f"{model.name:20s} {model.title}, FID {model.fid}: {size(found.left)} to download{found.note}, "
            f"{size(model.disk_bytes)} on disk; python -m var_core download {model.name}"
        )
        for problem in fits(model, options.folder, pick_device("auto"), found.there):
            say(f"{'':20s} {problem}")


def follow(work: Iterator[Any]) -> None:
    """Show a bar for each part of a download or conversion; closed as soon as the user has enough."""
    shown, bar = None, None
    with closing(work):
        for now in work:
            if (now.doing, now.file) != shown:
                shown = now.doing, now.file
                bar = _next_bar(bar, now)
            bar.n, bar.total = now.done, now.total or None
            bar.refresh()
    if bar is not None:
        bar.close()


def _next_bar(bar: tqdm | None, now: Any) -> tqdm:
    if bar is not None:
        bar.close()
    unit = {"unit": " pictures"} if now.doing == "preview" else {"unit": "B", "unit_scale": True}
    return tqdm(total=now.total or None, initial=now.begun, desc=f"{now.doing} {now.file}", disable=None, **unit)


# ------------------------------------------------------------------------------------------------ training


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
    from .data import Classes

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
    from .data import load_split

    split = drain(load_split(root, name, classes, side), f"reading {name}")
    for path in split.unreadable:
        say(f"skipped (cannot be read): {path}")
    return split


def read_once(read: Callable[[], Any], path: Path) -> Any:
    """The split that process 0 reads, for all processes: they share the memory of one file, gone when they end."""
    from .data import PictureSet
    from .train import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    processes.told(lambda: write_whole(vars(read()), path))
    split = PictureSet(**torch.load(path, mmap=True, weights_only=True))
    processes.wait()
    processes.told(path.unlink)
    return split


def resumed(options: argparse.Namespace, kind: str) -> dict | None:
    """What a run keeps besides weights if --resume asks to go on with it; ValueError rather than overwrite one."""
    from .train import load_state

    if options.resume:
        return load_state(options.out, kind)["extra"]
    if (options.out / "state.pt").exists():
        raise ValueError(f"{options.out} holds a run already: add --resume to go on with it, or choose another --out.")
    return None


@jointly
def train_tokenizer(options: argparse.Namespace) -> None:
    """Train a tokenizer, or go on with one."""
    from .train import TokenizerTask, load_tokenizer

    settings, kept = optimisation(options), resumed(options, TokenizerTask.KIND)
    start = load_tokenizer(options.start) if options.start and not kept else None
    config = TokenizerConfig(**kept["config"]) if kept else tokenizer_sizes(options, start)
    classes, train, val = read_pictures(options, config.image_side)
    torch.manual_seed(options.seed)
    device = pick_device(options.device)
    run_training(TokenizerTask(config, train, val, classes, settings, device, start=start), options)


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
    from .train import load_tokenizer, same_tokenizer
    from .train_decoder import DecoderTask, refined

    settings, kept = optimisation(options), resumed(options, DecoderTask.KIND)
    tokenizer, device = load_tokenizer(options.tokenizer), pick_device(options.device)
    if kept:
        same_tokenizer(kept, tokenizer)
    sizes = kept["config"] if kept else vars(options)
    tokenizer = refined(tokenizer, *(sizes.get(name, 0) for name in ("refine", "refine_blocks")))
    var = drawing(options, tokenizer, device) if options.drawn_by else None
    if kept and kept.get("drawn") and not var:
        raise ValueError(f"In {options.out} a model draws half of the last tokens: name it with --drawn-by.")
    classes, *splits = read_pictures(options, tokenizer.config.image_side)
    tokens, _ = read_tokens(options, tokenizer.to(device), device, lambda: splits)
    torch.manual_seed(options.seed)
    choices = {"perceptual": options.perceptual, "adversarial": options.adversarial, "var": var}
    run_training(DecoderTask(tokenizer, *splits, tokens, classes, settings, device, **choices), options)


def drawing(options: argparse.Namespace, tokenizer: Any, device: str) -> Any:
    """The transformer of --drawn-by; ValueError unless it draws tokens of this tokenizer, by scales, of this data."""
    from .data import Classes
    from .train import same_in_file

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
    from .data import Classes
    from .train import TransformerTask, check_self_correction, load_tokenizer, same_in_file, same_tokenizer
    from .transfer import TRANSLATED, translated

    settings, kept = optimisation(options), resumed(options, TransformerTask.KIND)
    tokenizer, classes = load_tokenizer(options.tokenizer), Classes.of(options.data)
    begun = checkpoints.load(options.start) if options.start and not kept else None
    given = TransformerConfig(**kept["config"]) if kept else begun.spec.transformer if begun else None
    tokenizer = tokenizer.reordered(given.order if given else options.order or tokenizer.config.order)
    if begun and given.order == SCALES:
        given = replace(given, sides=tokenizer.config.sides)
    config = transformer_sizes(options, tokenizer.config, len(classes.names), given)
    if kept:
        same_tokenizer(kept, tokenizer)
    chosen = {"without": options.without, "self_correction": options.self_correction}
    parts = {name: kept.get(name, type(value)()) if kept else value for name, value in chosen.items()}
    check_self_correction(parts["self_correction"], config.order)
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
        return TransformerConfig(codes.sides, classes, *sizes, order=codes.order)
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
    from .data import Classes, digest
    from .train import TokenSet, fingerprint, tokenise, write_whole

    folder = options.tokenizer if options.tokenizer.is_dir() else options.out
    order, cells = tokenizer.config.order, list(Schedule.of(tokenizer.config).cells)
    tokenizer = tokenizer if order == SCALES else tokenizer.reordered("raster")
    path = folder / ("tokens.pt" if order == SCALES else "tokens-raster.pt")
    made_of = processes.told(lambda: [fingerprint(tokenizer), digest(options.data, Classes.of(options.data))])
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
    from .train import Optimisation

    settings = Optimisation(
        options.batch,
        options.rate,
        average=options.average,
        seed=options.seed,
        precision=options.precision,
        accumulate=options.accumulate,
    )
    settings.shares(processes.rank(), processes.world())
    return settings


def run_training(task: Any, options: argparse.Namespace) -> bool:
    """Drive a trainer with a bar; after Ctrl-C or a termination signal all processes end their step, and one saves.

    Returns whether it came to its end.
    """
    from .train import Budget, Trainer

    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(task, options.out)
    if options.resume:
        trainer.load()
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


def scaling(options: argparse.Namespace) -> None:
    """Train transformers of growing size alike; their losses and errors as a CSV, and the laws they follow.

    Each for the same time, or for as many steps. The first favours small ones until they have learned all they can.

    What an earlier call has trained of them in --out is taken up, and trained on if its time is not over.
    """
    from . import scaling as laws
    from .train import TransformerTask, load_state, load_tokenizer

    settings, tokenizer = optimisation(options), load_tokenizer(options.tokenizer)
    device, classes, *splits = pick_device(options.device), *read_pictures(options, tokenizer.config.image_side)
    train, val = read_tokens(options, tokenizer.to(device), device, lambda: splits)
    points = []
    for depth in options.depths:
        config, run = laws.sized(depth, tokenizer.config, len(classes.names)), options.out / f"depth-{depth}"
        begun = (run / "state.pt").is_file()
        spent = load_state(run, TransformerTask.KIND) if begun else {"seconds": 0.0, "step": 0}
        left = {"minutes": options.minutes - spent["seconds"] / 60, "steps": options.steps - spent["step"]}
        if min(left.values()) > 0:
            torch.manual_seed(options.seed)
            parts = {"most_per_scale": options.most_per_scale}
            task = TransformerTask(config, tokenizer, train, val, classes, settings, device, **parts)
            asked = {**vars(options), "out": run, "resume": begun, **left}
            if not run_training(task, argparse.Namespace(**asked)):
                return
        tokens = laws.seen(Schedule.of(config), options.most_per_scale)
        points += laws.points_of(run, config, options.batch, tokens)
    rows.write(options.csv, laws.Point, points)
    say(f"{laws.report(points)}\n\nwritten to {options.csv}")


def compare(options: argparse.Namespace) -> None:
    """Transformers' training runs side by side: their losses, their pictures and their times, as a table and a CSV."""
    from . import trials
    from .fast import Ruler
    from .features import ImageFeatures
    from .train import load_tokenizer

    tokenizers = [load_tokenizer(one) for one in options.tokenizer]
    classes, train, val = read_pictures(options, tokenizers[0].config.image_side)
    network, val = ImageFeatures(), val.spread(options.count)
    ruler = Ruler.of(network, *real_pictures(options, network, train, val), len(classes.names))
    parts = (tokenizers, classes, val, ruler, options.guidance)
    found = [drain(trials.measure(run, *parts), run.name) for run in options.runs]
    rows.write(options.csv, trials.Trial, found)
    say(f"{trials.report(found)}\n\nwritten to {options.csv}")


def plot(options: argparse.Namespace) -> None:
    """The curves of a training run."""
    from .curves import plot as draw

    say(str(draw(options.run_folder)))


def export(options: argparse.Namespace) -> None:
    """Both trained networks, averaged weights, as one checkpoint file for the app."""
    from .train import export as write
    from .train import load_tokenizer, load_transformer

    out = options.out or checkpoints.FOLDER / f"{options.name}.safetensors"
    tokenizer, looks = load_tokenizer(options.tokenizer), sampling_of(options, Sampling())
    classes, train, _ = read_pictures(options, tokenizer.config.image_side)
    var = load_transformer(options.transformer, tokenizer)
    write(out, options.name, tokenizer, var, classes, train, looks)
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def atlas(options: argparse.Namespace) -> None:
    """Patches of what each code of a model adds to the val pictures of --data, as a file beside the model's."""
    from .atlas import build, path_for
    from .data import Classes

    out = path_for(checkpoints.find(options.model))
    refuse_taken(out, options.replace)
    pipe = Pipeline.load(options.model, device=options.device)
    val = read_split(options.data, "val", Classes.of(options.data), pipe.spec.tokenizer.image_side)
    pictures = (Image.fromarray(pixels) for pixels in val.pixels.numpy())
    found = build(pipe, tqdm(pictures, total=len(val), unit="picture", disable=None))
    found.save(out)
    used = int((found.uses > 0).sum())
    say(f"{out} ({out.stat().st_size / 2**20:.1f} MiB): {used} of {len(found.uses)} codes in {len(val)} pictures")


# ------------------------------------------------------------------------------------------------ measuring


def evaluate(options: argparse.Namespace) -> None:
    """Measure a model on a data folder: reconstructions, generated pictures (labels as in val), copying, loss."""
    from . import evaluate as measure
    from .features import ImageFeatures

    pipe = loaded(options)
    classes, train, val = read_pictures(options, pipe.spec.tokenizer.image_side)
    if len(classes.names) != pipe.spec.transformer.classes:
        raise ValueError(f"{options.data} has {len(classes.names)} classes, the model {pipe.spec.transformer.classes}.")
    scales = 0 if pipe.schedule.by_cell else len(pipe.schedule)
    if not all(0 <= count <= scales for count in options.given):
        raise ValueError(f"given {options.given}: choose 0 to {scales}, the scales that the model has.")
    if options.edit:
        return evaluate_edits(options, pipe, classes, train, val)
    val = val.spread(options.count)
    network = ImageFeatures()
    found = drain(measure.reconstructed(pipe, val), "reconstructing")
    real = real_pictures(options, network, train, val)
    if options.given:
        return evaluate_given(options, pipe, found.tokens, network, real)
    made = drain(measure.generated(pipe, val.labels, sampling_of(options, pipe.spec.looks)), "generating")
    copies, pictures = (
        kept_features(network, pixels, options.cache, name)
        for name, pixels in (("copies", found.pixels), ("made", made))
    )
    figures = measure.tokenizer_figures(found, pipe.spec.tokenizer.vocabulary)
    figures = measure.compare(*real, copies, pictures, classes.groups) + figures
    say(measure.table(figures))
    rows = [{"name": f.name, "value": f.value, "real": f.real, "ratio": f.ratio} for f in figures]
    write_report(options, pipe, len(val), {"figures": rows})


def evaluate_given(options: argparse.Namespace, pipe: Pipeline, tokens: list, network: Any, real: list) -> None:
    """Pictures that begin with the token maps of real ones, and how good they are, as a table."""
    from .evaluate import generated
    from .fast import Ruler

    ruler, scores = Ruler.of(network, *real, pipe.spec.transformer.classes), []
    sampling = sampling_of(options, pipe.spec.looks)
    for count in options.given:
        made = drain(generated(pipe, ruler.val.labels, sampling, tokens[:count]), f"{count} given")
        price = ruler.price(kept_features(network, made, options.cache, "made"))
        scores.append({"given": count, "distance": price.distance, "hits": price.hits})
    lines = ["| {given} | {distance:.3f} | {hits:.3f} |".format(**row) for row in scores]
    say("\n".join(["| scales given | Fréchet ratio | hit ratio |", "|---|---|---|", *lines]))
    write_report(options, pipe, len(ruler.val.labels), {"scores": scores})


def write_report(options: argparse.Namespace, pipe: Pipeline, pictures: int, found: dict) -> None:
    """What an evaluation found, as JSON in --out, with what it is of."""
    drawn = vars(sampling_of(options, pipe.spec.looks))
    report = {"model": pipe.spec.name, "digest": pipe.digest, "pictures": pictures, **drawn}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report | found, indent=1), encoding="utf-8")
    say(f"written to {options.out}")


def evaluate_edits(options: argparse.Namespace, pipe: Pipeline, classes: Any, train: Any, val: Any) -> None:
    """Every way to edit on every kind of mask, as a table."""
    from . import edit_benchmark as measure
    from .evaluate import Gaussian, Probe
    from .features import ImageFeatures

    known = (*measure.TASKS, *measure.HALVES)
    if unknown := [name for name in options.masks if name not in known]:
        raise ValueError(f"masks '{', '.join(unknown)}': choose from {', '.join(known)}.")
    tasks = options.masks or measure.TASKS
    network = ImageFeatures()
    seen = kept_features(network, train.pixels, options.cache, "train")
    judge = measure.Judge(network, Gaussian.of(seen), Probe.fit(seen, train.labels, len(classes.names)))
    ways, scores = measure.methods(pipe, sampling_of(options, pipe.spec.looks), train), []
    wanted = [name for name in ways if options.rows is None or re.search(options.rows, name)]
    rows, shift = {name: ways[name] for name in wanted}, measure.other_classes(classes.groups)
    work = measure.measure(rows, judge, val.spread(options.count), shift, tasks)
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {elapsed}", disable=None) as bar:
        for item in work:
            if isinstance(item, float):
                bar.n = 100 * item
                bar.refresh()
            else:
                scores.append(item)
    say(measure.table(scores))
    write_report(options, pipe, min(options.count, len(val)), {"scores": [vars(row) for row in scores]})


def real_pictures(options: argparse.Namespace, network: torch.nn.Module, train: Any, val: Any) -> list:
    """Both splits, as a network sees them."""
    from .evaluate import Measured

    named_splits = (("train", train), ("val", val))
    return [
        Measured(kept_features(network, split.pixels, options.cache, name), split.labels)
        for name, split in named_splits
    ]


def kept_features(network: torch.nn.Module, pixels: torch.Tensor, folder: Path, name: str) -> torch.Tensor:
    """Features of pictures uint8 (N, S, S, 3), from the cache folder if these very pictures were seen before."""
    from .evaluate import features_of

    path = folder / f"features-{hashlib.sha256(pixels.numpy()).hexdigest()[:16]}.pt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(drain(features_of(network, pixels), f"features of {name}"), path)
    return torch.load(path, weights_only=True)


def bench(options: argparse.Namespace) -> None:
    """Time of one picture, scale by scale, beside matrix products of as many operations; of an edit; of a trace.

    For a published size (d16, d20, ...) what each gain in speed is worth there, on random weights.
    """
    from . import bench as measure

    if options.repeats is not None and options.repeats < 1:
        raise ValueError(f"repeats {options.repeats}: choose 1 or more.")
    size_asked = SPECS.get(f"var-{options.model.removeprefix('var-')}")
    if options.fast:
        return bench_fast(options, size_asked)
    if options.previews:
        return bench_previews(options, size_asked)
    if size_asked:
        return climb(options, size_asked)
    pipe = loaded(options)
    repeats = options.repeats or (20 if options.trace else 7)
    if options.edit:
        guided, plain = measure.edits(pipe, sampling_of(options, pipe.spec.looks), repeats)
        say(f"class edit {1e3 * guided:.0f} ms, the same without a class {1e3 * plain:.0f} ms: {plain / guided:.2f}")
        return
    if options.trace:
        plain, traced = measure.traces(pipe, sampling_of(options, pipe.spec.looks), repeats)
        say(f"picture {1e3 * plain:.0f} ms, with all of it recorded {1e3 * traced:.0f} ms: {traced / plain:.2f}")
        return
    request = Request((0,), (0,), sampling_of(options, pipe.spec.looks))
    say(measure.report(*measure.measure(pipe, request, repeats)))


def bench_fast(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """The fast modes of a model, or of random weights of a size: their times and, with a data folder, their prices."""
    from . import fast

    if spec:
        from .ladder import random_pipeline

        pipes = {dtype: random_pipeline(spec, dtype) for dtype in fast.DTYPES}
    else:
        pipes = {dtype: Pipeline.load(options.model, device="cpu", dtype=dtype) for dtype in fast.DTYPES}
    ways = fast.modes(sampling_of(options, pipes[fast.EXACT].spec.looks))
    found = drain(fast.prices(pipes, ways, ruler(options, pipes[fast.EXACT])), "prices") if options.data else []
    say(fast.report(ways, fast.seconds(pipes, ways, options.repeats or 5), found))


def bench_previews(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """Looks at a picture under way: how near they come to decoding, and their share of a run.

    Of random weights of a size only the times are told.
    """
    from . import previews

    if spec:
        from .ladder import random_pipeline

        pipe = random_pipeline(spec, "float32")
    else:
        pipe = loaded(options)
    pipe.spec.need_scales("--previews")
    ways, sampling = previews.ways(pipe), sampling_of(options, pipe.spec.looks)
    if not spec:
        judged = [*ways[:-1], *previews.maps(pipe, sampling)]
        found = previews.distances(pipe.tokenizer, judged, previews.drawn(pipe, previews.JUDGED, sampling))
        say(previews.report_distances(judged, found, pipe.schedule.sides) + "\n")
    spent = previews.costs(pipe, ways, sampling, options.repeats or 5)
    say(previews.report_costs(ways, spent, len(pipe.schedule)))


def ruler(options: argparse.Namespace, pipe: Pipeline) -> Any:
    """What prices are measured with: the real pictures of --data."""
    from .fast import Ruler
    from .features import ImageFeatures

    classes, *splits = read_pictures(options, pipe.spec.tokenizer.image_side)
    network = ImageFeatures()
    return Ruler.of(network, *real_pictures(options, network, *splits), len(classes.names))


def costs(options: argparse.Namespace) -> None:
    """What a picture costs by scales and cell by cell, with a cache and without, as its token map grows; as a CSV.

    With random weights of a small size, on the CPU.
    """
    from . import costs as work

    found, total = [], len(options.sides) * len(work.WAYS)
    asked = work.measure(options.sides, work.SMALL, options.repeats, options.most_tflop * 1e12)
    for row in tqdm(asked, total=total, unit="picture", disable=None):
        found.append(row)
    rows.write(options.csv, work.Cost, found)
    say(f"{work.report(found)}\n\nwritten to {options.csv}")


def climb(options: argparse.Namespace, spec: ModelSpec) -> None:
    """The ladder of gains for a size; on the CPU the memory of one picture, too."""
    from . import ladder

    device = "cpu" if options.device == "auto" else pick_device(options.device)
    ways = ladder.RUNGS if device == "cpu" else ladder.ON_GPU
    if options.compile:
        ways = {**ways, **ladder.COMPILED}
    if options.batch < 1:
        raise ValueError(f"batch {options.batch}: choose 1 or more.")
    rungs = ladder.climb(spec, options.repeats or 3, spec.looks, ways, device, options.batch)
    say(ladder.report(rungs, Schedule.of(spec.tokenizer)))
    say(f"\n{options.batch} pictures at once on {device}: {ladder.throughput(rungs, options.batch)}")
    if device != "cpu":
        return
    held = ", ".join(f"{name} {peak / 2**20:.0f} MiB" for name, peak in ladder.peaks(spec, spec.looks).items())
    say(f"\npeak memory of a process that makes one picture: {held}; threads: {torch.get_num_threads()}")


# ------------------------------------------------------------------------------------------------ parsing


def integers(text: str) -> tuple[int, ...]:
    """ "1,2,3" -> (1, 2, 3)."""
    return tuple(int(part) for part in text.split(","))


def numbers(text: str) -> tuple[float, ...]:
    """ "1.5,3" -> (1.5, 3.0)."""
    return tuple(float(part) for part in text.split(","))


def names(text: str) -> tuple[str, ...]:
    """ "top half, centre box" -> ("top half", "centre box")."""
    return tuple(part.strip() for part in text.split(","))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m var_core", description="VAR Studio on the command line.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _picture_commands(commands)
    _edit_command(commands)
    _trace_command(commands)
    _model_commands(commands)
    _training_commands(commands)
    _scaling_command(commands)
    _compare_command(commands)
    _measuring_commands(commands)
    _costs_command(commands)
    _run_commands(commands)
    return top


EVERYTHING = 10**9  # more than there can be


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells every default that says something, and that its text has not told."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        empty = action.default is None or action.default is False or action.default in ((), EVERYTHING, math.inf)
        return action.help if empty or "(default" in action.help else super()._get_help_string(action)


def _command(commands: Any, name: str, run: Any) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=run.__doc__, description=run.__doc__, formatter_class=Help)
    made.set_defaults(run=run)
    made.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    return made


def _device_option(*commands: argparse.ArgumentParser) -> None:
    for made in commands:
        made.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def _loading_options(*commands: argparse.ArgumentParser) -> None:
    _device_option(*commands)
    for made in commands:
        made.add_argument("--dtype", default="auto", help=DTYPE_HELP)
        made.add_argument("--compile", action="store_true", help="fuse the transformer with torch.compile: for a GPU")


def _sampling_options(made: argparse.ArgumentParser, title: str = DRAWING) -> None:
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


def _picture_commands(commands: Any) -> None:
    made = _command(commands, "generate", generate)
    made.add_argument("--class", dest="class_name", required=True, help="name or number of the class, or 'no class'")
    made.add_argument("--seed", type=int, default=0, help="seed of the first picture")
    made.add_argument("--count", type=int, default=1, help="number of pictures")
    made.add_argument("--out", type=Path, default=Path("outputs"), help="folder for the PNG files")
    made.add_argument("--scales", action="store_true", help="also a strip of each picture at every scale")
    made.add_argument("--model", default=checkpoints.DEFAULT, help="name or path of a model")
    _sampling_options(made)
    many = _command(commands, "sample", sample)
    many.add_argument("model", help="name or path of a model")
    many.add_argument("--count", type=int, default=50_000, help="number of pictures")
    many.add_argument("--classes", default="all", help="all, or names or numbers with commas, taken in turn")
    many.add_argument("--seed", type=int, default=0, help="seed of the first picture")
    many.add_argument("--batch", type=int, default=16, help="pictures at once, or as many as memory holds")
    many.add_argument("--out", type=Path, required=True, help="folder for the PNG files; the .npz lies beside it")
    many.add_argument("--metrics", action="store_true", help="draw with the settings of the published FID")
    _sampling_options(many)
    again = _command(commands, "replay", replay)
    again.add_argument("picture", type=Path, help="a PNG made by this program")
    again.add_argument("--model", default=None, help="name or path of the model that made it (default: by its name)")
    again.add_argument("--out", type=Path, default=None, help="file to write (default: beside it)")
    _loading_options(made, many, again)
    classes = _command(commands, "classes", list_classes)
    classes.add_argument("--model", default=checkpoints.DEFAULT, help="name or path of a model")


def _trace_command(commands: Any) -> None:
    made = _command(commands, "trace", trace)
    made.add_argument("--class", dest="class_name", help="name or number of the class, or 'no class'")
    made.add_argument("--seed", type=int, help="seed of the picture (default: 0)")
    made.add_argument("--picture", type=Path, metavar="FILE", help="trace this picture instead of drawing one")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="the trace: a .safetensors file")
    made.add_argument("--gif", type=Path, metavar="FILE", help="also the picture at every scale as an animation")
    made.add_argument("--mp4", type=Path, metavar="FILE", help="the same as a film")
    made.add_argument("--sheet", type=Path, metavar="FILE", help="also a poster of every scale: .png, .jpg or .webp")
    made.add_argument("--replace", action="store_true", help="replace files that are there already")
    made.add_argument("--model", default=checkpoints.DEFAULT, help="name or path of a model")
    _sampling_options(made)
    _loading_options(made)


def _edit_command(commands: Any) -> None:
    made = _command(commands, "edit", edit)
    made.add_argument("photo", type=Path, help="the photo: PNG, JPEG or WebP")
    made.add_argument("--mask", type=Path, help="a picture that is white where to repaint")
    made.add_argument("--into", metavar="CLASS", help="name or number of the class to paint (default: no class)")
    made.add_argument("--extend", type=integers, default=(0, 0, 0, 0), metavar="L,T,R,B", help="pixels to add a side")
    made.add_argument(
        "--box", type=integers, metavar="L,T,SIDE", help="square that the model sees (default: around the mask)"
    )
    made.add_argument("--like", type=Path, metavar="PNG", help="repeat the edit of this PNG, on its photo and mask")
    made.add_argument("--seed", type=int, default=0, help="seed of the first result")
    made.add_argument("--count", type=int, default=1, help="number of results")
    made.add_argument(
        "--out", type=Path, default=Path("outputs"), help="folder for the PNG files; taken names get a number"
    )
    made.add_argument("--model", default=checkpoints.DEFAULT, help="name or path of a model")
    usual, change = Settings(), "with --into and no --extend"
    made.add_argument("--fill", choices=FILLS, default=usual.fill, help="how the hole is filled before encoding")
    made.add_argument(
        "--first-free-scale",
        type=int,
        help=f"keep scales before it, from 0 (default: {usual.first_free_scale}; {CHANGING.first_free_scale} {change})",
    )
    made.add_argument(
        "--min-cover",
        type=float,
        help=f"a token is free above this share (default: {usual.min_cover}; {CHANGING.min_cover} {change})",
    )
    for name, words in (
        ("follow", "let kept tokens correct what their neighbours spill over them"),
        ("match", "shift the colours smoothly so that the seam has no step"),
        ("detail", "borrow detail finer than the model draws from where the photo shows it"),
    ):
        made.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=getattr(usual, name), help=words)
    made.add_argument("--grow", type=int, default=usual.grow, help="pixels to grow the mask by, below 0 to shrink")
    made.add_argument("--feather", type=int, default=usual.feather, help="pixels over which the edge is blended")
    made.add_argument("--harmonise", type=int, default=usual.harmonise, help="a second pass so wide along the seam")
    made.add_argument("--context", type=float, default=usual.context, help="side of the square, in extents of the mask")
    _sampling_options(made)
    _loading_options(made)


def _model_commands(commands: Any) -> None:
    fetched = _command(commands, "download", download)
    fetched.add_argument("name", help=f"one of {', '.join(MODELS)}")
    listed = _command(commands, "list", list_models)
    for made in (fetched, listed):
        made.add_argument("--folder", type=Path, default=checkpoints.FOLDER, help="folder of the models")
    made = _command(commands, "convert", convert)
    made.add_argument("--transformer", type=Path, required=True, metavar="FILE.pth", help="or a folder that holds both")
    made.add_argument("--tokenizer", type=Path, metavar="FILE.pth", help="(default: the vae*.pth beside it)")
    made.add_argument("--name", help="name of the model (default: that of the published model of this size)")
    made.add_argument("--out", type=Path, help="file to write (default: in checkpoints/)")


SIDES = (1, 2, 3, 4, 6, 10, 16)  # of a tokenizer's maps that is trained from nothing
DTYPE_HELP = (
    "type of the transformer's products: auto, float32, float16, bfloat16; int8 speeds up large models on a CPU"
)
TOKENIZER_HELP = "folder of the tokenizer's (or decoder's) training run, or a .safetensors file with one"
START_HELP = (
    f"begin with the weights of this one, of its sizes but for --residual-blocks and its maps: {TOKENIZER_HELP}"
)


def _training_commands(commands: Any) -> None:
    train = commands.add_parser("train", help="Train a tokenizer, its decoder, or a transformer.")
    networks = train.add_subparsers(required=True)
    _train_tokenizer_command(networks)
    _train_decoder_command(networks)
    _train_transformer_command(networks)


def _train_tokenizer_command(commands: Any) -> None:
    made = _command(commands, "tokenizer", train_tokenizer)
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
    _device_option(made)


def _train_decoder_command(commands: Any) -> None:
    made = _command(commands, "decoder", train_decoder)
    _training_options(made, batch=8, rate=2e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--perceptual", type=float, default=0.5, help="weight of the perceptual loss")
    made.add_argument("--adversarial", type=float, default=0.1, help="weight of the discriminator's loss")
    made.add_argument("--refine", type=int, default=0, help="channels that smooth the pixel-shuffle's blocks, 0 = none")
    made.add_argument("--refine-blocks", type=int, default=0, help="residual blocks of that network")
    text = "let this model draw the last tokens of half of the pictures, so that the decoder gets used to them"
    made.add_argument("--drawn-by", metavar="MODEL", help=text)
    _device_option(made)


def _train_transformer_command(commands: Any) -> None:
    made = _command(commands, "transformer", train_transformer)
    _training_options(made, batch=8, rate=8e-4)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument(
        "--start", metavar="MODEL", help="begin with the weights of this model, and its sizes but for the maps"
    )
    made.add_argument("--order", choices=ORDERS, help="of the cells of a single map (default: the tokenizer's)")
    made.add_argument("--depth", type=int, default=8, help="number of blocks")
    made.add_argument("--width", type=int, default=192, help="model width")
    made.add_argument("--heads", type=int, default=3, help="attention heads")
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    text = "largest share of a picture's tokens that wrong ones replace, which finer scales learn to make up for"
    made.add_argument("--self-correction", type=float, default=0.0, help=text)
    text = f"parts to do without, of {', '.join(PARTS)}"
    made.add_argument("--without", choices=PARTS, nargs="+", default=(), help=text)
    text = "fuse the blocks with torch.compile: faster after the first minute; needs a C++ compiler"
    made.add_argument("--compile", action="store_true", help=text)
    _device_option(made)


def _compare_command(commands: Any) -> None:
    made = _command(commands, "compare", compare)
    made.add_argument("runs", type=Path, nargs="+", help="folders of transformers' training runs")
    made.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    text = f"with whose tokens they were trained, one or several: {TOKENIZER_HELP}"
    made.add_argument("--tokenizer", type=Path, nargs="+", required=True, help=text)
    made.add_argument("--guidance", type=numbers, default=(1.5, 3.0), help="strengths to try, with commas between them")
    made.add_argument("--count", type=int, default=500, help="pictures of val")
    made.add_argument("--csv", type=Path, default=Path("runs/compare.csv"), help="file to write")
    made.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")


def _scaling_command(commands: Any) -> None:
    made = _command(commands, "scaling", scaling)
    made.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--out", type=Path, default=Path("runs/scaling"), help="folder for the runs, one a size")
    made.add_argument("--csv", type=Path, default=Path("runs/scaling.csv"), help="file to write")
    much = made.add_mutually_exclusive_group(required=True)
    much.add_argument(
        "--minutes-each", dest="minutes", type=float, default=math.inf, help="how long to train each size"
    )
    much.add_argument("--steps-each", dest="steps", type=float, default=math.inf, help="how many steps to train each")
    made.add_argument("--depths", type=integers, default=(1, 2, 3, 4, 5, 6), help="sizes: width 64 and a head a block")
    made.add_argument("--batch", type=int, default=16, help="pictures in a step")
    made.add_argument("--rate", type=float, default=8e-4, help="learning rate")
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    made.add_argument("--precision", default="auto", help="float32, bfloat16 (fast on CPUs with AVX-512 BF16), or auto")
    made.add_argument("--report-minutes", type=float, default=2, help="minutes between points")
    made.set_defaults(decay=0.0, average=0.999, seed=0, accumulate=1)
    _device_option(made)


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
    made.add_argument("--report-minutes", type=float, default=10, help="minutes between sample sheets")


def _measuring_commands(commands: Any) -> None:
    measured = _command(commands, "evaluate", evaluate)
    measured.add_argument("model", help="name or path of a model")
    measured.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    text = "use at most this many val pictures, evenly spread (default: all)"
    measured.add_argument("--count", type=int, default=EVERYTHING, help=text)
    instead = measured.add_mutually_exclusive_group()
    instead.add_argument("--edit", action="store_true", help="measure edits instead of generation")
    text = "so many first scales are real ones, and the rest is drawn: where is quality lost? several, with commas"
    instead.add_argument("--given", type=integers, default=(), help=text)
    measured.add_argument("--rows", metavar="PATTERN", help="with --edit: only the methods whose name matches this")
    text = "with --edit: kinds of masks, with commas, of those in the table, 'top half', and 'bottom half'"
    measured.add_argument("--masks", type=names, default=(), metavar="KINDS", help=text)
    measured.add_argument("--out", type=Path, default=Path("runs/evaluation.json"), help="JSON file to write")
    measured.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")
    _sampling_options(measured)
    speed = _command(commands, "bench", bench)
    speed.add_argument(
        "--model", default=checkpoints.DEFAULT, help="name or path of a model; or a published size, such as d16"
    )
    speed.add_argument("--edit", action="store_true", help="four variations of an edit, with and without a class")
    speed.add_argument("--trace", action="store_true", help="a picture, alone and with all of it recorded")
    speed.add_argument("--batch", type=int, default=1, help="for a size: pictures at once")
    speed.add_argument("--previews", action="store_true", help="looks at a picture under way, beside decoding it")
    speed.add_argument("--fast", action="store_true", help="the fast modes; with --data also what they cost")
    speed.add_argument("--data", type=Path, help="with --fast: folder with train/<class>/ and val/<class>/")
    speed.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")
    speed.add_argument(
        "--repeats",
        type=int,
        help="runs, of which the median counts (default: 7; 20 for --trace, 5 for --fast and --previews, 3 for a size)",
    )
    _sampling_options(speed)
    _loading_options(measured, speed)


def _costs_command(commands: Any) -> None:
    made = _command(commands, "costs", costs)
    sides = (4, 8, 16, 24, 32, 48, 64)
    made.add_argument("--sides", type=integers, default=sides, help="sides of the finest token map")
    made.add_argument("--most-tflop", type=float, default=6.0, help="what takes more is only computed, by formula")
    made.add_argument("--repeats", type=int, default=3, help="pictures, of whose times the median counts")
    made.add_argument("--csv", type=Path, default=Path("runs/costs.csv"), help="file to write")


def _run_commands(commands: Any) -> None:
    curves = _command(commands, "plot", plot)
    curves.add_argument("run_folder", type=Path, help="folder of a training run")
    pack = _command(commands, "export", export)
    pack.add_argument("--data", type=Path, required=True, help="the data folder that both were trained on")
    pack.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    pack.add_argument("--transformer", type=Path, required=True, help="folder of the transformer's training run")
    pack.add_argument("--name", required=True, help="name of the model")
    pack.add_argument("--out", type=Path, default=None, help="file to write (default: in checkpoints/)")
    _sampling_options(pack, "how the model draws best, which its file will say")
    shown = _command(commands, "atlas", atlas)
    shown.add_argument("model", help="name or path of a model")
    shown.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    shown.add_argument("--replace", action="store_true", help="replace an atlas that is there already")
    _device_option(shown)
