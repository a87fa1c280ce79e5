"""Imports point only upward, and importing does nothing."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the ground up: a folder imports only from itself and from those before it.
FLOORS = (
    *(
        "var_core.settings",
        "var_core.schema",
        "var_core.formats",
        "var_core.config",
        "var_core.published_specs",
        "var_core.flops",
        "var_core.schedule",
        "var_core.files",
        "var_core.clock",
        "var_core.words",
        "var_core.tables",
        "var_core.picture_reading",
        "var_core.images",
        "var_core.xmp",
        "var_core.picture_files",
    ),
    *("var_core.device_memory", "var_core.nn", "var_core.weights", "var_core.engine", "var_core.editing"),
    *("var_core.recipe", "var_core.inspection", "var_core.findings", "var_core.training", "var_core.measuring"),
    *(
        "var_core.cli",
        "var_studio.quick_import",
        "var_studio.shared",
        "var_studio.create",
        "var_studio.edit",
        "var_studio.explore",
    ),
    *("var_studio.learn", "var_studio.api", "var_studio.cluster", "var_studio.page", "var_studio.hosting"),
    *("var_studio", "app"),
)
GROUND = {"var_core", "var_core.__main__"}  # the version, which all may read; and what starts the command line
TABS = {"var_studio.create", "var_studio.edit", "var_studio.explore", "var_studio.learn"}
NEVER = {"var_core.training", "var_core.measuring", "var_core.cli"}  # in the app
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (*sorted(ROOT.glob("var_core/**/*.py")), *sorted(ROOT.glob("var_studio/**/*.py")), ROOT / "app.py")
}
LIBRARY = [name for name in FILES if name.startswith("var_core.") and name not in GROUND]
APP = [name for name in FILES if not name.startswith("var_core")]


@cache
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


def floor(module: str) -> str | None:
    """The floor that a module, or a name in one, belongs to; None if it is not ours."""
    return max((name for name in FLOORS if f"{module}.".startswith(f"{name}.")), key=len, default=None)


def floors_below(module: str) -> set[str]:
    """The floors that a module imports from, besides its own."""
    return {floor(name) for name in imported(FILES[module])} - {None, floor(module)}


@pytest.mark.parametrize("module", [name for name in FILES if name not in GROUND])
def test_a_module_imports_only_from_floors_below(module):
    own = floor(module)
    assert own is not None, f"{module} stands on no floor: add its folder to FLOORS"
    assert floors_below(module) <= set(FLOORS[: FLOORS.index(own)])


@pytest.mark.parametrize("module", [name for name in FILES if floor(name) in TABS])
def test_a_tab_imports_no_other_tab(module):
    """What tabs hand to one another stands in `var_studio.shared`."""
    assert not TABS & floors_below(module)


def test_every_folder_with_code_is_packaged():
    """Read as text: Python 3.10 has no tomllib."""
    told = re.search(r"^packages = (\[.*?\])$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M | re.S)[1]
    folders = {
        path.parent.relative_to(ROOT) for top in ("var_core", "var_studio") for path in ROOT.glob(f"{top}/**/*.py")
    }
    assert {".".join(folder.parts) for folder in folders} <= set(ast.literal_eval(told))


def test_the_transformer_does_not_know_the_tokenizer():
    named = imported(FILES["var_core.nn.transformer"])
    assert not [name for name in named if re.search(r"nn\.(tokenizer|quantizer)", name)]


def defined(path: Path) -> set[str]:
    """All names that a file gives a meaning to by itself, at any depth."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    return named | {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def test_what_is_imported_comes_from_where_it_is_defined():
    homes = {name: defined(path) for name, path in FILES.items()}
    for path in (*FILES.values(), *ROOT.glob("tests/**/*.py"), *ROOT.glob("tools/*.py")):
        for name in imported(path) - FILES.keys():
            module, _, own = name.rpartition(".")
            assert module not in homes or own in homes[module], f"{path}: {own} is not defined in {module}"


def test_modules_form_no_circle():
    """Within a floor too."""
    above = {}
    for name, path in FILES.items():
        named = imported(path)
        above[name] = {other for other in FILES if other in named and other not in (name, *GROUND)}
    while free := [name for name, needs in above.items() if not needs & above.keys()]:
        for name in free:
            del above[name]
    assert not above


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_does_not_know_the_app(module):
    assert not {"gradio", "var_studio", "app"} & packages(FILES[module])


@pytest.mark.parametrize("module", APP)
def test_the_app_holds_no_tensors_and_neither_trains_nor_measures(module):
    assert "torch" not in packages(FILES[module])
    assert not NEVER & floors_below(module)


IMPORTING = f"""
import importlib, os, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise AssertionError((event, args))
sys.addaudithook(refuse)
for number, names in enumerate(({LIBRARY}, {APP}), 1):
    for name in names:
        importlib.import_module(name)
    assert not importlib.import_module("torch").cuda.is_initialized()
    os.truncate(sys.argv[1], number)  # so many are imported
"""


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, tuple[str, str, list[Path]]]:
    """Of a process that imports the library, then the app: how many of both it came through, and all that it left."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    come_through, folder = tmp_path_factory.mktemp("told") / "number", tmp_path_factory.mktemp("empty")
    come_through.touch()
    command = [sys.executable, "-c", IMPORTING, str(come_through)]
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=100)
    return come_through.stat().st_size, (done.stdout, done.stderr, list(folder.iterdir()))


@pytest.mark.parametrize("number", [1, 2], ids=["library", "app"])
def test_importing_prints_nothing_and_makes_no_files_connections_or_processes(importing, number):
    come_through, left = importing
    assert left == ("", "", []) and come_through >= number
