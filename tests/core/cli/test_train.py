"""The commands that train, on the tiny model and a tiny data folder."""

import json
import re
import sys
from dataclasses import replace

import pytest
import torch
from support import tiny
from support.command import SMALL, fails, run
from support.processes import started

from var_core.training.trainer import load_state
from var_core.weights import checkpoints


def test_a_folder_with_classes_alone_is_trained_on_and_divided_as_asked(data, tmp_path, capsys):
    words = ("train", "tokenizer", "--data", data / "train", "--steps", 1, "--batch", 4, *SMALL.split())
    assert "--split 0.1 takes a tenth" in fails(capsys, *words, "--out", tmp_path / "run")
    assert run(*words, "--out", tmp_path / "run", "--split", 0.25) == 0
    pictures = len(list((data / "train").glob("*/*")))
    train, val = map(int, re.search(r"(\d+) train and (\d+) val", capsys.readouterr().out).groups())
    assert train + val == pictures and 0 < val < train
    assert "choose the share for val" in fails(capsys, *words, "--out", tmp_path / "other", "--split", 1)
    assert "already: leave out --split" in fails(capsys, "atlas", "--model", "x", "--data", data, "--split", 0.1)
    assert "name it with --data" in fails(capsys, "evaluate", "--split", 0.1)


def test_a_masked_path_is_trained_added_and_measured_on_photos(data, tmp_path, tmp_path_factory, capsys):
    transformer, names = replace(tiny.SPEC.transformer, classes=3), ("A", "B", "C")
    spec = replace(
        tiny.SPEC, transformer=transformer, class_names=names, class_groups=tiny.SPEC.class_groups[:3], showcase=""
    )
    model = tiny.write(tmp_path, spec=spec)
    out, run_folder = tmp_path / "seeing.safetensors", tmp_path / "masked"
    training = ("train", "masked", "--model", model, "--data", data, "--batch", 4, "--out", run_folder)
    assert run(*training, "--steps", 2, "--per-picture", 1) == 0
    assert run(*training, "--steps", 2, "--per-picture", 1, "--resume") == 0
    assert "add --resume" in fails(capsys, *training, "--steps", 2)
    other = tiny.write(tmp_path_factory.mktemp("other"))
    assert "7 classes" in fails(capsys, *training[:3], other, *training[4:-1], tmp_path / "no", "--steps", 2)
    assert run("add-masked", "--model", model, "--masked", run_folder, "--out", out) == 0
    assert (path := checkpoints.load(str(out)).masked) is not None
    again = tmp_path / "again.safetensors"
    assert run("add-masked", "--model", model, "--masked", out, "--out", again) == 0
    assert checkpoints.load(str(again)).masked_digest == checkpoints.load(str(out)).masked_digest
    adding = ("add-masked", "--out", tmp_path / "no.safetensors", "--model")
    assert "has no masked path" in fails(capsys, *adding, model, "--masked", model)
    assert "of other sizes" in fails(capsys, *adding, other, "--masked", out)
    further = (*training[:3], out, *training[4:-1], tmp_path / "further", "--rate", 1e-12, "--steps", 1)
    assert run(*further, "--per-picture", 1) == 0
    kept = load_state(tmp_path / "further", "masked")["ema"]
    assert all(torch.allclose(kept[name], value, atol=1e-6) for name, value in path.state_dict().items())
    photos = ("evaluate", "--model", out, "--edit", "--photos", data / "val", "--count", 2, "--rows", "^ours$|not seen")
    assert run(*photos, "--masks", "ellipse", "--out", tmp_path / "photos.json") == 0
    scores = json.loads((tmp_path / "photos.json").read_text())["scores"]
    assert [row["method"] for row in scores] == ["true pixels", "ours", "ours, surroundings not seen"]
    assert "masks 'half': choose from patch of a texture" in fails(capsys, *photos, "--masks", "half")
    assert "--photos is for edits" in fails(capsys, "evaluate", "--model", out, "--photos", data)
    assert "Name a data folder with --data" in fails(capsys, "evaluate", "--model", out)


@pytest.mark.parametrize(
    ("kind", "choice", "refused", "words"),
    [
        ("aligned", ("--contrast", 5), ("--contrast", 0), "contrast 0.0: choose both above 0"),
        ("distilled", ("--ramp", 0.2), ("--guidance", 0), "guidance 0 leaves nothing to learn"),
    ],
)
def test_a_transformer_is_packed_as_a_model_that_needs_no_guidance(
    data, tmp_path, capsys, kind, choice, refused, words
):
    transformer, names = replace(tiny.SPEC.transformer, classes=3), ("A", "B", "C")
    spec = replace(
        tiny.SPEC, transformer=transformer, class_names=names, class_groups=tiny.SPEC.class_groups[:3], showcase=""
    )
    model, run_folder, out = tiny.write(tmp_path, spec=spec), tmp_path / kind, tmp_path / "fast.safetensors"
    training = ("train", kind, "--model", model, "--data", data, "--batch", 4, "--out", run_folder, "--steps", 2)
    assert run(*training, *choice) == 0
    assert run(*training, "--resume") == 0
    assert words in fails(capsys, *training[:-4], "--out", tmp_path / "no", *refused)
    packing = ("export", "--data", data, "--tokenizer", model, "--transformer", run_folder, "--name", "fast")
    assert run(*packing, "--guidance", 0, "--out", out) == 0
    assert checkpoints.load(str(out)).spec.default_sampling.guidance == 0


def test_training_goes_on_from_a_model_file(data, model, tmp_path, capsys):
    shared = ("--data", data, "--tokenizer", model, "--steps", 2, "--batch", 4)
    assert "7 classes" in fails(capsys, "train", "transformer", *shared, "--start", model, "--out", tmp_path / "no")
    sizes = ("--depth", 2, "--width", 32, "--heads", 2, "--shared-adaln", "--no-mirror")
    first, second, decoder = tmp_path / "first", tmp_path / "second", tmp_path / "decoder"
    assert run("train", "transformer", *shared, *sizes, "--out", first) == 0
    capsys.readouterr()
    larger = ("--refine", 8, "--refine-blocks", 1)
    assert run("train", "decoder", *shared, *larger, "--out", decoder) == 0
    assert capsys.readouterr().out.count("train and 9 val pictures") == 1  # read once, for the tokens too
    assert run("train", "decoder", *shared, "--resume", "--out", decoder) == 0
    out = tmp_path / "on.safetensors"
    parts = ("--data", data, "--tokenizer", decoder, "--transformer", first, "--name", "on", "--out", tmp_path)
    assert run("export", *parts) == 0
    told = fails(capsys, "train", "transformer", *shared, "--self-correction", 2, "--out", tmp_path / "no")
    assert "self-correction 2.0 is out of range: choose 0 to 1" in told
    assert not (tmp_path / "no").exists()  # told before anything is read
    told = fails(capsys, "train", "transformer", *shared, "--class-dropout", -1, "--out", tmp_path / "no")
    assert "class dropout -1.0 is out of range: choose 0 to 1" in told and not (tmp_path / "no").exists()
    wrong = ("--self-correction", 0.3, "--class-dropout", 0.2)
    assert run("train", "transformer", *shared, *wrong, "--start", out, "--out", second) == 0
    assert run("train", "transformer", *shared, "--resume", "--out", second) == 0
    kept = load_state(second, "transformer")["extra"]
    assert kept["config"]["depth"] == 2 and (kept["self_correction"], kept["class_dropout"]) == (0.3, 0.2)
    used = ("train", "decoder", *shared[:2], *shared[4:], "--tokenizer", out, "--out", tmp_path / "used")
    assert "draws other classes" in fails(capsys, *used, "--drawn-by", model)
    assert run(*used, "--drawn-by", out) == 0
    assert "name it with --drawn-by" in fails(capsys, *used, "--resume")
    assert run(*used, "--resume", "--drawn-by", out, "--feature-adversarial", "0.1") == 0
    assert "how much with --feature-adversarial" in fails(capsys, *used, "--resume", "--drawn-by", out)
    other = tiny.write(tmp_path, seed=1)
    assert "another tokenizer" in fails(capsys, *used, "--resume", "--drawn-by", other)
    assert "run of a decoder; name that of a transformer" in fails(
        capsys, "export", *parts[:4], "--transformer", decoder, "--name", "no"
    )


def test_training_goes_on_with_the_same_tokens_alone(data, model, tmp_path, capsys):
    shared = ("--data", data, "--steps", 1, "--batch", 4)
    tokenizer, decoder, transformer = (tmp_path / name for name in ("tokenizer", "decoder", "transformer"))
    assert run("train", "tokenizer", *shared, *SMALL.split(), "--out", tokenizer) == 0
    assert run("train", "decoder", *shared, "--tokenizer", model, "--out", decoder) == 0
    resumed = ("train", "decoder", *shared, "--tokenizer", tokenizer, "--resume", "--out", decoder)
    assert "another tokenizer" in fails(capsys, *resumed)
    sizes = ("--depth", 2, "--width", 32, "--heads", 2)
    assert run("train", "transformer", *shared, *sizes, "--tokenizer", tokenizer, "--out", transformer) == 0
    out, parts = tmp_path / "made.safetensors", ("--tokenizer", tokenizer, "--transformer", transformer)
    assert run("export", "--data", data, *parts, "--name", "made", "--out", out) == 0
    begun = ("train", "transformer", *shared, "--start", out)
    maps, other = ("--tokenizer", tmp_path / "maps"), ("--out", tmp_path / "others")
    assert run("train", "tokenizer", *shared, "--start", tokenizer, "--sides", "1,3,4", "--out", maps[1]) == 0
    assert run(*begun, *maps, *other) == 0
    assert load_state(other[1], "transformer")["extra"]["config"]["sides"] == (1, 3, 4)
    assert "has 32 codes of 8 numbers, the tokenizer 64 of 8: they must be equal" in fails(
        capsys, *begun, "--tokenizer", model, "--out", tmp_path / "no"
    )
    capsys.readouterr()
    assert run(*begun, "--tokenizer", tokenizer, "--out", tmp_path / "on") == 0  # the file holds it in float16
    assert "another tokenizer" not in capsys.readouterr().out
    assert run("train", "tokenizer", *shared, "--resume", "--out", tokenizer) == 0
    capsys.readouterr()
    assert run(*begun, "--tokenizer", tokenizer, "--out", tmp_path / "after") == 0
    assert f"are another tokenizer's than those that {out} has learned" in capsys.readouterr().out
    resumed = ("train", "transformer", *shared, "--tokenizer", tokenizer, "--resume", "--out", transformer)
    assert "another tokenizer" in fails(capsys, *resumed)


def test_a_tokenizer_begins_with_the_weights_of_another_and_grows(data, model, tmp_path, capsys):
    begun = ("train", "tokenizer", "--data", data, "--batch", 4, "--steps", 1, "--start", model)
    assert run(*begun, "--residual-blocks", 2, "--out", tmp_path / "grown") == 0
    config = load_state(tmp_path / "grown", "tokenizer")["extra"]["config"]
    assert config["residual_blocks"] == 2 and config["vocabulary"] == 64
    assert run(*begun, "--resume", "--out", tmp_path / "grown") == 0  # its sizes are those of the run
    fewer = ("train", "tokenizer", "--data", data, "--steps", 1, "--start", tmp_path / "grown")
    assert "blocks can be added" in fails(capsys, *fewer, "--residual-blocks", 1, "--out", tmp_path / "no")
    assert run(*fewer, "--sides", "1,2,4", "--out", tmp_path / "maps") == 0  # as many blocks, unless asked otherwise
    assert load_state(tmp_path / "maps", "tokenizer")["extra"]["config"]["residual_blocks"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="ends programs as only POSIX can")
def test_an_interrupted_training_saves_and_goes_on(data, tmp_path):
    words = ["train", "tokenizer", "--data", data, "--out", tmp_path / "run", "--minutes", 5, *SMALL.split()]
    process = started(*words, said=tmp_path / "said")
    log = tmp_path / "run" / "log.jsonl"
    while not (log.is_file() and log.read_text()):
        assert process.is_alive()
        process.join(0.1)
    process.terminate()
    process.join(60)
    assert process.exitcode == 0
    steps = load_state(tmp_path / "run", "tokenizer")["step"]
    assert steps >= 20
    words[6:8] = ["--steps", 1]
    assert run(*words, "--resume") == 0
    assert load_state(tmp_path / "run", "tokenizer")["step"] == steps + 1


@pytest.mark.parametrize(
    "wrong",
    [
        "--steps 0",
        "--minutes -1",
        "--cooldown 2",
        "--batch 0",
        "--rate 0",
        "--norm-groups 0",
        "--channels 6",
        "--precision half",
    ],
)
def test_training_settings_out_of_range_are_refused(wrong, data, tmp_path, capsys):
    words = f"{SMALL} --steps 1 {wrong}".split()
    assert "choose" in fails(capsys, "train", "tokenizer", "--data", data, "--out", tmp_path / "run", *words)
