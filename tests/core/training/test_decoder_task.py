"""Laws of the decoder's training: pictures get closer, every token stays."""

import json
from dataclasses import replace

import pytest
import torch
from support import tiny
from support.tasks import assert_same, decoder_task, refining_task, trained

from var_core.engine.sampling import steps
from var_core.training.decoder_task import Critic, FeatureDiscriminator, PatchDiscriminator, refined
from var_core.training.export import load_tokenizer
from var_core.training.features import CHANNELS, ImageFeatures, directions
from var_core.training.tokenizer_task import tokenizer_hash
from var_core.training.trainer import Optimisation, Trainer, write_whole
from var_core.weights import checkpoints


def test_training_the_decoder_brings_pictures_closer_and_keeps_every_token(folder, tmp_path):
    start = decoder_task(folder)
    before, _ = start.report(start.model)
    trained(decoder_task(folder), tmp_path, steps=30)
    tokenizer, images = load_tokenizer(tmp_path), folder.val.images(torch.arange(3))
    assert tokenizer_hash(tokenizer) == tokenizer_hash(tiny.networks()[0])
    assert_same(tokenizer.encode(images), tiny.networks()[0].encode(images))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > before["psnr"] + 1


@torch.no_grad()
def test_a_refined_tokenizer_is_the_same_until_it_is_trained():
    given = tiny.networks()[0]
    copied, f_hat = refined(given, 8, 2), torch.randn(2, 8, 4, 4)
    assert copied.config == replace(given.config, refine=8, refine_blocks=2) and given.config.refine == 0
    assert torch.equal(copied.decode_unclamped(f_hat), given.decode_unclamped(f_hat))
    assert tokenizer_hash(copied) == tokenizer_hash(given)
    copied.decoder.conv_out.bias += 1
    assert not torch.equal(copied.decode_unclamped(f_hat), given.decode_unclamped(f_hat))  # it shares no weights
    with pytest.raises(ValueError, match="refine -1: choose 0, or more"):
        refined(given, -1)


@torch.no_grad()
def test_a_decoder_sees_half_of_the_pictures_with_one_to_three_last_scales_drawn(folder, monkeypatch):
    task, asked = decoder_task(folder, Optimisation(batch=32), drawing=True), []
    monkeypatch.setattr("var_core.training.decoder_task.steps", lambda *given: asked.append(given) or steps(*given))
    tokens, labels = task.tokens.tokens[0, torch.arange(32) % 6].long(), torch.arange(32) % 3
    given, drawn, seen = task.model.quantizer.features(task.schedule.split(tokens)), [], []
    for micro_batch in (slice(0, 32), slice(0, 16), slice(16, 32)):
        seen.append(given[micro_batch].clone())
        drawn.append(
            task.redrawn(task.var, seen[-1], tokens[micro_batch], labels[micro_batch], task.sampler.rng(7), micro_batch)
        )
        assert torch.equal(seen[-1], given[micro_batch])  # what was given is as it was
    torch.testing.assert_close(drawn[0], torch.cat(drawn[1:]))  # whatever the part
    other = (drawn[0] - given).abs().amax((1, 2, 3)) > 1e-5
    _, _, request = asked[0]
    of, seeds, sampling, plan = torch.tensor(request.labels), request.seeds, request.sampling, request.plan
    kept = torch.stack([keep.all(1) for keep in plan.keep], 1)  # (b, K)
    assert torch.equal(kept, torch.stack([keep.any(1) for keep in plan.keep], 1))  # a scale whole, or not at all
    assert set(kept.sum(1).tolist()) == {1, 2, 3} and kept.int().diff(dim=1).max() == 0  # the first ones, always some
    assert torch.equal(labels[other], of) and len(seeds) == len(of) and 8 <= len(of) <= 24
    assert torch.equal(torch.cat(plan.tokens, 1), tokens[other])
    assert 0 < sampling.cooling <= 0.7 and sampling.guidance == 0


def test_a_decoder_cannot_shrink():
    given = refined(tiny.networks()[0], 8, 2)
    assert refined(given).config == given.config and refined(given, 8, 3).config.refine_blocks == 3
    for sizes in ((8, 1), (12, 2)):
        with pytest.raises(ValueError, match=r"the tokenizer has 8 and 2; choose as many channels"):
            refined(given, *sizes)


def test_a_trained_refinement_changes_pictures_keeps_tokens_and_survives_a_file(folder, tmp_path):
    state = trained(refining_task(folder), tmp_path / "run", steps=6)
    assert state["extra"]["config"]["refine"] == 8 and state["ema"]["decoder.refine.conv2.weight"].any()
    tokenizer, (given, preview, var) = load_tokenizer(tmp_path / "run"), tiny.networks()
    assert tokenizer_hash(tokenizer) == tokenizer_hash(given)
    path, spec = tmp_path / "refined.safetensors", replace(tiny.SPEC, tokenizer=tokenizer.config)
    checkpoints.save(path, spec, tokenizer, preview, var)
    loaded = checkpoints.load(str(path))
    assert loaded.spec == spec
    assert_same(loaded.tokenizer.state_dict(), {n: v.half().float() for n, v in tokenizer.state_dict().items()})
    assert_same(refined(tokenizer, 8, 1).state_dict(), tokenizer.state_dict())


def test_a_decoder_run_goes_on_with_its_own_tokenizer_alone(folder, tmp_path):
    trained(decoder_task(folder), tmp_path, steps=1)
    other = decoder_task(folder)
    with torch.no_grad():
        other.model.quantizer.codebook[0] += 1
    trainer, before = Trainer(other, tmp_path), {n: v.clone() for n, v in other.model.state_dict().items()}
    with pytest.raises(ValueError, match="the tokens of another tokenizer"):
        trainer.load()
    assert_same(other.model.state_dict(), before)
    assert trainer.step == 0


def test_a_decoder_run_that_names_no_tokenizer_goes_on(folder, tmp_path):
    state = trained(decoder_task(folder), tmp_path, steps=1)
    del state["extra"]["tokenizer"]
    write_whole(state, tmp_path / "state.pt")
    assert trained(decoder_task(folder), tmp_path, steps=1, resume=True)["step"] == 2


def test_the_discriminator_sees_patches_of_36_pixels():
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    PatchDiscriminator(8)(images)[0, 0, 6, 6].backward()
    touched = images.grad.abs().sum((0, 1)) > 0
    assert touched.any(0).sum() == touched.any(1).sum() == 36


def test_the_discriminator_learns_to_tell_pictures_apart():
    torch.manual_seed(0)
    judge = PatchDiscriminator(8)
    solver = torch.optim.Adam(judge.parameters(), lr=2e-2)
    smooth, rough = torch.zeros(8, 3, 32, 32), torch.rand(8, 3, 32, 32) * 2 - 1
    assert judge(smooth).shape == (8, 1, 4, 4)
    for _ in range(40):
        solver.zero_grad()
        (judge(rough).mean() - judge(smooth).mean()).backward()
        solver.step()
    assert judge(smooth).mean() > judge(rough).mean() + 0.5


@torch.no_grad()
def test_the_feature_discriminator_says_for_every_map_how_real_each_place_looks():
    maps = directions(ImageFeatures(), torch.zeros(2, 3, 96, 64))
    assert [map.shape[1] for map in maps] == list(CHANNELS)
    judge = FeatureDiscriminator(8).eval()
    told = judge(*maps)
    assert told.shape == (2, 4, 6, 4)
    maps[1][0] = maps[1][0].roll(1, 0)
    changed = judge(*maps) != told
    assert changed[0, 1].all() and not changed[0, [0, 2, 3]].any() and not changed[1].any()  # each map has its own head


def test_with_a_feature_discriminator_pictures_get_closer_and_a_run_goes_on(folder, tmp_path):
    choices = {"feature_adversarial": 0.01}
    before, _ = decoder_task(folder).report(decoder_task(folder).model)
    half = trained(decoder_task(folder, **choices), tmp_path, steps=15)
    state = trained(decoder_task(folder, **choices), tmp_path, steps=15, resume=True)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > before["psnr"] + 1
    first, then = (run["extra"]["maps"]["discriminator"] for run in (half, state))
    weights = [name for name in first if name.endswith("weight.original")]
    assert len(weights) == 12 and all((first[name] != then[name]).any() for name in weights)


def test_a_run_of_one_discriminator_goes_on_with_two(folder, tmp_path):
    trained(decoder_task(folder), tmp_path, steps=1)
    state = trained(decoder_task(folder, feature_adversarial=0.1), tmp_path, steps=1, resume=True)
    assert state["step"] == 2 and state["extra"]["maps"]


def test_a_discriminator_says_nothing_before_it_has_learned_a_while():
    def critic() -> Critic:
        return Critic(PatchDiscriminator(8), 0.3, 2, Optimisation())

    one, pictures = critic(), [torch.rand(2, 3, 32, 32)]
    pulls = []
    for _ in range(4):
        pulls.append(one.pull)
        one.fooled(pictures, pictures)
        one.learn()
    other = critic()
    other.load(one.state())
    assert pulls == [0, 0, 0.3, 0.3] and other.pull == 0.3  # also where a run goes on


def test_features_are_judged_only_where_their_maps_fit(folder, monkeypatch):
    monkeypatch.setattr("var_core.training.decoder_task.CELL", 24)
    with pytest.raises(ValueError, match="Features of 32 x 32 pixels cannot be judged: make it n times 24"):
        decoder_task(folder, feature_adversarial=0.1)
