"""The app in a real browser: one server and one Chromium for all tests, a fresh page for each."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny
import torch
from hands import FLAGS, SIDES

from var_core import checkpoints
from var_core.config import ModelSpec, TokenizerConfig, TransformerConfig
from var_core.transformer import VAR, randomise
from var_core.vqvae import Preview, Tokenizer

ROOT = Path(__file__).resolve().parents[2]
# Of the size that ships, with random weights: slow enough that scales can be seen to arrive and a run can be stopped.
SPEC = ModelSpec(
    "random",
    TokenizerConfig(SIDES, code_width=16, channels=64, multipliers=(1, 2), residual_blocks=1, norm_groups=16, stem=4),
    TransformerConfig(SIDES, classes=7, depth=8, width=192, heads=3, code_width=16),
    tiny.NAMES,
    tiny.SPEC.class_groups,
)


def write(folder: Path) -> Path:
    """The random model as a checkpoint file."""
    path = folder / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        var = randomise(VAR(SPEC.transformer))
        torch.nn.init.normal_(var.head.weight, std=0.3)
        checkpoints.save(path, SPEC, Tokenizer(SPEC.tokenizer), Preview(SPEC.tokenizer), var)
    return path


def executable() -> str:
    """Where Chromium is; without one the test skips, or fails if VAR_STUDIO_BROWSER=1 demands it."""
    if found := shutil.which("chromium"):
        return found
    reason = "there is no 'chromium' on the PATH, so the app is not tested in a browser"
    return (pytest.fail if os.environ.get("VAR_STUDIO_BROWSER") == "1" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running Chromium."""
    path = executable()
    from playwright.sync_api import sync_playwright  # here: where there is no browser there may be no driver either

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the app is served, by its own command."""
    executable()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    model = write(tmp_path_factory.mktemp("model"))
    cache = tmp_path_factory.mktemp("cache")
    command = [sys.executable, "app.py", "--model", str(model), "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(cache)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        told = server.stdout.readline()
        assert told == f"VAR Studio is at http://127.0.0.1:{port}/\n"
        yield told.split()[-1]
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def visit(chromium, address: str) -> Iterator[Callable]:
    """Opens the app, by default at its plain address in a window of a laptop's size.

    Afterwards: no error was logged, and nothing came from another host.
    """
    contexts, troubles = [], []

    def opened(query: str = "", width: int = 1440, height: int = 900):
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}, accept_downloads=True))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text) if _matters(message) else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda sent: troubles.append(sent.url) if _leaves(sent.url, address) else None)
        page.set_default_timeout(60_000)
        page.goto(address + query)
        page.locator("#run").wait_for()
        page.wait_for_timeout(1000)  # until what the page's address asks for has been answered
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(visit: Callable):
    """The app's page."""
    return visit()


def _matters(message) -> bool:
    """Whether the browser's console tells of an error; Gradio's image editor tells of one when a mask arrives twice."""
    return message.type == "error" and message.text != "No draw texture found for layer"


def _leaves(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))
