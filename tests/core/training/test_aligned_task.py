"""Laws of the alignment: own classes become likelier than they were, others less likely, and nothing else moves."""

import math

import pytest
import torch
from support import tiny
from support.tasks import assert_same, token_data, trained

from var_core.training.aligned_task import AlignedSettings, AlignedTask
from var_core.training.trainer import Optimisation

SETTINGS = Optimisation(batch=8, warmup=2, learning_rate=2e-3, ema_decay=0.5)


def aligned_task(folder, **choices) -> AlignedTask:
    tokenizer, _, var = tiny.networks()
    data = token_data(folder, tokenizer)
    return AlignedTask(var, tokenizer, data, AlignedSettings(**choices), SETTINGS)


def test_before_it_learns_nothing_is_likelier_than_to_the_frozen_copy(folder):
    task = aligned_task(folder, class_dropout=0.0, contrast=10.0)
    loss, measured = task.loss(0, slice(0, 8))
    labels = task.train.labels[task.sampler.batch(task.sampler.rng(0), 8)]
    others = (labels != labels.roll(1)).float().mean().item()
    assert measured == pytest.approx({"own": 0.0, "other": 0.0}, abs=1e-6)
    assert loss.item() == pytest.approx(math.log(2) * (1 / 10 + others), rel=1e-5)


def test_own_classes_become_likelier_than_others_and_the_frozen_copy_stays(folder, tmp_path):
    task = aligned_task(folder, contrast=5.0)
    before = {name: value.clone() for name, value in task.reference.state_dict().items()}
    trained(task, tmp_path / "run", steps=30)
    assert_same(task.reference.state_dict(), before)
    figures, sheet = task.report(task.model)
    assert figures["val_own"] > figures["val_other"] and figures["val_other"] < 0
    assert sheet.width > sheet.height // 8


def test_a_picture_without_a_class_is_held_against_no_other(folder):
    task = aligned_task(folder, class_dropout=1.0)
    loss, measured = task.loss(0, slice(0, 8))
    assert measured["other"] == 0.0 and loss.item() == pytest.approx(math.log(2) / 50, rel=1e-5)


def test_parts_of_a_batch_have_the_gradients_of_their_pictures(folder):
    task = aligned_task(folder)
    task.loss(0, slice(0, 8))[0].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in task.model.parameters() if weight.grad is not None)
    assert all(weight.grad is None for weight in task.reference.parameters())


@pytest.mark.parametrize("name", ["sharpness", "contrast"])
def test_settings_are_above_0(name):
    with pytest.raises(ValueError, match="choose both above 0"):
        AlignedSettings(**{name: 0.0})
