"""Colours for the codes of a codebook."""

import cv2
import numpy as np
import pytest
import torch

from var_core.inspection.codebook import colours


def ranks(values: torch.Tensor) -> torch.Tensor:
    return values.argsort().argsort().double()


@pytest.mark.parametrize("seed", range(4))
def test_near_codes_have_near_colours(seed):
    codebook = torch.randn(256, 3, generator=torch.Generator().manual_seed(seed))
    found = colours(codebook)
    assert found.shape == (256, 3) and found.dtype == torch.uint8 and torch.equal(found, colours(codebook))
    seen = cv2.cvtColor(found.numpy()[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]  # as an eye sees them
    apart = [ranks(torch.nn.functional.pdist(points)) for points in (codebook, torch.from_numpy(seen))]
    assert torch.corrcoef(torch.stack(apart))[0, 1] > 0.8


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_codebooks_of_any_size_have_colours(count, width):
    found = colours(torch.randn(count, width, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (count, 3)
    assert len(found.unique(dim=0)) > 0.4 * count  # there are only 256 greys


def test_codes_on_a_line_go_from_dark_to_light():
    light = colours(torch.linspace(0, 1, 20)[:, None]).float() @ torch.tensor([0.3, 0.6, 0.1])
    assert (light.diff() > 0).all()


def test_a_codebook_whose_codes_are_all_the_same_has_colours():
    assert colours(torch.ones(5, 4)).shape == (5, 3)
