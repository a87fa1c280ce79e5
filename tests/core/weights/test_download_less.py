"""What is here already, in the cache of the hub or in another model, is not downloaded again."""

import os
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors import safe_open
from safetensors.torch import save_file
from support import hub
from support.downloads import LARGE, MODEL, SMALL, drained, leftovers, said
from support.hub import COMMIT

from var_core.weights import convert, registry
from var_core.weights.checkpoints import file_digest, load
from var_core.weights.download import supply


def cache(folder: Path, *files: str) -> list[Path]:
    """The hub's cache with some files of the model."""
    home = folder / "cache" / "models--someone--var"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    (home / "snapshots" / COMMIT).mkdir(parents=True)
    for file in files:
        (home / "snapshots" / COMMIT / file).write_bytes(hub.contents("plain")[file])
    return [home / "snapshots" / COMMIT / file for file in files]


def test_files_in_the_cache_are_used_offline_and_stay(line, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    files = cache(tmp_path, SMALL, LARGE)
    assert {now.doing for now in drained(tmp_path / "models")} == {"preview", "write"}
    assert all(file.is_file() for file in files) and line.asked == []


def test_only_what_the_cache_lacks_is_downloaded(line, tmp_path):
    cache(tmp_path, LARGE)
    drained(tmp_path / "models")
    assert (len(line.gets(SMALL)), len(line.gets(LARGE))) == (1, 0)


TWIN = replace(MODEL, title="Tiny twin", spec=replace(MODEL.spec, name="twin"))  # with the same tokenizer


@pytest.fixture
def twins(monkeypatch):
    """Both are published."""
    for model in (MODEL, TWIN):
        monkeypatch.setitem(registry.MODELS, model.name, model)


@pytest.mark.usefixtures("twins")
def test_the_tokenizer_of_another_model_that_was_downloaded_is_taken_from_there(line, tmp_path):
    drained(tmp_path)
    found = supply(TWIN, tmp_path)
    assert found.lender == "plain" and found.there == MODEL.tokenizer_bytes
    assert found.left == TWIN.download_bytes - MODEL.tokenizer_bytes
    seen = drained(tmp_path, TWIN)
    assert {now.file for now in seen if now.doing == "download"} == {SMALL}
    assert len(line.gets(LARGE)) == 1 and leftovers(tmp_path) == ["plain.safetensors", "twin.safetensors"]
    assert file_digest(tmp_path / "twin.safetensors") == file_digest(tmp_path / "plain.safetensors")
    (tmp_path / "plain.safetensors").unlink()
    assert supply(MODEL, tmp_path).lender == "twin"  # what was lent can be lent on


@pytest.mark.usefixtures("twins")
@pytest.mark.parametrize("why", ["converted by hand", "another repository", "damaged", "a weight is missing", "absent"])
def test_a_tokenizer_that_is_not_for_certain_the_published_one_is_downloaded(line, tmp_path, why, monkeypatch):
    if why == "converted by hand":
        list(convert.convert(*hub.write("plain", tmp_path), tmp_path / "plain.safetensors"))
    elif why != "absent":
        drained(tmp_path)
    if why == "another repository":
        monkeypatch.setitem(registry.MODELS, "plain", replace(MODEL, tokenizer_repository="another/var"))
    if why == "damaged":
        os.truncate(tmp_path / "plain.safetensors", 2_000_000)
    if why == "a weight is missing":
        rewritten(tmp_path / "plain.safetensors", "tokenizer.quantizer.codebook")
    before = len(line.gets(LARGE))
    assert supply(TWIN, tmp_path).lender is None
    drained(tmp_path, TWIN)
    assert len(line.gets(LARGE)) == before + 1 and load("twin", tmp_path).spec.name == "twin"


def rewritten(path: Path, without: str) -> None:
    """The same model file, but for one of its tensors."""
    with safe_open(path, framework="pt") as file:
        kept, metadata = {name: file.get_tensor(name) for name in file.keys() if name != without}, file.metadata()
    save_file(kept, path.with_suffix(".new"), metadata)
    os.replace(path.with_suffix(".new"), path)


@pytest.mark.usefixtures("line", "twins")
def test_a_tokenizer_among_the_downloads_comes_before_one_in_a_model(tmp_path):
    drained(tmp_path)
    (tmp_path / ".downloads" / LARGE).write_bytes(hub.contents("plain")[LARGE])
    found = supply(TWIN, tmp_path)
    assert found.lender is None and found.files == {LARGE: tmp_path / ".downloads" / LARGE} and found.there == 0
    assert found.left == TWIN.download_bytes - len(hub.contents("plain")[LARGE])


@pytest.mark.usefixtures("line", "twins")
def test_sizes_told_beforehand_know_of_the_tokenizer_that_is_here(tmp_path, capsys, monkeypatch):
    drained(tmp_path)
    _, told, _ = said(capsys, "list", "--folder", tmp_path)
    left = registry.size_in_words(TWIN.download_bytes - MODEL.tokenizer_bytes)
    assert f"Tiny twin, FID 9.9: {left} to download (the tokenizer is that of plain, which is here), 20.1 MB on" in told
    room = TWIN.download_bytes - MODEL.tokenizer_bytes + TWIN.disk_bytes
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(room))
    assert "make room" not in said(capsys, "list", "--folder", tmp_path)[1].split("twin")[-1]
    drained(tmp_path, TWIN)
