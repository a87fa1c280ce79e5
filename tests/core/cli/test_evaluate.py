"""From training to a model file whose quality is measured, on a tiny data folder."""

import json

import pytest
from support.command import SMALL, fails, run

from var_core.config import Sampling
from var_core.weights import checkpoints


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
