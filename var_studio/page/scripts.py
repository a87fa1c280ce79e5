"""The page's scripts, put into one.

They are ES modules under `static/scripts/`. Gradio runs a script that stands in the head before it makes its widgets,
and the canvas of the Edit tab needs it then; modules that are served as files would come after them, and a browser
could keep those of an older version. So all of them are written into the head, each as a function that is called once
and gives what it exports.
"""

import json
import posixpath
import re
from pathlib import Path

from var_core.inspection import render
from var_core.settings import rows

from ..explore import messages
from ..shared import palette, setting_pictures
from ..shared.static import FOLDER

MAIN = "main.js"
IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|function|class) (\w+))", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def constants() -> dict[str, object]:
    """Return what the scripts know from Python, by its name in `shared/constants.js`."""
    return {
        "attentionUnit": messages.ATTENTION_UNIT,
        "gain": render.GAIN,
        "grey": render.GREY,
        "leastProbability": render.LEAST_PROBABILITY,
        "colours": palette.ON_MAPS,
        "markAlpha": palette.MARK_ALPHA,
        "settingPictures": setting_pictures.pictured_values(),
        "fieldTerms": field_terms(),
        "catalogues": catalogues(),
    }


def field_terms() -> dict[str, str]:
    """Return the ids of fields by the words with which errors about them begin: of all settings, and of others."""
    settings = {row.term: row.name for table in setting_pictures.TABLES for row in rows(table)}
    return {**settings, "how free": "freedom"}


def catalogues() -> dict[str, dict[str, str]]:
    """Return the texts of the page in other languages: by a language's tag {English text: text}."""
    files = sorted((FOLDER / "languages").glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def script() -> str:
    """Return all scripts as one that needs no other file."""
    parts = "".join(_as_function(name, text) for name, text in modules(FOLDER / "scripts", MAIN).items())
    known = json.dumps(constants(), ensure_ascii=False)
    return f"globalThis.varStudio = {known};\n(() => {{\nconst modules = {{}};\n{parts}}})();\n"


def modules(folder: Path, main: str) -> dict[str, str]:
    """The texts of a module of `folder` and of all that it imports, by path; each after those that it needs.

    ValueError if modules import each other in a circle.
    """
    found: dict[str, str] = {}
    begun: list[str] = []

    def add(name: str) -> None:
        if name in begun:
            raise ValueError(f"{name} imports itself, by way of {', '.join(begun[begun.index(name) + 1 :]) or name}.")
        if name in found:
            return
        begun.append(name)
        text = (folder / name).read_text(encoding="utf-8")
        for _, other in IMPORT.findall(text):
            add(_path(name, other))
        found[begun.pop()] = text

    add(main)
    return found


def _path(importer: str, other: str) -> str:
    """The path, from the folder of scripts, of a module that is imported by its path from the importer."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), other))


def _as_function(name: str, text: str) -> str:
    """A module as a function that is called at once; ValueError if it imports or exports in a way not known here."""

    def taken(match: re.Match[str]) -> str:
        names = " ".join((match[1] or "").replace(" as ", ": ").split())
        return f'const {{ {names} }} = modules["{_path(name, match[2])}"];\n' if names else ""

    exported = EXPORT.findall(text)
    body = EXPORT.sub("", IMPORT.sub(taken, text))
    if unknown := LEFT.search(body):
        raise ValueError(f'{name}: "{unknown[0]}" is not understood: see page/scripts.py.')
    return f'modules["{name}"] = (() => {{\n{body}return {{ {", ".join(exported)} }};\n}})();\n'
