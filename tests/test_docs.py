"""The pages of the documentation: links lead somewhere, files that are named exist, commands and code run."""

import re
import shlex
from pathlib import Path

import pytest

from var_core.cli import parser

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("assets/*/README.md"), *ROOT.glob("checkpoints/*.md")]
)
LARGEST_PICTURE = 250_000  # bytes


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


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
    for page in ROOT.glob("docs/*.md"):
        for block in re.findall(r"^```python\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE):
            exec(compile(block, page.name, "exec"), {"print": lambda *_: None})
            ran += 1
    assert ran
    assert (tmp_path / "lotus.safetensors").is_file()


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
