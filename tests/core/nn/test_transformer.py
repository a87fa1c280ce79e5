"""The transformer: what depends on what."""

import dataclasses

import pytest
import torch
from support.tiny import SPEC, networks

from var_core.nn.transformer import VAR, initialise, randomise

CLOSE = {"rtol": 0, "atol": 1e-5}
CONFIG = SPEC.transformer
SHARED = dataclasses.replace(CONFIG, shared_adaln=True)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def inputs(batch: int) -> torch.Tensor:
    return torch.randn(batch, sum(side**2 for side in CONFIG.sides) - 1, CONFIG.code_width)


def made(config=CONFIG) -> VAR:
    """A network whose every weight matters."""
    model = VAR(config).eval().requires_grad_(False)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.2)
    return model


@pytest.mark.parametrize("config", [CONFIG, SHARED], ids=["own", "shared"])
def test_forward_gives_logits_for_every_place(config):
    assert made(config)(torch.tensor([0, 6]), inputs(2)).shape == (2, 30, CONFIG.vocabulary)


@pytest.mark.parametrize("config", [CONFIG, SHARED], ids=["own", "shared"])
def test_every_scale_depends_on_the_label(config):
    model, given = made(config), inputs(1)
    first, second = (model.schedule.split(model(torch.tensor([label]), given)) for label in (0, 1))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(first, second, strict=True))


def test_the_null_label_is_one_more_class_and_the_next_is_none():
    model = made()
    assert model(torch.tensor([CONFIG.null_label]), inputs(1)).isfinite().all()
    with pytest.raises(IndexError):
        model.condition(torch.tensor([CONFIG.null_label + 1]))


def test_rows_of_a_batch_do_not_see_each_other():
    model, given = made(), inputs(3)
    together = model(torch.tensor([0, 3, 7]), given)
    torch.testing.assert_close(together[1:2], model(torch.tensor([3]), given[1:2]), **CLOSE)


def test_shared_adaln_with_equal_own_parts_modulates_all_blocks_alike():
    model, labels = made(SHARED), torch.tensor([2, 5])
    model.block_modulations[:] = model.block_modulations[:1]
    first, second = model.condition(labels).blocks
    assert torch.equal(first, second) and first.shape == (2, 6, CONFIG.width)
    model.block_modulations[1] += 1.0
    torch.testing.assert_close(model.condition(labels).blocks[1], first + 1.0)


def test_shared_adaln_equals_own_layers_with_the_same_weights_and_shifted_biases():
    shared, own = made(SHARED), VAR(CONFIG).eval().requires_grad_(False)
    layer = shared.shared_modulation
    state = {name: value for name, value in shared.state_dict().items() if "modulation" not in name or "head" in name}
    for block, part in enumerate(shared.block_modulations):
        state[f"block_modulations.{block}.weight"] = layer.weight
        state[f"block_modulations.{block}.bias"] = layer.bias + part.flatten()
    own.load_state_dict(state)
    labels, given = torch.tensor([1, 7]), inputs(2)
    torch.testing.assert_close(own(labels, given), shared(labels, given), **CLOSE)


def test_a_condition_computed_once_equals_one_computed_at_every_scale_and_the_full_pass():
    model, labels, given = made(), torch.tensor([2, 5]), inputs(2)
    whole = model.schedule.split(model(labels, given))
    once, caches = model.condition(labels), (model.new_cache(2), model.new_cache(2))
    for scale, span in enumerate(model.schedule.spans):
        piece = given[:, max(span.start - 1, 0) : span.stop - 1]
        kept = model.step(once, piece, scale, caches[0])
        assert torch.equal(kept, model.step(model.condition(labels), piece, scale, caches[1]))
        torch.testing.assert_close(model.logits(kept), whole[scale], **CLOSE)


def test_the_first_scale_does_not_read_its_input():
    model, condition = networks()[2], networks()[2].condition(torch.tensor([1]))
    first, second = (model.step(condition, torch.full((1, 1, 8), v), 0, model.new_cache(1)) for v in (0.0, torch.nan))
    assert torch.equal(first, second)


def test_cache_holds_two_numbers_per_block_token_and_channel():
    numbers = CONFIG.depth * 2 * 3 * 30 * CONFIG.width
    assert made().new_cache(3).nbytes == 4 * numbers
    assert made().bfloat16().new_cache(3).nbytes == 2 * numbers


def test_all_places_are_the_whole_sequence():
    model, labels, given = made(), torch.tensor([2, 5]), inputs(2)
    torch.testing.assert_close(model(labels, given, torch.arange(30)), model(labels, given), **CLOSE)


def test_the_places_of_the_coarse_scales_give_what_they_give_within_the_whole():
    model, labels, given = made(), torch.tensor([2, 5]), inputs(2)
    coarse = torch.arange(model.schedule.spans[2].stop)
    torch.testing.assert_close(model(labels, given, coarse), model(labels, given)[:, coarse], **CLOSE)


def test_among_chosen_places_a_scale_still_does_not_see_finer_ones():
    model, labels, given = made(), torch.tensor([2]), inputs(1)
    places = torch.tensor([0, 2, 4, 20, 25])  # of scales 0, 1 and 3
    first = model(labels, given, places)
    given[:, 19:] += 1.0
    second = model(labels, given, places)
    assert torch.equal(first[:, :3], second[:, :3])
    assert (first[:, 3:] - second[:, 3:]).abs().amax(-1).min() > 1e-3


def test_within_a_scale_only_the_position_embedding_tells_places_apart():
    model, labels, given = made(), torch.tensor([2]), inputs(1)
    span = model.schedule.spans[-1]
    order = torch.arange(30)
    order[span] = span.start + torch.randperm(16)
    wanted = model(labels, given)[:, order]
    model.position_embedding[:] = model.position_embedding[:, order]
    torch.testing.assert_close(model(labels, given[:, order[1:] - 1]), wanted, **CLOSE)


def test_logits_stay_in_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert made()(torch.tensor([0]), inputs(1)).dtype == torch.float32


@pytest.mark.parametrize("config", [CONFIG, SHARED], ids=["own", "shared"])
def test_a_network_begins_nearly_undecided(config):
    model = initialise(VAR(config)).requires_grad_(False)
    assert all(value.isfinite().all() for value in model.parameters())
    log_probability = model(torch.tensor([0]), inputs(1)).log_softmax(-1)
    entropy = -(log_probability.exp() * log_probability).sum(-1)
    assert entropy.min() > 0.99 * torch.tensor(float(CONFIG.vocabulary)).log()


@pytest.mark.parametrize("config", [CONFIG, SHARED], ids=["own", "shared"])
def test_blocks_begin_as_the_identity_and_act_in_random_networks(config):
    x = torch.randn(1, 5, config.width)
    for prepare, same in ((initialise, True), (randomise, False)):
        model = prepare(VAR(config)).requires_grad_(False)
        (modulation, *_), mask = model.condition(torch.tensor([0])).blocks, torch.ones(5, 5, dtype=torch.bool)
        assert torch.allclose(model.blocks[0](x, modulation, mask), x, atol=1e-3) == same
