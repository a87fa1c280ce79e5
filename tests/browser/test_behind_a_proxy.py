"""The app on a sub-path behind a proxy, as its user meets it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support import tiny
from support.browser import commanded
from support.desk import at_rest, laying, stroke
from support.explore_tab import enter
from support.hands import download, pixels, set_number, unfold, upload
from support.served import Passed, proxied

PATH = "/studio"


@pytest.fixture(scope="module")
def log() -> list[Passed]:
    """What came to the proxy."""
    return []


@pytest.fixture(scope="module")
def address(log: list[Passed], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a proxy serves the app."""
    folder = tmp_path_factory.mktemp("proxied")
    with (
        commanded("app.py", tiny.write(folder), folder / "cache", "--root-path", PATH) as served,
        proxied(served, PATH, log) as outside,
    ):
        yield f"{outside}/"


@pytest.fixture(autouse=True)
def no_request_leaves_the_path(log: list[Passed]) -> Iterator[None]:
    """Look at the proxy's log when a test is over."""
    yield
    assert any(one.method == "POST" for one in log)
    assert [one for one in log if not one.path.startswith(f"{PATH}/") or one.status >= 400] == []


def test_behind_a_proxy_a_picture_is_made_and_its_link_makes_it_again(page, visit: Callable, address: str):
    page.click("#run")
    page.locator("#bar").get_by_text(re.compile("^1 picture in ")).wait_for()
    assert page.locator("#strip figure img").count() == len(tiny.SIDES)
    pictures = "[...document.querySelectorAll('#gallery img, #strip img')]"
    page.wait_for_function(f"{pictures}.every((picture) => picture.naturalWidth)")
    unfold(page, "drawing", "guidance")
    page.locator("#guidance .help").click()
    page.wait_for_function("document.querySelector('#setting_help img')?.naturalWidth")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#strip [data-copy-link]").first.click()
    page.locator("#strip").get_by_text("Copied", exact=True).wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{address}?")
    again = visit(link.removeprefix(address))
    again.click("#run")
    again.locator("#bar").get_by_text(re.compile("^1 picture in ")).wait_for()
    assert np.array_equal(pixels(download(again, "#download")), pixels(download(page, "#download")))


def test_behind_a_proxy_a_photo_is_edited_and_every_tab_opens(page, photo: Path):
    page.get_by_role("tab", name="Edit").click()
    at_rest(page)
    laying(page, lambda: upload(page, "open", photo))
    set_number(page, "edit_variations", 1)
    stroke(page, (0.35, 0.4), (0.6, 0.5))
    page.click("#edit_run")
    page.locator("#edit_bar").get_by_text(re.compile("^1 variation in ")).wait_for()
    before, after = pixels(photo.read_bytes()), pixels(download(page, "#edit_download"))
    assert before.shape == after.shape and (before != after).any()

    enter(page)  # Explore, and what it shows before anything was drawn
    page.get_by_role("tab", name="Learn").click()
    page.locator("#ln_measured svg").first.wait_for()
