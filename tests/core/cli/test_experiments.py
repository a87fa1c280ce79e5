"""The command that trains transformers of several sizes."""

import pytest
from support.command import fails, run

from var_core.findings import records
from var_core.findings.scaling import ScalingPoint
from var_core.training.trainer import load_state


def test_sizes_are_trained_in_turn_and_measured_once(data, model, tmp_path, capsys):
    asked = ("scaling", "--data", data, "--tokenizer", model, "--depths", "1,2", "--batch", 4, "--out", tmp_path)
    asked += ("--csv", tmp_path / "points.csv", "--minutes-each", 0.01)
    assert run(*asked) == 0
    points, before = records.read_rows(tmp_path / "points.csv", ScalingPoint), capsys.readouterr().out
    assert [point.depth for point in points] == [1, 2] and points[0].parameters < points[1].parameters
    assert "| loss, last |" in before
    assert run(*asked) == 0 and capsys.readouterr().out == before


def test_sizes_are_trained_for_as_many_steps_and_trained_on(data, model, tmp_path, capsys):
    asked = ("scaling", "--data", data, "--tokenizer", model, "--depths", "1,2", "--batch", 4, "--out", tmp_path)
    asked += ("--csv", tmp_path / "points.csv", "--steps-each")
    for steps in (2, 3):
        assert run(*asked, steps) == 0
        assert {point.step for point in records.read_rows(tmp_path / "points.csv", ScalingPoint)} >= {steps}
    assert [point.step for point in records.read_rows(tmp_path / "points.csv", ScalingPoint)][-1] == 3
    states = [load_state(tmp_path / f"depth-{depth}", "transformer")["optimizer"] for depth in (1, 2)]
    narrow, wide = (state["param_groups"][0]["lr"] for state in states)
    assert narrow == pytest.approx(2 * wide)
    assert "another learning rate" in fails(capsys, *asked, 4, "--rate", 1e-4)
    before = (tmp_path / "points.csv").read_bytes()
    assert "other steps" in fails(capsys, *asked, 3, "--most-per-scale", 4)
    assert "other steps" in fails(capsys, *asked, 3, "--batch", 2)
    assert (tmp_path / "points.csv").read_bytes() == before
