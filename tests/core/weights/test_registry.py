"""What the registry says of the published models agrees with their shapes; what is too small is said in sentences."""

import math
import re
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from support.published import OFFICIAL, entries

from var_core.nn.tokenizer import Tokenizer
from var_core.nn.transformer import VAR
from var_core.published_specs import METRICS, SPECS
from var_core.weights import registry
from var_core.weights.checkpoints import HALVED
from var_core.weights.registry import MODELS, fits, model_named, place, short_of_disk, size_in_words

Usage = namedtuple("Usage", "free")
GIGABYTE = 10**9
OWN = {name: model for name, model in MODELS.items() if name in SPECS}


@pytest.fixture
def roomy(monkeypatch):
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: Usage(100 * GIGABYTE))
    monkeypatch.setattr(registry, "free_memory", lambda _: 100 * GIGABYTE)


def test_every_known_size_has_its_published_model():
    assert list(MODELS) == [model.name for model in MODELS.values()]
    assert list(MODELS)[: len(SPECS)] == list(SPECS)
    own = {model.file for model in MODELS.values() if model.repository == registry.REPOSITORY}
    assert own | {registry.TOKENIZER_FILE} == OFFICIAL.keys()


def test_models_without_guidance_are_those_that_they_began_as_but_for_their_weights():
    for name, model in MODELS.items():
        if name.endswith("-cca"):
            begun = MODELS[name.removesuffix("-cca")]
            assert model.spec.transformer == begun.spec.transformer and model.origin == begun.origin
            assert model.spec.default_sampling.guidance == 0 and model.fid > begun.fid
            assert model.repository_of(model.file) != model.repository_of(model.tokenizer_file)
            assert place(Path("there"), model.file).parent == Path("there")


@pytest.mark.parametrize("model", OWN.values(), ids=list(OWN))
def test_sizes_agree_with_the_published_shapes(model):
    assert model.parameters == OFFICIAL[model.file]["parameters"]
    assert model.tokenizer_parameters == OFFICIAL[model.tokenizer_file]["parameters"]
    exact = sum(4 * math.prod(shape) for file in model.files for shape in entries(file).values())
    assert model.download_bytes == pytest.approx(exact, rel=0.01)
    assert model.disk_bytes == 4 * (model.parameters + model.tokenizer_parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["var-d16", "var-d36-s"])
def test_memory_is_that_of_the_weights_as_they_are_loaded_and_some_more(name, dtype):
    model = MODELS[name]
    with torch.device("meta"):
        parts = {"transformer.": VAR(model.spec.transformer), "tokenizer.": Tokenizer(model.spec.tokenizer)}
    weights = sum(
        value.numel() * (dtype.itemsize if HALVED.match(part + key) else 4)
        for part, network in parts.items()
        for key, value in network.state_dict().items()
    )
    assert 1.1 * weights < model.memory_bytes(dtype) < 2.2 * weights
    assert model.memory_bytes(torch.float16) < model.memory_bytes(torch.float32)


def test_settings_are_those_of_the_paper_and_its_demo():
    for model in OWN.values():
        assert (METRICS.guidance, METRICS.top_k, METRICS.top_p) == (1.5, 900, 0.96)
        assert (
            model.spec.default_sampling.guidance,
            model.spec.default_sampling.top_k,
            model.spec.default_sampling.top_p,
        ) == (4.0, 900, 0.95)
        assert not METRICS.smooth


def test_a_name_is_found_in_any_case_and_another_lists_all():
    assert model_named(" VAR-d16 ") is MODELS["var-d16"]
    with pytest.raises(ValueError, match=r"no published model 'var-d17'\. Choose one of: var-d16, .*var-d36-s, .*\."):
        model_named("var-d17")


@pytest.mark.usefixtures("roomy")
def test_what_fits_gives_no_sentence(tmp_path):
    assert fits(MODELS["var-d36-s"], tmp_path / "not" / "there" / "yet", "cpu") == []


def test_a_full_disk_and_a_small_memory_are_a_sentence_each(monkeypatch, tmp_path):
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: Usage(2 * GIGABYTE))
    monkeypatch.setattr(registry, "free_memory", lambda _: GIGABYTE)
    disk, memory = fits(MODELS["var-d16"], tmp_path, "cpu")
    assert re.search(r"has 2\.0 GB free, but VAR-d16, ImageNet 256 needs 3\.4 GB .*make room", disk)
    assert re.search(r"This machine has 1\.0 GB of memory free, but .* needs about 2\.\d GB: close other", memory)
    assert fits(MODELS["var-d16"], tmp_path, "cuda")[1].startswith("The GPU has 1.0 GB")


@pytest.mark.usefixtures("roomy")
def test_a_gpu_needs_less_since_it_holds_most_in_float16(monkeypatch, tmp_path):
    model = MODELS["var-d30"]
    monkeypatch.setattr(registry, "free_memory", lambda _: model.memory_bytes(torch.float16))
    assert fits(model, tmp_path, "cuda") == []
    assert len(fits(model, tmp_path, "cpu")) == 1


def test_what_is_downloaded_already_needs_no_room(monkeypatch, tmp_path):
    model = MODELS["var-d16"]
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: Usage(model.download_bytes + model.disk_bytes - 1000))
    assert len(short_of_disk(model, tmp_path)) == 1
    assert short_of_disk(model, tmp_path, there=1000) == []
    (tmp_path / registry.DOWNLOADS).mkdir()
    (tmp_path / registry.DOWNLOADS / f"{model.file}.abc.part").write_bytes(bytes(1000))
    assert short_of_disk(model, tmp_path) == []


@pytest.mark.usefixtures("roomy")
def test_memory_that_the_system_does_not_tell_stands_in_nobodys_way(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "free_memory", lambda _: None)
    assert fits(MODELS["var-d36-s"], tmp_path, "cpu") == []


def test_sizes_read_as_on_a_package():
    assert [size_in_words(n) for n in (5, 1500, 2_500_000, 1_676_927_500)] == ["5 bytes", "1.5 kB", "2.5 MB", "1.7 GB"]
