"""The page in other languages: each catalogue has the texts that the page shows, and no others."""

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
import pytest
from support.form import SPEC
from support.node import ROOT, node

from var_core.config import NO_CLASS
from var_studio.page.scripts import catalogues
from var_studio.shared.static import FOLDER

LANGUAGES = sorted(catalogues())
WORDS = re.compile(r"[A-Za-z]{2}")
SHOWN = ("label", "info", "placeholder")  # properties of widgets that are read
SAID = ("alt", "aria-label", "placeholder", "title")  # attributes of HTML that are read or heard
NAMES = {NO_CLASS, *SPEC.class_names, "VAR", "VAR Studio", "English", "Deutsch", "GIF", "JPEG", "MP4", "PNG", "WebP"}
OF_ENDPOINTS = re.compile(r"[a-z_]+")  # their parameters, which do not show on the page
SAYING = """
import { translator } from "./var_studio/static/scripts/shared/languages.js";
import { readFileSync } from "node:fs";
const [catalogue, texts] = JSON.parse(readFileSync(0, "utf8"));
const say = translator(catalogue, "de");
console.log(JSON.stringify(texts.filter((text) => !Object.hasOwn(catalogue, text) && say(text) === text)));
"""


class Texts(HTMLParser):
    """The texts of a piece of HTML, but for those in elements that are not to be translated."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self._left: list[bool] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self._left.append(named.get("translate") == "no" or (bool(self._left) and self._left[-1]))
        self.found += [value for name, value in attributes if name in SAID and value and not self._left[-1]]
        if tag in ("img", "input", "br", "i"):
            self._left.pop()

    def handle_endtag(self, tag: str) -> None:
        if self._left and tag not in ("img", "input", "br", "i"):
            self._left.pop()

    def handle_data(self, data: str) -> None:
        if not (self._left and self._left[-1]):
            self.found.append(" ".join(data.split()))


def static_texts(page: gr.Blocks) -> Iterator[str]:
    """All that the page says before anything is done on it."""
    for component in page.config["components"]:
        properties, kind = component["props"], component["type"]
        yield from (properties[name] for name in SHOWN if isinstance(properties.get(name), str))
        value = properties.get("value")
        if kind == "html" and isinstance(value, str):
            yield from Texts(value).found
        elif kind in ("button", "downloadbutton", "uploadbutton") and isinstance(value, str):
            yield value
        if kind == "radio":
            yield from (name for name, _ in properties["choices"])


def sources() -> str:
    """The code of the page and of the library, with the parts of a text that is written over several lines joined."""
    files = [path for folder in ("var_core", "var_studio") for path in sorted((ROOT / folder).glob("**/*"))]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".js", ".html"))
    joined = re.sub(r"""["'`]\s*\+?\s*f?["'`]""", "", code).replace("\\\\", "\\")
    said = " ".join(unescape(joined).split()).lower()
    return said + said.replace("{s}", "s") + said.replace("{s}", "")  # both numbers of a noun


def words_of_gradio() -> str:
    """The scripts of Gradio's own page."""
    folder = Path(find_spec("gradio").origin).parent / "templates" / "frontend" / "assets"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_the_page_lacks_a_translation(page: gr.Blocks, language: str):
    groups = {name.capitalize() for name in SPEC.class_groups}
    texts = {text for text in static_texts(page) if WORDS.search(text) and f"{SPEC.name} ·" not in text}
    texts -= NAMES | groups
    known = json.dumps([catalogues()[language], sorted(texts)])
    left = json.loads(node("--input-type=module", "-e", SAYING, text=known))
    assert len(texts) > 100 and [text for text in left if not OF_ENDPOINTS.fullmatch(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_no_text_that_nothing_says(language: str):
    ours, strange = sources(), []
    for text in catalogues()[language]:
        parts = [part.strip(" .").lower() for part in re.split(r"\{\w+\}|\d+", text)]
        if not all(part in ours for part in parts):
            strange.append(text)
    theirs = words_of_gradio()
    assert [text for text in strange if not all(part in theirs for part in re.split(r"\{\w+\}", text))] == []


def test_each_language_is_offered_in_the_header_and_by_its_own_name(page: gr.Blocks):
    header = next(block for block in page.blocks.values() if block.elem_id == "header")
    offered = re.findall(r'data-language="(\w+)" lang="(\w+)"', header.value)
    assert offered == [(language, language) for language in ("en", *LANGUAGES)]


def test_style_sheets_speak_each_language():
    sheets = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("styles/*.css")}
    others = sheets.pop("languages.css")
    said = [rule for text in sheets.values() for rule in re.findall(r'content: "[^"]*[A-Za-z]{2}[^"]*"', text)]
    for language in LANGUAGES:
        assert others.count(f":lang({language})::after") == len(said)
