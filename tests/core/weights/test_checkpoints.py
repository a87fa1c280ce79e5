"""Published names become ours; our files load strictly or say why not."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.published import DATA
from support.tiny import SPEC, networks, pipeline, write

from var_core.config import ON_CPU, LoadOptions, ModelSpec, Sampling, TokenizerConfig
from var_core.engine.pipeline import Pipeline, pick_dtype
from var_core.engine.request import Request
from var_core.nn.tokenizer import Preview, Tokenizer
from var_core.nn.transformer import VAR
from var_core.published_specs import SPECS
from var_core.weights import checkpoints
from var_core.weights.checkpoints import HALVED, PARTS, available, find, from_published, load, load_strict, save
from var_core.weights.convert import write_safetensors as write_tensors

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


def test_sizes_that_cannot_be_are_named(tmp_path):
    wrong = {**SPEC.to_dict(), "transformer": {**SPEC.to_dict()["transformer"], "heads": 3}}
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors", {"spec": json.dumps(wrong)})
    with pytest.raises(ValueError, match=r"other\.safetensors: .*3 heads"):
        load("other", tmp_path)


def test_a_file_of_a_later_version_asks_for_an_update(tmp_path):
    later = json.dumps({**SPEC.to_dict(), "format": 99})
    save_file({"weight": torch.zeros(2)}, tmp_path / "later.safetensors", {"spec": later})
    with pytest.raises(ValueError, match=r"later\.safetensors: .*format 99, and formats 1 to \d+ can be read: update"):
        load("later", tmp_path)


def test_a_tensor_of_no_network_in_our_file_is_named(tmp_path):
    tensors = {**load_file(write(tmp_path)), "discriminator.weight": torch.zeros(2)}
    save_file(tensors, tmp_path / "tiny.safetensors", {"spec": json.dumps(SPEC.to_dict())})
    with pytest.raises(ValueError, match=r"unknown discriminator\.weight"):
        load("tiny", tmp_path)


# ------------------------------------------------------------------------------------------------ types and memory


def in_float32(folder: Path, spec: ModelSpec = SPEC, modules: tuple | None = None) -> Path:
    """The tiny model, or another, as a file in float32."""
    tensors = {
        part + key: value.detach()
        for part, module in zip(PARTS, modules or networks(), strict=True)
        for key, value in module.state_dict().items()
    }
    path = folder / f"{spec.name}.safetensors"
    for _ in write_tensors(path, tensors, {"spec": json.dumps(spec.to_dict())}):
        pass
    return path


def mapped(path: Path) -> list[range]:
    """Where in memory a file is mapped."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(path))]
    return [range(*(int(end, 16) for end in line[0].split("-"))) for line in lines]


def tensors_of(loaded) -> Iterator[tuple[str, torch.Tensor]]:
    for part, module in zip(PARTS, (loaded.tokenizer, loaded.preview, loaded.var), strict=True):
        yield from ((part + key, value) for key, value in module.state_dict().items())


def test_float32_comes_back_exactly_and_without_a_copy(tmp_path):
    loaded = load(str(in_float32(tmp_path)))
    for part, wanted in zip((loaded.tokenizer, loaded.preview, loaded.var), networks(), strict=True):
        assert all(torch.equal(part.state_dict()[key], value) for key, value in wanted.state_dict().items())
    if sys.platform == "linux":
        places = mapped(loaded.path)
        assert places and all(any(t.data_ptr() in place for place in places) for _, t in tensors_of(loaded))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", [write, in_float32])
def test_only_the_products_of_the_blocks_are_halved(tmp_path, kind, dtype):
    kind(tmp_path)
    types = {name: value.dtype for name, value in tensors_of(load("tiny", tmp_path, dtype))}
    assert {name for name, found in types.items() if found == dtype} == {name for name in types if HALVED.match(name)}
    assert {types[name] for name in types if not HALVED.match(name)} == {torch.float32}
    assert types["transformer.blocks.0.attention.qkv.weight"] == types["transformer.block_modulations.1.bias"] == dtype
    for name in ("head.weight", "blocks.0.attention.log_scale", "position_embedding", "class_embedding.weight"):
        assert types[f"transformer.{name}"] == torch.float32


def test_float16_draws_what_float32_draws_but_for_rounding(tmp_path):
    in_float32(tmp_path)
    request = Request((1, 2), (3, 4), Sampling(guidance=2.0, top_k=0, top_p=1.0))
    exact, half = (
        list(Pipeline.load("tiny", LoadOptions("cpu", dtype), tmp_path).steps(request))[1]
        for dtype in ("float32", "float16")
    )
    assert half.confidence.dtype == half.f_hat.dtype == torch.float32
    torch.testing.assert_close(half.entropy, exact.entropy, rtol=0, atol=0.02)
    assert not torch.equal(half.entropy, exact.entropy)


def test_the_type_is_chosen_by_device_or_by_name():
    assert [pick_dtype("auto", device) for device in ("cpu", "mps", "cuda")] == [torch.float32] * 2 + [torch.float16]
    assert pick_dtype("bfloat16", "cpu") == torch.bfloat16
    with pytest.raises(ValueError, match=r"dtype 'half' is not known\. Choose auto, or one of: float32, float16"):
        pick_dtype("half", "cpu")


def test_a_tensor_of_a_type_that_no_model_has_is_named(tmp_path):
    tensors = {**load_file(write(tmp_path)), "tokenizer.decoder.conv_out.bias": torch.zeros(48, dtype=torch.int8)}
    save_file(tensors, tmp_path / "tiny.safetensors", {"spec": json.dumps(SPEC.to_dict())})
    with pytest.raises(ValueError, match=r"tokenizer\.decoder\.conv_out\.bias is of type I8"):
        load("tiny", tmp_path)


def test_a_model_in_use_goes_on_when_its_file_is_replaced_or_removed(tmp_path):
    path = in_float32(tmp_path)
    loaded = load(str(path))
    save(path, SPEC, *networks(seed=1))
    assert torch.equal(loaded.var.head.weight, networks()[2].head.weight)
    path.unlink()
    assert torch.equal(loaded.var.start, networks()[2].start)
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_once_a_picture_stays_in_the_file(tmp_path, monkeypatch):
    request, wanted = Request((1,), (2,)), pipeline().run(Request((1,), (2,)))
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    pipe = Pipeline.load(str(in_float32(tmp_path)), ON_CPU)
    left = {name for name, layer in pipe.var.named_modules() if getattr(layer, "file", None)}
    assert left == ({f"block_modulations.{number}" for number in range(2)} if sys.platform != "win32" else set())
    for _ in range(2):  # the second time from the file again
        assert all(torch.equal(a, b) for a, b in zip(pipe.run(request).tokens, wanted.tokens, strict=True))


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        save(path, SPEC, *networks()[:2], None)
    with pytest.raises(TypeError):
        save(path, replace(SPEC, name=object()), *networks())
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_name_of_any_kind_is_looked_for_in_vain_with_a_sentence(tmp_path):
    for name in ("", "a" * 5000, "no\0name", ".."):
        with pytest.raises(ValueError, match="There is no model"):
            find(name, tmp_path)


MEASURED = """
import ctypes, gc, json, sys
from pathlib import Path
import torch
from var_core.weights.checkpoints import load

def status(field):
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

for path, dtype in json.loads(sys.argv[1]):
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", id)(0)  # what the model before left over does not count for this one
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status("VmRSS")
    loaded = load(path, dtype=getattr(torch, dtype))
    values = [t for part in (loaded.tokenizer, loaded.preview, loaded.var) for t in part.state_dict().values()]
    for value in values:
        value.flatten().view(torch.uint8)[::4096].sum()  # so that every page of a mapped file counts
    print(sum(value.nbytes for value in values), status("VmHWM") - before)
    del loaded, values, value
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_takes_hardly_more_memory_than_the_weights(tmp_path):
    sizes = replace(SPEC.transformer, depth=6, width=768, heads=6)
    large = ModelSpec("large", SPEC.tokenizer, sizes)
    var = VAR(sizes)  # 64 million random weights
    modules = Tokenizer(SPEC.tokenizer), Preview(SPEC.tokenizer), var
    save(tmp_path / "half.safetensors", large, *modules)
    whole = in_float32(tmp_path, large, modules)
    half = str(tmp_path / "half.safetensors")
    cases = [(half, "float32"), (str(whole), "float32"), (str(whole), "float16"), (half, "float16")]
    command = [sys.executable, "-c", MEASURED, json.dumps(cases)]
    done = subprocess.run(command, cwd=DATA.parent.parent, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    measured = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert [weights > 2e8 for weights, _ in measured] == [dtype == "float32" for _, dtype in cases]
    for (weights, peak), case in zip(measured, cases, strict=True):
        assert 0.9 * weights < peak < 1.15 * weights, case
