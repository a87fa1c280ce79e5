"""The command that trains a decoder to enlarge, and what comes of it."""

import json
from dataclasses import replace

import torch
from PIL import Image
from support import pictures, tiny
from support.command import fails, run

from var_core.training.trainer import load_state
from var_core.weights.checkpoints import load


def test_a_model_takes_another_decoder_and_keeps_its_tokens(data, tmp_path, tmp_path_factory, capsys):
    transformer, names = replace(tiny.SPEC.transformer, classes=3), ("A", "B", "C")
    spec = replace(
        tiny.SPEC, transformer=transformer, class_names=names, class_groups=tiny.SPEC.class_groups[:3], showcase=""
    )
    model, decoder, out = tiny.write(tmp_path, spec=spec), tmp_path / "decoder", tmp_path / "new.safetensors"
    training = ("train", "decoder", "--data", data, "--tokenizer", model, "--batch", 4, "--steps", 1, "--rate", 1)
    assert run(*training, "--refine", 8, "--out", decoder) == 0
    changing = ("replace-decoder", "--data", data, "--decoder", decoder, "--out", out)
    assert run(*changing, "--model", model) == 0
    before, after = load(str(model)), load(str(out))
    assert after.spec.tokenizer.refine == 8 and after.spec.transformer == before.spec.transformer
    assert after.digest != before.digest
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    tokens = after.tokenizer.encode(images)
    assert all(torch.equal(a, b) for a, b in zip(tokens, before.tokenizer.encode(images), strict=True))
    assert not torch.equal(*(each.tokenizer.decode(each.tokenizer.features(images)) for each in (before, after)))
    assert "is there already: add --replace" in fails(capsys, *changing, "--model", model)
    assert "there already" in fails(capsys, *changing[:-2], "--model", model)  # else over the model's own file
    changing += ("--replace",)
    assert "both decoders have the same sizes" in fails(capsys, *changing, "--model", model, "--weight", 0.5)
    mixed = tmp_path / "mixed.safetensors"
    assert run("train", "decoder", *training[2:], "--tokenizer", out, "--out", tmp_path / "more") == 0
    mixing = ("replace-decoder", "--data", data, "--model", out, "--decoder", tmp_path / "more", "--weight", 0.25)
    assert run(*mixing, "--out", mixed) == 0
    assert run(*mixing[:-1], 1, "--out", tmp_path / "all.safetensors") == 0
    old, part, new = (load(str(tmp_path / f"{name}.safetensors")).tokenizer for name in ("new", "mixed", "all"))
    for one, two, three in zip(old.parameters(), part.parameters(), new.parameters(), strict=True):
        torch.testing.assert_close(two, 0.75 * one + 0.25 * three, rtol=2e-3, atol=1e-3)
    other = tiny.write(tmp_path_factory.mktemp("other"), seed=3, spec=spec)
    assert "decoder of another tokenizer" in fails(capsys, *changing, "--model", other)


def test_a_decoder_learns_to_enlarge_from_sharp_pictures(data, model, tmp_path, capsys):
    sharp, out, var = tmp_path / "sharp", tmp_path / "large", tmp_path / "var"
    pictures.write(sharp, side=64)
    shared = ("--data", data, "--tokenizer", model, "--batch", 4, "--steps", 1)
    sizes = ("--refine", 8, "--enlarge", 2, "--enlarge-channels", 8, "--enlarge-blocks", 1)
    training = ("train", "decoder", *shared, "--feature-adversarial", 0.1, "--out", out)
    for some in (sizes, (*sizes[:2], "--detail", sharp)):
        assert "give both" in fails(capsys, *training, *some)
    assert "a weight above 0" in fails(capsys, *training, "--feature-adversarial", 0, *sizes, "--detail", sharp)
    assert "none of its 18 pictures" in fails(capsys, *training, *sizes, "--detail", data)
    assert run(*training, *sizes, "--detail", sharp) == 0
    before = (out / "detail.pt").stat().st_mtime_ns
    assert run(*training, "--resume", "--detail", sharp) == 0
    assert (out / "detail.pt").stat().st_mtime_ns == before  # sharp pictures are tokenised once
    assert "give both" in fails(capsys, *training, "--resume")
    assert load_state(out, "decoder")["step"] == 2
    small = ("--depth", 2, "--width", 32, "--heads", 2)
    assert run("train", "transformer", *shared, *small, "--out", var) == 0
    parts = ("--tokenizer", out, "--transformer", var, "--name", "large", "--out", tmp_path)
    assert run("export", "--data", data, *parts) == 0
    made = tmp_path / "made.png"
    assert run("generate", "--model", tmp_path / "large.safetensors", "--class", "Stripes", "--out", made) == 0
    assert Image.open(made).size == (64, 64)
    measured = ("evaluate", "--model", tmp_path / "large.safetensors", "--count", 3, "--out", tmp_path / "sharp.json")
    assert run(*measured, "--detail", sharp) == 0
    told = json.loads((tmp_path / "sharp.json").read_text())
    assert [row["way"] for row in told["scores"]][::4] == ["the model", "the pictures themselves"]
    assert told["scores"][0]["near"]["value"] > 0 and told["spectra"] == {}  # no folder is named as a group is
    assert Image.open(tmp_path / "sharp-pairs.png").height == 64
    assert len((tmp_path / "sharp-pairs.txt").read_text().splitlines()) == 4
    assert "as many as it encodes" in fails(capsys, *measured[:2], model, *measured[3:], "--detail", sharp)
    assert "add --detail" in fails(capsys, *measured, "--against", model, "--data", data)
    assert "train the tokenizer without it" in fails(
        capsys, "train", "tokenizer", *shared[:2], "--start", out, "--steps", 1, "--out", tmp_path / "no"
    )
