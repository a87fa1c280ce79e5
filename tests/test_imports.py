"""Imports point only upward, and importing does nothing."""

import ast
import os
import re
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
HOME = ROOT / "var_core"
FILES = {
    ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(HOME.rglob("*.py"))
    if path.parent != HOME or not path.stem.startswith("__")
}
MODULES = list(FILES)
SCREENS = sorted(path for path in (*(ROOT / "ui").glob("*.py"), ROOT / "app.py") if path.is_file())


def imported(path: Path) -> set[str]:
    """Full dotted names of all that a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            parts = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*parts, *([node.module] if node.module else [])))
            names |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return names


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def ours(path: Path) -> set[str]:
    """The modules of var_core that a file imports."""
    named = {name.removeprefix("var_core.") for name in imported(path) if name.startswith("var_core.")}
    holding = ([module for module in MODULES if f"{name}.".startswith(f"{module}.")] for name in named)
    return {max(modules, key=len) for modules in holding if modules}


@pytest.mark.parametrize("module", [name for name in FLOORS if name in MODULES])
def test_a_module_imports_only_from_lower_floors(module):
    lower = FLOORS[: FLOORS.index(module)]
    assert ours(FILES[module]) <= set(lower)


def test_every_folder_with_code_is_packaged():
    """Read as text: Python 3.10 has no tomllib."""
    told = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[1]
    folders = {path.parent.relative_to(ROOT) for top in ("var_core", "ui") for path in (ROOT / top).rglob("*.py")}
    assert sorted(ast.literal_eval(told)) == sorted(".".join(folder.parts) for folder in folders)


def test_the_transformer_does_not_know_the_tokenizer():
    assert not {"vqvae", "quantizer"} & ours(FILES["transformer"])


def test_modules_that_hang_off_the_rest_form_no_circle():
    above = {name: ours(path) - {name, *FLOORS} for name, path in FILES.items() if name not in FLOORS}
    while free := [name for name, needs in above.items() if not needs & above.keys()]:
        for name in free:
            del above[name]
    assert not above


@pytest.mark.parametrize("module", MODULES)
def test_the_library_does_not_know_gradio(module):
    assert not {"gradio", "ui", "app"} & packages(FILES[module])


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
