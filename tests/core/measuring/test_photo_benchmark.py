"""The benchmark of edits of photos: its cases, its rivals, and that its figures say what they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny

from var_core.config import Sampling
from var_core.measuring import photo_benchmark as benchmark
from var_core.measuring.exemplar import exemplar_fill
from var_core.measuring.photo_benchmark import ALL_SIDES, KINDS, ONE_SIDE, STROKES, TEXTURE, PhotoJudge
from var_core.training.features import HELD_OUT_NETWORK, ImageFeatures


def photo(seed: int = 0, side: int = 96) -> np.ndarray:
    """Noise that is smooth at one half and rough at the other."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(256, size=(side, side, 3)).astype(np.uint8)
    rough[:, : side // 2] = (90, 120, 60)
    return rough


@pytest.fixture(scope="module")
def judge() -> PhotoJudge:
    return PhotoJudge(ImageFeatures(HELD_OUT_NETWORK))


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_always_the_same_one_and_leaves_something(kind):
    first, again, other = (benchmark.case_of(kind, photo(), number) for number in (3, 3, 4))
    assert np.array_equal(first.mask, again.mask) and first.seed == 3
    assert 0 < first.mask.sum() < first.mask.size
    assert kind == ALL_SIDES or not np.array_equal(first.mask, other.mask)


def test_the_patch_of_a_texture_lies_where_little_happens():
    found = [benchmark.case_of(TEXTURE, photo(), number).mask for number in range(5)]
    assert all(mask[:, : photo().shape[1] // 2].sum() > 0.9 * mask.sum() for mask in found)


@pytest.mark.parametrize(("kind", "sides"), [(ONE_SIDE, 1), (ALL_SIDES, 4)])
def test_a_border_is_a_quarter_of_the_photo_on_its_sides(kind, sides):
    case = benchmark.case_of(kind, np.zeros((80, 120, 3), np.uint8), 2)
    assert sum(amount > 0 for amount in case.extend) == sides
    left, top, right, bottom = case.extend
    assert not case.mask[top : 80 - bottom, left : 120 - right].any()
    assert case.mask.sum() == 80 * 120 - (80 - top - bottom) * (120 - left - right)
    assert set(case.extend) <= {0, 20, 30}


def test_photos_are_spread_evenly_over_all_folders_below(tmp_path):
    for name in "abcdef":
        (tmp_path / name).mkdir()
        Image.fromarray(photo()).save(tmp_path / name / "one.png")
    (tmp_path / "a" / "note.txt").write_text("no picture")
    assert [path.parent.name for path in benchmark.photo_files(tmp_path, 3)] in (list("acf"), list("adf"))
    assert len(benchmark.photo_files(tmp_path, 99)) == 6
    with pytest.raises(ValueError, match="holds no pictures"):
        benchmark.photo_files(tmp_path / "nothing", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_keeps_what_is_not_drawn_and_the_size(kind):
    pipe = tiny.masked_pipeline()
    picture = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    case = benchmark.case_of(kind, picture, 1)
    rows = benchmark.photo_methods(pipe, Sampling(guidance=0.0))
    assert "ours, surroundings not seen" in rows
    assert "ours, surroundings not seen" not in benchmark.photo_methods(tiny.pipeline(), Sampling())
    far = ~(torch.nn.functional.max_pool2d(torch.from_numpy(case.mask)[None, None].float(), 15, 1, 7)[0, 0] > 0).numpy()
    for name in ("Telea (OpenCV)", "exemplars (PatchMatch)", "ours", "ours, context 3.0"):
        result = rows[name](case)
        assert result.shape == picture.shape and result.dtype == np.uint8
        assert np.array_equal(result[far], picture[far])
        assert not np.array_equal(result[case.mask], picture[case.mask])


def test_the_notebook_cannot_look_under_the_mask():
    case = benchmark.case_of(STROKES, photo(side=64), 1)
    hidden = replace(case, picture=np.where(case.mask[..., None], 255 - case.picture, case.picture))
    method = benchmark.photo_methods(tiny.pipeline(), Sampling())["authors' notebook, filled first"]
    assert np.array_equal(method(case)[case.mask], method(hidden)[case.mask])


def test_exemplars_continue_stripes():
    columns = np.arange(64)
    stripes = np.broadcast_to(np.where(columns // 4 % 2, 220, 30)[None, :, None], (64, 64, 3)).astype(np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[22:42, 20:44] = True
    hidden = np.where(mask[..., None], 128, stripes).astype(np.uint8)
    found = exemplar_fill(hidden, mask)
    assert np.array_equal(found[~mask], stripes[~mask])
    assert np.abs(found.astype(int) - stripes)[mask].mean() < 10
    assert np.array_equal(exemplar_fill(hidden, mask), found)


def test_a_hole_that_leaves_nothing_to_copy_is_filled_all_the_same():
    mask = np.ones((40, 40), bool)
    mask[0] = False
    assert exemplar_fill(photo(side=40), mask).shape == (40, 40, 3)


def test_true_pixels_are_at_no_distance_and_few_of_them_are_strange(judge):
    given = [benchmark.case_of(TEXTURE, photo(number, 192), number) for number in range(6)]
    truth = judge.judged([case.picture for case in given], given)
    scores = benchmark.scores_of("true", TEXTURE, truth, truth, 0.0)
    assert scores.distance.value == scores.colour.value == 0 and scores.seam.value == 1
    assert scores.strange.value <= 1 / 6 and abs(scores.frechet.value) < 1e-3


def test_what_does_not_belong_there_is_strange_far_and_of_another_colour(judge):
    given = [benchmark.case_of(TEXTURE, photo(number, 192), number) for number in range(6)]
    truth = judge.judged([case.picture for case in given], given)
    odd = [np.where(case.mask[..., None], np.uint8((250, 0, 0)), case.picture) for case in given]
    scores = benchmark.scores_of("odd", TEXTURE, judge.judged(odd, given), truth, 0.0)
    assert scores.strange.value > 0.8 and scores.strange.low <= scores.strange.value <= scores.strange.high
    assert scores.distance.value > 0.1 and scores.colour.value > 30 and scores.seam.value > 2
    assert scores.frechet.value > 1


def test_a_table_for_every_kind_begins_with_the_true_pixels():
    network = ImageFeatures(HELD_OUT_NETWORK)
    rows = {"Telea (OpenCV)": benchmark.filled_by("telea")}
    work = list(benchmark.measure_photos(rows, network, [photo(0), photo(1)], (TEXTURE, ONE_SIDE)))
    scores = [item for item in work if not isinstance(item, float)]
    fractions = [item for item in work if isinstance(item, float)]
    assert fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] < 1
    table = benchmark.photo_table(scores)
    assert table.count("true pixels") == table.count("Telea") == 2 and "### one side" in table
