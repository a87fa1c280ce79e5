"""The picture that the page shows before anything was drawn."""

from pathlib import Path

import pytest

from var_core.inspection.trace import Trace
from var_studio.shared import first_picture


def test_the_first_picture_is_that_of_a_shipped_trace_with_all_its_scales():
    pictures, growth = first_picture.shipped_picture()
    trace = Trace.load(next(iter(sorted(first_picture.TRACES.glob("*.safetensors")))))
    assert [picture.size for picture in pictures] == [trace.pictures.shape[1:3]]
    assert growth.count("<figure>") == len(trace.about.sides)
    assert trace.about.class_name in growth and "scale by scale" in growth
    assert len(growth) < 60_000


def test_without_traces_nothing_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(first_picture, "TRACES", tmp_path)
    assert first_picture.shipped_picture() == ([], "")
