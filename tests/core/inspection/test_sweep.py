"""Pictures over two settings: what each cell asks for, what it is called, and the sheet of all."""

import re

import numpy as np
import pytest
from PIL import Image
from support.tiny import SPEC, pipeline

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.inspection.sweep import Axis, Sweep, joined

BASE = Request((1,), (5,), Sampling(guidance=1.5))


def swept(x: str, x_values: str, y: str = "", y_values: str = "") -> Sweep:
    axes = [Axis.read(SPEC, name, values.split()) for name, values in ((x, x_values), (y, y_values)) if name]
    return Sweep(SPEC, BASE, *axes)


def test_cells_are_row_by_row_and_turn_their_own_settings_alone():
    cells = swept("guidance", "1 2 3", "top_k", "4 5").cells
    assert [(cell.sampling.guidance, cell.sampling.top_k) for cell in cells] == [
        *((1, 4), (2, 4), (3, 4)),
        *((1, 5), (2, 5), (3, 5)),
    ]
    assert {(cell.labels, cell.seeds, cell.sampling.temperature) for cell in cells} == {((1,), (5,), 1.0)}


def test_classes_and_seeds_can_be_turned():
    cells = swept("class", "lotus 2", "seed", "7 8").cells
    assert [(cell.labels[0], cell.seeds[0]) for cell in cells] == [(0, 7), (2, 7), (0, 8), (2, 8)]
    assert {cell.sampling for cell in cells} == {BASE.sampling}


def test_kept_scales_are_those_of_the_seed_and_finer_ones_go_on_with_the_other_axis_or_the_next_seed():
    assert [cell.seeds[0] for cell in swept("kept", "0 2 4").cells] == [6, (5, 5, 6, 6), 5]
    assert [cell.seeds[0] for cell in swept("kept", "3", "seed", "8 9").cells] == [(5, 5, 5, 8), (5, 5, 5, 9)]


def test_every_cell_says_what_it_has_of_its_own():
    both = swept("guidance", "1 2.5", "kept", "2")
    assert [both.words_of(index) for index in range(2)] == ["guidance 1, 2 kept", "guidance 2.5, 2 kept"]
    assert swept("class", "rose").words_of(0) == "Rose"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("guidance", "99"), "guidance 99.0 is out of range: choose 0 to 30"),
        (("guidance", ""), "Guidance: give values, with commas between them"),
        (("colour", "1"), "'colour' cannot be turned: choose one of class, seed, kept, guidance"),
        (("class", "rosse"), "no class 'rosse'. Did you mean: Rose"),
        (("kept", "5"), "kept scales 5: choose 0 (none) to 4 (all)"),
        (("seed", "x"), "seed 'x' is not a number"),
        (("seed", "1", "seed", "2"), "Both axes turn seed: choose two different settings"),
    ],
)
def test_what_cannot_be_turned_is_answered_with_what_it_takes(asked: tuple[str, ...], sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        swept(*asked)


def test_a_value_that_is_given_twice_is_drawn_once():
    assert swept("guidance", "1 1.0 2").count == 2


def test_neighbours_with_the_same_settings_are_asked_for_together():
    requests = joined(swept("seed", "1 2", "guidance", "3 4").cells)
    assert [(request.seeds, request.sampling.guidance) for request in requests] == [((1, 2), 3), ((1, 2), 4)]


def test_the_pictures_of_a_sweep_are_those_of_its_cells_alone():
    sweep, pipe = swept("seed", "1 2", "guidance", "0 4"), pipeline()
    *_, done = sweep.stream(pipe)
    assert done.complete and done.count == 4
    for picture, cell in zip(pipe.decode(done.f_hat), sweep.cells, strict=True):
        alone = pipe.run(cell).images[0]
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(alone)).max() <= 1


def test_a_sweep_under_way_says_how_far_it_is():
    fractions = [progress.fraction for progress in swept("guidance", "1 2").stream(pipeline())]
    assert fractions == [n / 8 for n in range(1, 9)]


def test_the_sheet_has_every_picture_in_its_place_and_words_beside_them():
    sweep = swept("guidance", "1 2 3", "seed", "4 5")
    colours = [(0, 0, 40 * number) for number in range(1, 7)]
    sheet = np.asarray(sweep.sheet([Image.new("RGB", (96, 96), colour) for colour in colours]))
    corners = []
    for colour in colours:
        rows, columns = np.where((sheet == colour).all(-1))
        assert len(rows) == 96 * 96
        corners.append((int(rows.min()), int(columns.min())))
    assert corners == sorted(corners) and len({row for row, _ in corners}) == 2
    (top, left), words = corners[0], (sheet < 128).all(-1)
    assert words[:top].any() and words[top : top + 96, :left].any()
    assert not (sheet[:, -10:] != 255).any()


def test_a_stopped_sweep_has_a_sheet_with_empty_places():
    sheet = np.asarray(swept("guidance", "1 2").sheet([Image.new("RGB", (96, 96), (0, 0, 200))]))
    assert ((sheet == (0, 0, 200)).all(-1)).sum() == 96 * 96


def test_a_sweep_is_a_value_that_can_be_compared_and_hashed():
    one, same = (swept("guidance", "1 2", "class", "rose") for _ in range(2))
    assert one == same and hash(one) == hash(same) and one != swept("guidance", "1 3", "class", "rose")
