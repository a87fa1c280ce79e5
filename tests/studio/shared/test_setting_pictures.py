"""Every setting has small pictures of what it does, which ship with the app and are made by a tool."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.served import Visitor, served

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.settings import rows
from var_studio.shared import setting_pictures

ROOT = Path(__file__).resolve().parents[3]
ROWS = [row for table in setting_pictures.TABLES for row in rows(table)]
MOST_BYTES = 400_000  # of all together
CELL = 16  # pixels of the side of a part whose colour is compared
SEEN = 6  # levels of 255 by which some part must differ from one value to the next


def tool():
    """The module of the tool that makes the pictures."""
    spec = importlib.util.spec_from_file_location("tools_setting_pictures", ROOT / "tools" / "setting_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_setting_has_a_picture_of_each_value_that_it_names(row):
    values = setting_pictures.VALUES.get(row.name, ())
    assert values, f"give VALUES three of {row.name}, and make their pictures: tools/setting_pictures.py {row.name}"
    assert len(set(values)) == len(values) == (2 if row.kind is bool else 3)
    for value in values:
        row.check(value)
    side, gap = tool().SIDE, tool().GAP
    with Image.open(setting_pictures.FOLDER / f"{row.name}.webp") as strip:
        assert strip.size == (len(values) * (side + gap) - gap, side)
        known = np.asarray(strip.convert("RGB"), np.float32)
    each = [known[:, place * (side + gap) :][:, :side] for place in range(len(values))]
    assert each[0].std() > 10
    colours = [picture.reshape(side // CELL, CELL, side // CELL, CELL, 3).mean((1, 3)) for picture in each]
    assert all(np.abs(one - next_).max() > SEEN for one, next_ in itertools.pairwise(colours))


def test_the_pictures_are_small_and_no_setting_is_told_twice():
    files = list(setting_pictures.FOLDER.glob("*.webp"))
    assert {path.stem for path in files} == {row.name for row in ROWS} and len(ROWS) == len(files)
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert setting_pictures.pictured_values()["top_k"] == {"label": "Top-k", "values": ["1", "30", "1000"]}


def test_the_tool_draws_what_a_setting_changes_and_nothing_else():
    made, pipe = tool(), tiny.pipeline()
    strip = np.asarray(made.strip(pipe, Sampling, "temperature"))
    assert strip.shape == (made.SIDE, 3 * made.SIDE + 2 * made.GAP, 4)
    assert made.strip(pipe, EditSettings, "context").size == (3 * made.SIDE + 2 * made.GAP, made.SIDE)
    with pytest.raises(SystemExit):
        made.main(["nonsense"])


def test_the_square_of_an_edit_lies_on_the_photo_around_its_mask():
    made, mask = tool(), np.zeros((40, 60), bool)
    mask[0:10, 50:60] = True
    box = made.around(mask)
    assert (box.left, box.top, box.side) == (45, 0, 15)
    assert made.around(mask, 2.0).side == 20
    painted = made.Scene("rose.png", place=(0.25, 0.5, 0.75, 1)).levels
    assert painted[64:, 32:96].all() and painted.sum() == 255 * 64 * 64
    levels = made.faded(np.where(mask, 255, 0).astype(np.uint8))
    assert levels[0, 50] == 255 and levels[0, 59] == 0 and not levels[~mask].any()


def test_the_pictures_are_served_and_nothing_beside_them(tmp_path):
    with served(tmp_path) as (address, _), Visitor(address) as visitor:
        answer = visitor.http.get("settings/guidance.webp")
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"
        assert answer.content == (setting_pictures.FOLDER / "guidance.webp").read_bytes()
        for other in ("settings/README.md", "settings/../learn/halves.jpg", "settings/%2e%2e/learn/halves.jpg"):
            assert visitor.http.get(other).status_code == 404
