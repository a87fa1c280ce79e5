"""Models, published files and training states that lie are refused in a sentence, before anything is allocated."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from support import hub, tiny
from support.lies import FEW, odd, sentence

from var_core.cli.features import kept_features
from var_core.cli.training_run import load_tokens
from var_core.config import ModelSpec
from var_core.engine.pipeline import Pipeline
from var_core.formats import FORMAT
from var_core.inspection.trace import Trace
from var_core.training.trainer import config_in, load_state
from var_core.weights import checkpoints
from var_core.weights.foreign import TRANSFORMER
from var_core.weights.published import read_network, recognise, weights

SPEC = tiny.SPEC


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A transformer and a tokenizer as their authors would publish them."""
    return hub.write("plain", tmp_path_factory.mktemp("published"))


def levels(*values: float, kind: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.tensor([[*values, *[0] * (30 - len(values))]], dtype=kind)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pos_1LC", torch.zeros(30), "pos_1LC has shape"),
        ("pos_1LC", torch.zeros(1, 30, 0), "pos_1LC has shape"),
        ("pos_1LC", torch.zeros(()), "pos_1LC has shape"),
        ("pos_1LC", torch.zeros(1).expand(1, 30, 2**40), "weights are said to have .* bytes"),
        ("pos_1LC", torch.empty(1, 30, 2**40, device="meta"), "width: expected `int` <="),
        ("lvl_1L", levels(-1), "lvl_1L does not say"),
        ("lvl_1L", levels(2**33), "lvl_1L does not say"),
        ("lvl_1L", levels(2**40), "lvl_1L does not say"),
        ("lvl_1L", levels(float("nan"), kind=torch.float32), "lvl_1L does not say"),
        ("lvl_1L", torch.empty(1, 30, dtype=torch.int64, device="meta"), "lvl_1L does not say"),
        ("lvl_1L", torch.zeros(0), "lvl_1L does not say"),
        ("blocks.0.attn.scale_mul_1H11", torch.zeros(()), "scale_mul_1H11 has shape"),
        ("blocks.0.ffn.fc1.weight", torch.zeros(1), "fc1.weight has shape"),
        ("head.weight", torch.zeros(0, 8), "head.weight has shape"),
        ("word_embed.weight", torch.zeros(1).to_sparse(), "not stored as plain numbers"),
        ("class_emb.weight", torch.zeros(1, 8), "classes 0 is out of range"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else None,
)
def test_a_published_transformer_of_odd_shapes_is_refused(published, tmp_path, name, value, words):
    state = {**torch.load(published[0], weights_only=True), name: value}
    torch.save(state, tmp_path / "var_odd.pth")
    said = sentence(lambda: recognise(tmp_path / "var_odd.pth", published[1]))
    assert re.search(words, said), said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantize.embedding.weight", torch.zeros(4)),
        ("quantize.embedding.weight", torch.zeros(0, 4)),
        ("encoder.conv_in.weight", torch.zeros(0, 3, 3, 3)),
        ("encoder.conv_in.weight", torch.zeros(7, 3, 3, 3)),
        ("encoder.down.0.block.0.conv1.weight", torch.zeros(())),
        ("encoder.down.1.block.0.conv1.weight", torch.zeros(1, 1, 1, 1)),
        ("quantize.embedding.weight", torch.empty(2**33, 32, device="meta")),
    ],
)
def test_a_published_tokenizer_of_odd_shapes_is_refused(published, tmp_path, name, value):
    torch.save({**torch.load(published[1], weights_only=True), name: value}, tmp_path / "vae_odd.pth")
    assert sentence(lambda: recognise(published[0], tmp_path / "vae_odd.pth"))


def test_a_published_file_that_says_sizes_and_holds_no_numbers_is_refused(published, tmp_path):
    state = torch.load(published[0], weights_only=True)
    torch.save({name: value.to("meta") for name, value in state.items()}, tmp_path / "var_empty.pth")
    assert "holds no numbers" in sentence(lambda: weights(tmp_path / "var_empty.pth", TRANSFORMER))


@FEW
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_a_published_file_with_bytes_exchanged_is_read_or_refused_in_words(published, tmp_path, noise, start):
    content = bytearray(published[0].read_bytes())
    content[start : start + len(noise)] = noise
    (tmp_path / "var_noise.pth").write_bytes(content)
    sentence(lambda: read_network(tmp_path / "var_noise.pth"))


def lying(folder: Path, text: str) -> Path:
    """The tiny model's weights with another description."""
    if not (folder / "tiny.safetensors").exists():
        tiny.write(folder)
        save_file(load_file(folder / "tiny.safetensors"), folder / "weights.safetensors")
    save_file(load_file(folder / "weights.safetensors"), folder / "lying.safetensors", {"spec": text})
    return folder / "lying.safetensors"


HUGE = (10**9, 2**70, -1, 1.5, True, "3", None)
LIES = [
    *(("tokenizer", name, value) for name in ("channels", "residual_blocks", "stem", "phis") for value in HUGE),
    *(("tokenizer", "norm_groups", value) for value in (0, *HUGE)),
    *(("tokenizer", "refine_blocks", value) for value in (10**9, 2**70)),
    *(("tokenizer", "multipliers", value) for value in ([], [1] * 60, [10**9, 1], [0, 1], "12", [[1], 2])),
    *(("tokenizer", "sides", value) for value in ([], [1, 10**9], list(range(1, 10**5)), [1.0, 2], [2**70])),
    *(("transformer", name, value) for name in ("depth", "width", "heads", "classes") for value in HUGE),
    *(("", "class_names", value) for value in ([1, 2, 3, 4, 5, 6, 7], 3, "abcdefg", [None] * 7, ["a"] * 70_000)),
    ("", "class_synonyms", [[1]] * 7),
    ("", "name", 7),
    ("", "showcase", ["Rose"]),
]


@pytest.mark.parametrize(("part", "name", "value"), LIES, ids=lambda value: str(value)[:12])
def test_a_model_whose_sizes_lie_is_refused(tmp_path, part, name, value):
    values = json.loads(json.dumps(SPEC.to_dict()))
    (values[part] if part else values)[name] = value
    path = lying(tmp_path, json.dumps(values))
    assert sentence(lambda: checkpoints.read_spec(path)).startswith(str(path))


def test_sizes_that_could_be_but_are_not_those_of_the_file_are_refused_before_weights_are_read(tmp_path, monkeypatch):
    values = json.loads(json.dumps(SPEC.to_dict()))
    values["transformer"] |= {"depth": 100, "width": 2**15, "heads": 64}
    values["tokenizer"] |= {"channels": 2**14, "residual_blocks": 4}
    path = lying(tmp_path, json.dumps(values))
    assert checkpoints.read_spec(path).transformer.depth == 100
    monkeypatch.setattr(checkpoints, "_tensors", lambda *_: pytest.fail("weights were read"))
    assert "The file is" in sentence(lambda: checkpoints.load(str(path)))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, '{"tokenizer": ' + "[" * 5000 + "]" * 5000 + "}"]
)
def test_a_description_of_a_model_that_is_deep_or_no_object_is_refused(tmp_path, text):
    assert "not a model of this program" in sentence(lambda: checkpoints.read_spec(lying(tmp_path, text)))


def test_a_file_that_says_that_its_list_of_weights_is_huge_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with (tmp_path / "b.safetensors").open("wb") as file:
        file.write((99 * 10**6).to_bytes(8, "little"))
        file.truncate(10**8)  # sparse: it takes no room
    for name in "ab":
        path = tmp_path / f"{name}.safetensors"
        assert "damaged" in sentence(lambda path=path: checkpoints.read_spec(path))
        assert "is not a trace" in sentence(lambda path=path: Trace.load(path))


@FEW
@given(odd(SPEC.to_dict()))
def test_any_description_of_a_model_is_read_or_refused_in_words(tmp_path, text):
    def use() -> None:
        spec = checkpoints.read_spec(lying(tmp_path, text))
        assert isinstance(spec, ModelSpec) and spec.label(spec.class_name(0)) == 0
        Pipeline(checkpoints.load(str(tmp_path / "lying.safetensors")))

    try:
        text.encode()
    except UnicodeEncodeError:
        return
    sentence(use)


@pytest.mark.parametrize(
    "state",
    [
        *(3, [], {}, {"kind": "transformer"}),
        {"kind": "transformer", "step": -1, "seconds": 0.0, "model": {}, "ema": {}, "extra": {}, "format": FORMAT},
        {"kind": "transformer", "step": 2**70, "seconds": 0.0, "model": 3, "ema": {}, "extra": {}, "format": FORMAT},
        {"kind": ["transformer"], "step": 1, "seconds": "1", "model": {}, "ema": {}, "extra": {}, "format": FORMAT},
    ],
    ids=lambda state: str(state)[:40],
)
def test_a_training_state_that_is_none_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "state.pt")
    assert "no training state" in sentence(lambda: load_state(tmp_path, "transformer"))
    (tmp_path / "state.pt").write_bytes(b"PK\x03\x04 nothing")
    assert "is damaged, or was not written by this program: begin anew" in sentence(
        lambda: load_state(tmp_path, "transformer")
    )


@pytest.mark.parametrize("config", [None, {}, {**asdict(SPEC.transformer), "depth": 10**9}])
def test_the_sizes_in_a_training_state_are_checked(config):
    assert "it is damaged" in sentence(lambda: config_in({"config": config}, type(SPEC.transformer)))


@pytest.mark.parametrize("kept", [{"a": 1}, torch.zeros(3), torch.zeros(2, 4), None])
def test_features_and_tokens_that_were_kept_are_checked(tmp_path, kept):
    network, pixels = SimpleNamespace(name="net"), torch.zeros(3, 8, 8, 3, dtype=torch.uint8)
    path = tmp_path / f"net-{hashlib.sha256(pixels.numpy().data).hexdigest()[:16]}.pt"
    torch.save(kept, path) if kept is not None else path.write_bytes(b"PK nothing")
    assert "delete it" in sentence(lambda: kept_features(network, pixels, tmp_path, "val"))
    if not isinstance(kept, dict):
        assert "delete it" in sentence(lambda: load_tokens(path))
