"""The blocks, each by itself."""

import math
import mmap

import pytest
import torch
import torch.nn.functional as F

from var_core.nn.cache import KVCache, QueryCache
from var_core.nn.layers import Attention, Block, Downsample, ResidualBlock, SpatialAttention, Upsample, modulate
from var_core.nn.linear import Linear, pack, to_int8
from var_core.schedule import Schedule

CLOSE = {"rtol": 0, "atol": 1e-5}
SCHEDULE = Schedule((1, 2, 3))
WIDTH, HEADS = 16, 2


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def new_cache(depth: int = 1, batch: int = 2) -> KVCache:
    return KVCache(depth, batch, HEADS, SCHEDULE.total, WIDTH // HEADS, like=torch.empty(0))


def test_cache_returns_all_that_was_written_in_order():
    cache, written = new_cache(depth=2), []
    for span in SCHEDULE.spans:
        k, v = torch.randn(2, 2, HEADS, span.stop - span.start, WIDTH // HEADS)
        written.append((k, v))
        cache.extend(0, span.start, k, torch.full_like(k, torch.nan), torch.full_like(v, torch.nan))  # another block
        keys, values = cache.extend(1, span.start, k, k, v)
        assert torch.equal(keys, torch.cat([k for k, _ in written], dim=2))
        assert torch.equal(values, torch.cat([v for _, v in written], dim=2))


def test_cache_size_is_keys_and_values_of_every_block():
    assert new_cache(depth=3, batch=2).nbytes == 3 * 2 * 2 * SCHEDULE.total * WIDTH * 4


def test_a_query_cache_keeps_queries_and_keys_in_order_and_is_a_cache_otherwise():
    caches = [kind(3, 2, HEADS, SCHEDULE.total, WIDTH // HEADS, like=torch.empty(0)) for kind in (KVCache, QueryCache)]
    written = []
    for span in SCHEDULE.spans:
        for block in (2, 0, 1):
            q, k, v = torch.randn(3, 2, HEADS, span.stop - span.start, WIDTH // HEADS)
            plain, kept = (cache.extend(block, span.start, q, k, v) for cache in caches)
            assert all(torch.equal(a, b) for a, b in zip(plain, kept, strict=True))
            written += [(q, k)] if block == 1 else []
    queries, keys = (torch.cat(parts, dim=2) for parts in zip(*written, strict=True))
    assert torch.equal(caches[1].queries[1], queries) and torch.equal(caches[1].keys[1], keys)
    assert caches[1].queries.shape == caches[1].keys.shape == (3, 2, HEADS, SCHEDULE.total, WIDTH // HEADS)
    assert caches[0].nbytes == caches[1].nbytes  # of keys and values


@torch.no_grad()
def test_queries_and_keys_of_a_cache_are_those_that_the_block_attended_with():
    block, x, modulation = Block(WIDTH, HEADS, 4), torch.randn(2, SCHEDULE.total, WIDTH), torch.randn(2, 6, WIDTH)
    cache = QueryCache(1, 2, HEADS, SCHEDULE.total, WIDTH // HEADS, like=torch.empty(0))
    for span in SCHEDULE.spans:
        block.step(x[:, span], modulation, cache, 0, span.start)
    q, k, _ = block.attention.queries_keys_values(block.attention_input(x, modulation))
    torch.testing.assert_close(cache.queries[0], q, **CLOSE)
    torch.testing.assert_close(cache.keys[0], k, **CLOSE)


@pytest.mark.parametrize(("log_scale", "norm"), [(0.0, 1.0), (math.log(4.0), 4.0), (9.0, 100.0)])
@torch.no_grad()
def test_queries_have_the_learned_norm_up_to_100_and_keys_norm_1(log_scale, norm):
    attention = Attention(WIDTH, HEADS)
    attention.log_scale.fill_(log_scale)
    torch.nn.init.normal_(attention.q_bias)
    q, k, _ = attention.queries_keys_values(torch.randn(2, 5, WIDTH))
    torch.testing.assert_close(q.norm(dim=-1), torch.full((2, HEADS, 5), float(norm)))
    torch.testing.assert_close(k.norm(dim=-1), torch.ones(2, HEADS, 5))


@torch.no_grad()
def test_each_head_has_its_own_scale():
    attention = Attention(WIDTH, HEADS)
    attention.log_scale.copy_(torch.tensor([2.0, 8.0]).log().view(HEADS, 1, 1))
    q, _, _ = attention.queries_keys_values(torch.randn(1, 3, WIDTH))
    torch.testing.assert_close(q.norm(dim=-1)[0], torch.tensor([[2.0] * 3, [8.0] * 3]))


@torch.no_grad()
def test_queries_and_values_have_a_bias_and_keys_have_none():
    attention, x = Attention(WIDTH, HEADS), torch.zeros(1, 1, WIDTH)
    torch.nn.init.normal_(attention.q_bias)
    torch.nn.init.normal_(attention.v_bias)
    q, k, v = attention.queries_keys_values(x)
    assert not k.any()
    assert torch.equal(v.flatten(), attention.v_bias)
    torch.testing.assert_close(q.norm(dim=-1), torch.full((1, HEADS, 1), 4.0))


@torch.no_grad()
def test_attention_is_softmax_of_the_plain_products():
    attention = Attention(WIDTH, HEADS)
    q, k, v = attention.queries_keys_values(torch.randn(2, 5, WIDTH))
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    weights = (q @ k.transpose(-1, -2)).masked_fill(~mask, -torch.inf).softmax(-1)
    wanted = attention.project((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention.mix(q, k, v, mask), wanted, **CLOSE)


@torch.no_grad()
def test_steps_through_the_scales_equal_one_pass_under_the_mask():
    block, x, modulation = Block(WIDTH, HEADS, 4), torch.randn(2, SCHEDULE.total, WIDTH), torch.randn(2, 6, WIDTH)
    whole, cache = SCHEDULE.split(block(x, modulation, SCHEDULE.mask())), new_cache()
    for scale, span in enumerate(SCHEDULE.spans):
        torch.testing.assert_close(block.step(x[:, span], modulation, cache, 0, span.start), whole[scale], **CLOSE)


@torch.no_grad()
def test_gamma_0_makes_a_block_the_identity():
    block, x, modulation = Block(WIDTH, HEADS, 4), torch.randn(2, SCHEDULE.total, WIDTH), torch.randn(2, 6, WIDTH)
    modulation[:, 0:2] = 0
    assert torch.equal(block(x, modulation, SCHEDULE.mask()), x)


@torch.no_grad()
def test_modulation_holds_gammas_then_scales_then_shifts():
    block, x, modulation = Block(WIDTH, HEADS, 4), torch.randn(1, 1, WIDTH), torch.randn(1, 6, WIDTH)
    gamma1, gamma2, scale1, scale2, shift1, shift2 = modulation[:, :, None].unbind(1)  # each (1, 1, D)
    seen = F.layer_norm(x, (WIDTH,), eps=1e-6) * (1 + scale1) + shift1
    value = block.attention.queries_keys_values(seen)[2].transpose(1, 2).flatten(2)  # one token attends to itself
    middle = x + gamma1 * block.attention.project(value)
    wanted = middle + gamma2 * block.feed_forward(F.layer_norm(middle, (WIDTH,), eps=1e-6) * (1 + scale2) + shift2)
    torch.testing.assert_close(block(x, modulation, torch.ones(1, 1, dtype=torch.bool)), wanted, **CLOSE)


def test_modulate_gives_the_shift_as_mean_and_the_scale_as_spread():
    out = modulate(torch.randn(2, 3, 64), torch.full((2, 1, 64), 0.5), torch.full((2, 1, 64), -2.0))
    torch.testing.assert_close(out.mean(-1), torch.full((2, 3), -2.0))
    torch.testing.assert_close(out.std(-1, correction=0), torch.full((2, 3), 1.5))


@torch.no_grad()
def test_spatial_attention_moves_with_the_places():
    layer, x, order = SpatialAttention(8, 4), torch.randn(1, 8, 3, 3), torch.randperm(9)
    shuffled = x.flatten(2)[..., order].view_as(x)
    wanted = layer(x).flatten(2)[..., order].view_as(x)
    torch.testing.assert_close(layer(shuffled), wanted, **CLOSE)


@pytest.mark.parametrize(("outputs", "kept"), [(8, True), (16, False)])
def test_a_residual_block_projects_its_shortcut_only_when_the_width_changes(outputs, kept):
    block = ResidualBlock(8, outputs, 4)
    assert isinstance(block.shortcut, torch.nn.Identity) is kept
    assert block(torch.randn(2, 8, 5, 5)).shape == (2, outputs, 5, 5)


@pytest.mark.parametrize("side", [4, 6])
def test_downsample_halves_and_upsample_doubles(side):
    x = torch.randn(1, 4, side, side)
    assert Downsample(4)(x).shape[-1] == side // 2
    assert Upsample(4)(x).shape[-1] == side * 2


@torch.no_grad()
def test_downsample_pads_on_the_right_and_below_only():
    layer, x = Downsample(4), torch.randn(1, 4, 8, 8)
    padded = torch.cat((torch.cat((x, torch.zeros(1, 4, 8, 1)), -1), torch.zeros(1, 4, 1, 9)), -2)
    torch.testing.assert_close(layer(x), F.conv2d(padded, layer.conv.weight, layer.conv.bias, stride=2))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 12), (2, 5, 12), (0, 12), (3, 1, 7, 12)])
def test_packing_changes_no_product(bias, shape):
    torch.manual_seed(0)
    layer, x, own = Linear(12, 20, bias=bias), torch.randn(shape), torch.randn(20)
    before = layer(x), layer(x, own)
    pack(layer)
    assert torch.allclose(layer(x), before[0], atol=1e-5)
    if not bias:
        assert torch.allclose(layer(x, own), before[1], atol=1e-5)
    pack(layer)  # a second time changes nothing
    assert torch.allclose(layer(x), before[0], atol=1e-5)


def test_packing_takes_products_of_parts_of_a_tensor():
    torch.manual_seed(0)
    layer, x = Linear(12, 20), torch.randn(4, 9, 24)[1:3, ::2, ::2]
    before = layer(x)
    pack(layer)
    assert torch.allclose(layer(x), before, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 64), (2, 5, 64), (3, 1, 7, 64)])
def test_products_of_8_bits_come_close(bias, shape):
    torch.manual_seed(0)
    layer, x, own = Linear(64, 48, bias=bias), torch.randn(shape), torch.randn(48)
    before = layer(x), layer(x, own)
    to_int8(layer)
    found = (layer(x), layer(x, own)) if not bias else (layer(x),)
    for ours, wanted in zip(found, before, strict=False):
        assert ours.shape == wanted.shape
        assert 0 < (ours - wanted).norm() / wanted.norm() < 0.03


def test_products_of_8_bits_do_not_depend_on_other_rows():
    torch.manual_seed(0)
    layer, x = Linear(64, 48), torch.randn(6, 64) * torch.tensor([1e-3, 1, 100, 1, 1e4, 0])[:, None]
    to_int8(layer)
    alone = torch.cat([layer(row[None]) for row in x])
    assert torch.equal(layer(x), alone)
    assert torch.equal(alone[5], layer.bias)  # a row of zeros


def test_rows_of_very_different_size_are_rounded_alike():
    torch.manual_seed(0)
    layer, row = Linear(64, 48, bias=False), torch.randn(1, 64)
    to_int8(layer)
    torch.testing.assert_close(layer(row * 1000), layer(row) * 1000)


def test_a_weight_in_a_file_stays_there(tmp_path):
    path, weight = tmp_path / "weight", torch.randn(20, 12)
    path.write_bytes(weight.numpy().tobytes())
    with path.open("rb") as raw:
        file = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_COPY)
    layer, x = Linear(12, 20), torch.randn(3, 12)
    layer.weight = torch.nn.Parameter(torch.frombuffer(file, dtype=torch.float32).view(20, 12), requires_grad=False)
    layer.file = file
    wanted = F.linear(x, weight, layer.bias)
    for lay_out in (pack, to_int8, lambda _: None):
        lay_out(layer)
        assert layer.product is None and torch.equal(layer(x), wanted)


def test_only_float32_is_packed():
    layer = Linear(12, 20).half()
    pack(layer)
    assert layer.product is None and layer.weight.dtype == torch.float16
