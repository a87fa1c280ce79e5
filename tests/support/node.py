"""The JavaScript of the page, run under node."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def node(*arguments: object, text: str | None = None) -> str:
    """What node prints; without node the test skips."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("there is no 'node' on the PATH, so the JavaScript is not tested")
    command = [path, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
