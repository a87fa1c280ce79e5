"""Commands about models: which there are, what they know, getting them."""

import argparse
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

from tqdm import tqdm

from ..engine.pipeline import pick_device, pick_dtype
from ..weights import checkpoints, pretrained
from ..weights.convert import FileProgress
from ..weights.registry import MODELS, fits, model_named, short_of_memory, size_in_words
from .shared import MODEL_OUT_HELP, Commands, command, complain, model_file, model_option, say


def list_classes(options: argparse.Namespace) -> None:
    """Class ids, groups and names of a model."""
    spec = checkpoints.read_spec(checkpoints.find(options.model))
    for label, (group, name) in enumerate(zip(spec.class_groups, spec.class_names, strict=True)):
        say(f"{label:4d}  {group:10s} {name}")


def download(options: argparse.Namespace) -> None:
    """A model from the Hugging Face hub: a published one, made into a file of this program, or that of a repository."""
    try:
        path = (_download_repository if "/" in options.name else _download_published)(options.name, options.folder)
    except KeyboardInterrupt:
        complain("What has arrived is kept: the same command goes on from there.")
        raise
    say(f"{path} is ready: give it as --model.")


def _download_published(name: str, folder: Path | None) -> Path:
    from ..weights.download import fetch

    model = model_named(name)
    device = pick_device("auto")
    for problem in short_of_memory(model, device, pick_dtype("auto", device)):
        complain(f"note: {problem}")
    follow(fetch(model, folder))
    return checkpoints.file_for(model.name, folder)


def _download_repository(name: str, folder: Path | None) -> Path:
    follow(pretrained.fetch_repository(name, folder))
    return pretrained.here(name, folder) or pretrained.local_folder(name, folder)


def save(options: argparse.Namespace) -> None:
    """A model as a folder for the Hugging Face hub: its file, and a card made from what the file says."""
    folder = pretrained.save(pretrained.locate(options.model), options.out, options.license)
    say(f"{folder} is ready: read {folder / pretrained.CARD}, then push it.")


def push(options: argparse.Namespace) -> None:
    """A model, with a card, uploaded to a repository of the Hugging Face hub; HF_TOKEN says who you are."""
    model = pretrained.locate(options.model)
    say(f"{pretrained.push(model, options.repository, options.license, options.private)} has the model.")


def convert(options: argparse.Namespace) -> None:
    """The two files of a model as its authors published it, made into one file of this program."""
    from ..weights.convert import convert as work
    from ..weights.foreign import TOKENIZER, TRANSFORMER, weights_in
    from ..weights.published import pair, recognise

    files = pair(options.transformer, options.tokenizer)
    spec = recognise(*files, options.name)
    for path, kind in zip(files, (TRANSFORMER, TOKENIZER), strict=True):
        if path.suffix != checkpoints.SUFFIX and (told := weights_in(path, kind).told):
            say(f"{path}: {told}")
    out = model_file(options.out, spec.name)
    say(f"{files[0]} and {files[1]}: {spec.name}, {spec.tokenizer.drawn_side} px, depth {spec.transformer.depth}")
    follow(work(*files, out, options.name))
    say(f"{out} ({size_in_words(out.stat().st_size)}) is ready: give it as --model.")


def list_models(options: argparse.Namespace) -> None:
    """The models that are here, and those that could be downloaded: what they need, and whether they fit."""
    from ..weights.download import supply

    here = checkpoints.available(options.folder)
    for name in here:
        path = checkpoints.file_for(name, options.folder)
        try:
            side = f"{checkpoints.read_spec(path).tokenizer.drawn_side} px"
        except ValueError as error:
            side = str(error)
        say(f"{name:20s} here, {size_in_words(path.stat().st_size)}, {side}")
    for model in (model for model in MODELS.values() if model.name not in here):
        found = supply(model, options.folder)
        say(
            f"{model.name:20s} {model.title}, FID {model.fid}: {size_in_words(found.left)} to download{found.note}, "
            f"{size_in_words(model.disk_bytes)} on disk; python -m var_core download {model.name}"
        )
        for problem in fits(model, options.folder, pick_device("auto"), found.there):
            say(f"{'':20s} {problem}")


def follow(work: Iterator[FileProgress]) -> None:
    """Show a bar for each part of a download or conversion; closed as soon as the user has enough."""
    shown, bar = ("", ""), None
    with closing(cast(Generator[FileProgress, None, None], work)):
        for now in work:
            if bar is None or (now.doing, now.file) != shown:
                shown = now.doing, now.file
                bar = _next_bar(bar, now)
            bar.n, bar.total = now.done, now.total or None
            bar.refresh()
    if bar is not None:
        bar.close()


def _next_bar(bar: tqdm | None, now: FileProgress) -> tqdm:
    if bar is not None:
        bar.close()
    unit = {"unit": " pictures"} if now.doing == "preview" else {"unit": "B", "unit_scale": True}
    return tqdm(total=now.total or None, initial=now.begun, desc=f"{now.doing} {now.file}", disable=None, **unit)


def add_commands(commands: Commands) -> None:
    """Add them to the program's."""
    fetched = command(commands, "download", download)
    fetched.add_argument("name", help=f"one of {', '.join(MODELS)}, or OWNER/NAME of a repository")
    classes = command(commands, "classes", list_classes)
    model_option(classes)
    listed = command(commands, "list", list_models)
    for made in (fetched, listed):
        made.add_argument("--folder", type=Path, help="folder of the models (default: see var-core --help)")
    saved, pushed = command(commands, "save", save), command(commands, "push", push)
    saved.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write")
    pushed.add_argument("repository", metavar="OWNER/NAME", help="repository to upload to, made if need be")
    pushed.add_argument("--private", action="store_true", help="let nobody else see a repository that is made")
    for made in (saved, pushed):
        text = "name, path or folder of a model"
        made.add_argument("--model", default=checkpoints.DEFAULT, help=text)
        made.add_argument("--license", metavar="ID", help="of the weights, as the hub calls it: mit, for example")
    made = command(commands, "convert", convert)
    made.add_argument("--transformer", type=Path, required=True, metavar="FILE.pth", help="or a folder that holds both")
    made.add_argument("--tokenizer", type=Path, metavar="FILE.pth", help="(default: the vae*.pth beside it)")
    made.add_argument("--name", help="name of the model (default: that of the published model of this size)")
    made.add_argument("--out", type=Path, help=MODEL_OUT_HELP)
