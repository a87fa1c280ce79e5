"""One name, one meaning; and signatures that say what a function takes and gives."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("var_core", "var_studio")
    for path in sorted((ROOT / package).glob("**/*.py"))
}
# What each module of a kind has, in the same way; they are told apart by their modules.
SHARED = {
    "add_commands": "how a file of commands adds them to the program",
    "main": "what a program begins with",
    "parser": "what a program may be told on the command line",
    "load": "a model, for the library from its file, for the app as its flags say",
    "convert": "a command, and what it calls",
    "push": "a command, and what it calls",
    "save": "a command, and what it calls",
    "measure": "how a measurement is taken",
    "report": "what was measured, as Markdown",
    "upgrade": "values of an earlier format, as they are today",
    "tab": "how a tab is laid out and wired",
    "left_column": "the left column of a tab",
    "pictures_of": "what a tab gives to the pictures of the visit",
}


def named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The classes, functions and types of a module, with what a type stands for, since that may be said twice."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, ast.unparse(node.value)
            if name != name.upper() and name[0].isupper() and not value.startswith("TypeVar("):
                yield name, value


def homes() -> dict[str, dict[str, str]]:
    """For each public name, the modules that give it a meaning, and that meaning where it is a type's."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, tree in TREES.items():
        for name, meaning in named(tree):
            if not name.startswith("_"):
                found[name][path] = meaning
    return found


def test_a_name_has_one_meaning():
    meanings = {name: places for name, places in homes().items() if name not in SHARED}
    twice = {name: list(places) for name, places in meanings.items() if len(places) > 1}
    same = {name for name in twice if len({*meanings[name].values()}) == 1 and "" not in meanings[name].values()}
    assert not {name: places for name, places in twice.items() if name not in same}, "find other names, or a shared one"


@pytest.mark.parametrize("name", SHARED)
def test_a_name_that_is_allowed_to_be_shared_is(name):
    assert len(homes()[name]) > 1


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module, and the methods of its classes, that others may call."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.name[0] != "_" or node.name[:2] == "__"):
            yield node
        elif isinstance(node, ast.ClassDef) and node.name[0] != "_":
            yield from public(node.body)


def mentions(node: ast.AST | None, names: set[str]) -> bool:
    return node is not None and any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


@pytest.mark.parametrize("path", TREES)
def test_a_signature_says_what_a_function_takes_and_gives(path):
    """`Any` is no answer, nor is a name that stands for it: what is taken as it comes is an `object`."""
    said = (node for node in TREES[path].body if isinstance(node, ast.Assign) and mentions(node.value, {"Any"}))
    vague = {"Any"} | {target.id for node in said for target in node.targets if isinstance(target, ast.Name)}
    found = {
        function.name
        for function in public(TREES[path].body)
        if mentions(function.args, vague) or mentions(function.returns, vague)
    }
    assert not found
