"""Features to tokens and back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.tiny import SPEC, in_order

from var_core.config import OFFICIAL_SIDES_256, OFFICIAL_SIDES_512, TokenizerConfig
from var_core.nn.quantizer import CellQuantizer, Quantizer, quantizer_of
from var_core.schedule import PATHS

CLOSE = {"rtol": 0, "atol": 1e-5}
SCALES = range(len(SPEC.tokenizer.sides))


@pytest.fixture
def quantizer() -> Quantizer:
    torch.manual_seed(0)
    return Quantizer(SPEC.tokenizer).requires_grad_(False)


@pytest.fixture
def f() -> torch.Tensor:
    return torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(1))


def random_tokens(quantizer: Quantizer) -> list[torch.Tensor]:
    return [torch.randint(64, (2, length)) for length in quantizer.schedule.lengths]


@pytest.mark.parametrize("sides", [OFFICIAL_SIDES_256, OFFICIAL_SIDES_512])
def test_ten_scales_share_four_phis_by_the_nearest_tick(sides):
    quantizer = Quantizer(TokenizerConfig(sides, vocabulary=2, code_width=1))
    shared = [list(quantizer.phis).index(quantizer.phi(scale)) for scale in range(10)]
    ticks = np.linspace(1 / 12, 11 / 12, 4)
    assert shared == [int(np.abs(ticks - scale / 9).argmin()) for scale in range(10)]
    assert shared == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def test_nearest_is_the_brute_force_nearest(quantizer, f):
    vectors = f.flatten(2).transpose(1, 2)  # (B, n, C)
    assert torch.equal(quantizer.nearest(vectors, 0), torch.cdist(vectors, quantizer.codebook[None]).argmin(-1))


def test_a_code_is_nearest_to_itself(quantizer):
    every = torch.arange(64)[None]
    assert torch.equal(quantizer.nearest(quantizer.codes(every), 1), every)


def test_codes_are_rows_of_the_codebook(quantizer):
    assert torch.equal(quantizer.codes(torch.tensor([[5, 0]])), quantizer.codebook[[5, 0]][None])


def test_features_of_the_tokens_are_the_last_f_hat_of_quantize(quantizer, f):
    found = list(quantizer.quantize(f))
    assert [q.tokens.shape for q in found] == [(2, length) for length in quantizer.schedule.lengths]
    assert torch.equal(quantizer.features([q.tokens for q in found]), found[-1].f_hat)


def test_each_scale_quantizes_what_the_coarser_ones_left_over(quantizer, f):
    f_hat = quantizer.empty(2)
    for scale, found in enumerate(quantizer.quantize(f)):
        assert torch.equal(found.residual, quantizer.pool(f - f_hat, scale))
        assert torch.equal(found.tokens, quantizer.nearest(found.residual, scale))
        f_hat = quantizer.add(f_hat, quantizer.codes(found.tokens), scale)
        assert torch.equal(found.f_hat, f_hat)


def test_teacher_input_is_the_f_hat_of_all_coarser_scales_pooled(quantizer):
    tokens = random_tokens(quantizer)
    pieces = quantizer.teacher_input(tokens).split(quantizer.schedule.lengths[1:], dim=1)
    for scale, piece in enumerate(pieces, start=1):
        f_hat = quantizer.empty(2)
        for coarser in range(scale):
            f_hat = quantizer.add(f_hat, quantizer.codes(tokens[coarser]), coarser)
        assert torch.equal(piece, quantizer.next_input(f_hat, scale))


def test_with_nothing_wrong_there_is_nothing_to_correct(quantizer):
    tokens = random_tokens(quantizer)
    nowhere = [torch.zeros_like(part, dtype=torch.bool) for part in tokens]
    shown, wanted = quantizer.corrected(tokens, random_tokens(quantizer), nowhere)
    assert torch.equal(shown, quantizer.teacher_input(tokens))
    assert torch.equal(wanted, torch.cat(tokens, 1))


@torch.no_grad()
def test_finer_scales_make_up_for_what_is_wrong(quantizer):
    tokens = random_tokens(quantizer)
    wrong, where = [63 - part for part in tokens], [torch.zeros_like(part, dtype=torch.bool) for part in tokens]
    where[1][0] = True  # all of the second map of the first picture
    shown, wanted = quantizer.corrected(tokens, wrong, where)
    used = [torch.where(*three) for three in zip(where, wrong, quantizer.schedule.split(wanted), strict=True)]
    assert torch.equal(shown, quantizer.teacher_input(used))
    assert torch.equal(wanted[1], torch.cat(tokens, 1)[1])  # nothing is wrong with the second picture
    assert torch.equal(wanted[0, :5], torch.cat(tokens, 1)[0, :5])  # what is said is right until it is shown wrong
    kept = [torch.cat((tokens[0], wrong[1]), 1), *(tokens[2:])]
    kept = quantizer.schedule.split(torch.cat(kept, 1))
    right = quantizer.features(tokens)
    assert (quantizer.features(used) - right)[0].norm() < (quantizer.features(kept) - right)[0].norm()


def test_teacher_input_does_not_see_the_finest_tokens(quantizer):
    first = random_tokens(quantizer)
    second = [*first[:-1], 63 - first[-1]]
    assert torch.equal(quantizer.teacher_input(first), quantizer.teacher_input(second))


@pytest.mark.parametrize("scale", SCALES)
def test_adding_zeros_adds_half_the_bias_of_phi(quantizer, scale):
    zeros = torch.zeros(2, quantizer.schedule.lengths[scale], 8)
    wanted = 0.5 * quantizer.phi(scale).bias.view(1, 8, 1, 1).expand(2, 8, 4, 4)
    torch.testing.assert_close(quantizer.add(quantizer.empty(2), zeros, scale), wanted, **CLOSE)


def test_without_phi_the_finest_scale_adds_half_its_codes(quantizer):
    last = SCALES[-1]
    for phi in quantizer.phis:
        torch.nn.init.zeros_(phi.weight)
        torch.nn.init.zeros_(phi.bias)
    codes = torch.randn(2, 16, 8)
    assert torch.equal(quantizer.add(quantizer.empty(2), codes, last), 0.5 * codes.transpose(1, 2).view(2, 8, 4, 4))


@pytest.mark.parametrize("scale", SCALES)
def test_add_leaves_its_arguments_alone(quantizer, f, scale):
    codes = torch.randn(2, quantizer.schedule.lengths[scale], 8)
    before = f.clone(), codes.clone()
    quantizer.add(f, codes, scale)
    assert torch.equal(f, before[0]) and torch.equal(codes, before[1])


@pytest.mark.parametrize("scale", SCALES)
def test_pool_averages_areas(quantizer, f, scale):
    side = quantizer.schedule.sides[scale]
    wanted = F.adaptive_avg_pool2d(f, side).flatten(2).transpose(1, 2)
    torch.testing.assert_close(quantizer.pool(f, scale), wanted, **CLOSE)


def test_a_picture_is_quantized_alike_alone_and_among_others(quantizer, f):
    together, alone = list(quantizer.quantize(f)), list(quantizer.quantize(f[1:]))
    assert all(torch.equal(a.tokens[1:], b.tokens) for a, b in zip(together, alone, strict=True))


def test_quantizing_a_pyramid_of_one_scale_repeats_its_tokens():
    torch.manual_seed(0)
    quantizer = Quantizer(TokenizerConfig((1,), vocabulary=16, code_width=4)).requires_grad_(False)
    for phi in quantizer.phis:  # 0.5 h + 0.5 phi(h) = h
        torch.nn.init.dirac_(phi.weight)
        torch.nn.init.zeros_(phi.bias)
    tokens = [torch.arange(16)[:, None]]
    assert torch.equal(next(quantizer.quantize(quantizer.features(tokens))).tokens, tokens[0])


@pytest.fixture(params=PATHS)
def cells(request) -> CellQuantizer:
    torch.manual_seed(0)
    return quantizer_of(in_order(request.param).tokenizer).requires_grad_(False)


def test_the_order_decides_the_quantizer():
    assert type(quantizer_of(SPEC.tokenizer)) is Quantizer
    assert type(quantizer_of(in_order("raster").tokenizer)) is CellQuantizer


def test_a_single_map_has_no_weights_but_the_codebook(cells):
    assert list(cells.state_dict()) == ["codebook"]


def test_each_cell_of_a_single_map_gets_its_nearest_code(cells, f):
    (found,) = cells.quantize(f)
    nearest = cells.nearest(f.flatten(2).transpose(1, 2), 0)  # (B, 16), row by row
    assert torch.equal(found.tokens, nearest[:, list(cells.schedule.cells)])
    assert torch.equal(found.f_hat.flatten(2).transpose(1, 2), cells.codes(nearest))
    assert torch.equal(torch.cat([cells.pool(f, step) for step in range(16)], 1), found.residual)


def test_tokens_of_a_single_map_come_one_a_step_and_lead_back_to_its_features(cells, f):
    tokens, (found,) = cells.tokens(f), cells.quantize(f)
    assert [t.shape for t in tokens] == [(2, 1)] * 16
    assert torch.equal(cells.features(tokens), found.f_hat)


def test_cells_filled_one_by_one_are_those_filled_at_once(cells):
    tokens, f_hat = random_tokens(cells), cells.empty(2)
    for step, drawn in enumerate(tokens):
        before = f_hat.clone()
        filled = cells.add(f_hat, cells.codes(drawn), step)
        assert torch.equal(f_hat, before) and (filled != f_hat).any(1).sum() == 2  # one cell of each picture
        f_hat = filled
    assert torch.equal(f_hat, cells.features(tokens))


def test_a_step_is_shown_the_code_of_the_cell_before_it(cells):
    tokens, f_hat = random_tokens(cells), cells.empty(2)
    shown = cells.teacher_input(tokens).split(1, dim=1)
    assert torch.equal(cells.next_input(f_hat, 0), torch.zeros(2, 1, 8))
    for step in range(1, 16):
        f_hat = cells.add(f_hat, cells.codes(tokens[step - 1]), step - 1)
        assert torch.equal(cells.next_input(f_hat, step), shown[step - 1])


def test_what_a_single_map_left_over_trains_the_encoder(cells, f):
    given = f.clone().requires_grad_(True)
    (found,) = cells.quantize(given)
    F.mse_loss(given, found.f_hat.detach()).backward()
    assert given.grad.abs().sum() > 0


OWN = replace(SPEC.tokenizer, own_codes=True)


def test_codes_of_their_own_are_shared_out_among_the_scales():
    quantizer = Quantizer(OWN)
    parts = [quantizer.allowed(scale) for scale in range(4)]
    assert [code for part in parts for code in range(part.start, part.stop)] == list(range(64))
    f = torch.randn(3, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    for found, part in zip(quantizer.quantize(f), parts, strict=True):
        assert part.start <= found.tokens.min() and found.tokens.max() < part.stop
        codes = quantizer.codebook[part]
        assert torch.equal(found.tokens, torch.cdist(found.residual, codes[None]).argmin(-1) + part.start)


def test_too_few_codes_for_the_scales_are_refused():
    with pytest.raises(ValueError, match="3 codes for 4 scales"):
        replace(OWN, vocabulary=3)
