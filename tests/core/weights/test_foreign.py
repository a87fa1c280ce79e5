"""Checkpoints as others save them: nested, wrapped, averaged, old, broken."""

import argparse
import pickle
from pathlib import Path

import pytest
import torch
from support import hub
from torch.nn import Parameter

from var_core.weights import checkpoints
from var_core.weights.convert import convert
from var_core.weights.foreign import TOKENIZER, TRANSFORMER, Weights, weights_in
from var_core.weights.published import pair, recognise


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> tuple[dict, dict]:
    """Published weights of a small transformer and of its tokenizer."""
    files = hub.write("plain", tmp_path_factory.mktemp("published"))
    return tuple(torch.load(file, weights_only=True) for file in files)


def read(path: Path, kind: str = TRANSFORMER) -> Weights:
    return weights_in(path, kind)


def saved(content: object, path: Path, **options: bool) -> Path:
    torch.save(content, path, **options)
    return path


def assert_holds(found: dict, wanted: dict) -> None:
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def wrapped(state: dict, prefix: str) -> dict:
    return {f"{prefix}{name}": value for name, value in state.items()}


def test_a_checkpoint_of_the_authors_trainer_holds_both_networks_and_converts_alone(states, tmp_path):
    var, vae = states
    inside = {"config": {"label_smooth": 0.0}, "var_wo_ddp": var, "vae_local": vae, "var_opt": {"state": {}}}
    content = {"epoch": 9, "iter": 0, "trainer": inside, "args": {"depth": 2, "data_path": "/data"}}
    path = saved(content, tmp_path / "ar-ckpt-best.pth")
    transformer, tokenizer = read(path, TRANSFORMER), read(path, TOKENIZER)
    assert_holds(transformer.tensors, var)
    assert_holds(tokenizer.tensors, vae)
    assert (transformer.told, tokenizer.told) == (
        "the weights in trainer.var_wo_ddp",
        "the weights in trainer.vae_local",
    )
    assert pair(path, None) == (path, path)
    (tmp_path / "apart").mkdir()
    for _ in convert(path, path, tmp_path / "nested.safetensors", "plain"):
        pass
    for _ in convert(*hub.write("plain", tmp_path / "apart"), tmp_path / "plain.safetensors", "plain"):
        pass
    assert (tmp_path / "nested.safetensors").read_bytes() == (tmp_path / "plain.safetensors").read_bytes()


@pytest.mark.parametrize("where", ["state_dict", "model", "model_ema", "trainer.var.state"])
def test_weights_are_found_in_any_dictionary_beside_anything_plain(states, tmp_path, where):
    content: dict = states[0]
    for name in reversed(where.split(".")):
        content = {name: content, "epoch": 3, "optimizer": {"lr": 0.1, "state": {0: {"exp_avg": torch.ones(2)}}}}
    found = read(saved(content, tmp_path / "var.pth"))
    assert_holds(found.tensors, states[0])
    assert where in found.told


@pytest.mark.parametrize("averaged", ["model_ema", "EMA", "ema_state_dict", "state_dict_ema"])
def test_of_averaged_weights_and_raw_ones_the_averaged_are_taken_and_it_is_said(states, tmp_path, averaged):
    raw = {name: value + 1 for name, value in states[0].items()}
    found = read(saved({"model": raw, averaged: states[0]}, tmp_path / "var.pth"))
    assert_holds(found.tensors, states[0])
    assert found.told == f"the weights in {averaged}, averaged over the training (EMA)"


def test_a_part_of_a_name_that_only_looks_like_an_average_is_none(states, tmp_path):
    assert not read(saved({"schema": states[0]}, tmp_path / "var.pth")).averaged


def test_two_that_are_equally_good_are_named_and_none_is_guessed(states, tmp_path):
    path = saved({"best": states[0], "last": states[0]}, tmp_path / "var.pth")
    with pytest.raises(ValueError, match=r"holds a transformer in each of best and last: save the one"):
        read(path)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_names_of_wrappers_are_left_out_and_it_is_said(states, tmp_path, prefix):
    found = read(saved(wrapped(states[0], prefix), tmp_path / "var.pth"))
    assert_holds(found.tensors, states[0])
    assert found.told.endswith("left out of names") and all(part in found.told for part in prefix.split(".")[:-1])


def test_names_of_wrappers_inside_of_names_are_left_out_too(states, tmp_path):
    inside = {name.replace("blocks.0.", "blocks.0._orig_mod."): value for name, value in states[0].items()}
    assert_holds(read(saved(inside, tmp_path / "var.pth")).tensors, states[0])


def test_networks_side_by_side_in_one_dictionary_are_told_apart_by_what_their_names_begin_with(states, tmp_path):
    both = {**wrapped(states[0], "module.var."), **wrapped(states[1], "vae."), "loss.weight": torch.ones(1)}
    path = saved({"state_dict": both}, tmp_path / "last.ckpt")
    assert_holds(read(path, TRANSFORMER).tensors, states[0])
    assert_holds(read(path, TOKENIZER).tensors, states[1])
    assert read(path).told == "the weights in state_dict.var; module. left out of names"


def test_a_file_as_published_has_nothing_to_tell(states, tmp_path):
    assert read(saved(states[0], tmp_path / "var.pth")).told == ""


def test_an_old_file_that_is_no_zip_is_read(states, tmp_path):
    path = saved({"model": states[0]}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert not path.read_bytes().startswith(b"PK")
    assert_holds(read(path).tensors, states[0])


def test_an_old_file_with_more_than_weights_says_what_it_is_and_how_to_save_it_anew(states, tmp_path):
    content = {"model": states[0], "where": Path("runs")}
    path = saved(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"old\.pth is of the kind .* version 1\.6, .*torch\.save\(model\.state"):
        read(path)


def test_options_that_lie_beside_weights_are_plain_values_and_no_reason_to_refuse(states, tmp_path):
    content = {"model": states[0], "args": argparse.Namespace(depth=16, name="run")}
    assert_holds(read(saved(content, tmp_path / "var.pth")).tensors, states[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_halves_and_parameters_convert(states, tmp_path, dtype):
    var = {
        name: Parameter(value.to(dtype)) if value.is_floating_point() else value for name, value in states[0].items()
    }
    files = saved(var, tmp_path / "var_half.pth"), saved(states[1], tmp_path / "vae.pth")
    for _ in convert(*files, tmp_path / "half.safetensors", "half"):
        pass
    found = checkpoints.load(str(tmp_path / "half.safetensors")).var.state_dict()["head.weight"]
    assert torch.equal(found, states[0]["head.weight"].to(dtype).float())


def test_what_holds_no_such_network_is_refused_with_what_it_holds(tmp_path):
    path = saved({"epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "state.pth")
    with pytest.raises(ValueError, match=r"more than weights, and no tokenizer is among it \(epoch, optimizer\): give"):
        read(path, TOKENIZER)
    with pytest.raises(ValueError, match="holds no weights by name"):
        read(saved([torch.zeros(1)], tmp_path / "list.pth"))


def test_a_pickle_without_tensors_is_no_checkpoint(tmp_path):
    path = tmp_path / "plain.pth"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"plain\.pth"):
        read(path)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["var", "vae"])
def test_numbers_that_are_none_are_refused_by_the_name_of_their_tensor(tmp_path, broken, part):
    name = {"var": "blocks.1.ffn.fc2.bias", "vae": "decoder.conv_in.bias"}[part]
    files = hub.write("plain", tmp_path)
    path = files[0] if part == "var" else files[1]
    state = dict(torch.load(path, weights_only=True))
    state[name] = state[name].clone()
    state[name][0] = broken
    saved(state, path)
    assert recognise(*files)
    with pytest.raises(ValueError, match=rf"{path.name}: {name} holds numbers that are none .*earlier checkpoint"):
        list(convert(*files, tmp_path / "out.safetensors"))
    assert not (tmp_path / "out.safetensors").exists()
