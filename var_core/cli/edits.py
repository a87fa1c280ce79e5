"""The command that edits photos, one or a folder of them."""

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..config import Sampling
from ..editing.canvas import Box
from ..editing.edit import HALF, Edit, onward, run_edit, soft_edged
from ..editing.edit_settings import CHANGING, REMOVING, REPAINTING, EditSettings, usual_sampling
from ..editing.photo_file import Extras, open_photo_file
from ..engine.pipeline import Pipeline
from ..files import replacing
from ..picture_files import PNG, check_kind, kind_of
from ..picture_reading import open_levels, open_photo
from ..recipe import Recipe, pixel_hash
from ..settings import Value, named, parsed
from ..training.data import is_picture
from ..words import counted
from .pictures import recipe_in, vacant
from .shared import (
    ANYWAY_HELP,
    check_count,
    command,
    given,
    integers,
    loaded,
    loading_options,
    model_option,
    names_picture,
    picture_file,
    refuse_beside,
    sampling_of,
    sampling_options,
    say,
    setting_options,
)

if TYPE_CHECKING:
    from .shared import Commands

REPORT = "edits.csv"  # in --out, of a folder
OUT_HELP = "folder, made if need be, or a file that ends in .png, .jpg or .webp; taken names get a number"


def edit(options: argparse.Namespace) -> None:
    """Repaint what a mask says of a photo, or draw it beyond its edges; each result a file with its recipe.

    It keeps the photo's transparency, EXIF, XMP and colour profile. It is a PNG, or what the name given as --out says.

    Of a folder all photos, each with the mask of its name in --masks; see `edit_folder`.
    """
    if options.photo.is_dir():
        return edit_folder(options)
    if options.masks:
        raise ValueError("--masks is for a folder of photos: name one photo's mask with --mask.")
    pipe = loaded(options)
    count = len(edited(options, pipe))
    say(f"{counted(count, 'photo')} in {options.out}")


def edited(options: argparse.Namespace, pipe: Pipeline, bar: bool = True) -> list[Path]:
    """Do the edit of one photo that the command line asks for; return the files of its results."""
    photo, extras = photo_and_extras(options)
    job, files = asked_edit(options, pipe, photo), []
    kind = kind_of(options.out) if names_picture(options.out) else None
    check_kind(job.photo.shape[1::-1], kind or PNG)  # before the work, not after it
    suffix = options.out.suffix.lower() if kind else ".png"
    if job.painted.any():
        beside = picture_file(options.out, options.photo.stem, suffix)
        wanted = beside.with_name(f"{beside.stem}-mask.png")
        mask_file = vacant(wanted, lambda file: shows(file, job.told_mask))
        if not mask_file.exists():
            with replacing(mask_file) as part:
                Image.fromarray(job.told_mask).save(part, "PNG")
    for place, seed in enumerate(tqdm(job.seeds, unit="photo", disable=None if bar else True)):
        recipe = Recipe.of_edit(pipe, job, place)
        one = replace(job, labels=(job.labels[place],), seeds=(seed,))
        picture = extras.picture(one, run_edit(pipe, one)[0])
        file = picture_file(options.out, f"{options.photo.stem}-{recipe.stem}", suffix)
        files.append(recipe_in(recipe, picture, file, extras.exif_of(picture), extras.icc, extras.xmp))
    return files


def photo_and_extras(options: argparse.Namespace) -> tuple[np.ndarray, Extras]:
    """Return the photo, and what else its file holds."""
    photo, extras = open_photo_file(options.photo)
    if options.like and extras.icc:
        origin = Recipe.read(options.like).edited
        if origin and origin.photo != pixel_hash(photo):  # photos were made sRGB at first
            return open_photo(options.photo), Extras(exif=extras.exif, xmp=extras.xmp)
    return photo, extras


def edit_folder(options: argparse.Namespace) -> None:
    """Edit all photos of a folder, going on after those that cannot be edited; a report says what became of each.

    ValueError at the end if some could not be edited.
    """
    refuse_beside("a folder of photos", [name for name in ("mask", "box", "like") if getattr(options, name)])
    if names_picture(options.out):
        raise ValueError(f"--out {options.out} is a single file: name a folder for the photos of {options.photo}.")
    photos = _pictures(options.photo)
    if not photos:
        raise ValueError(f"{options.photo} holds no photos: choose a folder of PNG, JPEG or WebP files.")
    masks = {path.stem: path for path in _pictures(options.masks)} if options.masks else {}
    pipe = loaded(options)
    check_asked(options, pipe)
    rows, report = [], options.out / REPORT
    options.out.mkdir(parents=True, exist_ok=True)
    for photo in tqdm(photos, unit="photo", disable=None):
        began, files, trouble = time.perf_counter(), [], ""
        try:
            if options.masks and photo.stem not in masks:
                raise ValueError(f"{options.masks} has no mask called {photo.stem}.")
            one = argparse.Namespace(**{**vars(options), "photo": photo, "mask": masks.get(photo.stem)})
            files = edited(one, pipe, bar=False)
        except (ValueError, OSError) as error:
            trouble = str(error)
        took = f"{time.perf_counter() - began:.2f}"
        rows.append((photo.name, " ".join(file.name for file in files), took, trouble))
        with replacing(report) as part, open(part, "w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("photo", "results", "seconds", "problem"), *rows])
    failed = [(name, trouble) for name, _, _, trouble in rows if trouble]
    for name, trouble in failed:
        say(f"{name}: {trouble}")
    say(f"{counted(len(rows) - len(failed), 'photo')} edited in {options.out}; what became of each is in {report}")
    if failed:
        raise ValueError(f"{counted(len(failed), 'photo')} of {len(rows)} could not be edited.")


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_picture(path))


def check_asked(options: argparse.Namespace, pipe: Pipeline) -> None:
    """ValueError if the command line asks for what can be done with no photo."""
    check_extend(options)
    if not (options.masks or options.mask or any(options.extend)):
        raise ValueError("Nothing to do: give a --mask with white where to repaint, or sides to --extend.")
    check_count(options)
    if options.into:
        pipe.spec.label(options.into)


def check_extend(options: argparse.Namespace) -> None:
    """ValueError unless --extend names four sides."""
    if len(options.extend) != 4:
        raise ValueError(f"extend {options.extend}: give four numbers of pixels, for left, top, right and bottom.")


def shows(file: Path, mask: np.ndarray) -> bool:
    """Say whether a file gives this mask, bool (H, W), or levels uint8 (H, W)."""
    try:
        levels, found = open_levels(file, mask.shape[::-1])
        return found is None and np.array_equal(levels if mask.dtype == np.uint8 else levels > HALF, mask)
    except ValueError:
        return False


def asked_edit(options: argparse.Namespace, pipe: Pipeline, photo: np.ndarray) -> Edit:
    """The edit of a photo that the command line asks for; ValueError if there is nothing to do."""
    check_extend(options)
    size = photo.shape[1::-1]
    levels, found = np.zeros(photo.shape[:2], np.uint8), None
    if options.mask:
        levels, found = open_levels(options.mask, size)
    if found:
        say(f"{options.mask.name} has {found[0]} x {found[1]} pixels, the photo {size[0]} x {size[1]}: mask resized.")
    if options.like:
        said = ("into", "remove", "extend", "box", "seed", "count")
        changed = [name for name in said if getattr(options, name) != options.usual(name)]
        refuse_beside("--like", [*changed, *given(options, EditSettings), *given(options, Sampling)])
        recipe = Recipe.read(options.like)
        return (recipe.adopted(pipe) if options.anyway else recipe).edit(pipe, photo, levels)
    check_count(options)
    label = pipe.spec.label(options.into) if options.into else pipe.spec.transformer.null_label
    seeds = tuple(range(options.seed, options.seed + options.count))
    sampling = sampling_of(options, usual_sampling(pipe.spec.default_sampling, bool(options.into)))
    job = Edit.with_levels(photo, levels, (label,) * options.count, seeds, sampling, settings_of(options))
    if not (job.mask.any() or any(options.extend)):
        raise ValueError("Nothing to do: give a --mask with white where to repaint, or sides to --extend.")
    if options.mask and not job.settings.soft and soft_edged(levels):
        say(f"{options.mask.name} has greys, which are cut at half: --soft takes them as how much of the result shows.")
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
    if not job.hole_mask()[box.inside(job.mask.shape)].any():
        raise ValueError("Nothing is painted inside the box: choose another box, or leave it out.")
    return boxed


def _told(name: str, value: Value) -> str:
    """Say the default of a setting, and that of other tasks where it is another one."""
    others = {"--into and no --extend": named(CHANGING)[name], "--remove": named(REMOVING)[name]}
    return "; ".join([f"{value}", *(f"{other} with {when}" for when, other in others.items() if other != value)])


def settings_of(options: argparse.Namespace) -> EditSettings:
    """The edit settings on the command line."""
    if options.remove and options.into:
        raise ValueError("--remove draws no class: leave out --into, or --remove.")
    usual = REMOVING if options.remove else CHANGING if options.into and not any(options.extend) else REPAINTING
    return parsed(usual, given(options, EditSettings))


def add_commands(commands: "Commands") -> None:
    """Add it to the program's."""
    made = command(commands, "edit", edit)
    made.add_argument("photo", type=Path, help="the photo, or a folder of photos: PNG, JPEG or WebP")
    made.add_argument("--mask", type=Path, help="a picture that is white where to repaint")
    text = "of a folder of photos: folder of their masks, each called like its photo"
    made.add_argument("--masks", type=Path, metavar="DIR", help=text)
    made.add_argument("--into", metavar="CLASS", help="name or number of the class to paint (default: no class)")
    made.add_argument("--remove", action="store_true", help="take away what is white in the mask")
    made.add_argument("--extend", type=integers, default=(0, 0, 0, 0), metavar="L,T,R,B", help="pixels to add a side")
    made.add_argument(
        "--box", type=integers, metavar="L,T,SIDE", help="square that the model sees (default: around the mask)"
    )
    text = "repeat the edit of this picture, on its photo and mask"
    made.add_argument("--like", type=Path, metavar="FILE", help=text)
    made.add_argument("--anyway", action="store_true", help=f"with --like: {ANYWAY_HELP}")
    made.add_argument("--seed", type=int, default=0, help="seed of the first result")
    made.add_argument("--count", type=int, default=1, help="number of results")
    made.add_argument("--out", type=Path, default=Path("outputs"), help=OUT_HELP)
    model_option(made)
    told = {name: _told(name, value) for name, value in named(REPAINTING).items()}
    setting_options(made, EditSettings, "how the edit is done", told)
    made.set_defaults(usual=made.get_default)
    sampling_options(made)
    loading_options(made)
