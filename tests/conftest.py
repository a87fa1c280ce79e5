"""Settings and fixtures for all tests."""

import gradio as gr
import pytest
import tiny
import torch

import app

torch.set_num_threads(1)  # the tensors are tiny: more threads only wait for each other


@pytest.fixture(scope="session")
def page() -> gr.Blocks:
    """The app's page over the tiny model, not served."""
    return app.build(tiny.pipeline())
