"""The menu of models as its user meets it, with a hub on this machine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import hub, tiny
from support.browser import commanded, write

MODEL = hub.model("plain")


@pytest.fixture
def line() -> Iterator[hub.Hub]:
    """A hub whose first answer stops half-way."""
    with hub.serving(hub.Hub(hub.contents("plain"), stalls=1)) as served:
        yield served


@pytest.fixture
def address(line: hub.Hub, tmp_path: Path) -> Iterator[str]:
    """Where the app is served that knows of nothing but this hub."""
    models = tmp_path / "models"
    models.mkdir()
    surroundings = {"HF_ENDPOINT": line.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    surroundings["VAR_STUDIO_HOME"] = str(tmp_path)
    program = "tests/browser/published_app.py"
    with commanded(program, write(models), tmp_path / "cache", **surroundings) as served:
        yield served


def choose(page, name: str) -> None:
    page.click("#models button.label-wrap")
    page.locator("#model input").wait_for()
    page.wait_for_timeout(500)
    page.click("#model input")
    page.get_by_role("option", name=name).click()


def test_a_model_is_chosen_downloaded_stopped_gone_on_with_loaded_and_drawn_with(page, line: hub.Hub, tmp_path: Path):
    choose(page, MODEL.name)
    page.get_by_text("Tiny plain").wait_for()
    assert "To download:" in page.inner_text("#model_about")
    assert "It fits on this machine." in page.inner_text("#model_about")

    page.click("#model_get")
    page.locator("span", has_text=re.compile(rf"^downloading {MODEL.file}: .* of ")).first.wait_for()
    page.click("#model_cancel")
    page.locator("#model_bar").get_by_text("Stopped. Download goes on from here the next time.").wait_for()
    line.go.set()

    page.click("#model_get")
    page.locator("#model_bar").get_by_text(f"{MODEL.name} is here: load it.").wait_for()
    assert line.gets(MODEL.file)[-1].start > 0
    assert (tmp_path / "models" / f"{MODEL.name}.safetensors").is_file()

    page.click("#model_load")
    page.locator("#model_bar", has_text=f"{MODEL.name} is loaded.").wait_for()
    page.wait_for_function("document.querySelector('#class input').value === '0'")
    assert MODEL.name in page.inner_text("#header")
    page.click("#run")
    page.get_by_text(re.compile(r"^1 picture in ")).first.wait_for()
    assert page.locator("#strip figure").count() == len(MODEL.spec.tokenizer.sides)

    later = page.context.new_page()  # whoever comes now finds the other model
    later.goto(page.url)
    later.wait_for_function("document.querySelector('#class input')?.value === '0'")
    later.get_by_role("tab", name="Explore").click()
    later.click("#explore_run")
    later.wait_for_function("explorer.view.trace?.live")


def test_a_file_that_came_since_the_start_can_be_loaded_from_a_page_opened_then(page, tmp_path: Path):
    newer = tiny.write(tmp_path / "models").stem
    page.reload()
    page.get_by_role("tab", name="Explore").click()
    page.click("#explore_run")
    page.wait_for_function("explorer.view.trace?.live")
    for name, live in ((newer, "false"), ("random", "true")):  # what the other model made is to look at only
        choose(page, name)
        page.get_by_text("It is here.").first.wait_for()
        page.click("#model_load")
        page.locator("#model_bar", has_text=f"{name} is loaded.").wait_for()
        page.wait_for_function(f"explorer.view.trace.live === {live}")
        assert (page.locator("#xp-lock-0").count() == 1) is (live == "true")
        page.click("#models button.label-wrap")
