"""What browser tests start: a model of the shipped size with random weights, and Chromium."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from support import tiny
from support.hands import SIDES

from var_core.config import ModelSpec, TokenizerConfig, TransformerConfig
from var_core.nn.tokenizer import Preview, Tokenizer
from var_core.nn.transformer import VAR, randomise
from var_core.weights import checkpoints

ROOT = Path(__file__).resolve().parents[2]
# Of the size that ships, with random weights: slow enough that scales can be seen to arrive and a run can be stopped.
SPEC = ModelSpec(
    "random",
    TokenizerConfig(SIDES, code_width=16, channels=64, multipliers=(1, 2), residual_blocks=1, norm_groups=16, stem=4),
    TransformerConfig(SIDES, classes=7, depth=8, width=192, heads=3, code_width=16),
    tiny.NAMES,
    tiny.SPEC.class_groups,
    showcase=tiny.SPEC.showcase,
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


@contextmanager
def commanded(program: str, model: Path, cache: Path, *flags: str, **surroundings: str) -> Iterator[str]:
    """Serve the app with a model by a program's own command; its address. `cache`: for visitors' files."""
    executable()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, program, "--model", str(model), "--port", str(port), "--device", "cpu", *flags]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(cache), **surroundings}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        told = server.stdout.readline()
        assert told == f"VAR Studio is at http://127.0.0.1:{port}/\n"
        yield told.split()[-1]
    finally:
        server.terminate()
        server.wait()
