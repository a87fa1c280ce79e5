"""The list of shortcuts says all that there are, and the docs say the same."""

import json
import re
from pathlib import Path

from studio.test_scripts import node

from var_studio.shared.static import FOLDER

ROOT = Path(__file__).resolve().parents[2]
NAMES = {" ": "Space", "=": "+", "Escape": "Esc", "ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "Arrows"}
NAMES |= {"ArrowDown": "Arrows", "Enter": "Enter", "Tab": "Tab"}
LITERAL = re.compile(r'\b(?:event\.)?key [=!]== "([^"]+)"')
MAP = re.compile(r"\b(\w+)\[event\.key")  # of keys to what they do
MOVERS = re.compile(r"\b(Arrow(?:Left|Right|Up|Down)|Escape|Enter)\b")


def listed() -> dict[str, list[tuple[list[str], str]]]:
    code = "import('./var_studio/static/scripts/page/keys.js').then(({KEYS}) => console.log(JSON.stringify(KEYS)))"
    return json.loads(node("-e", code))


def mapped(text: str) -> set[str]:
    """The keys of the maps that a script looks a pressed key up in."""
    maps = [found for name in MAP.findall(text) for found in re.findall(rf"const {name} = {{(.*?)}};", text, re.DOTALL)]
    return {key for found in maps for key in re.findall(r'"?([^\s,"{}]+| )"?: ', found)}


def test_every_key_that_a_script_waits_for_is_in_the_list():
    keys = [key for rows in listed().values() for alternatives, _ in rows for key in alternatives]
    caps = {part for key in keys for part in re.split(r"\+(?=.)", key)}
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("scripts/**/*.js") if path.name != "keys.js"]
    waited_for = {key for text in texts for key in (*LITERAL.findall(text), *MOVERS.findall(text), *mapped(text))}
    assert {"[", "z", " ", "Escape", "b", "e", "l", "m", "s"} <= waited_for  # the search finds them
    assert {NAMES.get(key, key.upper()) for key in waited_for} <= caps


def test_the_docs_have_the_same_list():
    rows = [row for place, rows in listed().items() if place != "Explore" for row in rows]
    written = [f"| {' or '.join(f'`{key}`' for key in keys)} | {does} |" for keys, does in rows]
    page = (ROOT / "docs/edit.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| keys \| what they do \|\n\|---\|---\|\n((?:\|.*\n)+)", page)
    assert table.splitlines() == written
