"""Downloads from a hub on this machine: whole, stopped, cut off, damaged, refused."""

import errno
import threading
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from support import hub
from support.downloads import LARGE, MODEL, SMALL, drained, fails, leftovers, parts
from support.hub import COMMIT, REPOSITORY
from support.published import spec

from var_core.weights import hub_file, registry
from var_core.weights.checkpoints import load
from var_core.weights.download import fetch


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
