"""Downloads from a hub on this machine: whole, stopped, cut off, damaged, refused; and drawing with what came."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from support import hub
from support.hub import COMMIT, REPOSITORY, Hub, serving
from support.published import CLOSE, NAMES, golden, networks, spec, tokens_of

from var_core import cli
from var_core.config import ON_CPU, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.engine.sampling import steps as sampled
from var_core.weights import convert, hub_file, registry
from var_core.weights.checkpoints import file_digest, find, load
from var_core.weights.download import fetch, supply

ROOT = Path(__file__).resolve().parents[3]
MODEL = hub.model("plain")
SMALL, LARGE = MODEL.files  # the transformer's file comes first


@pytest.fixture
def line(monkeypatch, tmp_path):
    """A hub that serves both tiny models, an empty cache, and no patience."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(convert, "PICTURES", tmp_path / "pictures")
    (tmp_path / "pictures").mkdir()
    Image.linear_gradient("L").save(tmp_path / "pictures" / "one.png")
    monkeypatch.setattr(hub_file, "PAUSE", 0.01)
    monkeypatch.setattr(hub_file, "TICK", 0.02)
    monkeypatch.setattr(hub_file, "PATIENCE", 0.3)
    huggingface_hub.close_session()
    with serving(Hub(hub.contents("plain") | hub.contents("shared_adaln"))) as served:
        hub.at(monkeypatch, served.address)
        yield served
    huggingface_hub.close_session()


def drained(folder: Path, model=MODEL) -> list:
    return list(fetch(model, folder))


def fails(folder: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        drained(folder)
    assert not (folder / "plain.safetensors").exists()


def parts(folder: Path) -> list[Path]:
    return sorted((folder / ".downloads").glob("*.part"))


def leftovers(folder: Path) -> list[str]:
    found = [*folder.glob("*.*"), *(folder / ".downloads").glob("*")]
    return sorted(path.name for path in found if path.is_file() and path.name != ".lock")


def test_a_download_brings_both_files_and_leaves_one_of_ours(line, tmp_path):
    seen = drained(tmp_path)
    assert leftovers(tmp_path) == ["plain.safetensors"]
    assert load("plain", tmp_path).spec == spec("plain")
    parts_of_it = list(dict.fromkeys((now.doing, now.file) for now in seen))
    assert parts_of_it == [
        *(("download", SMALL), ("check", SMALL), ("download", LARGE), ("check", LARGE)),
        *(("preview", "plain.safetensors"), ("write", "plain.safetensors")),
    ]
    for part in parts_of_it:
        done = [now.done for now in seen if (now.doing, now.file) == part]
        assert done == sorted(done) and done[-1] == max(now.total for now in seen if (now.doing, now.file) == part)
    assert [len(line.gets(file)) for file in (SMALL, LARGE)] == [1, 1]
    assert drained(tmp_path) == []  # it is there already
    (tmp_path / "plain.safetensors").write_bytes(b"damaged")
    drained(tmp_path)
    assert load("plain", tmp_path).spec == spec("plain")


def test_the_version_is_pinned_and_nothing_is_told_of_the_machine(line, tmp_path):
    drained(tmp_path)
    gets = [one.path for one in line.asked if one.method == "GET" and "resolve" in one.path]
    assert gets == [f"/{REPOSITORY}/resolve/{COMMIT}/{file}" for file in (SMALL, LARGE)]
    assert {one.agent.split("/")[0] for one in line.asked} == {"var-studio"}
    assert len(line.asked) == 6  # for each file: where it is, and the way there


def test_a_transformer_may_lie_in_a_folder_of_another_repository_than_the_tokenizer(line, tmp_path):
    line.places[SMALL] = "another/aligned/folder"
    apart = replace(MODEL, file=f"folder/{SMALL}", repository="another/aligned")
    *_, last = fetch(apart, tmp_path)
    assert last.fraction == 1 and load("plain", tmp_path).spec.transformer == MODEL.spec.transformer
    assert {len(line.gets(file)) for file in (SMALL, LARGE)} == {1}


def test_a_token_goes_to_the_hub_but_not_to_its_storage(line, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    drained(tmp_path)
    assert {one.token for one in line.asked if "resolve" in one.path} == {"Bearer hf_secret"}
    assert {one.token for one in line.gets(SMALL) + line.gets(LARGE)} == {None}


def stopped_half_way(line, folder: Path) -> int:
    """Stop when half of the first file is there; returns how much is."""
    line.stalls = 1
    half = len(line.files[SMALL]) // 2
    work = fetch(MODEL, folder)
    assert any(now.done >= half for now in work)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < hub_file.PATIENCE + 0.5
    return half


def test_closing_stops_at_once_and_the_next_download_goes_on(line, tmp_path):
    half = stopped_half_way(line, tmp_path)
    assert [path.stat().st_size for path in parts(tmp_path)] == [half]
    first = next(now for now in drained(tmp_path) if now.done > half)
    assert (first.begun, first.file) == (half, SMALL)
    assert [one.start for one in line.gets(SMALL)] == [0, half]
    assert load("plain", tmp_path).spec == spec("plain")


def test_what_still_arrives_after_a_stop_is_thrown_away(line, tmp_path):
    half = stopped_half_way(line, tmp_path)
    line.go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("download "):
            thread.join(10)
    assert [path.stat().st_size for path in parts(tmp_path)] == [half]


def test_a_line_that_breaks_is_taken_up_again_by_itself(line, tmp_path):
    line.cuts = 3
    drained(tmp_path)
    starts, size = [0], len(line.files[SMALL])
    for _ in range(3):  # each time half of what was left has arrived
        starts.append(starts[-1] + (size - starts[-1]) // 2)
    assert [one.start for one in line.gets(SMALL)] == starts


def test_a_line_that_stalls_is_taken_up_again_by_itself(line, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    line.stalls = 1
    drained(tmp_path)
    assert [one.start for one in line.gets(SMALL)] == [0, len(line.files[SMALL]) // 2]


def test_a_line_that_never_holds_gives_up_and_keeps_what_arrived(line, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_file, "TRIES", 1)
    line.cuts = 1
    fails(tmp_path, r"var_plain\.pth of someone/var could not be had .*check the network.*goes on from there")
    assert [path.stat().st_size for path in parts(tmp_path)] == [len(line.files[SMALL]) // 2]
    drained(tmp_path)


def test_a_hub_that_cannot_send_from_the_middle_sends_all_again(line, tmp_path):
    line.ranges, line.cuts = False, 1
    drained(tmp_path)
    assert load("plain", tmp_path).spec == spec("plain")


def test_a_part_of_another_version_is_not_gone_on_with(line, tmp_path):
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads" / f"{SMALL}.0123456789abcdef.part").write_bytes(b"of another version")
    drained(tmp_path)
    assert [one.start for one in line.gets(SMALL)] == [0]


@pytest.mark.parametrize("announced", [-7, 7])
def test_another_size_than_announced_is_refused(line, tmp_path, announced):
    line.announced = announced
    size = len(line.files[SMALL])
    fails(tmp_path, rf"should have {size + announced} bytes, but {size} are sent: try again later")


def test_bytes_that_were_changed_on_the_way_are_noticed_and_deleted(line, tmp_path):
    line.damaged = True
    fails(tmp_path, rf"{SMALL} was damaged on its way, and was deleted")
    assert not parts(tmp_path)
    line.damaged = False
    drained(tmp_path)


def test_a_file_of_another_model_is_refused(line, tmp_path):
    line.files[SMALL] = line.files["var_shared_adaln.pth"]
    fails(tmp_path, r"var_plain\.pth and .*vae_plain\.pth: tokenizer and transformer disagree on vocabulary")
    assert leftovers(tmp_path) == []  # else the next download would go on with it


@pytest.mark.usefixtures("line")
def test_a_whole_file_of_a_download_that_stopped_later_is_used(tmp_path):
    work = fetch(MODEL, tmp_path)
    assert any(now.doing == "preview" for now in work)
    work.close()
    assert leftovers(tmp_path) == sorted(MODEL.files)
    assert {now.doing for now in drained(tmp_path)} == {"preview", "write"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses .*set HF_TOKEN"),
        (403, "refuses .*set HF_TOKEN"),
        (404, r"no var_plain\.pth of someone/var on http.*\(404\)\. Get it elsewhere and: python -m var_core convert"),
        (503, r"cannot send .* at present \(503\): try again later"),
    ],
)
def test_each_refusal_has_its_remedy(line, tmp_path, status, words):
    line.refusal = status
    fails(tmp_path, words)
    assert len(line.asked) == (2 if status == 503 else 1)


def test_an_answer_that_is_no_hubs_is_told(line, tmp_path, monkeypatch):
    hub.at(monkeypatch, line.storage)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_, **__: f"{line.storage}/stored/{SMALL}")
    fails(tmp_path, "is not answered by a Hugging Face hub: check HF_ENDPOINT")


@pytest.mark.usefixtures("line")
def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    hub.at(monkeypatch, "http://127.0.0.1:9")
    fails(tmp_path, r"could not be had from http://127\.0\.0\.1:9 .*refused.*: check the network, or the mirror")


def test_offline_it_asks_nobody(line, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_file, "PAUSE", 60)  # it is no use to try again
    fails(tmp_path, "HF_HUB_OFFLINE is set. Unset it, or get the files yourself and: python -m var_core convert")
    assert line.asked == []


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
    left = registry.size(TWIN.download_bytes - MODEL.tokenizer_bytes)
    assert f"Tiny twin, FID 9.9: {left} to download (the tokenizer is that of plain, which is here), 20.1 MB on" in told
    room = TWIN.download_bytes - MODEL.tokenizer_bytes + TWIN.disk_bytes
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(room))
    assert "make room" not in said(capsys, "list", "--folder", tmp_path)[1].split("twin")[-1]
    drained(tmp_path, TWIN)


def test_a_disk_that_is_too_small_is_told_before_anything_is_asked(line, tmp_path, monkeypatch):
    monkeypatch.setattr(registry.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(30_000_000))
    fails(tmp_path, r"has 30\.0 MB free, but Tiny plain needs 40\.2 MB .*make room")
    assert line.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_disk_that_fills_up_is_told(line, tmp_path):
    stopped_half_way(line, tmp_path)
    (part,) = parts(tmp_path)
    part.unlink()
    part.symlink_to("/dev/full")
    fails(tmp_path, "disk of .* is full: make room, then download again")


def test_a_folder_that_cannot_be_written_to_is_told(line, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ValueError, match=r"cannot be written to .*choose another folder"):
        drained(tmp_path / "file")
    assert line.asked == []


@pytest.mark.usefixtures("line")
def test_two_downloads_into_one_folder_do_not_mix(tmp_path):
    first = fetch(MODEL, tmp_path)
    assert any(now.done for now in first)
    with pytest.raises(ValueError, match="under way: wait for it, or stop it, before Tiny plain can begin"):
        next(fetch(MODEL, tmp_path))
    closing = threading.Thread(target=first.close)  # as a server does when a visitor leaves
    closing.start()
    closing.join(10)
    drained(tmp_path)


def test_a_fault_of_ours_is_not_dressed_up():
    fault = KeyError("x")
    assert hub_file.explained(fault, "r", "f", Path()) is fault
    assert "full" in str(hub_file.explained(OSError(errno.ENOSPC, "No space"), "r", "f", Path("d")))


# ------------------------------------------------------------------------------------------------ what it is for


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("line")
@torch.no_grad()
def test_what_was_downloaded_gives_the_published_numbers(tmp_path, name):
    drained(tmp_path, hub.model(name))
    loaded = load(name, tmp_path)
    description, expected = golden(name)
    tokens = loaded.tokenizer.encode(expected["image"])
    assert all(torch.equal(a, b) for a, b in zip(tokens, tokens_of(expected, "tokens_"), strict=True))
    labels = torch.tensor(description["labels"])
    logits = loaded.var(labels, loaded.tokenizer.quantizer.teacher_input(tokens))
    torch.testing.assert_close(logits, expected["logits"], **CLOSE)
    sampling = Sampling(guidance=description["cfg"], top_k=1, top_p=1.0)
    request = Request(tuple(description["labels"]), (0,) * len(labels), sampling)
    *_, last = sampled(loaded.var, loaded.tokenizer.quantizer, request)
    torch.testing.assert_close((loaded.tokenizer.decode(last.f_hat) + 1) / 2, expected["greedy_image"], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("line")
def test_what_was_downloaded_draws_and_edits(tmp_path, name):
    drained(tmp_path, hub.model(name))
    pipe = Pipeline.load(name, ON_CPU, tmp_path)
    made = pipe.run(Request((1,), (7,), Sampling(guidance=2.0)))
    side = spec(name).tokenizer.image_side
    assert made.images[0].size == (side, side)
    mask = torch.zeros(side, side)
    mask[: side // 2] = 1
    tokens = pipe.encode(made.images[0])
    plan = Plan.inpaint(tokens, mask, pipe.schedule, min_coverage=0.5, first_free_scale=1)
    edited = pipe.run(Request((2,), (8,), plan=plan))
    kept = [k.all() for k in plan.keep]
    assert kept[0] and not kept[-1]
    for scale, keep in enumerate(plan.keep):
        assert torch.equal(edited.tokens[scale][keep], plan.tokens[scale][keep])
    assert any(not torch.equal(a, b) for a, b in zip(edited.tokens, plan.tokens, strict=True))


def test_a_request_of_what_is_not_here_yet_says_how_to_get_it(tmp_path):
    with pytest.raises(ValueError, match=r"VAR-d16, .* is not here yet.*1\.7 GB.*python -m var_core download var-d16"):
        find("VAR-d16", tmp_path)
    (tmp_path / "var-d16.safetensors").write_bytes(b"")
    assert find("VAR-d16", tmp_path) == tmp_path / "var-d16.safetensors"


def test_published_files_are_not_loaded_in_silence(tmp_path):
    hub.write("plain", tmp_path)
    for name in ("var_plain.pth", str(tmp_path / "var_plain.pth"), str(tmp_path)):
        with pytest.raises(ValueError, match=r"converted once: python -m var_core convert --transformer .+"):
            find(name, tmp_path)
    assert networks("plain")


# ------------------------------------------------------------------------------------------------ the commands


def said(capsys, *words) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.main([str(word) for word in words])
    return status, *capsys.readouterr()


@pytest.mark.usefixtures("line")
def test_the_download_command_brings_a_model_and_list_shows_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "plain", MODEL)
    _, before, _ = said(capsys, "list", "--folder", tmp_path)
    assert "Tiny plain, FID 9.9: 20.1 MB to download, 20.1 MB on disk; python -m var_core download plain" in before
    status, out, _ = said(capsys, "download", "plain", "--folder", tmp_path)
    assert status == 0 and f"{tmp_path / 'plain.safetensors'} is ready" in out
    _, after, _ = said(capsys, "list", "--folder", tmp_path)
    assert "plain                here, 20.2 MB, 64 px" in after and "download plain" not in after


def test_the_convert_command_takes_a_folder_and_says_what_it_found(tmp_path, capsys):
    hub.write("shared_adaln", tmp_path)
    out = tmp_path / "mine.safetensors"
    status, text, _ = said(capsys, "convert", "--transformer", tmp_path, "--name", "mine", "--out", out)
    assert status == 0 and "mine, 80 px, depth 3" in text and "ready" in text
    assert load(str(out)).spec.name == "mine"


@pytest.mark.usefixtures("line")
def test_commands_fail_with_one_sentence(tmp_path, capsys):
    status, _, error = said(capsys, "download", "var-d17")
    assert status == 2 and error == (
        f"error: There is no published model 'var-d17'. Choose one of: {', '.join(registry.MODELS)}.\n"
    )
    status, _, error = said(capsys, "convert", "--transformer", tmp_path / "none.pth")
    assert status == 2 and "there is no such file" in error


def test_an_interrupted_command_keeps_what_is_there_and_says_how_to_go_on(line, tmp_path):
    line.stalls = 1
    code = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from support import hub
from var_core import cli
from var_core.weights import registry
registry.MODELS["plain"] = hub.model("plain")
raise SystemExit(cli.main(["download", "plain", "--folder", {str(tmp_path)!r}]))
"""
    surroundings = {**os.environ, "HF_ENDPOINT": line.address, "HF_HOME": str(tmp_path / "home")}
    process = subprocess.Popen([sys.executable, "-c", code], env=surroundings, stderr=subprocess.PIPE, text=True)
    half = len(line.files[SMALL]) // 2
    deadline = time.monotonic() + 60
    while [path.stat().st_size for path in parts(tmp_path)] != [half] and time.monotonic() < deadline:
        assert process.poll() is None
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "What has arrived is kept: the same command goes on from there.\nstopped\n" in error
    assert [path.stat().st_size for path in parts(tmp_path)] == [half]
