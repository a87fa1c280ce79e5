"""Laws of the masked path's training."""

import json
from pathlib import Path

import pytest
import torch
from support import tiny
from support.tasks import SETTINGS, assert_same, last, trained

from var_core.training.crops import CropTokens
from var_core.training.data import Dataset
from var_core.training.export import add_masked, load_masked
from var_core.training.masked_task import MaskedSettings, MaskedTask
from var_core.training.tokenizer_task import TokenData, TokenSet, tokenise
from var_core.weights.checkpoints import load

SPEC = tiny.SPEC


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The model that the masked path is for."""
    return tiny.write(tmp_path_factory.mktemp("model"))


def task(folder: Dataset, file: Path, **choices) -> MaskedTask:
    loaded = load(str(file))
    tokenizer, var = loaded.tokenizer, loaded.var
    sets = [last(tokenise(tokenizer, split)) for split in (folder.train, folder.val)]
    crops = CropTokens(*(split.tokens[0].to(torch.int16) for split in sets))
    data = TokenData(folder.classes, *(TokenSet(split.tokens, split.labels) for split in sets))
    torch.manual_seed(0)
    return MaskedTask(var, tokenizer, data, crops, MaskedSettings(**choices), SETTINGS)


def test_training_lowers_every_loss_on_val(folder, file, tmp_path):
    start, _ = task(folder, file).report(task(folder, file).model)
    trained(task(folder, file), tmp_path / "run", steps=40)
    end = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()][-1]
    names = {f"{kind}_{known}" for kind in ("crops", "whole") for known in ("nothing", "half", "scattered")}
    assert names <= set(end)
    assert all(end[name] < start[name] - 0.1 for name in names)


def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(folder, file, tmp_path):
    whole = trained(task(folder, file), tmp_path / "whole", steps=4)
    trained(task(folder, file), tmp_path / "parts", steps=2)
    assert_same(trained(task(folder, file), tmp_path / "parts", steps=2, resume=True), whole)


def test_the_loss_of_a_batch_counts_tokens_that_are_not_known_alone(folder, file):
    here = task(folder, file)
    tokens, labels = here.train.tokens[0, :2].long(), here.train.labels[:2]
    known = torch.zeros_like(tokens, dtype=torch.bool)
    known[:, 5:] = True
    side = SPEC.tokenizer.sides[-1]
    found = here.losses(here.model, tokens, labels, torch.ones(2, side, side, dtype=torch.bool), known)
    assert found.shape == (10,)


def test_the_transformer_that_it_begins_with_stays_as_it_is(folder, file):
    here = task(folder, file)
    var = load(str(file)).var
    before = {name: value.clone() for name, value in var.state_dict().items()}
    here = MaskedTask(
        var, here.tokenizer, TokenData(folder.classes, here.train, here.val), here.crops, MaskedSettings(), SETTINGS
    )
    loss, _ = here.loss(0, slice(0, 4))
    loss.backward()
    torch.optim.SGD(here.model.parameters(), lr=1.0).step()
    assert_same(var.state_dict(), before)


@pytest.mark.parametrize("name", ["class_dropout", "cropped", "self_correction"])
def test_fractions_are_between_0_and_1(name):
    with pytest.raises(ValueError, match=rf"{name} 1\.5 is out of range: choose 0 to 1"):
        MaskedSettings(**{name: 1.5})


def test_a_trained_masked_path_joins_its_model_which_keeps_its_digest(folder, file, tmp_path):
    before = load(str(file))
    trained(task(folder, file), tmp_path / "run", steps=1)
    add_masked(str(file), tmp_path / "run", tmp_path / "new" / "seeing.safetensors")
    after = load(str(tmp_path / "new" / "seeing.safetensors"))
    assert after.digest == before.digest and after.masked is not None and before.masked is None
    assert_same(after.var.state_dict(), before.var.state_dict())
    wanted = {n: v.half().float() for n, v in load_masked(tmp_path / "run", before.tokenizer).state_dict().items()}
    assert_same(after.masked.state_dict(), wanted)
    trained(task(folder, file), tmp_path / "further", steps=2)
    add_masked(str(tmp_path / "new" / "seeing.safetensors"), tmp_path / "further", tmp_path / "again.safetensors")
    again = load(str(tmp_path / "again.safetensors"))
    assert again.digest == before.digest and again.masked_digest not in ("", after.masked_digest)


def test_a_masked_path_of_another_tokenizer_is_refused(folder, file, tmp_path):
    trained(task(folder, file), tmp_path / "run", steps=1)
    with pytest.raises(ValueError, match="another tokenizer"):
        add_masked(str(tiny.write(tmp_path, seed=1)), tmp_path / "run", tmp_path / "new.safetensors")
