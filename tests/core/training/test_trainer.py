"""Laws of every training: a resumed run repeats an unbroken one, parts of a batch add up, a stop is saved."""

from dataclasses import replace

import pytest
import torch
from support.tasks import (
    ROUNDING,
    SETTINGS,
    SMOOTH,
    assert_same,
    curve,
    decoder_task,
    judged_task,
    refining_task,
    tokenizer_task,
    trained,
    transformer_task,
)

from var_core.formats import FORMAT, FORMAT_KEY
from var_core.training.trainer import Budget, Optimisation, Trainer, load_state, upgrade


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


def test_the_micro_batches_of_all_processes_are_the_batch():
    settings = Optimisation(batch=24, accumulate=3)
    found = [part for rank in range(4) for part in settings.micro_batches(rank, 4)]
    assert [row for part in found for row in range(24)[part]] == list(range(24)) and len(found) == 12
    assert Optimisation(batch=5).micro_batches(0, 1) == [slice(0, 5)]


def test_uneven_micro_batches_are_refused():
    with pytest.raises(ValueError, match=r"batch 10 does not divide by 4 processes x 2 parts: .* such as 16"):
        Optimisation(batch=10, accumulate=2).micro_batches(0, 4)
    with pytest.raises(ValueError, match="accumulate 0: choose 1 part or more"):
        Optimisation(accumulate=0)


def test_a_trainer_that_is_asked_to_stop_ends_its_step_and_saves_alone(folder, tmp_path):
    trainer = Trainer(transformer_task(folder), tmp_path)
    for row in trainer.run(Budget(steps=50)):
        if row["step"] == 2:
            trainer.stop()
    assert trainer.step == load_state(tmp_path, "transformer")["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_figures_that_cannot_be_told_leave_no_state_that_says_all_is_done(folder, tmp_path, monkeypatch):
    trainer = Trainer(transformer_task(folder), tmp_path)
    monkeypatch.setattr(trainer.task, "report", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(trainer.run(Budget(steps=2)))
    assert not (tmp_path / "state.pt").exists()


def test_gradients_that_are_not_finite_end_the_run_and_change_nothing(folder, tmp_path, monkeypatch):
    trainer = Trainer(transformer_task(folder), tmp_path)
    trainer.update(1.0)
    before, loss = {name: weight.clone() for name, weight in trainer.task.model.state_dict().items()}, trainer.task.loss

    def broken(*asked):
        found, measured = loss(*asked)
        return found * float("nan"), measured

    monkeypatch.setattr(trainer.task, "loss", broken)
    with pytest.raises(ValueError, match=r"gradients of step 2 are not finite.*--rate"):
        trainer.update(1.0)
    assert_same(before, trainer.task.model.state_dict())


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


def test_the_learning_rate_falls_to_zero_over_the_tail_only():
    budget = Budget(steps=100, cooldown=0.2)
    assert [round(budget.lr_scale(used), 6) for used in (0.0, 0.8, 0.9, 1.0)] == [1.0, 1.0, 0.5, 0.0]
    assert Budget(steps=100).lr_scale(0.99) == 1.0


def test_no_state_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"state\.pt"):
        load_state(tmp_path, "tokenizer")


def test_muon_trains_the_matrices_of_the_blocks_alone_and_goes_on(folder, tmp_path):
    settings = replace(SETTINGS, muon=True)
    whole = trained(transformer_task(folder, settings), tmp_path / "whole", steps=4)
    trained(transformer_task(folder, settings), tmp_path / "broken", steps=2)
    assert_same(whole, trained(transformer_task(folder, settings), tmp_path / "broken", steps=2, resume=True))
    matrices = [weight.shape for weight in transformer_task(folder).model.blocks.parameters() if weight.ndim == 2]
    assert [state["momentum_buffer"].shape for state in whole["muon"]["state"].values()] == matrices
    assert len(whole["optimizer"]["state"]) == len(whole["model"]) - len(matrices)
    (muon,), (rest, _) = whole["muon"]["param_groups"], whole["optimizer"]["param_groups"]
    assert muon["lr"] == pytest.approx(3 * rest["lr"]) and muon["adjust_lr_fn"] == "match_rms_adamw"


@pytest.mark.parametrize("muon", [False, True])
def test_a_run_goes_on_only_with_the_optimiser_it_was_begun_with(folder, tmp_path, muon):
    trained(transformer_task(folder, replace(SETTINGS, muon=not muon)), tmp_path, steps=1)
    with pytest.raises(ValueError, match=f"was begun {'without' if muon else 'with'} Muon"):
        trained(transformer_task(folder, replace(SETTINGS, muon=muon)), tmp_path, steps=1, resume=True)


OLD_NAMES = {"ema": "average", "discriminator": "judge", "discriminator_optimizer": "judge_optimizer"}


def as_version_1(values: object) -> object:
    """A training state under the names of version 1, without what it did not know."""
    if isinstance(values, dict):
        kept = {name: value for name, value in values.items() if name not in (FORMAT_KEY, "drawn", "class_dropout")}
        return {OLD_NAMES.get(name, name): as_version_1(value) for name, value in kept.items()}
    return values


@pytest.mark.parametrize("make", [tokenizer_task, transformer_task, refining_task, judged_task])
def test_a_run_of_an_earlier_version_goes_on_as_if_it_were_of_this_one(make, folder, tmp_path):
    whole = trained(make(folder), tmp_path / "whole", steps=3)
    trained(make(folder), tmp_path / "old", steps=2)
    path = tmp_path / "old" / "state.pt"
    old = as_version_1(torch.load(path, weights_only=True))
    assert "average" in old and FORMAT_KEY not in old and "ema" not in old
    torch.save(old, path)
    assert_same(whole, trained(make(folder), tmp_path / "old", steps=1, resume=True))


@pytest.mark.parametrize("make", [tokenizer_task, decoder_task])
def test_a_run_of_before_decoders_enlarged_goes_on(make, folder, tmp_path):
    whole = trained(make(folder), tmp_path / "whole", steps=2)
    path, old = tmp_path / "old" / "state.pt", trained(make(folder), tmp_path / "old", steps=1)
    config = {name: value for name, value in old["extra"]["config"].items() if "enlarge" not in name}
    torch.save({**old, FORMAT_KEY: 2, "extra": {**old["extra"], "config": config}}, path)
    assert_same(whole, trained(make(folder), tmp_path / "old", steps=1, resume=True))


def test_a_transformer_s_run_of_before_made_no_mistakes_of_its_own():
    state = {FORMAT_KEY: 6, "kind": "transformer", "extra": {"self_correction": 0.3}}
    assert upgrade(state)["extra"] == {"self_correction": 0.3, "own_mistakes": False}


def test_a_state_of_this_version_is_left_as_it_is_and_one_of_a_later_is_refused():
    state = {"kind": "tokenizer", "extra": {}}
    assert upgrade({FORMAT_KEY: FORMAT, **state}) == state
    with pytest.raises(ValueError, match=f"has format {FORMAT + 1}, and formats 1 to {FORMAT} can be read: update"):
        upgrade({FORMAT_KEY: FORMAT + 1, **state})
