"""The commands that take times, on the tiny model."""

import pytest
import torch
from support.command import fails, run


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
