"""Previews of a picture under way are judged and timed as they should be."""

import pytest
import torch
from support import tiny

from var_core.config import Sampling
from var_core.measuring.previews import (
    JUDGED,
    OWN,
    Costs,
    PreviewMethod,
    at_side,
    costs,
    decoded_coarsely,
    distances,
    drawn_f_hats,
    fitted_to,
    maps,
    own_pairs,
    preview_methods,
    report_costs,
    report_distances,
)

SAMPLING = Sampling(top_k=20)


def test_decoding_is_no_distance_from_itself_and_a_grey_picture_is_some():
    pipe = tiny.pipeline()
    *_, whole = preview_methods(pipe)
    grey = PreviewMethod("grey", lambda f_hat: torch.zeros(len(f_hat), 3, 16, 16))
    exact, far = distances(pipe.tokenizer, [whole, grey], drawn_f_hats(pipe, (0, 1), SAMPLING))
    assert exact == [0.0] * len(tiny.SIDES)
    assert min(far) > 0


def test_a_distance_is_in_grey_levels():
    pipe, made = tiny.pipeline(), [[torch.zeros(1, 8, 4, 4)]]
    truth = at_side(pipe.tokenizer.decode(made[0][0]), 16)
    off = PreviewMethod("off", lambda _: truth + 2 / 255)
    assert distances(pipe.tokenizer, [off], made) == [[pytest.approx(1.0, rel=1e-3)]]


@pytest.mark.parametrize("side", [1, 4, 8, 16])
def test_even_pictures_keep_their_value_at_any_side(side):
    assert at_side(torch.full((2, 3, 8, 8), 0.25), side).allclose(torch.full((2, 3, side, side), 0.25))


@pytest.mark.parametrize(("parts", "side"), [(1, 32), (2, 16), (4, 8), (100, 8)])
def test_decoding_from_fewer_cells_gives_smaller_pictures(parts, side):
    assert decoded_coarsely(tiny.pipeline().tokenizer, torch.randn(1, 8, 4, 4), parts).shape == (1, 3, side, side)


def test_a_map_is_nearest_to_the_pictures_that_it_was_fitted_to():
    pipe = tiny.pipeline()
    own = PreviewMethod("own", fitted_to(pipe, own_pairs(pipe, SAMPLING)))
    fitted, unfitted = distances(
        pipe.tokenizer, [own, PreviewMethod("random", pipe.preview_map)], drawn_f_hats(pipe, OWN, SAMPLING)
    )
    assert sum(fitted) < sum(unfitted)


def test_maps_are_judged_on_pictures_that_they_were_not_fitted_to():
    assert not set(OWN) & set(JUDGED)


def test_every_method_is_timed_and_told():
    pipe = tiny.pipeline()
    judged = preview_methods(pipe)
    spent = costs(pipe, judged, SAMPLING, 1)
    assert len(spent.previews) == len(judged) and min(*spent.previews, spent.run) > 0
    assert all(f"| {method.name} |" in report_costs(judged, spent, 4) for method in judged)


def test_the_part_is_that_of_the_previews_at_all_scales():
    text = report_costs([PreviewMethod("a", torch.zeros_like)], Costs([0.002], 0.1), scales=10)
    assert "| a | 2.0 | 20 | 20.0 % |" in text and "100 ms" in text


def test_distances_are_told_with_their_mean():
    text = report_distances([PreviewMethod("a", torch.zeros_like)], [[1.0, 2.0, 6.0]], (1, 2, 3))
    assert "| a | 1.0 | 2.0 | 6.0 | 3.0 |" in text


def test_every_way_to_fit_a_map_has_a_row():
    names = [method.name for method in maps(tiny.pipeline(), SAMPLING)]
    assert len(set(names)) == len(names) == 4
