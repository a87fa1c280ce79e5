"""Training runs side by side, and networks that are trained without a part."""

from dataclasses import replace
from fnmatch import fnmatch

import pytest
import torch
from support import tasks, tiny
from support.command import fails, run

from var_core.findings import records
from var_core.findings.run_summary import RunSummary
from var_core.measuring import compare
from var_core.measuring.reference import Reference
from var_core.nn.transformer import PARTS, leave_out
from var_core.training.features import ImageFeatures
from var_core.training.trainer import load_state


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """A tokenizer of scales and one of a single map, and a run on the tokens of each."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = ("--vocabulary", 64, "--code-width", 8, "--channels", 16, "--norm-groups", 4, "--residual-blocks", 1)
    small = ("--depth", 1, "--width", 32, "--heads", 2)
    for name, sides, order in (("scales", "1,2,4", "scales"), ("raster", "4", "raster")):
        tokenizer, out = folder / f"tokenizer-{name}", folder / name
        begun = ("train", "tokenizer", "--data", data, "--batch", 4, "--steps", 1, "--sides", sides, "--order", order)
        assert run(*begun, *sizes, "--out", tokenizer) == 0
        more = ("--tokenizer", tokenizer, "--out", out, "--batch", 4, "--steps", 3)
        assert run("train", "transformer", "--data", data, *more, *small) == 0
    return folder


def both(trained) -> list:
    return [trained / "tokenizer-scales", trained / "tokenizer-raster"]


def test_each_run_finds_its_own_tokenizer_and_tells_what_it_is(trained, data, tmp_path, capsys):
    csv = tmp_path / "runs.csv"
    asked = ("--data", data, "--count", 8, "--guidance", "0,2", "--csv", csv, "--cache", tmp_path / "cache")
    assert run("compare", trained / "scales", trained / "raster", "--tokenizer", *both(trained), *asked) == 0
    scales, raster = records.read_rows(csv, RunSummary)
    assert (scales.name, scales.tokens, scales.steps) == ("scales", 21, 3)
    assert (raster.order, raster.tokens, raster.steps) == ("raster", 16, 16)
    assert scales.pictures == raster.pictures == 12 and scales.guidance in (0, 2)
    for row in (scales, raster):
        assert row.parameters == sum(
            value.numel() for value in load_state(trained / row.name, "transformer")["ema"].values()
        )
        assert 0 < row.loss < row.tokens * 5 and row.distance > 0 and 0 <= row.accuracy and row.milliseconds > 0
    assert "| raster | 16 | 16 |" in capsys.readouterr().out


def test_a_run_of_another_tokenizer_is_refused(trained, data, tmp_path, capsys):
    asked = ("--tokenizer", trained / "tokenizer-raster", "--data", data, "--cache", tmp_path, "--csv", tmp_path / "x")
    assert "none of the tokenizers given" in fails(capsys, "compare", trained / "scales", *asked)


def test_the_best_strength_of_guidance_is_told(trained, data):
    folder = tasks.read(data)
    classes, val, loaded = folder.classes, folder.val, _loaded(trained)
    tokenizers = [compare.pipeline_of(trained / name, [tok], classes)[0].tokenizer for name, tok in loaded]
    reference = Reference.of(ImageFeatures(), tasks.seen(40, 0), len(tiny.NAMES))
    by = compare.Comparison(classes, val, reference, tasks.seen(len(val), 1), (0.0, 3.0))
    *fractions, both_tried = compare.measure(trained / "scales", tokenizers, by)
    alone = [replace(by, strengths=(one,)) for one in by.strengths]
    singly = [[*compare.measure(trained / "scales", tokenizers, one)][-1] for one in alone]
    best = min(singly, key=lambda row: row.distance)
    assert (both_tried.guidance, both_tried.distance, both_tried.accuracy) == (
        best.guidance,
        best.distance,
        best.accuracy,
    )
    assert fractions == sorted(fractions) and 0 < fractions[0] and fractions[-1] <= 1


def _loaded(trained):
    from var_core.training.export import load_tokenizer

    return [(name, load_tokenizer(trained / f"tokenizer-{name}")) for name in ("scales", "raster")]


@pytest.mark.parametrize("part", PARTS)
def test_what_is_left_out_stays_out_in_training(part, trained, data, tmp_path):
    out = tmp_path / part
    begun = ("train", "transformer", "--data", data, "--tokenizer", trained / "tokenizer-scales", "--out", out)
    assert run(*begun, "--batch", 4, "--steps", 2, "--depth", 1, "--width", 32, "--heads", 2, "--without", part) == 0
    assert run(*begun, "--batch", 4, "--steps", 2, "--resume") == 0  # the run remembers
    left, whole = load_state(out, "transformer"), load_state(trained / "scales", "transformer")
    mine = {name for name in left["model"] if any(fnmatch(name, pattern) for pattern in PARTS[part])}
    for weights in ("model", "ema"):
        assert mine and not any(left[weights][name].any() for name in mine)
        assert all(whole[weights][name].any() for name in mine)
    assert left["step"] == 4


@torch.no_grad()
def test_without_class_adaln_a_class_is_told_by_the_first_token_alone():
    _, _, var = tiny.networks()
    leave_out(var, ["class-adaln"])
    one, other = (var.condition(torch.tensor([label])) for label in (0, 1))
    assert not torch.equal(one.start, other.start)
    assert all(torch.equal(a, b) for a, b in zip(one.blocks, other.blocks, strict=True))
    assert torch.equal(one.head, other.head)


@torch.no_grad()
def test_without_positions_and_levels_places_of_a_scale_are_alike():
    _, _, var = tiny.networks()
    shown = torch.ones(1, 29, 8)
    before = var(torch.tensor([1]), shown)
    leave_out(var, ["positions", "levels"])
    after = var(torch.tensor([1]), shown)
    assert not torch.allclose(before[:, 2], before[:, 3], atol=1e-3)
    assert torch.allclose(after[:, 2], after[:, 3], atol=1e-5)
