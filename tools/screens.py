"""Make the screenshots of the README and of docs/, from the running app with the bundled model.

python tools/screens.py [create edit explore learn phone]    (in the environment of `make test`, Chromium on the PATH)
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.hands import FLAGS, set_number, unfold  # noqa: E402

OUT = ROOT / "docs" / "pictures"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 60_000  # milliseconds that a run may take on a busy machine
QUALITY = 86  # of the JPEG files
ROOM = 400  # pixels of a window beside an element that is shown whole


@contextmanager
def served() -> Iterator[str]:
    """The address of an app that runs for as long as the context does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().split()[-1]
    finally:
        server.terminate()
        server.wait()


def opened(browser: Browser, address: str, size: dict[str, int] = DESK) -> Page:
    """A fresh visitor's page."""
    page = browser.new_context(viewport=size).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.locator("#run").wait_for()
    if "seed=" in address:  # until the controls are those of the address
        expect(page.locator("#lock input")).to_be_checked(timeout=PATIENCE)
    page.wait_for_timeout(2000)
    return page


def taken(page: Page, name: str, element: str | None = None) -> None:
    """Write what the window shows, or one element of the page, to docs/pictures."""
    page.mouse.move(2, 2)  # no tooltip
    page.wait_for_timeout(1500)
    target, window = page.locator(element).first if element else page, page.viewport_size
    if element and (height := target.bounding_box()["height"]) > window["height"] - ROOM:
        page.set_viewport_size({**window, "height": round(height) + ROOM})  # or the rest is blank
        page.wait_for_timeout(1500)
    target.screenshot(path=OUT / f"{name}.jpg", type="jpeg", quality=QUALITY)
    page.set_viewport_size(window)


def scrolled_to(page: Page, element: str, above: int = 20) -> None:
    """Scroll until an element is at the top of the window, `above` pixels below its edge."""
    page.evaluate(
        "([name, above]) => scrollTo(0, document.querySelector(name).getBoundingClientRect().top + scrollY - above)",
        [element, above],
    )


def unfolded(page: Page, accordion: str, inside: str) -> None:
    """Unfold an accordion of the left column, and wait until it has its whole height."""
    unfold(page, accordion, inside)
    page.wait_for_timeout(1000)


def create(browser: Browser, address: str) -> None:
    """One picture with its scales; several pictures, and the settings of the draw."""
    page = opened(browser, f"{address}?class=sunflower&seed=0")
    page.click("#run")
    page.locator("#bar").get_by_text("1 picture in").wait_for()
    taken(page, "create")
    page = opened(browser, f"{address}?class=water+lily&seed=0&count=6")
    page.click("#run")
    page.locator("#bar").get_by_text("6 pictures in").wait_for()
    unfolded(page, "drawing", "guidance")
    scrolled_to(page, "#create")
    taken(page, "create-several")
    taken(page, "create-strip", "#strip")
    taken(page, "create-settings", "#drawing")


def edit(browser: Browser, address: str) -> None:
    """An example with its mask, its results and what is inside; the tools; a photo to be drawn onward."""
    page = opened(browser, address)
    page.get_by_role("tab", name="Edit").click()
    page.locator("#examples img").nth(1).click()
    page.wait_for_timeout(3000)
    page.locator("#edit_lock input").check()
    taken(page, "edit")
    page.click("#edit_run")
    page.locator("#compare").wait_for()
    page.wait_for_timeout(1500)
    scrolled_to(page, "#edit_bar")
    taken(page, "edit-results")
    taken(page, "edit-inside", "#inside")
    unfolded(page, "masking", "grow")
    taken(page, "edit-mask", "#masking")
    unfolded(page, "editing", "fill")
    taken(page, "edit-settings", "#editing")
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_right", 240)
    taken(page, "edit-extend", "#what")


def explore(browser: Browser, address: str) -> None:
    """The whole view; a token and what else it could have been; where it looked; a station of the tour."""
    page = opened(browser, address)
    page.get_by_role("tab", name="Explore").click()
    page.locator("#xp-strip canvas").first.wait_for()
    page.wait_for_timeout(3000)
    taken(page, "explore-strip", "#xp-strip")
    page.locator("#xp-strip .xp-column").nth(5).locator("canvas").first.click(position={"x": 52, "y": 52})
    page.locator("#xp-option-9 img").wait_for()
    page.click("#xp-layer-tokens")
    taken(page, "explore-token", ".xp-main")
    page.click("#xp-layer-picture")
    page.locator("#xp-scale").fill("8")
    scrolled_to(page, "#header")
    taken(page, "explore")
    taken(page, "explore-costs", ".xp-pair")
    page.click("#xp-tour")
    page.click("#xp-next")
    page.click("#xp-next")
    page.click("#xp-show")
    page.get_by_text("step 256 of 256").wait_for()
    taken(page, "explore-tour", "#xp-station")


def learn(browser: Browser, address: str) -> None:
    """The pyramid; the race; what other orders cannot see."""
    page = opened(browser, address)
    page.get_by_role("tab", name="Learn").click()
    page.locator(".ln-pyramid").wait_for()
    page.locator(".ln-halves").wait_for()
    page.locator("#ln_examples img").nth(3).click()
    page.wait_for_timeout(6000)
    page.locator(".ln-pyramid input").fill("6")
    taken(page, "learn")
    page.locator("#ln_lock input").check()
    page.click("#ln_run")
    page.locator("#ln_winner").wait_for()
    taken(page, "learn-race", "#ln_track")
    scrolled_to(page, ".ln-figures")
    taken(page, "learn-measured")


def phone(browser: Browser, address: str) -> None:
    """The Create tab on a phone."""
    page = opened(browser, f"{address}?class=sunflower&seed=0", PHONE)
    page.click("#run")
    page.locator("#bar").get_by_text("1 picture in").wait_for()
    taken(page, "phone")


TAKERS: dict[str, Callable[[Browser, str], None]] = {
    taker.__name__: taker for taker in (create, edit, explore, learn, phone)
}


def main(wanted: list[str]) -> None:
    """Take the screenshots of the tabs that are named, or of all."""
    OUT.mkdir(parents=True, exist_ok=True)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in wanted or TAKERS:
            TAKERS[name](browser, address)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
