"""Handlers are watched, and do the same."""

import io
import json
from collections.abc import Iterator

import gradio as gr
import pytest

from var_studio.hosting.figures import Figures
from var_studio.hosting.logs import JSON, logged
from var_studio.hosting.watching import watch
from var_studio.shared.events import ON_MODEL, refusal


def draw(number: int) -> Iterator[int]:
    for step in range(3):
        if number < 0:
            raise refusal("Choose another number.")
        yield number // (step + 1 if number else 0)


def double(text: str) -> str:
    return 2 * text


def watched(handler, options=ON_MODEL):
    figures = Figures()
    with gr.Blocks() as page:
        box = gr.Textbox()
        box.submit(handler, box, box, **options)
    watch(page, figures)
    return page.fns[0].fn, figures


def ends(figures: Figures, name: str) -> dict[str, float]:
    samples = [sample for metric in figures.runs.collect() for sample in metric.samples]
    return {
        sample.labels["end"]: sample.value
        for sample in samples
        if sample.name.endswith("_total") and sample.labels["run"] == name
    }


def test_a_run_does_the_same_and_is_counted():
    drawing, figures = watched(draw)
    assert list(drawing(6)) == [6, 3, 2]
    assert ends(figures, "draw") == {"done": 1}
    assert figures.registry.get_sample_value("var_studio_run_seconds_count", {"run": "draw"}) == 1
    assert figures.registry.get_sample_value("var_studio_runs_under_way") == 0


def test_a_run_that_is_left_or_refused_is_told_apart():
    drawing, figures = watched(draw)
    run = drawing(6)
    next(run)
    assert figures.registry.get_sample_value("var_studio_runs_under_way") == 1
    run.close()
    with pytest.raises(gr.Error, match="Choose another number"):
        next(drawing(-1))
    assert ends(figures, "draw") == {"left": 1, "refused": 1}


def test_an_error_that_nobody_expected_is_counted_and_goes_on():
    drawing, figures = watched(draw)
    told = io.StringIO()
    with logged(JSON, told):
        with pytest.raises(ZeroDivisionError):
            next(drawing(0))
    (run,) = map(json.loads, told.getvalue().splitlines())
    assert (run["message"], run["name"], run["end"]) == ("run", "draw", "failed")
    assert figures.registry.get_sample_value("var_studio_errors_total") == 1


def test_what_is_no_run_is_not_counted_and_nothing_of_a_visitor_s_is_told():
    doubling, figures = watched(double, {})
    told = io.StringIO()
    with logged(JSON, told):
        assert doubling("my secret") == "my secretmy secret"
        with pytest.raises(TypeError):
            doubling({"my": "secret"})
    assert ends(figures, "double") == {}
    assert "secret" not in told.getvalue()
