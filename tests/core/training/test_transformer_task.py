"""Laws of the transformer's training: the loss falls, whatever part of the tokens it sees."""

import json

import pytest
import torch
from support import tiny
from support.tasks import SETTINGS, assert_same, last, trained, transformer_task

from var_core.training.tokenizer_task import TokenData, tokenise
from var_core.training.trainer import Optimisation
from var_core.training.transformer_task import TransformerSettings, TransformerTask


def test_transformer_training_lowers_the_loss_on_val(folder, tmp_path):
    start, _ = transformer_task(folder).report(transformer_task(folder).model)
    trained(transformer_task(folder), tmp_path / "run", steps=40)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["val_loss"] < start["val_loss"] - 0.3
    assert len(rows[-1]["loss_by_scale"]) == len(tiny.SIDES)


def test_training_starts_from_given_weights_and_leaves_them_alone(folder):
    given = tiny.networks()[2]
    before = {name: value.clone() for name, value in given.state_dict().items()}
    task = transformer_task(folder)
    data = TokenData(folder.classes, task.train, task.val)
    begun = TransformerTask(given.config, task.tokenizer, data, TransformerSettings(), SETTINGS, start=given)
    assert_same(begun.model.state_dict(), before)
    loss, _ = begun.loss(0, slice(0, 4))
    loss.backward()
    torch.optim.SGD(begun.model.parameters(), lr=1.0).step()
    assert_same(given.state_dict(), before)


def test_training_on_a_part_of_the_places_sees_all_coarse_ones(folder):
    task = transformer_task(folder, most_per_scale=5)
    positions = task.positions(task.sampler.rng(0)).tolist()
    assert positions == sorted(set(positions))
    found = [sum(span.start <= p < span.stop for p in positions) for span in task.model.schedule.spans]
    assert found == [1, 4, 5, 5]
    assert positions != task.positions(task.sampler.rng(1)).tolist()


def test_self_correction_shows_up_to_so_many_wrong_tokens_whatever_the_share(folder):
    task = transformer_task(folder, Optimisation(batch=64), self_correction=0.5)
    tokens, where = task.wrong(task.sampler.rng(0), slice(0, 64))
    parts = [task.wrong(task.sampler.rng(0), micro_batch) for micro_batch in (slice(0, 32), slice(32, 64))]
    assert torch.equal(tokens, torch.cat([part[0] for part in parts]))
    assert torch.equal(where, torch.cat([part[1] for part in parts]))
    rates = where.float().mean(1)
    assert rates.min() < 0.1 < 0.4 < rates.max() < 0.75 and 0.2 < rates.mean() < 0.3
    plain = transformer_task(folder, Optimisation(batch=64))
    everything = slice(0, 64)
    assert task.loss(0, everything)[0] != plain.loss(0, everything)[0]


def test_own_mistakes_are_what_the_network_draws_where_it_is_shown_the_true_ones(folder):
    task = transformer_task(folder, Optimisation(batch=8), self_correction=0.5, own_mistakes=True)
    tokens, labels = task.pictures(task.sampler.rng(0), slice(0, 8))
    positions = torch.tensor([0, 2, 9])
    sure = torch.full((8, 3), 1 - 1e-6)
    assert (task.own(tokens, labels, positions, torch.zeros(8, 3)) == 0).all()  # the first of all codes
    assert (task.own(tokens, labels, positions, sure) == task.model.config.vocabulary - 1).all()
    task.model.head.bias.data[7] += 100.0  # who knows but one code draws no other
    assert (task.own(tokens, labels, positions, torch.rand(8, 3)) == 7).all()


def test_own_mistakes_leave_every_weight_its_gradient_in_bfloat16(folder):
    task = transformer_task(folder, Optimisation(batch=8), self_correction=0.5, own_mistakes=True)
    with torch.autocast("cpu", torch.bfloat16):
        task.loss(0, slice(0, 8))[0].backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in task.model.blocks.parameters())


def test_own_mistakes_without_self_correction_are_refused(folder):
    with pytest.raises(ValueError, match="add self-correction above 0"):
        transformer_task(folder, Optimisation(batch=8), own_mistakes=True)


def test_own_mistakes_are_the_same_however_a_step_is_divided(folder):
    task = transformer_task(folder, Optimisation(batch=8), self_correction=0.5, own_mistakes=True)
    parts = [task.loss(0, micro_batch)[0] for micro_batch in (slice(0, 4), slice(4, 8))]
    assert task.loss(0, slice(0, 8))[0].item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-5)
    others = transformer_task(folder, Optimisation(batch=8), self_correction=0.5)
    assert task.loss(0, slice(0, 8))[0] != others.loss(0, slice(0, 8))[0]


@pytest.mark.parametrize("name", ["self_correction", "class_dropout"])
def test_fractions_are_between_0_and_1(folder, name):
    with pytest.raises(ValueError, match=r"(self-correction|class dropout) 1\.5 is out of range: choose 0 to 1"):
        transformer_task(folder, **{name: 1.5})


@pytest.mark.parametrize("mirror", [True, False])
def test_a_step_sees_pictures_as_they_are_or_mirrored(folder, mirror, monkeypatch):
    task, seen = transformer_task(folder, Optimisation(batch=64, mirror=mirror)), []
    monkeypatch.setattr(task, "losses", lambda _model, tokens, *_: (seen.append(tokens), (torch.zeros(1), None))[1])
    task.loss(0, slice(64))
    plain, mirrored = ({tuple(one) for one in tokens.tolist()} for tokens in task.train.tokens)
    found = {tuple(one) for one in seen[0].tolist()}
    assert found - plain <= mirrored and bool(found - plain) is mirror


@pytest.mark.parametrize(("share", "nameless"), [(0.0, 0), (1.0, 64)])
def test_a_share_of_the_pictures_is_shown_without_its_class(folder, share, nameless, monkeypatch):
    task, seen = transformer_task(folder, Optimisation(batch=64), class_dropout=share), []
    monkeypatch.setattr(
        task, "losses", lambda _model, _tokens, labels, *_: (seen.append(labels), (torch.zeros(1), 0))[1]
    )
    task.loss(0, slice(64))
    assert (seen[0] == task.model.config.null_label).sum() == nameless


def test_mirrored_tokens_are_those_of_the_mirrored_picture(folder):
    tokenizer = tiny.networks()[0]
    train = folder.train
    tokens = last(tokenise(tokenizer, train)).tokens
    images = train.images(torch.arange(2), torch.tensor([True, True]))
    assert torch.equal(tokens[1, :2].long(), torch.cat(tokenizer.encode(images), 1))
