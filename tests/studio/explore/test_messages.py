"""What the page is told is true, and small."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.explored import PIPE, SCALES, acted, drawn

from var_core.inspection.atlas import build_atlas
from var_core.inspection.trace import Spot
from var_studio.explore import messages
from var_studio.explore.messages import TokenQuestion
from var_studio.explore.sources import Sources


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_what_the_page_is_told_is_the_trace(handlers: Sources):
    here = drawn(handlers)
    told, trace = messages.trace_message(PIPE, here), here.trace
    assert json.loads(json.dumps(told)) == {**told, "sides": list(tiny.SIDES)}
    for name, kind in (("tokens", "<i4"), ("rank", "<i4"), ("probability", "<f4"), ("entropy", "<f4")):
        assert np.array_equal(numbers(told[name], kind), getattr(trace, name).numpy())
    assert np.array_equal(numbers(told["colours"], "u1").reshape(-1, 3), trace.colours.numpy())
    shares = numbers(told["masses"], "<u2").reshape(*trace.queries.shape[:2], SCALES, SCALES) / 65535
    assert np.allclose(shares, trace.masses.numpy(), atol=1e-4)
    assert told["nearness"][-1] is None and all(value > 0 for value in told["nearness"][:-1])
    assert (told["live"], told["guided"], len(told["pictures"])) == (True, True, SCALES)


def test_the_serial_numbers_of_what_is_told_differ(handlers: Sources):
    here = drawn(handlers)
    assert messages.trace_message(PIPE, here)["serial"] != messages.trace_message(PIPE, here)["serial"]


@pytest.mark.parametrize("index", [0, 15, 7 * 16 + 8, 255])
def test_a_close_up_shows_five_cells_around_a_cell(index: int):
    rows, columns = np.mgrid[:64, :64]
    picture = np.stack((columns * 4, rows * 4, rows * 0), -1).astype(np.uint8)
    part = messages.close_up(picture, 16, index)
    assert part.shape == (20, 20, 3)
    x, y = ((at + 0.5) * 4 for at in (index % 16, index // 16))
    row, column = (round((at - (at / 64) * (64 - 20)) - 0.5) for at in (y, x))
    assert np.abs(part[row, column, :2].astype(float) - (4 * (x - 0.5), 4 * (y - 0.5))).max() <= 6


@pytest.mark.parametrize("side", [1, 4, 5])
def test_a_close_up_in_a_coarse_map_is_the_whole_picture(side: int):
    picture = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    assert np.array_equal(messages.close_up(picture, side, side * side - 1), picture)
    assert np.array_equal(messages.small(picture), picture)


def test_large_pictures_are_sent_small():
    picture = np.full((512, 512, 3), 77, np.uint8)
    for shown in (messages.small(picture), messages.close_up(picture, 1, 0), messages.close_up(picture, 10, 99)):
        assert shown.shape == (messages.SMALL, messages.SMALL, 3) and (shown == 77).all()


def test_attention_on_its_way_to_the_page_still_sums_to_one(handlers: Sources):
    here = drawn(handlers)
    (view,) = acted(handlers, here, does="token", scale=1, index=3)
    rows = numbers(view.channel["attention"], "<u2").reshape(-1, here.trace.schedule.total) / 65535
    assert np.allclose(rows.sum(1), 1, atol=2e-3)
    assert not rows[:, here.trace.schedule.spans[1].stop :].any()


def test_patches_of_a_code_come_from_the_atlas_of_its_codebook(handlers: Sources):
    here = drawn(handlers)
    atlas = build_atlas(PIPE, [Image.fromarray(here.trace.pictures[-1].numpy())])
    told = [TokenQuestion(here, Spot(3, index)).answer(atlas, False) for index in range(16)]
    assert all((one["patches"] is not None) == (one["uses"] > 0) for one in told)
    strange = replace(atlas, codebook="0" * 12)
    assert TokenQuestion(here, Spot(3, 0)).answer(strange, False)["uses"] is None
