"""The pages of the documentation: links lead somewhere, files that are named exist, commands and code run."""

import re
import shlex
from pathlib import Path

import pytest

from var_core.cli import parser
from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.settings import rows
from var_studio.shared import limits

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("assets/*/README.md"), *ROOT.glob("checkpoints/*.md")]
)
LIBRARY = ROOT / "docs" / "library.md"
MAP = ROOT / "docs" / "architecture.md"
FOLDERS = ("var_core", "var_studio", "tests", "docs", "tools", "assets", "checkpoints")
LARGEST_PICTURE = 250_000  # bytes


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def python_of(page: Path) -> list[str]:
    """Its blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def prose_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What its headings are called in an address."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def files_on_the_map() -> set[str]:
    """The files in the tables of the tree: each stands in the section of its folder."""
    named = set()
    for folder, section in re.findall(r"^### `(\w[\w/]*)`\n(.*?)(?=^##)", text_of(MAP), re.DOTALL | re.MULTILINE):
        for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE):
            named |= {folder + name for name in re.findall(r"`(\w+\.py)`", cell)}
    return named


def test_the_map_shows_every_file_with_code_and_no_other():
    there = {
        path.relative_to(ROOT).as_posix()
        for package in ("var_core", "var_studio")
        for path in (ROOT / package).glob("**/*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    assert files_on_the_map() == there


def test_every_path_on_the_map_exists():
    paths = {word for word in re.findall(r"`([\w./]+/[\w./]*)`", text_of(MAP)) if word.split("/")[0] in FOLDERS}
    assert len(paths) > 30
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


def test_every_name_on_the_map_stands_in_the_code():
    code = "\n".join(text_of(path) for top in ("var_core", "var_studio") for path in (ROOT / top).glob("**/*.py"))
    walks = text_of(MAP).partition("## Five walks")[2].partition("## Glossary")[0]
    names = {part for name in re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`", walks) for part in name.split(".")}
    names -= {part for word in re.findall(r"`[\w/]+\.\w+`", walks) for part in re.findall(r"\w+", word)}
    assert len(names) > 20
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT / "docs"], ids=name_of)
def test_commands_in_the_docs_are_commands(page):
    blocks = re.findall(r"^```\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in re.findall(r"^python -m var_core (.*)$", block, re.MULTILINE)]
    for line in lines:
        if "..." not in line:
            parser().parse_args(shlex.split(line, comments=True))


@pytest.mark.usefixtures("bundled")
def test_the_python_in_the_docs_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = 0
    apart = {ROOT / "docs" / "api.md", LIBRARY}  # whose examples need a server, or have a test each
    for page in sorted({*ROOT.glob("docs/*.md")} - apart):
        for block in python_of(page):
            exec(compile(block, page.name, "exec"), {"print": lambda *_: None})
            ran += 1
    assert ran
    assert (tmp_path / "lotus.safetensors").is_file()


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize(
    "block", python_of(LIBRARY), ids=[f"example {n}" for n in range(1, len(python_of(LIBRARY)) + 1)]
)
def test_each_example_of_the_library_runs_by_itself(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, LIBRARY.name, "exec"), {"print": lambda *_: None})


@pytest.mark.parametrize(
    "name", ["Load", "Generate", "Edit", "Extend", "Encode", "Trace", "Classify", "Folders and repositories"]
)
def test_the_library_page_has_an_example_of_everything(name):
    sections = text_of(LIBRARY).split("\n## ")[1:]
    assert any(section.startswith(name) and "```python" in section for section in sections)


def test_every_screenshot_is_shown_and_small():
    shown = {link for page in PAGES for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text_of(page))}
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size <= LARGEST_PICTURE
        assert any(link.endswith(f"pictures/{picture.name}") for link in shown), picture.name


def test_the_readme_is_short_and_tells_how_to_run_and_test():
    lines = text_of(ROOT / "README.md").splitlines()
    assert len(lines) <= 150
    for command in ("make demo", "make test"):
        assert any(line.startswith(command) for line in lines)


@pytest.mark.parametrize(("page", "settings"), [("create", Sampling), ("edit", EditSettings)])
def test_every_setting_has_a_row_on_the_page_of_its_tab(page, settings):
    page_text = text_of(ROOT / "docs" / f"{page}.md")
    for row in rows(settings):
        assert f"| **{row.label}** |" in page_text


def test_the_table_of_limits_is_that_of_the_code():
    assert limits.table() in text_of(ROOT / "docs" / "commands.md")


@pytest.mark.parametrize("page", ["reliability.md", "walk.md"])
def test_the_tests_that_a_page_names_are_there(page):
    there = "".join(text_of(path) for path in (ROOT / "tests").glob("**/test_*.py"))
    named = re.findall(r"`(test_\w+)`", text_of(ROOT / "docs" / page))
    assert len(named) > 30 and not [name for name in named if f"def {name}(" not in there]
