"""What all commands have in common, on the tiny model."""

import argparse
import re
from collections.abc import Iterator

from PIL import Image
from support.command import fails, run

from var_core.cli import parser


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
