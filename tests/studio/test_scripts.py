"""The page's scripts: put into one for the page, and tested under node, module by module."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.node import node

from var_core.inspection import render
from var_core.settings import Setting, rows
from var_studio.page import scripts, theme
from var_studio.shared import palette, setting_pictures
from var_studio.shared.static import FOLDER

TESTS = sorted((Path(__file__).parent / "scripts").glob("*.test.js"))
MOST_LINES = 400
COLOURS = "await import('./var_studio/static/scripts/explore/colours.js')"
FIELDS = """
import { fieldIdsOf } from "./var_studio/static/scripts/shared/words.js";
import { readFileSync } from "node:fs";
const [terms, errors] = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(errors.map((error) => fieldIdsOf(error, terms))));
"""


def test_the_scripts_compute_what_they_should():
    assert TESTS
    told = node("--test", "--test-reporter=tap", *TESTS)
    assert int(re.search(r"^# tests (\d+)$", told, re.MULTILINE)[1]) >= 25


def test_the_joined_script_is_one_that_node_understands():
    node("-e", "new Function(require('fs').readFileSync(0, 'utf8'))", text=scripts.script())


def test_the_colours_of_heat_maps_are_those_of_films_and_posters():
    code = f"globalThis.varStudio = {json.dumps(scripts.constants())}; console.log(JSON.stringify(({COLOURS}).VIRIDIS))"
    ours = np.array(json.loads(node("--input-type=module", "-e", code)))
    theirs = render._viridis(np.linspace(0, 1, len(ours)))
    assert np.abs(ours - theirs.astype(int)).max() <= 3


def test_every_constant_is_read_by_the_page():
    text = (FOLDER / "scripts/shared/constants.js").read_text(encoding="utf-8")
    assert set(re.findall(r"varStudio\.(\w+)", text)) == scripts.constants().keys()


def test_every_setting_has_a_word_of_its_own_in_errors():
    settings = [row for table in setting_pictures.TABLES for row in rows(table)]
    assert len({row.term for row in settings}) == len(settings)
    assert scripts.field_terms().items() >= {(row.term, row.name) for row in settings}


def test_every_error_about_a_setting_marks_its_field_and_no_other():
    settings = [row for table in setting_pictures.TABLES for row in rows(table)]
    errors = [(row.name, error) for row in settings for error in errors_about(row)]
    told = json.dumps([scripts.field_terms(), [error for _, error in errors]])
    found = json.loads(node("--input-type=module", "-e", FIELDS, text=told))
    names = {row.name for row in settings}
    assert {name for name, _ in errors} == names
    for (name, error), ids in zip(errors, found, strict=True):
        assert names.intersection(ids) == {name}, error


def errors_about(row: Setting) -> list[str]:
    """What is said of values that a setting does not take: words, nothing, and what is out of its range."""
    values = ["nonsense"] if row.kind in (bool, str) else ["nonsense", None, row.kind(row.high + row.step)]
    errors = []
    for value in values:
        with pytest.raises(ValueError) as refused:
            row.parse(value)
        errors.append(str(refused.value))
    return errors


def test_every_module_is_put_into_the_page_after_those_that_it_needs():
    found = list(scripts.modules(FOLDER / "scripts", scripts.MAIN))
    files = {path.relative_to(FOLDER / "scripts").as_posix() for path in FOLDER.glob("scripts/**/*.js")}
    assert set(found) == files and found[-1] == scripts.MAIN
    assert found.index("explore/trace.js") < found.index("explore/painting.js") < found.index("explore/explorer.js")


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder


def test_joined_modules_see_only_what_they_import(tmp_path, monkeypatch):
    main = 'import { double as twice } from "./other.js";\n\nconst hidden = 5;\nconsole.log(twice(hidden));\n'
    other = "const hidden = 2;\nexport function double(value) {\n  return hidden * value;\n}\n"
    (tmp_path / "scripts").mkdir()
    written(tmp_path / "scripts", main=main, other=other)
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    assert node("-e", scripts.script()) == "10\n"


def test_modules_that_import_each_other_are_refused(tmp_path):
    folder = written(tmp_path, main='import "./other.js";\n', other='import "./main.js";\n')
    with pytest.raises(ValueError, match=r"main\.js imports itself, by way of other\.js"):
        scripts.modules(folder, "main.js")


@pytest.mark.parametrize("line", ["export default 3;", 'import all from "./other.js";', "export { one };"])
def test_a_module_that_cannot_be_joined_is_refused(tmp_path, monkeypatch, line):
    (tmp_path / "scripts").mkdir()
    written(tmp_path / "scripts", main=f"{line}\n", other="")
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=re.escape(f'main.js: "{line}" is not understood')):
        scripts.script()


def test_a_script_cannot_end_its_element_early():
    assert "</script" not in scripts.script()


def test_no_script_stands_in_python_or_html_beyond_a_call():
    """Handlers of one line name what the files under static/ hold."""
    texts = [path.read_text(encoding="utf-8") for path in (*FOLDER.glob("**/*.html"), *FOLDER.parent.glob("**/*.py"))]
    found = [script for text in texts for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL)]
    assert len(found) == 1 and "\n" not in found[0]  # the one that page/theme.py fills


def test_files_of_the_page_are_short():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("**/*.*s")}
    assert lines and not {path: count for path, count in lines.items() if count > MOST_LINES}


def test_every_style_sheet_is_worn():
    assert {path.name for path in FOLDER.glob("styles/*")} == set(theme.STYLES)
    assert theme.dress()["css_paths"] == [FOLDER / "styles" / name for name in theme.STYLES]


def test_the_colour_of_what_is_painted_stands_in_one_place():
    shade = re.compile(rf"{palette.MARK}|{', ?'.join(map(str, palette.MARK_RGB))}", re.IGNORECASE)
    files = [*FOLDER.parent.glob("**/*.py"), *FOLDER.glob("**/*.*s")]
    assert [path.name for path in files if shade.search(path.read_text(encoding="utf-8"))] == ["palette.py"]
    assert palette.MARK in theme.dress()["css"] and palette.MARK in theme.dress()["head"]
