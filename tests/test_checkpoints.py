"""Published names become ours; our files load strictly or say why not."""

import hashlib
import json

import pytest
import torch
from published import DATA
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import SPEC, networks, write

from var_core.checkpoints import available, from_published, load, load_strict, save
from var_core.config import SPECS, TokenizerConfig
from var_core.transformer import VAR
from var_core.vqvae import Tokenizer

OFFICIAL = json.loads((DATA / "official_state_dicts.json").read_text())
TOKENIZER = OFFICIAL.pop("vae_ch160v4096z32.pth")
CONSTANTS = ("lvl_1L", "attn_bias_for_masking", "zero_k_bias", "ema_vocab_hit_SV")  # in the files, but not parameters


def on_meta(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def published_transformer(file: str) -> dict[str, torch.Tensor]:
    """All entries of a published file: those of block 0 stand for every block."""
    shapes = {}
    for name, shape in OFFICIAL[file]["keys_outside_blocks_and_of_block_0"].items():
        copies = OFFICIAL[file]["depth"] if name.startswith("blocks.0.") else 1
        shapes |= {name.replace("blocks.0.", f"blocks.{block}."): shape for block in range(copies)}
    return on_meta(shapes)


def parameters(state: dict[str, torch.Tensor]) -> int:
    return sum(value.numel() for name, value in state.items() if not name.endswith(CONSTANTS))


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


@pytest.mark.parametrize(("file", "spec"), list(zip(OFFICIAL, SPECS.values(), strict=True)), ids=list(SPECS))
def test_a_published_transformer_becomes_ours_entry_by_entry(file, spec):
    published = published_transformer(file)
    assert len(published) == OFFICIAL[file]["entries"]
    with torch.device("meta"):
        model = VAR(spec.transformer)
    assert shapes(from_published(published)) == shapes(model.state_dict())
    assert parameters(published) == sum(p.numel() for p in model.parameters()) == OFFICIAL[file]["parameters"]
    load_strict(model, from_published(published))


def test_the_published_tokenizer_becomes_ours_entry_by_entry():
    published = on_meta(TOKENIZER["keys"])
    assert len(published) == TOKENIZER["entries"]
    with torch.device("meta"):
        model = Tokenizer(TokenizerConfig())
    assert shapes(from_published(published)) == shapes(model.state_dict())
    assert parameters(published) == sum(p.numel() for p in model.parameters()) == TOKENIZER["parameters"]
    load_strict(model, from_published(published))


def test_own_parts_of_shared_adaln_come_in_the_order_of_the_blocks():
    names = [f"blocks.{block}.ada_gss" for block in (10, 9, 0, *range(1, 9))]
    state = {name: torch.full((1, 1, 6, 2), float(name.split(".")[1])) for name in names}
    assert from_published(state)["block_modulations"][:, 0, 0, 0].tolist() == list(range(11))


def test_a_missing_weight_is_named():
    state = published_transformer("var_d16.pth")
    del state["blocks.7.ffn.fc1.bias"]
    with torch.device("meta"), pytest.raises(ValueError, match=r"lack blocks\.7\.feed_forward\.fc1\.bias\. .*damaged"):
        load_strict(VAR(SPECS["var-d16"].transformer), from_published(state))


def test_an_extra_weight_is_named():
    state = {**networks()[1].state_dict(), "surprise": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"unknown surprise\. The file is of another model"):
        load_strict(networks()[1], state)


def test_a_misshapen_weight_is_named_with_both_shapes():
    state = {**networks()[1].state_dict(), "conv.bias": torch.zeros(5)}
    with pytest.raises(ValueError, match=r"conv\.bias has shape \(5,\), but this model's is \(48,\)"):
        load_strict(networks()[1], state)


def test_many_missing_weights_are_counted_not_listed():
    count = len(networks()[2].state_dict())
    with pytest.raises(ValueError, match=f"and {count - 3} more"):
        load_strict(networks()[2], {})


def test_what_is_saved_is_loaded_rounded_to_float16(tmp_path):
    loaded = load("tiny", write(tmp_path).parent)
    assert loaded.spec == SPEC
    for part, wanted in zip((loaded.tokenizer, loaded.preview, loaded.var), networks(), strict=True):
        assert not part.training
        state = part.state_dict()
        assert state.keys() == wanted.state_dict().keys()
        assert all(torch.equal(state[name], value.half().float()) for name, value in wanted.state_dict().items())


def test_metadata_carries_the_sizes(tmp_path):
    save(tmp_path / "tiny.safetensors", SPEC, *networks())
    with safe_open(tmp_path / "tiny.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["spec"]) == json.loads(json.dumps(SPEC.to_dict()))


def test_the_digest_is_that_of_the_file(tmp_path):
    path = write(tmp_path)
    first = load(str(path)).digest
    assert first == load(str(path)).digest == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert first != load(str(write(tmp_path, seed=1))).digest


def test_an_unknown_name_lists_what_is_there(tmp_path):
    with pytest.raises(ValueError, match=r"no model 'tinny'.*one of: none\."):
        load("tinny", tmp_path)
    write(tmp_path)
    assert available(tmp_path) == ["tiny"]
    with pytest.raises(ValueError, match=r"no model 'tinny'.*one of: tiny\."):
        load("tinny", tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:5], lambda _: b"", lambda _: bytes(range(256)) * 8],
    ids=["half", "five bytes", "empty", "random bytes"],
)
def test_a_damaged_file_is_called_damaged(tmp_path, damage):
    path = write(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"tiny\.safetensors: this file is damaged .*Get it again"):
        load(str(path))


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "pt"}, {"spec": "{"}, {"spec": "[]"}, {"spec": '{"name": "x"}'}, {"spec": '{"tokenizer": 3}'}],
    ids=str,
)
def test_a_safetensors_file_without_our_sizes_is_not_ours(tmp_path, metadata):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata)
    with pytest.raises(ValueError, match=r"other\.safetensors: not a model of this program"):
        load(str(path))


def test_sizes_that_cannot_be_are_not_ours(tmp_path):
    wrong = {**SPEC.to_dict(), "transformer": {**SPEC.to_dict()["transformer"], "heads": 3}}
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors", {"spec": json.dumps(wrong)})
    with pytest.raises(ValueError, match="not a model of this program"):
        load("other", tmp_path)


def test_a_tensor_of_no_network_in_our_file_is_named(tmp_path):
    tensors = {**load_file(write(tmp_path)), "discriminator.weight": torch.zeros(2)}
    save_file(tensors, tmp_path / "tiny.safetensors", {"spec": json.dumps(SPEC.to_dict())})
    with pytest.raises(ValueError, match=r"unknown discriminator\.weight"):
        load("tiny", tmp_path)
