"""Laws of the tokenizer's training: codes follow their vectors, deepening changes nothing, copies get better."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from support import tiny
from support.tasks import SETTINGS, assert_same, tokenizer_task, trained

from var_core.training.export import load_tokenizer
from var_core.training.tokenizer_task import (
    CodebookMeans,
    TokenizerSettings,
    TokenizerTask,
    deepened,
    psnr,
    tally,
    tokenizer_hash,
)
from var_core.training.trainer import Trainer

DEEPER = replace(tiny.SPEC.tokenizer, residual_blocks=3)
WRONG = [{"code_width": 16}, {"vocabulary": 32}, {"channels": 32}, {"residual_blocks": 2}, {"sides": (1, 2, 8)}]


def test_convolutions_that_no_scale_uses_are_not_trained(folder):
    task = TokenizerTask(replace(tiny.SPEC.tokenizer, sides=(1, 4)), folder, TokenizerSettings(), SETTINGS)
    task.loss(0, slice(0, 4))[0].backward()
    trained = [weight for weight in task.model.quantizer.parameters() if weight.requires_grad]
    assert len(trained) == 4 and all(weight.grad is not None for weight in trained)


def test_tokenizer_training_improves_reconstruction_and_logs_it(folder, tmp_path):
    out = tmp_path / "run"
    before = tokenizer_task(folder)
    start, _ = before.report(before.model)
    trained(tokenizer_task(folder), out, steps=40)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > start["psnr"] + 2
    assert len(rows[-1]["codes_by_scale"]) == len(tiny.SIDES)
    assert (out / rows[-1]["sheet"]).is_file()
    decoded = load_tokenizer(out)
    images = folder.val.images(torch.arange(3))
    back = decoded.decode(decoded.quantizer.features(decoded.encode(images)))
    assert psnr(back, images).mean() > start["psnr"] + 2


@torch.no_grad()
def test_a_grown_tokenizer_gives_the_same_tokens_and_pictures_until_it_is_trained(folder):
    given, images = tiny.networks()[0], folder.val.images(torch.arange(4))
    deeper = deepened(given, DEEPER)
    assert len(deeper.state_dict()) > len(given.state_dict())
    tokens = given.encode(images)
    assert_same(deeper.encode(images), tokens)
    f_hat = given.quantizer.features(tokens)
    assert_same(deeper.decode_unclamped(f_hat), given.decode_unclamped(f_hat))


def test_a_grown_tokenizer_shares_no_memory_with_its_start():
    given = tiny.networks()[0]
    before = {name: value.clone() for name, value in given.state_dict().items()}
    with torch.no_grad():
        for parameter in deepened(given, DEEPER).parameters():
            parameter += 1
    assert_same(given.state_dict(), before)


@torch.no_grad()
@pytest.mark.parametrize("maps", [{"sides": (4,), "order": "raster"}, {"sides": (1, 2, 4)}])
def test_a_tokenizer_of_other_maps_begins_with_the_same_networks(folder, maps):
    given, images = tiny.networks()[0], folder.val.images(torch.arange(4))
    other = deepened(given, replace(given.config, **maps))
    assert_same(other.features(images), given.features(images))
    f_hat = given.quantizer.features(given.encode(images))
    assert_same(other.decode_unclamped(f_hat), given.decode_unclamped(f_hat))


def test_codes_of_their_own_are_offered_vectors_of_their_own_scale(folder):
    config = replace(tiny.SPEC.tokenizer, own_codes=True)
    task = TokenizerTask(config, folder, TokenizerSettings(), SETTINGS, start=tiny.networks()[0])
    quantizer, indices = task.model.quantizer, task.offers(np.random.default_rng(0))
    assert len(indices) == 64 and indices.max() < SETTINGS.batch * 30
    for scale, span in enumerate(quantizer.schedule.spans):
        mine = indices[quantizer.allowed(scale)] % 30
        assert span.start <= mine.min() and mine.max() < span.stop
    Trainer(task, folder).update(1.0)
    tokens = task.model.encode(folder.val.images(torch.arange(4)))
    assert all(
        t.min() >= quantizer.allowed(k).start and t.max() < quantizer.allowed(k).stop for k, t in enumerate(tokens)
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_tokenizer_grows_in_blocks_alone(wrong):
    given = deepened(tiny.networks()[0], DEEPER)
    with pytest.raises(ValueError, match=r"cannot grow into .* blocks can be added"):
        deepened(given, replace(DEEPER, **wrong))


def test_training_goes_on_from_a_grown_tokenizer_and_improves_it(folder, tmp_path):
    trained(tokenizer_task(folder), tmp_path / "first", steps=30)
    start = load_tokenizer(tmp_path / "first")
    task = TokenizerTask(DEEPER, folder, TokenizerSettings(), SETTINGS, start=start)
    before, _ = task.report(start)
    trained(task, tmp_path / "second", steps=30)
    after, _ = task.report(load_tokenizer(tmp_path / "second"))
    assert after["psnr"] > before["psnr"] + 0.5
    assert load_tokenizer(tmp_path / "second").config == DEEPER


def test_psnr_of_a_known_error():
    images = torch.zeros(2, 3, 4, 4)
    torch.testing.assert_close(psnr(images + 0.2, images), torch.full((2,), 20.0))


def test_codes_become_the_means_of_their_vectors():
    means = CodebookMeans(torch.zeros(2, 2), ema_decay=0.5)
    vectors = torch.tensor([[1.0, 1.0], [3.0, 3.0], [-1.0, 0.0]])
    for _ in range(30):
        means.update(tally(torch.tensor([0, 0, 1]), vectors, torch.tensor([0, 0])))
    torch.testing.assert_close(means.codebook, torch.tensor([[2.0, 2.0], [-1.0, 0.0]]))


def test_means_that_begin_from_a_codebook_leave_it_where_it_is_if_the_vectors_agree():
    given = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    means, tokens = CodebookMeans(given.clone(), weight=2.0), torch.tensor([0, 2, 2, 0])
    nowhere = torch.zeros(3, dtype=torch.int64)
    for _ in range(20):
        assert means.update(tally(tokens, given[tokens], nowhere)) == 0
    torch.testing.assert_close(means.codebook, given)
    means.update(tally(tokens, given[tokens] + 1, nowhere))
    torch.testing.assert_close(means.codebook[0], given[0] + 0.01)  # it follows as slowly as it does at any later step


def test_a_code_that_nothing_chooses_moves_to_a_vector_of_the_batch():
    means = CodebookMeans(torch.zeros(3, 2), ema_decay=0.9)
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    revived = means.update(tally(torch.tensor([0, 0]), vectors, torch.tensor([0, 1, 0])))
    assert revived == 2
    torch.testing.assert_close(means.codebook[1:], torch.tensor([[3.0, 4.0], [1.0, 2.0]]))


def test_tallies_of_parts_add_up_to_that_of_the_batch():
    rng = torch.Generator().manual_seed(0)
    tokens, vectors = torch.randint(8, (30,), generator=rng), torch.randn(30, 3, generator=rng)
    indices = torch.randint(30, (8,), generator=rng)
    whole = tally(tokens, vectors, indices)
    parts = [tally(tokens[first:last], vectors[first:last], indices - first) for first, last in ((0, 12), (12, 30))]
    torch.testing.assert_close(sum(parts), whole)
    assert torch.equal(whole[:, 0], torch.bincount(tokens, minlength=8).float())
    assert torch.equal(whole[:, 4:], vectors[indices])


def test_the_decoder_does_not_decide_tokens_and_all_else_does():
    tokenizer = tiny.networks()[0]
    before = tokenizer_hash(tokenizer)
    with torch.no_grad():
        tokenizer.decoder.conv_out.bias += 1
        tokenizer.after_quantizer.bias += 1
        assert tokenizer_hash(tokenizer) == before
        tokenizer.quantizer.codebook[0] += 1
    assert tokenizer_hash(tokenizer) != before
