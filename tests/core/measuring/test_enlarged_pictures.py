"""Measures of decoders that enlarge, against pictures with known answers."""

import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny

from var_core.engine.pipeline import Pipeline
from var_core.measuring import enlarged_pictures as measured
from var_core.measuring.bootstrap import Interval
from var_core.weights.checkpoints import load


def noise(seed: int, count: int = 4, side: int = 224) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, side, side, 3), generator=rng, dtype=torch.uint8)


def test_pictures_are_as_sharp_as_themselves_and_blur_has_less_of_every_frequency():
    sharp = noise(0)
    real = measured.spectra(sharp)
    assert all(level == 0 for _, level in measured.radial_difference(real, real))
    small = measured.enlarged_by(sharp, 112, Image.Resampling.BOX)
    blurred = measured.spectra(measured.enlarged_by(small, 224, Image.Resampling.LANCZOS))
    levels = [level for at, level in measured.radial_difference(blurred, real) if at > 0.3]
    assert len(levels) > 8 and max(levels) < -6
    crisper = measured.spectra(measured.enlarged_by(small, 224, Image.Resampling.LANCZOS, sharpen=True))
    assert np.mean(crisper) > np.mean(blurred)


def test_a_lattice_of_pixels_is_found_where_it_is_and_nowhere_else():
    plain = noise(1, count=16)
    assert measured.highest_line(measured.spectra(plain))[1] < 2
    lattice = plain.clone()
    lattice[:, :, ::4] = (lattice[:, :, ::4].int() + 60).clamp(0, 255).to(torch.uint8)
    at, level = measured.highest_line(measured.spectra(lattice))
    assert at in (0.25, 0.5) and level > 6


def test_ways_to_enlarge_keep_the_tokens_and_their_names_say_whose_pictures_they_are(tmp_path):
    large = load(str(tiny.write(tmp_path, spec=tiny.ENLARGING))).tokenizer
    side = large.config.drawn_side
    ways = measured.ways_to_draw(large)
    assert list(ways) == [
        "the model",
        "before it enlarges, bicubic",
        "before it enlarges, Lanczos",
        "before it enlarges, Lanczos, sharpened",
    ]
    f_hat = torch.randn(2, large.config.code_width, *[large.config.sides[-1]] * 2)
    assert all(draw(f_hat).shape == (2, side, side, 3) for draw in ways.values())
    assert "the other model's, Lanczos" in measured.ways_to_draw(large, large)
    small = tiny.networks()[0]
    with pytest.raises(ValueError, match="as many as it encodes"):
        measured.ways_to_draw(small)
    with pytest.raises(ValueError, match="other tokens"):
        measured.ways_to_draw(large, load(str(tiny.write(tmp_path, seed=5))).tokenizer)


def test_pairs_are_laid_by_chance_and_the_key_tells_which_is_which():
    ours, theirs = torch.full((9, 8, 8, 3), 200, dtype=torch.uint8), torch.zeros(9, 8, 8, 3, dtype=torch.uint8)
    sheet, sides = measured.blind_pairs(ours, theirs)
    pixels = np.array(sheet)
    assert set(sides) == {"left", "right"}
    for index, side in enumerate(sides):
        top, left = index // 4 * 20, index % 4 * 28
        assert pixels[top, left, 0] == (200 if side == "left" else 0)
        assert pixels[top, left + 8, 0] == (0 if side == "left" else 200)


def test_generated_pictures_are_drawn_in_every_way_from_the_same_tokens(tmp_path):
    pipe = Pipeline(load(str(tiny.write(tmp_path, spec=tiny.ENLARGING))))
    *_, made = measured.generated_pictures(pipe, [0, 1, 2], measured.ways_to_draw(pipe.tokenizer))
    assert {pixels.shape[0] for pixels in made.values()} == {3}
    smooth, bicubic = made["before it enlarges, Lanczos"].float(), made["before it enlarges, bicubic"].float()
    assert 0 < (smooth - bicubic).abs().mean() < 4


def test_tables_tell_every_way_with_its_figures():
    score = measured.EnlargedScore("the model", {"lite0": 10.0, "lite2": 12.25}, Interval(1.0, 0.9, 1.1))
    assert "| the model | 10.0 | 12.2 | 1.000 (0.900 to 1.100) |" in measured.rebuilt_table([score])
    spectrum = measured.SpectrumScore("the model", [(0.26, -1.0), (0.4, -3.0)], (0.25, 1.5))
    told = measured.spectrum_table("flower", [spectrum])
    assert "| the model | -2.0 | -3.0 at 0.40 | 1.5 at 0.25 |" in told
