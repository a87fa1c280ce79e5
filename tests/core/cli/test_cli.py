"""Every command, end to end, on the tiny model and a tiny data folder."""

import argparse
import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import tiny
from support.command import SMALL, fails, run
from support.pictures import painted_photo

from var_core.cli import parser
from var_core.config import Sampling
from var_core.findings import records
from var_core.findings.scaling import Point
from var_core.recipe import Recipe
from var_core.training.trainer import load_state
from var_core.weights import checkpoints

ROOT = Path(__file__).resolve().parents[3]


def test_generate_writes_pictures_whose_replay_gives_the_same_pixels(model, tmp_path):
    assert (
        run("generate", "--model", model, "--class", "lotus", "--seed", 7, "--count", 2, "--out", tmp_path, "--scales")
        == 0
    )
    picture = tmp_path / "lotus-seed-8.png"
    assert Recipe.read(picture).seed == 8
    with Image.open(tmp_path / "lotus-seed-8-scales.png") as strip:
        assert strip.size == (4 * 34 - 2, 32)
    assert run("replay", picture, "--model", model) == 0
    with Image.open(picture) as first, Image.open(tmp_path / "lotus-seed-8-again.png") as second:
        assert first.tobytes() == second.tobytes()


def test_a_picture_of_another_version_of_the_model_is_made_anew_with_its_settings_if_asked(model, tmp_path, capsys):
    assert run("generate", "--model", model, "--class", "lotus", "--out", tmp_path / "a.png") == 0
    with Image.open(tmp_path / "a.png") as picture:
        replace(Recipe.read(tmp_path / "a.png"), digest="f" * 12).save(picture, tmp_path / "older.png")
    assert "add --anyway" in fails(capsys, "replay", tmp_path / "older.png", "--model", model)
    assert run("replay", tmp_path / "older.png", "--model", model, "--anyway") == 0
    with Image.open(tmp_path / "a.png") as first, Image.open(tmp_path / "older-again.png") as again:
        assert first.tobytes() == again.tobytes()


def test_generate_draws_several_classes_and_seeds_that_go_on_with_another(model, tmp_path, capsys):
    asked = ("generate", "--model", model, "--class", "lotus", "--class", "sea", "--seed", "7, 9 from scale 3")
    assert run(*asked, "--count", 2, "--out", tmp_path) == 0
    assert "4 pictures in" in capsys.readouterr().out
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"{name}-seed-7-then-{seed}.png" for name in ("lotus", "sea") for seed in (10, 9)]
    assert run("replay", tmp_path / names[2], "--model", model) == 0
    with Image.open(tmp_path / names[2]) as first, Image.open(tmp_path / "sea-seed-7-then-10-again.png") as second:
        assert first.tobytes() == second.tobytes()
    assert "count 501 is out of range: choose 1 to 500" in fails(capsys, *asked, "--count", 501, "--out", tmp_path)
    assert "write a whole number" in fails(capsys, *asked[:-1], "7, 9", "--out", tmp_path)


def test_a_grid_is_one_picture_with_labels_and_files_that_are_made_again(model, tmp_path, capsys):
    asked = ("grid", "--model", model, "--class", "rose", "--out", tmp_path)
    assert run(*asked, "--x", "guidance=0,2", "--y", "seed=4,5", "--top-k", 9) == 0
    assert "4 pictures in" in capsys.readouterr().out and (tmp_path / "grid.png").is_file()
    made = tmp_path / "002-guidance-2-seed-4-rose-seed-4.png"
    recipe = Recipe.read(made)
    assert (recipe.seed, recipe.sampling.guidance, recipe.sampling.top_k) == (4, 2, 9)
    assert run("replay", made, "--model", model) == 0
    with Image.open(made) as first, Image.open(made.with_stem(f"{made.stem}-again")) as second:
        assert first.tobytes() == second.tobytes()
    assert "as in guidance=1,2,4" in fails(capsys, *asked, "--x", "guidance")
    assert "cannot be turned" in fails(capsys, *asked, "--x", "colour=1")
    assert "is a single file: name a folder" in fails(capsys, *asked, "--x", "seed=1", "--out", tmp_path / "a.png")


def test_out_is_a_folder_or_a_file_that_ends_in_png(model, tmp_path, capsys):
    photo, mask = painted_photo(tmp_path)
    made, edited, again = (tmp_path / "new" / f"{name}.png" for name in ("made", "edited", "again"))
    task = ("generate", "--model", model, "--class", "lotus", "--out", made)
    assert run(*task, "--scales") == 0 and made.is_file() and made.with_name("made-scales.png").is_file()
    assert "is a single file: name a folder for 2 pictures" in fails(capsys, *task, "--count", 2)
    assert run("edit", photo, "--model", model, "--mask", mask, "--out", edited) == 0
    assert Recipe.read(edited).edited and edited.with_name("edited-mask.png").is_file()
    assert run("replay", made, "--model", model, "--out", again) == 0
    assert run("replay", made, "--model", model, "--out", tmp_path / "folder") == 0
    assert again.read_bytes() == (tmp_path / "folder" / "made-again.png").read_bytes() == made.read_bytes()


def test_generate_leaves_what_is_there(model, tmp_path, capsys):
    asked = ("generate", "--model", model, "--class", "lotus", "--seed", 7, "--out", tmp_path)
    assert run(*asked) == run(*asked) == run(*asked, "--guidance", 0.5) == 0
    assert "lotus-seed-7.png is there already: lotus-seed-7-2.png instead" in capsys.readouterr().out
    guidance = [Recipe.read(tmp_path / f"lotus-seed-7{ending}.png").sampling.guidance for ending in ("", "-2")]
    assert guidance[0] != guidance[1] == 0.5 and len(list(tmp_path.glob("lotus*.png"))) == 2


def test_classes_lists_every_class(model, capsys):
    assert run("classes", "--model", model) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 and "Sunflower" in lines[2]


def test_wrong_input_is_one_sentence_and_status_2(model, tmp_path, capsys):
    assert "Lotus" in fails(capsys, "generate", "--model", model, "--class", "lotos", "--out", tmp_path)
    assert "choose" in fails(capsys, "generate", "--model", model, "--class", "lotus", "--top-p", 2, "--out", tmp_path)
    assert "choose" in fails(capsys, "generate", "--model", model, "--class", "lotus", "--count", 0, "--out", tmp_path)
    assert "no model" in fails(capsys, "generate", "--model", "nothing", "--class", "lotus", "--out", tmp_path)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    assert "no recipe" in fails(capsys, "replay", plain)
    pattern = ("--edit", "--rows", "(")
    assert "--rows ( is no pattern" in fails(capsys, "evaluate", "--model", model, "--data", tmp_path, *pattern)
    both = ("sample", "--model", model, "--metrics", "--top-k", 5, "--out", tmp_path / "many")
    assert "--metrics says all of that: leave out --top-k, or --metrics" in fails(capsys, *both)
    assert "d16 is a size without a model" in fails(capsys, "bench", "--model", "d16", "--edit")
    assert "train" in fails(capsys, "train", "tokenizer", "--data", tmp_path, "--out", tmp_path / "run", "--steps", 1)
    assert "log.jsonl" in fails(capsys, "plot", tmp_path)


@pytest.mark.parametrize("repeats", [0, -3])
def test_bench_runs_once_or_more(model, capsys, repeats):
    assert f"repeats {repeats}: choose 1 or more." in fails(capsys, "bench", "--model", model, "--repeats", repeats)


def test_bench_prints_a_row_for_every_scale(model, capsys):
    assert run("bench", "--model", model, "--repeats", 1) == 0
    text = capsys.readouterr().out
    assert text.count("| scale ") == 4 and "whole picture" in text and "peak memory" in text


def test_bench_of_previews_tells_distances_and_times(model, capsys):
    assert run("bench", "--model", model, "--previews", "--repeats", 1) == 0
    text = capsys.readouterr().out
    assert text.count("| linear map") == 6 and "part of the run" in text


def test_the_fast_modes_are_judged_by_as_many_pictures_as_are_asked_for(model, data, tmp_path, capsys):
    asked = ("bench", "--model", model, "--fast", "--data", data, "--count", 3, "--cache", tmp_path, "--repeats", 1)
    assert run(*asked) == 0
    assert "accuracy ratio" in capsys.readouterr().out
    assert 3 in [len(torch.load(file, weights_only=True)) for file in tmp_path.glob("*.pt")]


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


def test_train_both_export_evaluate_and_plot(data, tmp_path, capsys):
    tokenizer, transformer, out = tmp_path / "tok", tmp_path / "var", tmp_path / "trained.safetensors"
    shared = ("--data", data, "--steps", 3)
    tokenizer.mkdir()
    (tokenizer / "log.jsonl").write_text("of a run that was killed before it saved anything\n")
    assert run("train", "tokenizer", *shared, "--out", tokenizer, *SMALL.split()) == 0
    assert "killed" not in (tokenizer / "log.jsonl").read_text()
    assert "--resume" in fails(capsys, "train", "tokenizer", *shared, "--out", tokenizer, *SMALL.split())
    assert run("train", "tokenizer", *shared, "--out", tokenizer, "--resume", "--batch", 4) == 0
    sizes = ("--depth", 2, "--width", 32, "--heads", 2, "--batch", 4)
    assert run("train", "transformer", *shared, "--out", transformer, "--tokenizer", tokenizer, *sizes) == 0
    assert "run of a transformer" in fails(capsys, "train", "tokenizer", *shared, "--out", transformer, "--resume")
    assert run("plot", transformer) == 0
    assert (transformer / "curves.png").stat().st_size > 1000
    exporting = ("--data", data, "--tokenizer", tokenizer, "--transformer", transformer)
    named = ("export", *exporting, "--name", "trained", "--out", tmp_path)
    assert "There is no class 'oak'" in fails(capsys, *named, "--showcase", "oak") and not out.exists()
    assert run(*named, "--guidance", 3, "--ramp", 0, "--showcase", "stripes") == 0
    further = ("train", "tokenizer", *shared, "--out", tokenizer, "--resume", "--batch", 4)
    spec = checkpoints.load(str(out)).spec
    assert spec.default_sampling == Sampling(guidance=3.0, ramp=0.0)
    assert spec.class_names == ("Red Disc", "Blue Disc", "Stripes") and spec.transformer.depth == 2
    assert spec.showcase == "Stripes"
    assert run("evaluate", "--model", out, "--data", data, "--out", tmp_path / "figures", "--cache", tmp_path) == 0
    report = json.loads((tmp_path / "figures" / "evaluation.json").read_text())
    capsys.readouterr()
    partly = ("evaluate", "--model", out, "--data", data, "--cache", tmp_path, "--given")
    assert run(*partly, "4,0", "--out", tmp_path / "given") == 0
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    figures = {figure["name"]: figure["ratio"] for figure in report["figures"]}
    for row, name in zip(rows, ("reconstructions", "generated"), strict=True):
        assert float(row[1]) == pytest.approx(figures[f"Fréchet distance to train, {name}"], abs=0.0006)
    assert figures["Fréchet distance to train, generated, by lite2"] > 1
    given = json.loads((tmp_path / "given" / "evaluation.json").read_text())
    assert (report["guidance"], report["ramp"]) == (3.0, 0.0)  # as the model draws best, unless asked otherwise
    assert run(*partly, "4", "--ramp", 0.5, "--out", tmp_path / "asked") == 0
    asked = json.loads((tmp_path / "asked" / "evaluation.json").read_text())
    assert (asked["guidance"], asked["ramp"]) == (3.0, 0.5)
    assert [row["given"] for row in given["scores"]] == [4, 0] and given["digest"] == report["digest"]
    assert "given (5,): choose 0 to 4, the scales" in fails(capsys, *partly, "5")
    assert run(*further) == 0  # its tokens are now others than those that the transformer has learned
    assert "another tokenizer" in fails(capsys, "export", *exporting, "--name", "mixed", "--out", tmp_path)
    edits = (
        "evaluate",
        "--model",
        out,
        "--edit",
        "--rows",
        "^ours$|^mean",
        "--data",
        data,
        "--cache",
        tmp_path,
        "--count",
        4,
    )
    assert run(*edits, "--out", tmp_path / "edits") == 0
    scores = json.loads((tmp_path / "edits" / "evaluation.json").read_text())["scores"]
    assert {row["method"] for row in scores} == {"untouched", "mean fill", "ours"} and len(scores) == 6 * 3
    assert all(row["seam"] == pytest.approx(1) for row in scores if row["method"] == "untouched")
    assert run(*edits, "--masks", "top half, bottom half", "--out", tmp_path / "halves") == 0
    scores = json.loads((tmp_path / "halves" / "evaluation.json").read_text())["scores"]
    assert [row["kind"] for row in scores] == ["top half"] * 3 + ["bottom half"] * 3
    assert "masks 'left': choose from centre box, " in fails(capsys, *edits, "--masks", "left")
    assert "add --edit" in fails(capsys, "evaluate", "--model", out, "--data", data, "--masks", "half")
    classifying = ("evaluate", "--model", out, "--data", data, "--cache", tmp_path, "--count", 3, "--classify")
    assert run(*classifying, "--out", tmp_path / "classes.json") == 0
    scores = json.loads((tmp_path / "classes.json").read_text())["scores"]
    assert {"accuracy", "mean share of the class named first"} <= {row["measure"] for row in scores}
    names = {figure["name"] for figure in report["figures"]}
    assert {"reconstruction PSNR, dB", "Fréchet distance to train, generated", "probe accuracy, generated"} <= names


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
    assert checkpoints.load(str(out)).masked is not None
    photos = ("evaluate", "--model", out, "--edit", "--photos", data / "val", "--count", 2, "--rows", "^ours$|not seen")
    assert run(*photos, "--masks", "ellipse", "--out", tmp_path / "photos.json") == 0
    scores = json.loads((tmp_path / "photos.json").read_text())["scores"]
    assert [row["method"] for row in scores] == ["true pixels", "ours", "ours, surroundings not seen"]
    assert "masks 'half': choose from patch of a texture" in fails(capsys, *photos, "--masks", "half")
    assert "--photos is for edits" in fails(capsys, "evaluate", "--model", out, "--photos", data)
    assert "Name a data folder with --data" in fails(capsys, "evaluate", "--model", out)


def test_a_transformer_is_aligned_and_packed_as_a_model_that_needs_no_guidance(data, tmp_path, capsys):
    transformer, names = replace(tiny.SPEC.transformer, classes=3), ("A", "B", "C")
    spec = replace(
        tiny.SPEC, transformer=transformer, class_names=names, class_groups=tiny.SPEC.class_groups[:3], showcase=""
    )
    model, run_folder, out = tiny.write(tmp_path, spec=spec), tmp_path / "aligned", tmp_path / "fast.safetensors"
    training = ("train", "aligned", "--model", model, "--data", data, "--batch", 4, "--out", run_folder, "--steps", 2)
    assert run(*training, "--contrast", 5) == 0
    assert run(*training, "--resume") == 0
    assert "contrast 0.0: choose both above 0" in fails(
        capsys, *training[:-4], "--out", tmp_path / "no", "--contrast", 0
    )
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


def test_an_interrupted_training_saves_and_goes_on(data, tmp_path):
    words = ["train", "tokenizer", "--data", data, "--out", tmp_path / "run", "--minutes", 5, *SMALL.split()]
    process = subprocess.Popen([sys.executable, "-m", "var_core", *map(str, words)], cwd=ROOT)
    log = tmp_path / "run" / "log.jsonl"
    while not (log.is_file() and log.read_text()):
        assert process.poll() is None
        select.select([], [], [], 0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
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


def test_sizes_are_trained_in_turn_and_measured_once(data, model, tmp_path, capsys):
    asked = ("scaling", "--data", data, "--tokenizer", model, "--depths", "1,2", "--batch", 4, "--out", tmp_path)
    asked += ("--csv", tmp_path / "points.csv", "--minutes-each", 0.01)
    assert run(*asked) == 0
    points, before = records.read(tmp_path / "points.csv", Point), capsys.readouterr().out
    assert [point.depth for point in points] == [1, 2] and points[0].parameters < points[1].parameters
    assert "| loss, last |" in before
    assert run(*asked) == 0 and capsys.readouterr().out == before


def test_sizes_are_trained_for_as_many_steps_and_trained_on(data, model, tmp_path, capsys):
    asked = ("scaling", "--data", data, "--tokenizer", model, "--depths", "1,2", "--batch", 4, "--out", tmp_path)
    asked += ("--csv", tmp_path / "points.csv", "--steps-each")
    for steps in (2, 3):
        assert run(*asked, steps) == 0
        assert {point.step for point in records.read(tmp_path / "points.csv", Point)} >= {steps}
    assert [point.step for point in records.read(tmp_path / "points.csv", Point)][-1] == 3
    states = [load_state(tmp_path / f"depth-{depth}", "transformer")["optimizer"] for depth in (1, 2)]
    narrow, wide = (state["param_groups"][0]["lr"] for state in states)
    assert narrow == pytest.approx(2 * wide)
    assert "another learning rate" in fails(capsys, *asked, 4, "--rate", 1e-4)
    before = (tmp_path / "points.csv").read_bytes()
    assert "other steps" in fails(capsys, *asked, 3, "--most-per-scale", 4)
    assert "other steps" in fails(capsys, *asked, 3, "--batch", 2)
    assert (tmp_path / "points.csv").read_bytes() == before


def test_helps_tell_every_default_once():
    """And none where there is none."""
    texts = [made.format_help() for made in commands(parser())]
    assert len(texts) > 20
    for text in texts:
        flat = re.sub(r"\s+", " ", text)
        assert not re.search(r"default: (None|inf|\(\)|False|1000000000)\)|\(default:[^()]*\) \(default:", flat)
    assert any("(default: 0.0)" in text for text in texts)


def commands(made: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands."""
    yield made
    for action in made._actions:
        for inner in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            yield from commands(inner)
