"""What was downloaded draws as it was published; the commands that download and convert."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from support import hub
from support.downloads import MODEL, SMALL, drained, parts, said
from support.processes import begun
from support.published import CLOSE, NAMES, golden, networks, spec, tokens_of

from var_core.cli import main
from var_core.config import ON_CPU, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.engine.sampling import steps as sampled
from var_core.weights import registry
from var_core.weights.checkpoints import find, load


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


def downloading(folder: Path) -> int:
    """Download the small model, as its command does."""
    registry.MODELS["plain"] = hub.model("plain")
    return main(["download", "plain", "--folder", str(folder)])


def test_an_interrupted_command_keeps_what_is_there_and_says_how_to_go_on(line, tmp_path):
    line.stalls = 1
    around = {"HF_ENDPOINT": line.address, "HF_HOME": str(tmp_path / "home")}
    process = begun(downloading, tmp_path / "models", said=tmp_path / "said", **around)
    half = len(line.files[SMALL]) // 2
    deadline = time.monotonic() + 60
    while [path.stat().st_size for path in parts(tmp_path / "models")] != [half] and time.monotonic() < deadline:
        assert process.is_alive()
        process.join(0.05)
    os.kill(process.pid, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 130
    error = (tmp_path / "said").read_text()
    assert "What has arrived is kept: the same command goes on from there.\nstopped\n" in error
    assert [path.stat().st_size for path in parts(tmp_path / "models")] == [half]
