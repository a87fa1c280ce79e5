"""Imports point only upward, and importing does nothing."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (
    *("config", "budget", "schedule", "layers", "quantizer", "vqvae", "transformer", "memory", "plan", "sampling"),
    *("growth", "imagenet", "images", "canvas", "detail", "registry", "checkpoints", "convert", "download"),
    *("pipeline", "trace", "edit", "recipe", "viz", "atlas"),
)
MODULES = sorted(path.stem for path in (ROOT / "var_core").glob("*.py") if not path.stem.startswith("__"))
SCREENS = sorted(path for path in (*(ROOT / "ui").glob("*.py"), ROOT / "app.py") if path.is_file())


def imported(path: Path) -> set[str]:
    """Full dotted names of all that a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = ".".join([path.parent.name] * (node.level > 0) + [node.module] * (node.module is not None))
            names |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return names


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def ours(path: Path) -> set[str]:
    """The modules of var_core that a file imports."""
    parts = [name.split(".") for name in imported(path)]
    return {part[1] for part in parts if part[0] == "var_core" and len(part) > 1} & set(MODULES)


@pytest.mark.parametrize("module", [name for name in FLOORS if name in MODULES])
def test_a_module_imports_only_from_lower_floors(module):
    lower = FLOORS[: FLOORS.index(module)]
    assert ours(ROOT / "var_core" / f"{module}.py") <= set(lower)


def test_the_transformer_does_not_know_the_tokenizer():
    assert not {"vqvae", "quantizer"} & ours(ROOT / "var_core" / "transformer.py")


def test_modules_that_hang_off_the_rest_form_no_circle():
    above = {name: ours(ROOT / "var_core" / f"{name}.py") - set(FLOORS) for name in MODULES if name not in FLOORS}
    while free := [name for name, needs in above.items() if not needs & above.keys()]:
        for name in free:
            del above[name]
    assert not above


@pytest.mark.parametrize("module", MODULES)
def test_the_library_does_not_know_gradio(module):
    assert not {"gradio", "ui", "app"} & packages(ROOT / "var_core" / f"{module}.py")


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.name)
def test_screens_hold_no_tensors(path):
    assert "torch" not in packages(path)
    assert ours(path) <= {
        "pipeline",
        "plan",
        "viz",
        "images",
        "checkpoints",
        "recipe",
        "sampling",
        "config",
        "edit",
        "canvas",
        "memory",
        "trace",
        "atlas",
        "registry",
        "download",
        "growth",
        *("race", "pyramid", "plots", "costs", "scaling", "trials", "rows"),
    }


def test_importing_the_library_prints_nothing_and_makes_no_files_connections_or_processes(tmp_path):
    code = f"""
import importlib, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise AssertionError((event, args))
sys.addaudithook(refuse)
for name in {MODULES}:
    importlib.import_module("var_core." + name)
assert not importlib.import_module("torch").cuda.is_initialized()
"""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())
