"""Settings and fixtures for all tests."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
import torch
from support import pictures, tasks, tiny

from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline
from var_core.files import HOME
from var_studio import main as app

torch.set_num_threads(1)  # the tensors are tiny: more threads only wait for each other


SLOW = (  # files whose tests train, measure, download from a hub on this machine, or run whole programs
    "cli/test_bench.py",
    "cli/test_cli.py",
    "cli/test_cli_enlarging.py",
    "cli/test_cli_trace.py",
    "cli/test_edits.py",
    "cli/test_evaluate.py",
    "cli/test_experiments.py",
    "cli/test_grids.py",
    "cli/test_pictures.py",
    "cli/test_train.py",
    "engine/test_orders.py",
    "measuring/test_ablation.py",
    "measuring/test_compare.py",
    "measuring/test_costs.py",
    "measuring/test_edit_benchmark.py",
    "measuring/test_fast_modes.py",
    "measuring/test_fid_samples.py",
    "measuring/test_photo_benchmark.py",
    "training/test_decoder_task.py",
    "training/test_distributed.py",
    "training/test_masked_task.py",
    "training/test_enlarging_task.py",
    "training/test_tokenizer_task.py",
    "training/test_trainer.py",
    "weights/test_convert.py",
    "weights/test_download.py",
    "weights/test_download_less.py",
    "weights/test_downloaded.py",
    "weights/test_pretrained.py",
    "core/test_older_files.py",
    "hosting/test_server.py",
    "hostile/test_door.py",
    "learn/test_learn.py",
    "test_gpu_script.py",
    "test_imports.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that load the model that ships as `trained`, and those of the files in `SLOW` as `slow`."""
    for item in items:
        if "bundled" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.trained)
        if item.path.as_posix().endswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def bundled() -> Pipeline:
    """The model that ships."""
    return Pipeline.load(options=ON_CPU)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder for the tests alone, empty at first: what the real one holds changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv(HOME, str(home))
        yield home


@pytest.fixture(scope="session")
def page() -> gr.Blocks:
    """The app's page over the tiny model, not served."""
    return app.build(tiny.pipeline())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a checkpoint file."""
    return tiny.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data folder."""
    return pictures.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Classes, train and val split of the small data folder."""
    return tasks.read(pictures.write(tmp_path_factory.mktemp("data")))
