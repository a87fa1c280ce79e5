"""Laws of training: a resumed run repeats an unbroken one, codes follow their vectors, losses fall."""

import json
from dataclasses import replace

import numpy as np
import pictures
import pytest
import tasks
import tiny
import torch
from tasks import (
    ROUNDING,
    SETTINGS,
    SMOOTH,
    assert_same,
    curve,
    decoder_task,
    last,
    refining_task,
    tokenizer_task,
    transformer_task,
)

from var_core import checkpoints
from var_core.sampling import steps
from var_core.train import (
    Budget,
    CodebookMeans,
    Optimisation,
    TokenizerTask,
    Trainer,
    TransformerTask,
    fingerprint,
    fitted_preview,
    grown,
    load_state,
    load_tokenizer,
    psnr,
    tally,
    tokenise,
    write_whole,
)
from var_core.train_decoder import PatchDiscriminator, refined


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tasks.read(pictures.write(tmp_path_factory.mktemp("data")))


def trained(task, out, steps: int, resume: bool = False) -> dict:
    """The state after a training."""
    curve(task, out, steps, resume)
    return load_state(out, task.KIND)


@pytest.mark.parametrize("make", [tokenizer_task, transformer_task, decoder_task, refining_task])
def test_a_resumed_run_repeats_an_unbroken_one_exactly(make, folder, tmp_path):
    whole = trained(make(folder), tmp_path / "whole", steps=4)
    trained(make(folder), tmp_path / "broken", steps=2)
    assert_same(whole, trained(make(folder), tmp_path / "broken", steps=2, resume=True))


@pytest.mark.parametrize("name", SMOOTH)
def test_a_batch_in_parts_is_trained_on_like_a_whole_one(name, folder, tmp_path):
    whole = curve(SMOOTH[name](folder), tmp_path, steps=5)
    parts = curve(SMOOTH[name](folder, replace(SETTINGS, accumulate=4)), tmp_path, steps=5)
    assert parts == pytest.approx(whole, rel=ROUNDING[name])


@pytest.mark.parametrize("make", [tokenizer_task, transformer_task, decoder_task])
def test_every_weight_that_is_trained_gets_a_gradient(make, folder):
    task = make(folder)
    loss, _ = task.loss(0, slice(0, 4))
    loss.backward()
    assert all(weight.grad is not None for weight in task.model.parameters() if weight.requires_grad)


def test_convolutions_that_no_scale_uses_are_not_trained(folder):
    classes, *sets = folder
    task = TokenizerTask(replace(tiny.SPEC.tokenizer, sides=(1, 4)), *sets, classes, SETTINGS)
    task.loss(0, slice(0, 4))[0].backward()
    trained = [weight for weight in task.model.quantizer.parameters() if weight.requires_grad]
    assert len(trained) == 4 and all(weight.grad is not None for weight in trained)


def test_the_shares_of_all_processes_are_the_batch():
    settings = Optimisation(batch=24, accumulate=3)
    found = [share for rank in range(4) for share in settings.shares(rank, 4)]
    assert [row for share in found for row in range(24)[share]] == list(range(24)) and len(found) == 12
    assert Optimisation(batch=5).shares(0, 1) == [slice(0, 5)]


def test_uneven_shares_are_refused():
    with pytest.raises(ValueError, match=r"batch 10 does not divide by 4 processes x 2 parts: .* such as 16"):
        Optimisation(batch=10, accumulate=2).shares(0, 4)
    with pytest.raises(ValueError, match="accumulate 0: choose 1 part or more"):
        Optimisation(accumulate=0)


def test_a_trainer_that_is_asked_to_stop_ends_its_step_and_saves_alone(folder, tmp_path):
    trainer = Trainer(transformer_task(folder), tmp_path)
    for row in trainer.run(Budget(steps=50)):
        if row["step"] == 2:
            trainer.stop()
    assert trainer.step == load_state(tmp_path, "transformer")["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


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
    images = folder[2].images(torch.arange(3))
    back = decoded.decode(decoded.quantizer.features(decoded.encode(images)))
    assert psnr(back, images).mean() > start["psnr"] + 2


def test_transformer_training_lowers_the_loss_on_val(folder, tmp_path):
    start, _ = transformer_task(folder).report(transformer_task(folder).model)
    trained(transformer_task(folder), tmp_path / "run", steps=40)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["val_loss"] < start["val_loss"] - 0.3
    assert len(rows[-1]["loss_by_scale"]) == len(tiny.SIDES)


def test_training_starts_from_given_weights_and_leaves_them_alone(folder):
    classes, *_ = folder
    given = tiny.networks()[2]
    before = {name: value.clone() for name, value in given.state_dict().items()}
    task = transformer_task(folder)
    sets = task.train, task.val
    begun = TransformerTask(given.config, task.tokenizer, *sets, classes, SETTINGS, start=given)
    assert_same(begun.model.state_dict(), before)
    loss, _ = begun.loss(0, slice(0, 4))
    loss.backward()
    torch.optim.SGD(begun.model.parameters(), lr=1.0).step()
    assert_same(given.state_dict(), before)


DEEPER = replace(tiny.SPEC.tokenizer, residual_blocks=3)


@torch.no_grad()
def test_a_grown_tokenizer_gives_the_same_tokens_and_pictures_until_it_is_trained(folder):
    given, images = tiny.networks()[0], folder[2].images(torch.arange(4))
    deeper = grown(given, DEEPER)
    assert len(deeper.state_dict()) > len(given.state_dict())
    tokens = given.encode(images)
    assert_same(deeper.encode(images), tokens)
    f_hat = given.quantizer.features(tokens)
    assert_same(deeper.decode_unclamped(f_hat), given.decode_unclamped(f_hat))


def test_a_grown_tokenizer_shares_no_memory_with_its_start():
    given = tiny.networks()[0]
    before = {name: value.clone() for name, value in given.state_dict().items()}
    with torch.no_grad():
        for parameter in grown(given, DEEPER).parameters():
            parameter += 1
    assert_same(given.state_dict(), before)


@torch.no_grad()
@pytest.mark.parametrize("maps", [{"sides": (4,), "order": "raster"}, {"sides": (1, 2, 4)}])
def test_a_tokenizer_of_other_maps_begins_with_the_same_networks(folder, maps):
    given, images = tiny.networks()[0], folder[2].images(torch.arange(4))
    other = grown(given, replace(given.config, **maps))
    assert_same(other.features(images), given.features(images))
    f_hat = given.quantizer.features(given.encode(images))
    assert_same(other.decode_unclamped(f_hat), given.decode_unclamped(f_hat))


def test_codes_of_their_own_are_offered_vectors_of_their_own_scale(folder):
    classes, train, val = folder
    config = replace(tiny.SPEC.tokenizer, own_codes=True)
    task = TokenizerTask(config, train, val, classes, SETTINGS, start=tiny.networks()[0])
    quantizer, places = task.model.quantizer, task.offers(np.random.default_rng(0))
    assert len(places) == 64 and places.max() < SETTINGS.batch * 30
    for scale, span in enumerate(quantizer.schedule.spans):
        mine = places[quantizer.allowed(scale)] % 30
        assert span.start <= mine.min() and mine.max() < span.stop
    Trainer(task, folder).update(1.0)
    tokens = task.model.encode(val.images(torch.arange(4)))
    assert all(
        t.min() >= quantizer.allowed(k).start and t.max() < quantizer.allowed(k).stop for k, t in enumerate(tokens)
    )


WRONG = [{"code_width": 16}, {"vocabulary": 32}, {"channels": 32}, {"residual_blocks": 2}, {"sides": (1, 2, 8)}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_tokenizer_grows_in_blocks_alone(wrong):
    given = grown(tiny.networks()[0], DEEPER)
    with pytest.raises(ValueError, match=r"cannot grow into .* blocks can be added"):
        grown(given, replace(DEEPER, **wrong))


def test_training_goes_on_from_a_grown_tokenizer_and_improves_it(folder, tmp_path):
    classes, train, val = folder
    trained(tokenizer_task(folder), tmp_path / "first", steps=30)
    start = load_tokenizer(tmp_path / "first")
    task = TokenizerTask(DEEPER, train, val, classes, SETTINGS, start=start)
    before, _ = task.report(start)
    trained(task, tmp_path / "second", steps=30)
    after, _ = task.report(load_tokenizer(tmp_path / "second"))
    assert after["psnr"] > before["psnr"] + 0.5
    assert load_tokenizer(tmp_path / "second").config == DEEPER


def test_bfloat16_keeps_the_weights_in_float32_and_comes_close(folder, tmp_path):
    losses = {}
    for precision in ("float32", "bfloat16"):
        task = transformer_task(folder)
        task.model.head.weight.data.normal_(std=0.5)  # else its answers do not depend on what it sees
        task.optimisation = replace(SETTINGS, precision=precision)
        losses[precision] = Trainer(task, tmp_path).update(1.0)["loss"]
        assert all(p.dtype == torch.float32 for p in task.model.parameters())
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    assert losses["bfloat16"] != losses["float32"]


def test_training_the_decoder_brings_pictures_closer_and_keeps_every_token(folder, tmp_path):
    start = decoder_task(folder)
    before, _ = start.report(start.model)
    trained(decoder_task(folder), tmp_path, steps=30)
    tokenizer, images = load_tokenizer(tmp_path), folder[2].images(torch.arange(3))
    assert fingerprint(tokenizer) == fingerprint(tiny.networks()[0])
    assert_same(tokenizer.encode(images), tiny.networks()[0].encode(images))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > before["psnr"] + 1


@torch.no_grad()
def test_a_refined_tokenizer_is_the_same_until_it_is_trained():
    given = tiny.networks()[0]
    copied, f_hat = refined(given, 8, 2), torch.randn(2, 8, 4, 4)
    assert copied.config == replace(given.config, refine=8, refine_blocks=2) and given.config.refine == 0
    assert torch.equal(copied.decode_unclamped(f_hat), given.decode_unclamped(f_hat))
    assert fingerprint(copied) == fingerprint(given)
    copied.decoder.conv_out.bias += 1
    assert not torch.equal(copied.decode_unclamped(f_hat), given.decode_unclamped(f_hat))  # it shares no weights
    with pytest.raises(ValueError, match="refine -1: choose 0, or more"):
        refined(given, -1)


@torch.no_grad()
def test_a_decoder_sees_half_of_the_pictures_with_one_to_three_last_scales_drawn(folder, monkeypatch):
    task, asked = decoder_task(folder, Optimisation(batch=32), drawing=True), []
    monkeypatch.setattr("var_core.train_decoder.steps", lambda *given: asked.append(given) or steps(*given))
    tokens, labels = task.tokens.tokens[0, torch.arange(32) % 6].long(), torch.arange(32) % 3
    given, drawn, seen = task.model.quantizer.features(task.schedule.split(tokens)), [], []
    for share in (slice(0, 32), slice(0, 16), slice(16, 32)):
        seen.append(given[share].clone())
        drawn.append(task.drawn(seen[-1], tokens[share], labels[share], task.draws.generator(7), share))
        assert torch.equal(seen[-1], given[share])  # what was given is as it was
    torch.testing.assert_close(drawn[0], torch.cat(drawn[1:]))  # whatever the share
    other = (drawn[0] - given).abs().amax((1, 2, 3)) > 1e-5
    _, _, of, seeds, sampling, plan = asked[0]
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
    assert state["extra"]["config"]["refine"] == 8 and state["average"]["decoder.refine.conv2.weight"].any()
    tokenizer, (given, preview, var) = load_tokenizer(tmp_path / "run"), tiny.networks()
    assert fingerprint(tokenizer) == fingerprint(given)
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


def test_training_on_a_part_of_the_places_sees_all_coarse_ones(folder):
    task = transformer_task(folder, most_per_scale=5)
    places = task.places(task.draws.generator(0))
    assert places.tolist() == sorted(set(places.tolist()))
    found = [sum(span.start <= p < span.stop for p in places.tolist()) for span in task.model.schedule.spans]
    assert found == [1, 4, 5, 5]
    assert not torch.equal(places, task.places(task.draws.generator(1)))


def test_self_correction_shows_up_to_so_many_wrong_tokens_whatever_the_share(folder):
    task = transformer_task(folder, Optimisation(batch=64), self_correction=0.5)
    tokens, where = task.wrong(task.draws.generator(0), slice(0, 64))
    parts = [task.wrong(task.draws.generator(0), share) for share in (slice(0, 32), slice(32, 64))]
    assert torch.equal(tokens, torch.cat([part[0] for part in parts]))
    assert torch.equal(where, torch.cat([part[1] for part in parts]))
    rates = where.float().mean(1)
    assert rates.min() < 0.1 < 0.4 < rates.max() < 0.75 and 0.2 < rates.mean() < 0.3
    plain = transformer_task(folder, Optimisation(batch=64))
    everything = slice(0, 64)
    assert task.loss(0, everything)[0] != plain.loss(0, everything)[0]


def test_self_correction_must_be_a_share(folder):
    with pytest.raises(ValueError, match=r"self-correction 1\.5 is out of range: choose 0 to 1"):
        transformer_task(folder, self_correction=1.5)


def test_psnr_of_a_known_error():
    images = torch.zeros(2, 3, 4, 4)
    torch.testing.assert_close(psnr(images + 0.2, images), torch.full((2,), 20.0))


def test_codes_become_the_means_of_their_vectors():
    means = CodebookMeans(torch.zeros(2, 2), keep=0.5)
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
    means = CodebookMeans(torch.zeros(3, 2), keep=0.9)
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    revived = means.update(tally(torch.tensor([0, 0]), vectors, torch.tensor([0, 1, 0])))
    assert revived == 2
    torch.testing.assert_close(means.codebook[1:], torch.tensor([[3.0, 4.0], [1.0, 2.0]]))


def test_tallies_of_parts_add_up_to_that_of_the_batch():
    chance = torch.Generator().manual_seed(0)
    tokens, vectors = torch.randint(8, (30,), generator=chance), torch.randn(30, 3, generator=chance)
    places = torch.randint(30, (8,), generator=chance)
    whole = tally(tokens, vectors, places)
    parts = [tally(tokens[first:last], vectors[first:last], places - first) for first, last in ((0, 12), (12, 30))]
    torch.testing.assert_close(sum(parts), whole)
    assert torch.equal(whole[:, 0], torch.bincount(tokens, minlength=8).float())
    assert torch.equal(whole[:, 4:], vectors[places])


def test_the_learning_rate_falls_to_zero_over_the_tail_only():
    budget = Budget(steps=100, decay=0.2)
    assert [round(budget.gain(used), 6) for used in (0.0, 0.8, 0.9, 1.0)] == [1.0, 1.0, 0.5, 0.0]
    assert Budget(steps=100).gain(0.99) == 1.0


def test_mirrored_tokens_are_those_of_the_mirrored_picture(folder):
    tokenizer = tiny.networks()[0]
    train = folder[1]
    tokens = last(tokenise(tokenizer, train)).tokens
    images = train.images(torch.arange(2), torch.tensor([True, True]))
    assert torch.equal(tokens[1, :2].long(), torch.cat(tokenizer.encode(images), 1))


@torch.no_grad()
def test_the_fitted_preview_is_close_to_a_small_decode(folder):
    tokenizer = tiny.networks()[0]
    preview = fitted_preview(tokenizer, folder[1])
    images = folder[2].images(torch.arange(4))
    f_hat = tokenizer.quantizer.features(tokenizer.encode(images))
    small = torch.nn.functional.interpolate(tokenizer.decode(f_hat), size=(16, 16), mode="area")
    error = (preview(f_hat) - small).square().mean()
    assert error < 0.5 * (small - small.mean()).square().mean()


def test_no_state_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"state\.pt"):
        load_state(tmp_path, "tokenizer")


def test_the_decoder_does_not_decide_tokens_and_all_else_does():
    tokenizer = tiny.networks()[0]
    before = fingerprint(tokenizer)
    with torch.no_grad():
        tokenizer.decoder.conv_out.bias += 1
        tokenizer.after_quantizer.bias += 1
        assert fingerprint(tokenizer) == before
        tokenizer.quantizer.codebook[0] += 1
    assert fingerprint(tokenizer) != before
