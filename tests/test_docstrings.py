"""Docstrings say what they are about: a verb or a named subject comes first."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = [path for top in ("var_core", "var_studio", "tools") for path in sorted(ROOT.glob(f"{top}/**/*.py"))]
DANGLING = re.compile(r"(What|Of|That|Those|The same|How|Where|Whether|Before|After|Another|Coming|Looking)\b")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(source: str) -> list[str]:
    """Return the first line of every docstring."""
    docstrings = (ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED))
    return [text.splitlines()[0] for text in docstrings if text]


def test_the_openings_are_found_wherever_a_docstring_stands():
    source = '"""What is here."""\nclass A:\n    """Those of B."""\n    def f():\n        """Whatever."""\n'
    assert [bool(DANGLING.match(line)) for line in first_lines(source)] == [True, True, False]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_docstring_is_understood_without_its_neighbour(path):
    assert not [line for line in first_lines(path.read_text(encoding="utf-8")) if DANGLING.match(line)]
