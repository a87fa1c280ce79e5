"""Encoder and decoder: sizes, the stem, the range of pictures, the cheap preview."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from support.tiny import ENLARGING, SPEC, networks

from var_core.config import TokenizerConfig
from var_core.images import averaged
from var_core.nn.enlargement import cut, enlarged
from var_core.nn.layers import SpatialAttention
from var_core.nn.tokenizer import Preview, Refinement, Tokenizer

CONFIG = SPEC.tokenizer


def pictures(config: TokenizerConfig, count: int = 2) -> torch.Tensor:
    side = config.image_side
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def convolution_sides(module: torch.nn.Module, given: torch.Tensor) -> set[int]:
    """The sides at which the convolutions of a module run."""
    sides = set()
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(lambda _, inputs, output: sides.update((inputs[0].shape[-1], output.shape[-1])))
    module(given)
    return sides


@pytest.mark.parametrize("multipliers", [(1,), (1, 2), (1, 1, 2)])
@pytest.mark.parametrize("stem", [1, 2, 4])
@torch.no_grad()
def test_pictures_become_one_feature_per_patch_and_back(stem, multipliers):
    config = dataclasses.replace(CONFIG, stem=stem, multipliers=multipliers)
    tokenizer, images = Tokenizer(config), pictures(config)
    features = tokenizer.features(images)
    assert features.shape == (2, config.code_width, config.sides[-1], config.sides[-1])
    assert tokenizer.decode(features).shape == images.shape == (2, 3, config.patch * 4, config.patch * 4)


@pytest.mark.parametrize("stem", [2, 4])
@torch.no_grad()
def test_with_a_stem_no_convolution_runs_at_full_resolution(stem):
    config = dataclasses.replace(CONFIG, stem=stem)
    tokenizer = Tokenizer(config)
    most = config.image_side // stem
    assert max(convolution_sides(tokenizer.encoder, pictures(config))) <= most + 1  # the padding before a stride
    assert max(convolution_sides(tokenizer.decoder, torch.randn(1, 8, 4, 4))) == most


@torch.no_grad()
def test_a_refinement_runs_at_half_resolution_and_leaves_pictures_alone_before_training():
    plain, images = Refinement(6, 1, 2), pictures(CONFIG)
    assert torch.equal(plain(images), images)
    assert convolution_sides(plain, images) == {CONFIG.image_side // 2}
    plain.conv2.weight.normal_()
    assert not torch.equal(plain(images), images)


@torch.no_grad()
def test_an_enlarging_decoder_draws_pictures_so_many_times_as_large_and_encodes_what_it_did():
    tokenizer, plain = networks(spec=ENLARGING)[0], networks()[0]
    load_shared(plain, tokenizer)
    images = pictures(CONFIG)
    features = tokenizer.features(images)
    assert torch.equal(features, plain.features(images))
    assert tokenizer.decode(features).shape == (2, 3, 64, 64) == (2, 3, *(ENLARGING.tokenizer.drawn_side,) * 2)
    assert plain.decode(features).shape == (2, 3, 32, 32) == (2, 3, *(CONFIG.drawn_side,) * 2)


@torch.no_grad()
def test_before_training_pictures_are_enlarged_by_interpolation_of_what_was_drawn_before():
    tokenizer = Tokenizer(ENLARGING.tokenizer)
    plain = Tokenizer(dataclasses.replace(CONFIG, refine=8))
    load_shared(plain, tokenizer)
    f_hat = torch.randn(2, 8, 4, 4)
    small = plain.decode_unclamped(f_hat)
    assert torch.equal(tokenizer.decode_unclamped(f_hat), enlarged(small, 2))
    assert torch.equal(tokenizer.decode_small(f_hat), small.clamp(-1, 1))
    assert torch.equal(plain.decode_small(f_hat), plain.decode(f_hat))
    assert not any(name.startswith("decoder.enlarge") for name in plain.state_dict())


@pytest.mark.parametrize("times", [2, 3])
def test_enlarged_pictures_average_to_those_before_where_these_vary_linearly(times):
    ramp = torch.linspace(-1, 1, 16)[:, None] + torch.linspace(0, 0.5, 16)
    images = ramp.expand(1, 3, 16, 16)
    back = averaged(enlarged(images, times), 16)
    torch.testing.assert_close(back[..., 2:-2, 2:-2], images[..., 2:-2, 2:-2])
    assert torch.equal(averaged(images, 16), images)


@pytest.mark.parametrize("region", [(slice(0, 4), slice(3, 9)), (slice(10, 16), slice(12, 16)), (slice(6, 8),) * 2])
@torch.no_grad()
def test_a_part_of_a_picture_is_enlarged_as_in_the_whole(region):
    decoder = networks(spec=ENLARGING)[0].decoder
    deep = decoder.deep(torch.randn(2, 8, 4, 4))
    small, hidden = decoder.small(deep)
    whole, part = decoder.enlarge(small, hidden, deep), decoder.enlarge(small, hidden, deep, region)
    torch.testing.assert_close(part, cut(whole, region, 4))


def load_shared(plain: Tokenizer, tokenizer: Tokenizer) -> None:
    """Give a tokenizer the weights that another has, too."""
    known = plain.state_dict()
    plain.load_state_dict({name: value for name, value in tokenizer.state_dict().items() if name in known})


def test_the_stem_changes_only_the_first_and_the_last_convolution():
    shapes = [
        {name: value.shape for name, value in Tokenizer(dataclasses.replace(CONFIG, stem=stem)).state_dict().items()}
        for stem in (1, 2)
    ]
    changed = {name for name in shapes[0] if shapes[0][name] != shapes[1][name]}
    assert shapes[0].keys() == shapes[1].keys()
    assert changed == {"encoder.conv_in.weight", "decoder.conv_out.weight", "decoder.conv_out.bias"}


def test_attention_is_at_the_lowest_resolution_and_in_the_middle():
    tokenizer = Tokenizer(dataclasses.replace(CONFIG, multipliers=(1, 2, 2), residual_blocks=2))
    places = {name for name, module in tokenizer.named_modules() if isinstance(module, SpatialAttention)}
    encoder = {"encoder.middle.1", *(f"encoder.levels.2.attentions.{i}" for i in range(2))}
    decoder = {"decoder.middle.1", *(f"decoder.levels.2.attentions.{i}" for i in range(3))}
    assert places == encoder | decoder


@torch.no_grad()
def test_decode_clamps_to_the_range_of_pictures():
    tokenizer, f_hat = networks()[0], 100 * torch.randn(1, 8, 4, 4)
    tokenizer.decoder.conv_out.weight.mul_(100)
    raw = tokenizer.decode_unclamped(f_hat)
    assert raw.abs().max() > 1
    assert torch.equal(tokenizer.decode(f_hat), raw.clamp(-1, 1))


@torch.no_grad()
def test_encode_gives_one_map_of_known_codes_per_scale():
    tokens = networks()[0].encode(pictures(CONFIG))
    assert [t.shape for t in tokens] == [(2, side * side) for side in CONFIG.sides]
    assert all(t.dtype == torch.int64 and 0 <= t.min() and t.max() < CONFIG.vocabulary for t in tokens)


def linear_pair(preview: Preview) -> tuple[torch.Tensor, torch.Tensor]:
    """Features, and the pictures, at full size, of which a linear map makes them."""
    features = torch.randn(40, CONFIG.code_width, 4, 4)
    wanted = F.pixel_shuffle(preview.conv(features), preview.CELL)
    return features, F.interpolate(wanted, scale_factor=CONFIG.patch // preview.CELL)


@torch.no_grad()
def test_preview_fit_recovers_a_linear_relation():
    torch.manual_seed(0)
    truth, fitted = Preview(CONFIG), Preview(CONFIG)
    features, images = linear_pair(truth)
    fitted.fit(features, images)
    torch.testing.assert_close(fitted.conv.weight, truth.conv.weight, rtol=0, atol=5e-3)
    torch.testing.assert_close(fitted.conv.bias, truth.conv.bias, rtol=0, atol=5e-3)


@torch.no_grad()
def test_preview_is_a_few_pixels_per_cell_and_clamped():
    preview = networks()[1]
    shown = preview(100 * torch.randn(2, 8, 4, 4))
    assert shown.shape == (2, 3, Preview.CELL * 4, Preview.CELL * 4)
    assert shown.abs().max() == 1
