"""The app in a real browser: one server and one window for all tests, a fresh page for each that changes something."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import commanded, executable, write
from support.desk import HEIGHT, WIDTH, at_rest, laying
from support.hands import FLAGS, upload

# Edges on a canvas are not smoothed, which takes long without a GPU, and which no test looks at.
COARSE = "--webgl-antialiasing-mode=none"


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running Chromium."""
    path = executable()
    from playwright.sync_api import sync_playwright  # here: where there is no browser there may be no driver either

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, COARSE])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def window(chromium) -> Iterator:
    """A window with a cache for all tests: what Gradio's page consists of is fetched and compiled once.

    It keeps an empty page. Without one it closes after each test, and every new one loads the parts of its own frame,
    four hundred files, which takes as long as a third of the app's page.
    """
    context = chromium.new_context(accept_downloads=True)
    context.new_page()
    yield context
    context.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the app is served, by its own command."""
    model = write(tmp_path_factory.mktemp("model"))
    with commanded("app.py", model, tmp_path_factory.mktemp("cache")) as served:
        yield served


class Visits:
    """Pages of the app that are opened as by somebody new, and all that goes wrong on them."""

    def __init__(self, chromium, window, address: str):
        self._chromium, self._window, self._address = chromium, window, address
        self._there, self._phones, self._troubles = window.pages, [], []

    def open(
        self,
        query: str = "",
        width: int = 1440,
        height: int = 900,
        opened: bool = True,
        phone: bool = False,
        locale: str = "en-US",
    ):
        """Open the app, by default at its plain address in a window of a laptop's size; the locale is a phone's."""
        troubles, address = self._troubles, self._address
        if phone:  # touch and language belong to a window
            touch = {"has_touch": True, "is_mobile": True}
            self._phones.append(self._chromium.new_context(accept_downloads=True, locale=locale, **touch))
        page = (self._phones[-1] if phone else self._window).new_page()
        page.set_viewport_size({"width": width, "height": height})
        forget(page, address)
        page.on("console", lambda message: troubles.append(message.text) if _matters(message) else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda sent: troubles.append(sent.url) if _leaves(sent.url, address) else None)
        page.set_default_timeout(60_000)
        page.goto(address + query)
        page.locator("#run").wait_for()
        if opened:  # what the page's address asks for has been answered
            page.wait_for_function("document.documentElement.classList.contains('opened')")
        return page

    def check(self) -> None:
        """No error was logged, and nothing came from another host."""
        assert [trouble for trouble in self._troubles if not _of_a_page_left(trouble, self._troubles)] == []

    def close(self) -> None:
        """Close these pages and those that they opened."""
        for page in self._window.pages:
            if page not in self._there:
                page.close()
        for phone in self._phones:
            phone.close()
        self._window.clear_permissions()


@pytest.fixture
def visit(chromium, window, address: str) -> Iterator[Callable]:
    """Opens the app as somebody new; see `Visits`."""
    visits = Visits(chromium, window, address)
    yield visits.open
    visits.close()
    visits.check()


@pytest.fixture(scope="module")
def shared_visits(chromium, window, address: str) -> Iterator[Visits]:
    """Pages that several tests of a file look at, one after another."""
    visits = Visits(chromium, window, address)
    yield visits
    visits.close()


@pytest.fixture
def page(visit: Callable):
    """The app's page."""
    return visit()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of coloured noise: every pixel that changes shows."""
    pixels = np.random.default_rng(0).integers(256, size=(HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "garden.png")
    return tmp_path / "garden.png"


@pytest.fixture
def desk(page, photo: Path):
    """The Edit tab with the photo on its canvas."""
    page.get_by_role("tab", name="Edit").click()
    at_rest(page)
    laying(page, lambda: upload(page, "open", photo))
    return page


def forget(page, address: str) -> None:
    """Take from the browser all that the app's pages have stored in it, but for the files that they consist of."""
    session = page.context.new_cdp_session(page)
    stored = {"origin": address.rstrip("/"), "storageTypes": "cookies,local_storage,indexeddb,cache_storage"}
    session.send("Storage.clearDataForOrigin", stored)
    session.detach()


def _matters(message) -> bool:
    """Whether the browser's console tells of an error; Gradio's image editor tells of one when a mask arrives twice."""
    return message.type == "error" and message.text != "No draw texture found for layer"


def _of_a_page_left(trouble: str, all_of_them: list[str]) -> bool:
    """Whether Gradio's client tells of a request that ended because the page was left or loaded again."""
    aborted = "AbortError: signal is aborted"
    return trouble.startswith(aborted) or (
        "Connection errored out" in trouble and any(each.startswith(aborted) for each in all_of_them)
    )


def _leaves(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))
