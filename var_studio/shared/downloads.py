"""Files that a visitor takes away besides the pictures themselves: an enlarged one, and all of a run in a ZIP."""

import csv
import io
import zipfile
from pathlib import Path

from PIL import Image

from var_core.config import Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.seeds import seed_text
from var_core.files import replacing
from var_core.picture_files import save_whole
from var_core.picture_reading import open_photo
from var_core.recipe import Recipe
from var_core.settings import named

from . import run as runs
from .run import Run

TIMES = 4  # as many pixels a side as the model draws
TABLE = "pictures.csv"


def write_enlarged(file: str) -> str:
    """Write a picture of a run `TIMES` as large beside it, by Lanczos, with the recipe of the one that was drawn.

    Return its path. ValueError if the picture is gone.
    """
    source = Path(file)
    made = source.with_stem(f"{source.stem}-x{TIMES}")
    if not made.exists():
        picture = Image.fromarray(open_photo(source))
        size = (picture.width * TIMES, picture.height * TIMES)
        large = picture.resize(size, Image.Resampling.LANCZOS)
        try:
            recipe = Recipe.read(source)
        except ValueError:  # it was stopped, and has none
            save_whole(large, made)
        else:
            recipe.save(large, made)
    return str(made)


def write_table(pipe: Pipeline, run: Run) -> None:
    """Write beside the pictures of a run, by the model that drew it, how each of them was made."""
    with replacing(_beside(run, TABLE)) as part:
        part.write_text(_table(pipe, run), "utf-8", newline="")


def packed(run: Run) -> str:
    """Write a ZIP of all files of a run, with recipes inside them, and its table; its path. Once is enough."""
    made = _beside(run, "grid.zip" if run.sweep else f"{len(run.files)}-pictures.zip")
    if made.exists():
        return str(made)
    with replacing(made) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:  # PNG does not shrink
        for file in (*run.files, *([run.sheet] if run.sheet else [])):
            archive.write(file, Path(file).name)
        archive.write(_beside(run, TABLE), TABLE)
    return str(made)


def _beside(run: Run, name: str) -> Path:
    """Return the path of a file beside the pictures of a run."""
    return Path(run.files[0]).with_name(name)


def _table(pipe: Pipeline, run: Run) -> str:
    """Return the pictures of a run as CSV: file, class, seed, and the settings of the draw."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "model", "class", "seed", "whole", *named(Sampling())))
    for index, file in enumerate(run.files):
        request = runs.alone(run, index)
        told = (pipe.spec.name, pipe.spec.class_name(request.labels[0]), seed_text(request.seeds[0]))
        whole = "yes" if run.complete(index) else "stopped"
        table.writerow((Path(file).name, *told, whole, *named(request.sampling).values()))
    return text.getvalue()
