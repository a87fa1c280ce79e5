"""Figures of edits, on results whose figures are known."""

import cv2
import numpy as np
import pytest
import torch
from support.judged import SIDE, half, noise, plain

from var_core.measuring.edit_benchmark import KINDS
from var_core.measuring.edit_scores import (
    CLASS_EDIT,
    Case,
    Scores,
    crossings_of,
    cut_to_painted,
    jump,
    overall,
    report,
    scored,
    seam,
)
from var_core.measuring.reference import Measured, Reference
from var_core.training.features import HELD_OUT_NETWORK, ImageFeatures


def test_the_untouched_picture_has_a_seam_score_of_one():
    assert seam(crossings_of([noise()], [Case(noise(), half(), 0, 0)])) == pytest.approx(1.0)


def test_a_step_at_the_edge_raises_the_seam_score_and_a_blur_lowers_it():
    ramp = np.repeat(np.arange(SIDE, dtype=np.uint8)[None, :, None] * 2, SIDE, 0).repeat(3, 2)  # 2 levels a pixel
    stepped, flat = ramp.copy(), ramp.copy()
    stepped[half()] += 8
    flat[half()] = ramp[0, SIDE // 2 - 1]
    case = [Case(ramp, half(), 0, 0)]
    assert seam(crossings_of([stepped], case)) == pytest.approx(5.0)
    assert seam(crossings_of([flat], case)) == 0


def test_the_jump_is_the_step_in_levels():
    result = plain(100)
    result[half()] = 110
    brightness, colour = jump(result, half())
    assert brightness == pytest.approx(10) and colour == pytest.approx(10 * 3**0.5)
    assert jump(plain(), half()) == (0, 0)


def test_only_the_rectangle_around_what_is_painted_is_shown():
    shown = cut_to_painted(noise(), half())
    assert shown.shape == noise().shape
    assert (
        abs(shown.astype(int) - cv2.resize(noise()[:, SIDE // 2 :], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)).max()
        <= 1
    )


def test_seams_too_sharp_and_too_soft_do_not_cancel_in_the_mean():
    rows = [
        Scores("a", kind, 1.0, value, abs(value - 1), 0, 0, 0, 0, 0)
        for kind, value in zip(KINDS, (0.5, 1.5), strict=False)
    ]
    (mean,) = overall(rows)
    assert mean.seam == 1 and mean.off == 0.5


def test_the_table_has_a_part_for_each_kind_and_one_for_their_mean():
    rows = [
        Scores(method, kind, 10.0 + place, 1.1, 0.1, 2.0, 3.0, 0.5, true, 0.2, {"seam": (1.0, 1.2)})
        for place, (kind, true) in enumerate([*((kind, 1.25) for kind in KINDS[:2]), (CLASS_EDIT, None)])
        for method in ("a", "b")
    ]
    text = report(rows)
    assert "mean" not in report([row for row in rows if row.kind != KINDS[0]])  # of one kind there is none
    assert (
        text.count("### ") == 4
        and text.count("| a | 10.0 | 1.10 (1.00 to 1.20) | 0.10 | 2.0 | 3.0 | 0.500 | 1.25 | 200 |") == 1
    )
    assert "| 0.500 |  | 200 |" in text  # of class edits nothing is true
    assert text.startswith("### mean of the kinds of masks")
    assert "| b | 10.5 | 1.10 | 0.10 | 2.0 | 3.0 | 0.500 | 1.25 | 200 |" in text


@pytest.fixture(scope="module")
def judges() -> tuple[Reference, ImageFeatures]:
    network = ImageFeatures()
    pixels = torch.from_numpy(np.stack([noise(seed) for seed in range(20, 32)]))
    with torch.inference_mode():
        features = network.pooled(pixels.permute(0, 3, 1, 2) / 127.5 - 1)
    return Reference.of(network, Measured(features, torch.arange(12) % 3), 3), ImageFeatures(HELD_OUT_NETWORK)


def test_figures_lie_within_their_intervals_and_the_true_pixels_at_no_distance(judges):
    given = [Case(noise(seed), half(), seed % 3, seed) for seed in range(6)]
    white = [np.where(half()[..., None], 255, case.picture).astype(np.uint8) for case in given]
    truth = scored(*judges, "truth", "half", [case.picture for case in given], given, 1.0)
    other = scored(*judges, "white", "half", white, given, 1.0)
    assert truth.distance == pytest.approx(0, abs=1e-6) and truth.seam == 1 and other.distance > 0.5
    for name in ("frechet", "seam", "accuracy", "distance"):
        low, high = other.within[name]
        assert low <= getattr(other, name) <= high
    assert other.within["frechet"][0] < other.within["frechet"][1]


def test_a_class_edit_has_no_distance_to_what_was_there(judges):
    given = [Case(noise(seed), half(), 0, seed) for seed in range(3)]
    found = scored(*judges, "x", CLASS_EDIT, [noise(9)] * 3, given, 1.0)
    assert found.distance is None and "distance" not in found.within
