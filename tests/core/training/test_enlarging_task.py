"""Laws of the training of a decoder that enlarges: its losses fall, tokens stay, and what cannot be is refused."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from support import tiny
from support.tasks import SETTINGS, assert_same, enlarging_task, sharp_pictures, trained

from var_core.images import averaged
from var_core.nn.enlargement import enlarged
from var_core.training.decoder_task import refined
from var_core.training.enlarging_task import (
    ANCHORED,
    DETAIL,
    PARTIAL,
    ROLES,
    Roles,
    begun,
    decoded,
    enlarging_report,
    finest,
    lattice,
)
from var_core.training.export import load_tokenizer
from var_core.training.features import ImageFeatures
from var_core.training.tokenizer_task import TokenizerSettings, TokenizerTask, tokenizer_hash
from var_core.training.trainer import Optimisation, Trainer
from var_core.weights import checkpoints


@torch.no_grad()
def test_a_tokenizer_that_is_made_to_enlarge_is_the_same_until_it_is_trained():
    given = tiny.networks()[0]
    copied, f_hat = refined(given, refine=8, enlarge=2, enlarge_channels=8), torch.randn(2, 8, 4, 4)
    assert copied.config == replace(given.config, refine=8, enlarge=2, enlarge_channels=8)
    torch.testing.assert_close(copied.decode_unclamped(f_hat), enlarged(given.decode_unclamped(f_hat), 2))
    assert tokenizer_hash(copied) == tokenizer_hash(given)
    assert refined(copied, enlarge=2).config == copied.config == refined(copied).config
    with pytest.raises(ValueError, match="enlarges already: choose enlarge 2, enlarge_channels 8, enlarge_blocks 0"):
        refined(copied, enlarge=3)


def figures(task) -> dict[str, float]:
    """What an enlarging task's decoder misses, on average over a few batches."""
    heard = [task.loss(step, slice(0, 4))[1] for step in range(500, 506)]
    return {name: sum(row[name] for row in heard) / len(heard) for name in heard[0]}


def test_training_lowers_every_loss_and_keeps_every_token(folder, tmp_path):
    task = enlarging_task(folder)
    before = figures(enlarging_task(folder))
    trained(task, tmp_path, steps=40)
    after = figures(task)
    for name in ("pixels", "exact", "perceptual", "fine_perceptual"):
        assert after[name] < 0.9 * before[name], name
    tokenizer, images = load_tokenizer(tmp_path), folder.val.images(torch.arange(3))
    assert tokenizer.config.enlarge == 2 and tokenizer_hash(tokenizer) == tokenizer_hash(tiny.networks()[0])
    assert_same(tokenizer.encode(images), tiny.networks()[0].encode(images))
    assert tokenizer.decode(torch.zeros(1, 8, 4, 4)).shape == (1, 3, 64, 64)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"psnr", "sharp", "near", "near_plain"} <= rows[-1].keys() and "faithful" in rows[0]


def test_what_is_drawn_averages_to_the_picture_before_it_is_enlarged(folder, tmp_path, monkeypatch):
    """It is asked for, not built in: an enlargement that has been spoilt comes back."""
    monkeypatch.setattr("var_core.training.enlarging_task.LATTICE", 0.0)  # these pictures are of stripes
    task = enlarging_task(folder, Optimisation(batch=4, warmup=2, learning_rate=3e-3))
    with torch.no_grad():
        task.model.decoder.enlarge.conv_out.bias += 0.5
    spoilt = faithful(task)
    trained(task, tmp_path, steps=40)
    assert spoilt > 0.4 and faithful(task) < 0.3 * spoilt


def test_the_data_s_own_pictures_stay_near_plain_enlargements(folder, monkeypatch):
    """Teeth of two pixels hardly show in the average, so that this term must see them."""
    task = enlarging_task(folder, perceptual=0.0)
    with torch.no_grad():
        task.model.decoder.enlarge.conv_out.bias += torch.tensor([0.3, -0.3, 0.3, -0.3]).repeat(3)
    loss, told = task.loss(0, slice(0, 8))
    assert told["anchored"] > 0.2 and told["faithful"] < 0.1
    monkeypatch.setattr("var_core.training.enlarging_task.ANCHORED", 0.0)
    without = task.loss(0, slice(0, 8))[0]
    assert loss.item() - without.item() == pytest.approx(ANCHORED * told["anchored"], rel=1e-3)


def test_dots_of_a_pixel_are_the_finest_detail_and_slow_waves_are_none():
    across = torch.arange(64)
    dots = 0.1 * (-1.0) ** (across[:, None] + across)
    waves = 0.5 * torch.sin(across * torch.pi / 32).expand(64, 64)
    found = finest((waves + dots).expand(2, 3, 64, 64))
    middle = found[..., 2:-2, 2:-2]  # at the edges nothing is known of what is beyond
    assert torch.allclose(middle, dots[2:-2, 2:-2].expand_as(middle), atol=0.01)


def test_dots_in_pictures_of_the_first_scales_alone_are_taken_away(folder, tmp_path):
    task = enlarging_task(folder, Optimisation(batch=8, warmup=2, learning_rate=3e-3))
    with torch.no_grad():
        task.model.decoder.conv_out.bias += torch.tensor([0.3, -0.3, -0.3, 0.3]).repeat(12)
    before = task.loss(0, slice(0, 8))[1]["calm"]
    trained(task, tmp_path, steps=30)
    assert before > 0.1 and task.loss(0, slice(0, 8))[1]["calm"] < 0.5 * before


@pytest.mark.parametrize(("period", "axis"), [(2, 2), (2, 3), (4, 2), (4, 3), (8, 2)])
def test_a_lattice_of_pixels_is_seen_and_levelled(period, axis):
    """A line of the spectrum counts, however faint; as much of noise, which has none, does not."""
    rng = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(8, 3, 64, 64, generator=rng)
    stripes = (torch.arange(64) % period == 0).float().sub(1 / period).view((-1, 1) if axis == 2 else (1, -1))
    quiet, heard = lattice(noise), lattice(noise + 0.05 * stripes)
    assert quiet < 1 and heard > 1 and heard > 20 * quiet
    weight = torch.zeros(1, requires_grad=True)
    lattice(noise + (0.05 + weight) * stripes).backward()
    assert weight.grad > 0


@torch.no_grad()
def faithful(task) -> float:
    """The mean difference of enlarged pictures, averaged, to those before."""
    tokens = task.tokens.tokens[0].long()
    small, made = decoded(task.model, task.model.quantizer.features(task.schedule.split(tokens)))
    return (averaged(made, 32) - small).abs().mean().item()


@pytest.mark.parametrize("drawing", [False, True])
def test_a_resumed_run_repeats_an_unbroken_one_exactly(folder, tmp_path, drawing):
    make = partial(enlarging_task, folder, drawing=drawing)
    whole = trained(make(), tmp_path / "whole", steps=3)
    trained(make(), tmp_path / "broken", steps=2)
    assert_same(whole, trained(make(), tmp_path / "broken", steps=1, resume=True))
    assert whole["extra"]["fine"]["maps"]["discriminator_optimizer"]["state"][0]["step"] == 3


def test_every_weight_that_is_trained_gets_a_gradient(folder):
    task = enlarging_task(folder)
    torch.nn.init.normal_(task.model.decoder.enlarge.conv_out.weight, std=0.1)
    task.loss(0, slice(0, 4))[0].backward()
    lacking = [name for name, weight in task.model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not lacking


def test_a_batch_in_parts_of_all_kinds_has_the_loss_of_the_whole(folder):
    settings = Optimisation(batch=16, accumulate=2)
    found = []
    for parts in (settings.micro_batches(0, 1), [slice(0, 16)]):
        task = enlarging_task(folder, settings, perceptual=0.0)
        found.append(sum(task.loss(3, part)[0].item() for part in parts) / len(parts))
    assert found[0] == pytest.approx(found[1], rel=2e-3)


def test_every_picture_of_a_batch_has_one_role():
    roles = Roles.of(2 * ROLES, slice(0, 2 * ROLES))
    assert roles.sharp.nonzero()[:, 0].tolist() == [*DETAIL, *(place + ROLES for place in DETAIL)]
    assert roles.partial.nonzero()[:, 0].tolist() == [*PARTIAL, *(place + ROLES for place in PARTIAL)]
    assert (roles.sharp.int() + roles.partial.int() + roles.own.int() == 1).all()
    assert torch.equal(Roles.of(2 * ROLES, slice(3, 7)).own, roles.own[3:7])


@torch.no_grad()
def test_the_first_scales_alone_are_what_the_quantizer_comes_to_there():
    tokenizer = tiny.networks()[0]
    tokens = tokenizer.encode(torch.rand(2, 3, 32, 32) * 2 - 1)
    found = list(tokenizer.quantizer.quantize(tokenizer.features(torch.zeros(1, 3, 32, 32))))
    assert torch.equal(begun(tokenizer, torch.cat(tokens, 1), 4), tokenizer.quantizer.features(tokens))
    ours = torch.cat([one.tokens for one in found], 1)
    torch.testing.assert_close(begun(tokenizer, ours, 2), found[1].f_hat)


def test_the_report_measures_both_sets_and_shows_pictures_of_one_size(folder):
    tokenizer = refined(tiny.networks()[0], refine=8, enlarge=2, enlarge_channels=8)
    told, sheet = enlarging_report(tokenizer, ImageFeatures(), folder.val, sharp_pictures().val, "cpu")
    assert told["near"] == pytest.approx(told["near_plain"])  # before training
    assert told["psnr"] > 0 and told["sharp"] > 0
    assert sheet.width == 6 * 64 + 5 * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feature_adversarial": 0.0}, "enlarge 2, feature_adversarial 0.0: choose 2 or more, and a weight above 0"),
        ({"settings": Optimisation(batch=1)}, "batch 1 in 1 x 1 parts: choose parts of 8 pictures"),
        ({"settings": Optimisation(batch=8, accumulate=4)}, "batch 8 in 1 x 4 parts: choose parts of 8 pictures"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_remedy(folder, changes, words):
    with pytest.raises(ValueError, match=words):
        enlarging_task(folder, **changes)


def test_parts_that_the_features_cannot_see_are_refused(folder, monkeypatch):
    monkeypatch.setattr("var_core.training.enlarging_task.PART", 40)
    with pytest.raises(ValueError, match="parts of 40 of those that are drawn, cannot be judged: make both n times 16"):
        enlarging_task(folder)


def test_a_run_goes_on_with_its_own_tokenizer_alone(folder, tmp_path):
    trained(enlarging_task(folder), tmp_path, steps=1)
    other = enlarging_task(folder)
    with torch.no_grad():
        other.model.quantizer.codebook[0] += 1
    with pytest.raises(ValueError, match="the tokens of another tokenizer"):
        Trainer(other, tmp_path).load()


def test_a_tokenizer_that_enlarges_is_not_trained_as_a_whole(folder):
    with pytest.raises(ValueError, match="enlarge 2: train the tokenizer without it, and then its decoder"):
        TokenizerTask(tiny.ENLARGING.tokenizer, folder, TokenizerSettings(), SETTINGS)


def test_a_trained_enlargement_survives_a_file(folder, tmp_path):
    trained(enlarging_task(folder), tmp_path / "run", steps=3)
    tokenizer, (_, preview, var) = load_tokenizer(tmp_path / "run"), tiny.networks()
    path, spec = tmp_path / "large.safetensors", replace(tiny.SPEC, tokenizer=tokenizer.config)
    checkpoints.save(path, spec, tokenizer, preview, var)
    loaded = checkpoints.load(str(path))
    assert loaded.spec == spec
    assert_same(loaded.tokenizer.state_dict(), {n: v.half().float() for n, v in tokenizer.state_dict().items()})
