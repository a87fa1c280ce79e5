"""While Gradio is imported quickly, the sources of its components are missed, and nothing else."""

import inspect

import gradio as gr
import pytest

from var_studio.quick_import import without_stubs


def test_only_sources_of_gradio_are_missed_and_only_meanwhile():
    with without_stubs():
        with pytest.raises(OSError, match="no source"):
            inspect.getfile(gr.Textbox)
        assert inspect.getfile(pytest.Item).endswith("nodes.py")
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")


def test_sources_are_found_again_after_an_import_that_failed():
    with pytest.raises(ImportError), without_stubs():
        raise ImportError
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")
