"""Two evaluations of completed halves side by side."""

import json

from support.command import fails, run

from var_core.findings import records
from var_core.findings.halves import PLAIN, Halves, side_by_side


def score(method: str, kind: str, frechet: float, seam: float) -> dict:
    return {"method": method, "kind": kind, "frechet": frechet, "seam": seam}


SCALES = [score("untouched", "top half", 1.0, 1.0), score(PLAIN, "top half", 197.57931, 1.0458)]
RASTER = [score(PLAIN, "bottom half", 174.5, 1.1), score(PLAIN, "top half", 234.8401, 1.4477)]


def test_a_row_has_both_models_on_a_kind_of_mask_that_both_saw():
    assert side_by_side(SCALES, RASTER) == [Halves("top half", 197.5793, 234.8401, 1.0458, 1.4477)]


def test_the_command_writes_what_the_lesson_reads(tmp_path):
    for name, scores in (("scales", SCALES), ("raster", RASTER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evaluation.json").write_text(json.dumps({"scores": scores}))
    out = tmp_path / "halves.csv"
    assert run("halves", tmp_path / "scales", tmp_path / "raster", "--csv", out) == 0
    assert records.read_rows(out, Halves) == side_by_side(SCALES, RASTER)
    files = (tmp_path / kind / "evaluation.json" for kind in ("scales", "raster"))
    assert run("halves", *files, "--csv", tmp_path / "again.csv") == 0
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()


def test_a_file_that_is_no_report_of_edits_is_refused(tmp_path, capsys):
    report = tmp_path / "evaluation.json"
    report.write_text(json.dumps({"figures": []}))
    for source in (report, tmp_path):
        assert "is no report of edits: name what" in fails(capsys, "halves", source, source)
