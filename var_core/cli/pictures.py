"""Commands that make pictures, and traces of them."""

import argparse
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from tqdm import tqdm

from ..config import Sampling
from ..engine.request import Request
from ..engine.seeds import counted_on, read_seed
from ..files import replacing
from ..images import tiled
from ..picture_files import PNG, kind_of
from ..picture_reading import open_photo
from ..published_specs import METRICS
from ..recipe import Recipe, slug
from ..training import distributed
from ..words import counted
from .shared import (
    ANYWAY_HELP,
    check_count,
    command,
    finish_options,
    given,
    loaded,
    loading_options,
    model_option,
    out_file,
    picture_file,
    refuse_beside,
    refuse_taken,
    sampling_of,
    sampling_options,
    say,
    take_gpu,
    together,
)

if TYPE_CHECKING:
    from .shared import Commands

OUT_HELP = "folder, made if need be, or a file that ends in .png; taken names get a number"
TRACE_SUFFIX = ".safetensors"
FILM_FILES = {"gif": (".gif",), "mp4": (".mp4",), "sheet": (".png", ".jpg", ".webp")}  # also made of a trace


def generate(options: argparse.Namespace) -> None:
    """Pictures of a class or several, seeds counting up from --seed, each a PNG with its recipe."""
    pipe = loaded(options)
    labels = dict.fromkeys(map(pipe.spec.label, options.class_names))
    first = read_seed(options.seed, len(pipe.schedule))
    sampling = sampling_of(options, pipe.spec.default_sampling)
    check_count(options, len(labels))
    if options.scales:
        pipe.spec.need_scales("--scales")
    asked = [(label, counted_on(first, number)) for label in labels for number in range(options.count)]
    for label, seed in tqdm(asked, unit="picture", disable=None):
        request = Request((label,), (seed,), sampling)
        recipe, result = Recipe.of(pipe, request, 0), pipe.run(request)
        wanted = picture_file(options.out, recipe.stem)
        recipe_in(recipe, result.images[0], wanted)
        if options.scales:
            frames, made = [pipe.decode(step.f_hat)[0] for step in result.steps], io.BytesIO()
            tiled(frames, columns=len(frames)).save(made, format="PNG")
            write_new(wanted.with_stem(f"{wanted.stem}-scales"), made.getvalue())
    say(f"{counted(len(asked), 'picture')} in {options.out}")


def sample(options: argparse.Namespace) -> None:
    """Many pictures for those who measure a model, and the .npz that evaluators read; goes on after a stop.

    Under torchrun the processes share the work; the pictures are the same however many there are.
    """
    from ..measuring import fid_samples

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if options.metrics:
        refuse_beside("--metrics", given(options, Sampling))
    take_gpu(options.device)
    pipe = loaded(options)
    spec = pipe.spec
    names = options.classes.split(",")
    labels = tuple(range(spec.transformer.classes)) if names == ["all"] else tuple(map(spec.label, names))
    sampling = METRICS if options.metrics else sampling_of(options, pipe.spec.default_sampling)
    job = fid_samples.FidJob(options.count, labels, options.out, options.seed, sampling, options.batch)
    if pipe.at_once(job.request(range(job.batch))) < job.batch:
        say(f"Memory is short for {counted(job.batch, 'picture')} at once: they are made in parts.")
    with together(world, pipe.device.type):
        ours = len(job.left(rank, world))
        with tqdm(total=ours, unit="picture", disable=True if rank else None) as bar:
            for made in fid_samples.make_samples(pipe, job, rank, world):
                bar.update(made)
        distributed.wait()
    if rank == 0:
        packed = options.out.with_suffix(".npz")
        fid_samples.write_npz(job, packed)
        say(f"{counted(job.count, 'picture')} in {options.out}, all of them in {packed}")


def vacant(wanted: Path, same: Callable[[Path], bool]) -> Path:
    """The path wanted, numbered while a file is there that is not the `same`; says so."""
    path, number = wanted, 1
    while path.exists() and not same(path):
        number += 1
        path = wanted.with_stem(f"{wanted.stem}-{number}")
    if path != wanted:
        say(f"{wanted} is there already: {path.name} instead.")
    return path


def write_new(wanted: Path, content: bytes) -> Path:
    """Write a file under the name wanted, or numbered if another one has it; returns which it was."""
    path = vacant(wanted, lambda file: file.is_file() and file.read_bytes() == content)
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def recipe_in(
    recipe: Recipe, picture: Image.Image, wanted: Path, exif: bytes = b"", icc: bytes = b"", xmp: str = ""
) -> Path:
    """Write a picture with its recipe, as `write_new` does, and as the kind of file that its name says."""
    made = io.BytesIO()
    recipe.save(picture, made, kind_of(wanted) or PNG, exif, icc, xmp)
    return write_new(wanted, made.getvalue())


def replay(options: argparse.Namespace) -> None:
    """The picture of a PNG's recipe, made again."""
    recipe = Recipe.read(options.picture)
    pipe = loaded(options, recipe.model)
    recipe = recipe.adopted(pipe) if options.anyway else recipe
    out = picture_file(options.out or options.picture.parent, f"{options.picture.stem}-again")
    say(str(recipe_in(recipe, pipe.run(recipe.request(pipe)).images[0], out)))


def trace(options: argparse.Namespace) -> None:
    """Everything the model thought while it drew a picture, or of a picture given, as a file for the Explore tab."""
    from ..inspection import render
    from ..inspection.changes import given_request
    from ..inspection.recording import recorded

    files = trace_files(options)
    check_trace(options, files)
    pipe = loaded(options)
    sampling = sampling_of(options, pipe.spec.default_sampling)
    label = pipe.spec.label(options.class_name) if options.class_name else pipe.spec.transformer.null_label
    if options.picture:
        tokens = pipe.encode(Image.fromarray(open_photo(options.picture)))
        found = recorded(pipe, given_request(tokens, label, sampling), origin="opened")
    else:
        found = recorded(pipe, Request((label,), (options.seed or 0,), sampling))
    for kind, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "out":
            found.save(path)
        else:
            render.write(found, kind, path)
        say(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")


def trace_files(options: argparse.Namespace) -> dict[str, Path]:
    """Return the files that `trace` is to write, by their options."""
    drawn = f"{slug(options.class_name or '', 'picture')}-seed-{options.seed or 0}"
    name = options.picture.stem if options.picture else drawn
    films = {kind: path for kind in FILM_FILES if (path := getattr(options, kind))}
    return {"out": out_file(options.out, name, TRACE_SUFFIX), **films}


def check_trace(options: argparse.Namespace, files: dict[str, Path]) -> None:
    """ValueError unless `trace` is asked for something that can be, into files that can be written."""
    if not (options.picture or options.class_name):
        raise ValueError("Nothing to trace: give a --class to draw ('no class' is one too), or a --picture.")
    if options.picture and options.seed is not None:
        raise ValueError("A picture that is given has no seed: leave out --seed or --picture.")
    for name, path in files.items():
        suffixes = FILM_FILES.get(name, (TRACE_SUFFIX,))
        if path.suffix.lower() not in suffixes:
            raise ValueError(f"--{name} {path}: end the name with {' or '.join(suffixes)}.")
        refuse_taken(path, options.replace)


def add_commands(commands: "Commands") -> None:
    """Add these commands to the program's."""
    _picture_commands(commands)
    _trace_command(commands)


def _picture_commands(commands: "Commands") -> None:
    made = command(commands, "generate", generate)
    text = "name or number of the class, or 'no class'; give it again for more classes"
    made.add_argument("--class", dest="class_names", action="append", required=True, metavar="CLASS", help=text)
    text = "seed of the first picture; '5, 9 from scale 4' draws finer scales with another one, as More like this does"
    made.add_argument("--seed", default="0", help=text)
    made.add_argument("--count", type=int, default=1, help="number of pictures of each class")
    made.add_argument("--out", type=Path, default=Path("outputs"), help=OUT_HELP)
    made.add_argument("--scales", action="store_true", help="also a strip of each picture at every scale")
    model_option(made)
    sampling_options(made)
    many = command(commands, "sample", sample)
    model_option(many)
    many.add_argument("--count", type=int, default=50_000, help="number of pictures")
    many.add_argument("--classes", default="all", help="all, or names or numbers with commas, taken in turn")
    many.add_argument("--seed", type=int, default=0, help="seed of the first picture")
    many.add_argument("--batch", type=int, default=16, help="pictures at once, or as many as memory holds")
    many.add_argument("--out", type=Path, required=True, help="folder for the PNG files; the .npz lies beside it")
    many.add_argument("--metrics", action="store_true", help="draw with the settings of the published FID")
    sampling_options(many)
    again = command(commands, "replay", replay)
    again.add_argument("--anyway", action="store_true", help=ANYWAY_HELP)
    again.add_argument("picture", type=Path, help="a PNG made by this program")
    again.add_argument("--model", default=None, help="name or path of the model that made it (default: by its name)")
    again.add_argument("--out", type=Path, default=None, help=f"{OUT_HELP} (default: beside it)")
    loading_options(made, many, again)
    finish_options(made, many, again)


def _trace_command(commands: "Commands") -> None:
    made = command(commands, "trace", trace)
    made.add_argument("--class", dest="class_name", help="name or number of the class, or 'no class'")
    made.add_argument("--seed", type=int, help="seed of the picture (default: 0)")
    made.add_argument("--picture", type=Path, metavar="FILE", help="trace this picture instead of drawing one")
    made.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the trace: a .safetensors file, or a folder for it"
    )
    made.add_argument("--gif", type=Path, metavar="FILE", help="also the picture at every scale as an animation")
    made.add_argument("--mp4", type=Path, metavar="FILE", help="the same as a film")
    made.add_argument("--sheet", type=Path, metavar="FILE", help="also a poster of every scale: .png, .jpg or .webp")
    made.add_argument("--replace", action="store_true", help="replace files that are there already")
    model_option(made)
    sampling_options(made)
    loading_options(made)
