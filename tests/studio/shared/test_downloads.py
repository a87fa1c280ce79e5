"""What a visitor takes away: an enlarged picture, and all of a run in a ZIP."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.form import read

from var_core.recipe import Recipe
from var_studio.shared import downloads
from var_studio.shared import run as runs
from var_studio.shared.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    *_, last = runs.after_each_scale(tiny.pipeline(), read(count=2, seed="5"))
    return runs.finish(tiny.pipeline(), last, tmp_path)


def test_an_enlarged_picture_is_four_times_as_large_and_knows_how_it_was_drawn(run: Run):
    made = Path(downloads.write_enlarged(run.files[0]))
    small, large = Image.open(run.files[0]), Image.open(made)
    assert large.size == (4 * small.width, 4 * small.height) and made.name == "sunflower-seed-5-x4.png"
    assert Recipe.read(made) == Recipe.read(Path(run.files[0]))
    shrunk = np.asarray(large.resize(small.size, Image.Resampling.BOX), int)
    assert np.abs(shrunk - np.asarray(small)).mean() < 12


def test_a_stopped_picture_is_enlarged_without_a_recipe(tmp_path: Path):
    first = next(runs.after_each_scale(tiny.pipeline(), read()))
    stopped = runs.finish(tiny.pipeline(), first, tmp_path)
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.read(Path(downloads.write_enlarged(stopped.files[0])))


def test_the_archive_holds_every_file_as_it_is_and_a_table_of_them(run: Run):
    downloads.write_table(tiny.pipeline(), run)
    made = downloads.packed(run)
    before = Path(made).stat().st_mtime_ns
    assert downloads.packed(run) == made and Path(made).stat().st_mtime_ns == before  # once is enough
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist() == ["sunflower-seed-5.png", "sunflower-seed-6.png", "pictures.csv"]
        for file in run.files:
            assert archive.read(Path(file).name) == Path(file).read_bytes()
        rows = list(csv.DictReader(io.StringIO(archive.read("pictures.csv").decode())))
    assert [(row["file"], row["class"], row["seed"], row["whole"]) for row in rows] == [
        ("sunflower-seed-5.png", "Sunflower", "5", "yes"),
        ("sunflower-seed-6.png", "Sunflower", "6", "yes"),
    ]
    assert rows[0]["guidance"] == "4.0"
