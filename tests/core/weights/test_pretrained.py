"""Models as folders and repositories of a hub on this machine: found, saved, uploaded, loaded again."""

import os
import re
import shutil

import huggingface_hub
import pytest
from huggingface_hub import constants
from support import hub, tiny
from support.hub import REPOSITORY, Hub, serving

from var_core import cli
from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.weights import hub_file, pretrained
from var_core.weights.checkpoints import find
from var_core.weights.pretrained import CARD, FILE, fetch_repository, locate, push, save

REQUEST = Request((2,), seeds=(5,), sampling=tiny.SPEC.default_sampling)
HERE = pretrained.local_folder


def pixels(pipe: Pipeline) -> bytes:
    return pipe.run(REQUEST).images[0].tobytes()


@pytest.fixture
def line(monkeypatch, tmp_path, model):
    """A hub whose repository holds the tiny model, a token for it, an empty cache, a user's folder, no patience."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("VAR_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_file, "PAUSE", 0.01)
    monkeypatch.setattr(hub_file, "TICK", 0.02)
    huggingface_hub.close_session()
    with serving(Hub({FILE: model.read_bytes()})) as served:
        hub.at(monkeypatch, served.address)
        yield served
    huggingface_hub.close_session()


def test_a_repository_is_downloaded_once_and_draws_what_its_file_draws(line, model):
    pipe = Pipeline.from_pretrained(REPOSITORY, ON_CPU)
    assert pipe.path == HERE(REPOSITORY)
    assert pixels(pipe) == pixels(Pipeline.load(str(model), ON_CPU))
    asked = len(line.asked)
    assert locate(REPOSITORY) == find(REPOSITORY) == HERE(REPOSITORY)
    assert len(line.asked) == asked


def test_a_download_of_a_repository_goes_on_where_it_was_cut_off(line):
    line.cuts = 1
    assert locate(REPOSITORY).read_bytes() == line.files[FILE]
    assert line.gets(FILE)[-1].start > 0


def test_what_is_damaged_on_its_way_is_refused(line):
    line.damaged = True
    with pytest.raises(ValueError, match="damaged on its way"):
        locate(REPOSITORY)
    assert not HERE(REPOSITORY).exists()


def test_a_file_that_is_no_model_is_refused_and_thrown_away(line):
    line.files[FILE] = b"nothing of ours"
    with pytest.raises(ValueError, match=f"{FILE} of {REPOSITORY} is not a model of this program"):
        locate(REPOSITORY)
    assert not [path for path in HERE(REPOSITORY).parents[1].rglob("*") if path.suffix in (".safetensors", ".part")]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("FoundationVision/var", "get one by its name, var-d16"),
        ("someone/other", rf"There is no {FILE} of someone/other"),
        ("no-such-model", "There is no model 'no-such-model'"),
        ("../var", "There is no model"),
    ],
)
@pytest.mark.usefixtures("line")
def test_a_source_that_holds_no_model_says_what_does(source, words):
    with pytest.raises(ValueError, match=words):
        locate(source)


def test_a_file_of_the_hubs_own_cache_is_used_where_it_lies(line, monkeypatch, model):
    monkeypatch.setattr(pretrained, "cached", lambda *_: model)
    assert locate(REPOSITORY) == model
    assert not line.asked


def test_a_saved_folder_holds_the_same_file_and_loads_with_the_same_pixels(model, tmp_path):
    pipe = Pipeline.load(str(model), ON_CPU)
    folder = pipe.save_pretrained(tmp_path / "mine", license="mit")
    assert sorted(path.name for path in folder.iterdir()) == [CARD, FILE]
    assert (folder / FILE).read_bytes() == model.read_bytes()
    assert "license: mit" in (folder / CARD).read_text(encoding="utf-8")
    assert pixels(Pipeline.from_pretrained(folder, ON_CPU)) == pixels(pipe)


def test_saving_again_keeps_a_card_that_was_edited_and_takes_it_along(model, tmp_path):
    first = save(model, tmp_path / "first")
    (first / CARD).write_text("Edited.", encoding="utf-8")
    save(first / FILE, first)
    second = save(first / FILE, tmp_path / "second")
    assert [(folder / CARD).read_text(encoding="utf-8") for folder in (first, second)] == ["Edited.", "Edited."]


def test_a_folder_with_one_model_under_any_name_will_do_but_not_with_two(model, tmp_path):
    shutil.copy(model, tmp_path / "one.safetensors")
    assert locate(tmp_path) == tmp_path / "one.safetensors"
    shutil.copy(model, tmp_path / "two.safetensors")
    with pytest.raises(ValueError, match="holds 2 models"):
        locate(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file cannot be written to"):
        save(model, tmp_path / "file")


def test_a_model_made_in_memory_has_no_file_to_save(tmp_path):
    with pytest.raises(ValueError, match="tiny was made in memory"):
        tiny.pipeline().save_pretrained(tmp_path)


def test_what_is_pushed_comes_back_with_the_same_bytes_and_a_card(line, model):
    line.files.clear()
    pipe = Pipeline.load(str(model), ON_CPU)
    assert pipe.push_to_hub(REPOSITORY, private=True) == f"{line.address}/{REPOSITORY}"
    assert line.made == [{"name": "var", "organization": "someone", "visibility": "private"}]
    assert {asked.token for asked in line.asked if asked.method in ("POST", "HEAD")} == {"Bearer hf_secret"}
    assert f'from_pretrained("{REPOSITORY}")' in line.files[CARD].decode()
    assert locate(REPOSITORY).read_bytes() == model.read_bytes()


def test_a_card_that_stands_in_the_repository_stays(line, model):
    line.files |= {CARD: b"Edited on the hub.", FILE: b"an older model"}
    push(model, REPOSITORY)
    assert line.files == {CARD: b"Edited on the hub.", FILE: model.read_bytes()}


def test_without_a_token_nothing_is_sent(line, monkeypatch, model):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match=r"There is no token .* set HF_TOKEN to it"):
        push(model, REPOSITORY)
    assert not line.asked


@pytest.mark.parametrize(
    ("status", "words"), [(401, "set HF_TOKEN to a token that may write"), (403, "refuses"), (500, "try again later")]
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(line, model, status, words):
    line.refusal = status
    with pytest.raises(ValueError, match=words) as caught:
        push(model, REPOSITORY)
    assert "\n" not in str(caught.value)
    assert "hf_secret" not in str(caught.value)


def test_no_network_and_an_offline_hub_are_sentences_too(line, monkeypatch, model):
    hub.at(monkeypatch, "http://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"could not be uploaded .* check the network"):
        push(model, REPOSITORY)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set"):
        push(model, REPOSITORY)
    assert not line.asked


@pytest.mark.parametrize("name", ["mine", "../mine", "a/b/c", "a b/c", "someone/"])
def test_a_name_that_no_repository_can_have_is_refused(model, name):
    for act in (lambda: push(model, name), lambda: list(fetch_repository(name))):
        with pytest.raises(ValueError, match="give OWNER/NAME"):
            act()


def test_the_commands_save_push_and_download(line, model, tmp_path, capsys):
    assert cli.main(["save", "--model", str(model), "--out", str(tmp_path / "mine"), "--license", "cc0-1.0"]) == 0
    assert cli.main(["push", REPOSITORY, "--model", str(tmp_path / "mine")]) == 0
    assert "license: cc0-1.0" in line.files[CARD].decode()
    assert cli.main(["download", REPOSITORY]) == 0
    said = capsys.readouterr().out
    assert f"{line.address}/{REPOSITORY} has the model." in said
    assert re.search(rf"{re.escape(str(HERE(REPOSITORY)))} is ready", said)
