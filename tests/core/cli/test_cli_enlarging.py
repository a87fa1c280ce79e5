"""The command that trains a decoder to enlarge, and what comes of it."""

from PIL import Image
from support import pictures
from support.command import fails, run

from var_core.training.trainer import load_state


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
    assert "train the tokenizer without it" in fails(
        capsys, "train", "tokenizer", *shared[:2], "--start", out, "--steps", 1, "--out", tmp_path / "no"
    )
