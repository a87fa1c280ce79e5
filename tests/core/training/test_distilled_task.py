"""Laws of guidance distillation: the network approaches the guided distributions, and nothing else moves."""

import pytest
import torch
from support import tiny
from support.tasks import assert_same, token_data, trained

from var_core.config import Sampling
from var_core.engine.sampling import guide
from var_core.training.distilled_task import DistilledSettings, DistilledTask
from var_core.training.trainer import Optimisation

SETTINGS = Optimisation(batch=8, warmup=2, learning_rate=5e-3, ema_decay=0.5)


def distilled_task(folder, **choices) -> DistilledTask:
    tokenizer, _, var = tiny.networks()
    data = token_data(folder, tokenizer)
    return DistilledTask(var, tokenizer, data, DistilledSettings(**choices), SETTINGS)


def test_the_divergence_is_that_of_the_guided_logits(folder):
    task = distilled_task(folder, guidance=2.0, ramp=0.5)
    tokens, labels = task.val.tokens[0, :3].long(), task.val.labels[:3]
    nothing = torch.full_like(labels, task.model.config.null_label)
    teacher_input = task.tokenizer.quantizer.teacher_input(task.model.schedule.split(tokens))
    with torch.no_grad():
        own, none = (task.reference(given, teacher_input) for given in (labels, nothing))
        schedule, asked = task.model.schedule, Sampling(guidance=2.0, ramp=0.5)
        pairs = enumerate(zip(schedule.maps(own), schedule.maps(none), strict=True))
        guided = torch.cat([guide(*pair, asked.strength(scale, schedule)) for scale, pair in pairs], 1).log_softmax(-1)
        expected = (guided.exp() * (guided - own.log_softmax(-1))).sum(-1)
        assert torch.allclose(task.divergences(task.model, tokens, labels), expected, atol=1e-5)
    assert expected.mean() > 1e-4


def test_without_a_class_there_is_nothing_to_learn(folder):
    task = distilled_task(folder, class_dropout=1.0)
    loss, measured = task.loss(0, slice(0, 8))
    assert loss.item() == pytest.approx(0, abs=1e-5) and measured["apart"] == pytest.approx(0, abs=1e-5)


def test_a_scale_counts_by_half_as_any_other_and_by_half_for_its_tokens(folder):
    task = distilled_task(folder)
    schedule = task.model.schedule
    shares = [part.sum().item() for part in schedule.maps(task.weights[None])]
    wanted = [(1 / len(schedule) + length / schedule.total) / 2 for length in schedule.lengths]
    assert shares == pytest.approx(wanted)


def test_the_network_comes_nearer_to_the_guided_one_and_the_frozen_copy_stays(folder, tmp_path):
    task = distilled_task(folder, class_dropout=0.0)
    before = {name: value.clone() for name, value in task.reference.state_dict().items()}
    first, _ = task.report(task.model)
    trained(task, tmp_path / "run", steps=40)
    figures, sheet = task.report(task.model)
    assert_same(task.reference.state_dict(), before)
    assert figures["val_apart"] < 0.7 * first["val_apart"]
    assert len(figures["apart_by_scale"]) == len(task.model.schedule)
    assert sheet.width > sheet.height // 8


@pytest.mark.parametrize(("choices", "words"), [({"guidance": 0.0}, "nothing to learn"), ({"ramp": 2.0}, "ramp")])
def test_settings_that_cannot_be_are_refused(choices, words):
    with pytest.raises(ValueError, match=words):
        DistilledSettings(**choices)
