"""The command that draws pictures over two settings."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..engine.pipeline import Pipeline
from ..engine.progress import Progress
from ..engine.request import Request
from ..engine.seeds import read_seed
from ..files import replacing
from ..inspection.sweep import NAMES, Axis, Sweep
from ..recipe import Recipe, slug
from ..words import counted, from_commas
from .pictures import recipe_in, vacant
from .shared import (
    MOST_PICTURES,
    command,
    finish_options,
    loaded,
    loading_options,
    model_option,
    names_picture,
    sampling_of,
    sampling_options,
    say,
)

if TYPE_CHECKING:
    from .shared import Commands

SHEET = "grid.png"
AXIS_HELP = f"a setting and its values with commas, as in guidance=1,2,4; settings: {', '.join(NAMES)}"


def grid(options: argparse.Namespace) -> None:
    """Pictures over one or two settings (an X/Y plot): one with labels, and each as a PNG with its recipe."""
    if names_picture(options.out):
        raise ValueError(f"--out {options.out} is a single file: name a folder.")
    texts = [axis_of("--x", options.x), *([axis_of("--y", options.y)] if options.y else [])]
    pipe = loaded(options)
    seed = read_seed(options.seed, len(pipe.schedule))
    base = Request((pipe.spec.label(options.class_name),), (seed,), sampling_of(options, pipe.spec.default_sampling))
    sweep = Sweep(pipe.spec, base, *(Axis.read(pipe.spec, name, values) for name, values in texts))
    if sweep.count > MOST_PICTURES:
        raise ValueError(f"This grid has {sweep.count} pictures, of at most {MOST_PICTURES}: give fewer values.")
    pictures = pipe.decode(drawn_sweep(pipe, sweep).f_hat)
    for index, (picture, cell) in enumerate(zip(pictures, sweep.cells, strict=True)):
        recipe = Recipe.of(pipe, cell, 0)
        name = f"{index + 1:03d}-{slug(sweep.words_of(index), 'cell')}-{recipe.stem}.png"
        recipe_in(recipe, picture, options.out / name)
    sheet = vacant(options.out / SHEET, lambda _: False)
    with replacing(sheet) as part:
        sweep.sheet(pictures).save(part, format="PNG")
    say(f"{counted(sweep.count, 'picture')} in {options.out}, all of them in {sheet}")


def axis_of(option: str, text: str) -> tuple[str, list[str]]:
    """Return the setting and the values of "guidance=1,2,4"; ValueError if it is not written so."""
    name, found, values = text.partition("=")
    if not found:
        raise ValueError(f"{option} {text}: write a setting and its values, as in guidance=1,2,4.")
    return name.strip().replace("-", "_"), from_commas(values)


def drawn_sweep(pipe: Pipeline, sweep: Sweep) -> Progress:
    """Draw all pictures of a sweep under a bar."""
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {elapsed}", disable=None) as bar:
        for progress in sweep.stream(pipe):
            bar.n = 100 * progress.fraction
            bar.refresh()
    return progress


def add_commands(commands: "Commands") -> None:
    """Add this command to the program's."""
    made = command(commands, "grid", grid)
    made.add_argument("--x", required=True, metavar="SETTING=VALUES", help=f"from left to right: {AXIS_HELP}")
    made.add_argument("--y", metavar="SETTING=VALUES", help="from top to bottom, in the same way")
    made.add_argument("--class", dest="class_name", default="no class", help="name or number of the class")
    made.add_argument("--seed", default="0", help="seed of all pictures; kept scales are those of its picture")
    made.add_argument("--out", type=Path, default=Path("outputs"), help="folder, made if need be")
    model_option(made)
    sampling_options(made)
    loading_options(made)
    finish_options(made)
