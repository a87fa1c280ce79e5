"""Downloads of the tiny published model, and what is there after them."""

from pathlib import Path

import pytest
from support import hub

from var_core import cli
from var_core.weights.download import fetch

MODEL = hub.model("plain")
SMALL, LARGE = MODEL.files  # the transformer's file comes first


def drained(folder: Path, model=MODEL) -> list:
    return list(fetch(model, folder))


def fails(folder: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        drained(folder)
    assert not (folder / "plain.safetensors").exists()


def parts(folder: Path) -> list[Path]:
    return sorted((folder / ".downloads").glob("*.part"))


def leftovers(folder: Path) -> list[str]:
    found = [*folder.glob("*.*"), *(folder / ".downloads").glob("*")]
    return sorted(path.name for path in found if path.is_file() and path.name != ".lock")


def said(capsys, *words) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.main([str(word) for word in words])
    return status, *capsys.readouterr()
