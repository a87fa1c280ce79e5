"""Published files become one file of ours, whole or not at all; sizes are read from their shapes."""

import hashlib
import json
import os
import pickle
import threading
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support import hub
from support.published import NAMES, OFFICIAL, entries, networks, spec

from var_core.images import from_pil
from var_core.published_specs import SPECS
from var_core.weights import checkpoints
from var_core.weights.convert import PICTURES, FileProgress, convert, crops, origin_of
from var_core.weights.imagenet import classes
from var_core.weights.published import pair, read_network, recognise
from var_core.weights.registry import TOKENIZER_FILE


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Both golden configurations as files, published and ours."""
    folder = tmp_path_factory.mktemp("made")
    for name in NAMES:
        *_, last = convert(*hub.write(name, folder), folder / f"{name}.safetensors", name)
        assert last.doing == "write" and last.fraction == 1
    return folder


def on_meta(file: str, folder: Path) -> Path:
    """A published file with all its shapes, and no numbers."""
    torch.save({name: torch.empty(shape, device="meta") for name, shape in entries(file).items()}, folder / file)
    return folder / file


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_weights_come_through_to_the_last_bit(made, name):
    loaded = checkpoints.load(name, made)
    assert loaded.spec == spec(name)
    for part, wanted in zip((loaded.tokenizer, loaded.var), networks(name), strict=True):
        state = part.state_dict()
        assert state.keys() == wanted.state_dict().keys()
        assert all(torch.equal(state[key], value) for key, value in wanted.state_dict().items())


@pytest.mark.parametrize("file", [file for file in OFFICIAL if file != TOKENIZER_FILE])
def test_official_sizes_are_recognised_by_shape(file, tmp_path):
    found = recognise(on_meta(file, tmp_path), on_meta(TOKENIZER_FILE, tmp_path))
    known = SPECS[found.name]
    assert (found.tokenizer, found.transformer) == (known.tokenizer, known.transformer)
    assert found.transformer.depth == OFFICIAL[file]["depth"]
    assert found.class_names == classes().names and found.class_synonyms == classes().synonyms


def test_the_tokenizer_in_a_model_of_ours_serves_a_transformer_of_other_sides(tmp_path):
    ours = tmp_path / "var-d16.safetensors"
    save_file({"nothing": torch.zeros(1)}, ours, {"spec": json.dumps(SPECS["var-d16"].to_dict())})
    found, known = recognise(on_meta("var_d36.pth", tmp_path), ours), SPECS["var-d36-s"]
    assert (found.name, found.tokenizer, found.transformer) == (known.name, known.tokenizer, known.transformer)


def test_the_tokenizer_in_a_model_of_ours_gives_the_same_file_and_its_origin_is_not_made_up(made, tmp_path):
    for _ in convert(made / "var_plain.pth", made / "plain.safetensors", tmp_path / "again.safetensors", "plain"):
        pass
    assert (tmp_path / "again.safetensors").read_bytes() == (made / "plain.safetensors").read_bytes()
    assert origin_of(tmp_path / "again.safetensors") is None
    for _ in convert(*hub.write("plain", tmp_path), tmp_path / "again.safetensors", "plain", origin="someone/vae"):
        pass
    assert origin_of(tmp_path / "again.safetensors") == "someone/vae"


def test_a_model_like_none_published_is_called_by_its_file(made):
    found = recognise(made / "var_plain.pth", made / "vae_plain.pth")
    assert (found.name, found.class_names) == ("var_plain", ())


@torch.inference_mode()
def test_the_preview_resembles_what_was_encoded(made):
    loaded = checkpoints.load("plain", made)
    images = from_pil(list(crops(1)), 64)
    shown = loaded.preview(loaded.tokenizer.quantizer.features(loaded.tokenizer.encode(images)))
    small = torch.nn.functional.interpolate(images, size=(16, 16), mode="area")
    assert (shown - small).square().mean() < 0.8 * small.var()


def test_conversion_is_deterministic_and_its_digest_depends_on_weights_alone(made, tmp_path):
    files = made / "var_plain.pth", made / "vae_plain.pth"
    for _ in convert(*files, tmp_path / "again.safetensors", "plain"):
        pass
    for _ in convert(*files, tmp_path / "renamed.safetensors", "other"):
        pass
    assert (tmp_path / "again.safetensors").read_bytes() == (made / "plain.safetensors").read_bytes()
    digests = [checkpoints.load(str(tmp_path / f"{name}.safetensors")).digest for name in ("again", "renamed")]
    assert digests[0] == digests[1] != checkpoints.load("shared_adaln", made).digest
    assert len(digests[0]) == 12 and int(digests[0], 16)


def test_the_digest_is_a_hash_of_names_shapes_and_weights(made):
    wanted = hashlib.sha256()
    with safe_open(made / "plain.safetensors", framework="pt") as file:
        for key in file.offset_keys():
            if not key.startswith("preview."):
                value = file.get_tensor(key)
                wanted.update(f"{key} {tuple(value.shape)} ".encode() + value.numpy().tobytes())
    assert checkpoints.file_digest(made / "plain.safetensors") == wanted.hexdigest()[:12]


def test_weights_lie_aligned_in_the_file(made):
    path = made / "plain.safetensors"
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    assert (8 + length) % 64 == 0
    large = [entry["data_offsets"] for entry in header.values() if "shape" in entry and len(entry["shape"]) > 1]
    assert large and sum(begin % 64 == 0 for begin, _ in large) > 0.9 * len(large)


def test_closing_half_way_leaves_nothing(made, tmp_path):
    for part in ("preview", "write"):
        work = convert(made / "var_plain.pth", made / "vae_plain.pth", tmp_path / "plain.safetensors")
        assert any(now.doing == part for now in work)
        work.close()
        assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(made, tmp_path):
    out = tmp_path / "plain.safetensors"
    out.write_bytes(b"old")
    bench = tmp_path / f".plain.safetensors.{os.getpid()}-{threading.get_ident()}.part"  # where it is written first
    bench.mkdir()
    (bench / out.name).symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"could not be written .*No space left.*make room"):
        list(convert(made / "var_plain.pth", made / "vae_plain.pth", out))
    assert out.read_bytes() == b"old" and list(tmp_path.iterdir()) == [out]


def test_a_file_of_another_model_than_expected_is_named_with_what_differs(made, tmp_path):
    files = made / "var_plain.pth", made / "vae_plain.pth"
    with pytest.raises(ValueError, match=r"var_plain\.pth is not of shared_adaln: sides is .*1, 2, 3, 4.*Get it again"):
        list(convert(*files, tmp_path / "x.safetensors", expected=spec("shared_adaln")))


def test_files_in_the_wrong_order_are_named(made):
    with pytest.raises(ValueError, match=r"pos_1LC is missing: give the transformer's file .*in this order"):
        recognise(made / "vae_plain.pth", made / "var_plain.pth")


def test_a_tokenizer_of_another_model_is_refused(made):
    with pytest.raises(ValueError, match="tokenizer and transformer disagree on"):
        recognise(made / "var_plain.pth", made / "vae_shared_adaln.pth")


def altered(made: Path, tmp_path: Path, change) -> Path:
    state = dict(torch.load(made / "var_plain.pth", weights_only=True))
    change(state)
    torch.save(state, tmp_path / "var_changed.pth")
    return tmp_path / "var_changed.pth"


def test_a_missing_weight_is_named(made, tmp_path):
    path = altered(made, tmp_path, lambda state: state.pop("blocks.1.ffn.fc2.bias"))
    with pytest.raises(ValueError, match=r"lack blocks\.1\.feed_forward\.fc2\.bias"):
        list(convert(path, made / "vae_plain.pth", tmp_path / "x.safetensors"))
    assert not (tmp_path / "x.safetensors").exists()


def test_a_number_of_tokens_that_no_scales_give_is_named(made, tmp_path):
    path = altered(made, tmp_path, lambda state: state.update(lvl_1L=torch.zeros(1, 30, dtype=torch.int64)))
    with pytest.raises(ValueError, match=r"pos_1LC has 30 tokens, .*known are 680 \(256 px\) or 2240 \(512 px\)"):
        recognise(path, made / "vae_plain.pth")


class Bomb:
    """Code that a pickle would run."""

    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(2), "bomb": Bomb()}, "bomb.pth")
    with pytest.raises(ValueError, match=r"bomb\.pth holds code .*get it from its authors"):
        read_network(Path("bomb.pth"))
    Path("plain.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"plain\.pth"):
        read_network(Path("plain.pth"))
    assert not Path("exploded").exists()


def test_damaged_empty_nested_and_absent_files_are_told_apart(made, tmp_path):
    whole = (made / "var_plain.pth").read_bytes()
    for name, content in {"half": whole[: len(whole) // 2], "empty": b"", "text": b"<html>sign in</html>"}.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}\.pth.*Get it again|{name}\.pth holds code or is no checkpoint"):
            read_network(path)
    torch.save({"trainer": {"var": torch.zeros(1)}}, tmp_path / "nested.pth")
    with pytest.raises(ValueError, match="holds more than weights"):
        read_network(tmp_path / "nested.pth")
    with pytest.raises(ValueError, match="there is no such file"):
        read_network(tmp_path / "absent.pth")


def test_a_pair_is_found_by_file_folder_or_name(made, tmp_path):
    files = hub.write("plain", tmp_path)
    assert pair(files[0], None) == pair(tmp_path, None) == pair(*files) == files
    assert pair(Path("var_plain.pth"), Path("vae_plain.pth"), tmp_path) == files
    with pytest.raises(ValueError, match=r"there is no such file or folder"):
        pair(Path("nowhere.pth"), None, tmp_path)
    with pytest.raises(
        ValueError, match=r"should hold one var\*\.pth, and has var_plain\.pth, var_shared.*--transformer"
    ):
        pair(made, None)


def test_crops_are_squares_from_every_example_and_always_the_same():
    first, again = list(crops(4)), list(crops(4))
    pictures = [path for path in PICTURES.glob("*.[jp][pn]g") if "-mask" not in path.name]
    assert len(first) == 4 * len(pictures) >= 24
    assert all(crop.width == crop.height for crop in first)
    assert [crop.tobytes() for crop in first] == [crop.tobytes() for crop in again]
    assert len(list(crops(1))) == len(pictures)


def test_progress_tells_rate_and_time_left_of_what_is_new():
    now = FileProgress("download", "x", 600, 1000, 2.0, 400)
    assert (now.fraction, now.rate, now.seconds_left) == (0.6, 100.0, 4.0)
    early = FileProgress("download", "x", 400, 1000, 0.0, 400)
    assert (early.rate, early.seconds_left) == (0.0, None)
    assert FileProgress("download", "x", 0, 0, 1.0).fraction == 0  # nobody knows yet how much it is
