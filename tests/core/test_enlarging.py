"""A model that draws larger pictures than it encodes: 64 pixels a side from 32, all the way through."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from support.tasks import last
from support.tiny import ENLARGING, SIDES, masked_pipeline, pipeline, write

from var_core.config import ON_CPU, Sampling
from var_core.device_memory import decoder_bytes
from var_core.editing.canvas import Hole, matched, resized_to
from var_core.editing.edit import Edit, run_edit, stages
from var_core.editing.edit_settings import EditSettings
from var_core.editing.texture import borrowed, detail
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.images import averaged_pixels
from var_core.inspection import render
from var_core.inspection.atlas import build_atlas
from var_core.inspection.changes import given_request
from var_core.inspection.levels import levels
from var_core.inspection.race import picture, race
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Trace
from var_core.measuring.edit_benchmark import cases, notebook, ours
from var_core.measuring.evaluate import generated, reconstructed
from var_core.measuring.previews import own_pairs
from var_core.training.data import PictureSet

PIPE, SIDE, DRAWN = pipeline(ENLARGING), 32, 64
REQUEST = Request((1,), (5,), Sampling(guidance=2.0))


def photo(side: int, seed: int = 0) -> np.ndarray:
    smooth = np.random.default_rng(seed).normal(size=(side, side, 3)).cumsum(0).cumsum(1)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


def pictures(count: int) -> PictureSet:
    return PictureSet(torch.from_numpy(np.stack([photo(SIDE, n) for n in range(count)])), torch.arange(count), ())


def test_pictures_are_drawn_at_twice_the_side_that_is_encoded():
    result = PIPE.run(REQUEST)
    assert result.images[0].size == (DRAWN, DRAWN)
    assert PIPE.pixels(result.steps[-1].f_hat).shape == (1, DRAWN, DRAWN, 3)
    assert PIPE.features(torch.zeros(1, 3, SIDE, SIDE)).shape[-1] == SIDES[-1]
    assert [tokens.shape[1] for tokens in PIPE.encode(result.images[0])] == [side**2 for side in SIDES]
    assert PIPE.preview(result.steps[-1].f_hat)[0].size == (16, 16)


def test_a_file_keeps_all_of_it(tmp_path):
    loaded = Pipeline.load(str(write(tmp_path, spec=ENLARGING)), ON_CPU)
    assert loaded.spec == ENLARGING
    assert loaded.run(REQUEST).images[0].size == (DRAWN, DRAWN)


def test_decoding_needs_more_memory_than_without():
    assert decoder_bytes(ENLARGING) > decoder_bytes(replace(ENLARGING, tokenizer=pipeline().spec.tokenizer))


@pytest.mark.parametrize(
    "settings", [EditSettings(), EditSettings(match=False, detail=False), EditSettings(harmonise=4)]
)
@pytest.mark.parametrize("pipe", [PIPE, masked_pipeline(ENLARGING)], ids=["plain", "masked path"])
@pytest.mark.parametrize("side", [24, 90])
def test_an_edit_pastes_what_is_drawn_and_leaves_the_rest_of_the_photo(settings, pipe, side):
    given, mask = photo(side), np.zeros((side, side), bool)
    mask[8:20, 6:18] = True
    edit = Edit(given, mask, (1, 2), (3, 4), settings=replace(settings, feather=0))
    *_, done = stages(pipe, edit)
    assert done.drawn.shape == (2, DRAWN, DRAWN, 3) and done.work.views.shape == (2, SIDE, SIDE, 3)
    assert done.work.composites(done.drawn).shape == done.work.views.shape
    for result in run_edit(pipe, edit):
        assert np.array_equal(result[~mask], given[~mask]) and (result[mask] != given[mask]).any()


def test_what_is_pasted_has_the_detail_of_the_larger_picture():
    """Without corrections the square of the photo, as large as what is drawn, is what is drawn."""
    plain = EditSettings(match=False, detail=False, feather=0, context=1.0)
    *_, done = stages(PIPE, Edit(photo(DRAWN), np.ones((DRAWN, DRAWN), bool), (1,), (3,), settings=plain))
    assert np.array_equal(done.photos[0], done.drawn[0])


def test_colours_are_matched_at_the_side_that_is_encoded_and_detail_stays():
    cover = np.zeros((16, 16), np.float32)
    cover[5:10, 5:10] = 1
    drawn = np.full((32, 32, 3), 70, np.float32)
    drawn[15] += 20
    drawn[14] -= 20  # the two lie in the same of the smaller pixels
    fitted = matched(drawn, np.full((16, 16, 3), 100, np.float32), Hole(cover))
    np.testing.assert_allclose(fitted, drawn + 30, atol=1e-3)


def test_detail_is_borrowed_from_what_the_larger_picture_lacks():
    known = np.ones((128, 128), bool)
    known[40:88, 40:88] = False
    given = photo(128)
    small = resized_to(given, SIDE)
    large = resized_to(given, DRAWN)
    lacking = [np.abs(detail(given, known, drawn, SIDE)).mean() for drawn in (small, large)]
    assert 0 < lacking[1] < lacking[0]
    assert borrowed(given, known, large, SIDE).shape == (128, 128, 3)
    assert np.abs(borrowed(resized_to(large, 128).astype(np.uint8), known, large, SIDE)).max() < 2


def test_a_trace_holds_and_shows_the_larger_pictures(tmp_path):
    trace = recorded(PIPE, REQUEST)
    assert trace.pictures.shape == (4, DRAWN, DRAWN, 3)
    assert np.array_equal(trace.pictures[-1].numpy(), np.asarray(PIPE.run(REQUEST).images[0]))
    trace.save(tmp_path / "one.safetensors")
    assert torch.equal(Trace.load(tmp_path / "one.safetensors").pictures, trace.pictures)
    assert render.residual(trace, 1).size == (DRAWN, DRAWN)
    assert render.contact_sheet(trace).width > DRAWN
    render.write_gif(trace, tmp_path / "one.gif")
    opened = given_request(PIPE.encode(Image.fromarray(photo(SIDE))), 0, Sampling())
    assert recorded(PIPE, opened, origin="opened").pictures.shape[1] == DRAWN


def test_the_levels_of_a_photo_end_with_what_is_drawn_of_it():
    *_, before, whole = levels(PIPE, Image.fromarray(photo(50)), PIPE.preview)
    assert (before.decoded.width, whole.decoded.width) == (16, DRAWN)
    assert whole.averaged.width == whole.map.width == SIDE


def test_an_atlas_cuts_the_cells_of_the_larger_pictures():
    made = build_atlas(PIPE, [Image.fromarray(photo(SIDE, n)) for n in range(2)])
    assert made.uses.sum() == 2 * sum(side**2 for side in SIDES)
    trace = recorded(PIPE, given_request(PIPE.encode(Image.fromarray(photo(SIDE))), 0, Sampling()))
    whole = render.residual(trace, 0).resize((16, 16), Image.Resampling.BICUBIC, (0, 0, DRAWN, DRAWN))
    only = build_atlas(PIPE, [Image.fromarray(photo(SIDE))])
    patch = only.patches[int(trace.tokens[0])]
    assert any(np.array_equal(one, np.asarray(whole)) for one in patch)


def test_a_race_shows_pictures_of_one_side():
    first, *_, end = race([(PIPE, REQUEST)])
    assert picture(PIPE, first[0]).size == picture(PIPE, end[0]).size == (DRAWN, DRAWN)


def test_measures_see_pictures_averaged_down_to_the_side_that_is_encoded():
    rebuilt = last(reconstructed(PIPE, pictures(3)))
    assert rebuilt.pixels.shape == (3, SIDE, SIDE, 3) and rebuilt.decibels.shape == (3,)
    made = last(generated(PIPE, torch.tensor([1]), REQUEST.sampling))
    drawn = np.asarray(PIPE.run(replace(REQUEST, seeds=(0,))).images[0])
    assert torch.equal(made, averaged_pixels(torch.from_numpy(drawn[None].copy()), SIDE))


@pytest.mark.parametrize("method", [notebook(PIPE, Sampling()), ours(PIPE, EditSettings(), Sampling())])
def test_edits_are_measured_at_the_side_of_their_pictures(method):
    given = cases(pictures(2), "centre box")
    assert [result.shape for result in method(given)] == [(SIDE, SIDE, 3)] * 2


def test_previews_are_fitted_to_the_larger_pictures():
    f_hat, image = own_pairs(PIPE, Sampling())[0]
    assert f_hat.shape[-1] == SIDES[-1] and image.shape[-1] == DRAWN
