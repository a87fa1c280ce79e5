"""Measure in a real browser, with the bundled model, how long one waits for the page, a picture, an act in Explore.

python tools/latency.py    (in the environment of `make test`, Chromium on the PATH)

Prints rows of a table. Not a test: those are not timed.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.hands import FLAGS, SIDES  # noqa: E402

from tools.load.server import served  # noqa: E402

DESK = {"width": 1440, "height": 900}
REPEATS = 20  # of each act in Explore
VISITS = 5  # of new browsers that open the page
PICTURES = 9  # drawn one after another
# From the act to the first frame in which the page shows another picture.
TIMED = """async (act) => {
  const before = explorer.view.trace.node, began = performance.now();
  new Function(act)();
  while (explorer.view.trace.node === before) await new Promise((done) => setTimeout(done, 1));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}"""
# From the act to the first frame after it, for what asks the server for nothing.
SHOWN = """async (act) => {
  const began = performance.now();
  new Function(act)();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}"""
# From a click on a token to the pictures of its ten alternatives.
OFFERED = """async (index) => {
  const began = performance.now();
  explorer.choose({scale: 4, index});
  while (explorer.view.options?.pictures.length !== 10) await new Promise((done) => setTimeout(done, 1));
  return performance.now() - began;
}"""
TURN = """const box = document.querySelector("#explore_guidance input[type=number]");
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(box, {});
box.dispatchEvent(new Event("input", {{bubbles: true}}));"""


# From the click on Run to the frame in which the finished picture is shown, and Run can be pressed again.
DRAWN = """async () => {
  const shown = () => document.querySelector("#gallery img")?.src;
  const before = shown(), began = performance.now();
  document.querySelector("#run").click();
  while (shown() === before || !document.querySelector("#run")) await new Promise((done) => setTimeout(done, 1));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}"""


def acts(turn: int) -> dict[str, str]:
    """The acts that change the picture, as JavaScript; `turn` makes each repeat another one."""
    value, swap = 100 + turn, 'explorer.ask({{does: "swap", scale: {}, index: {}, value: {}, later: "free"}})'
    return {
        "swap a token of scale 3": swap.format(2, 4, value),
        "swap a token of scale 6": swap.format(5, 44, value),
        "re-roll from scale 1": 'explorer.ask({does: "reroll", scale: 0})',
        "re-roll from scale 5": 'explorer.ask({does: "reroll", scale: 4})',
        "turn the guidance": TURN.format(3 + turn / 10),
        "draw": 'document.querySelector("#explore_run").click()',
    }


def opening(browser: Browser, address: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the milliseconds until Run can be pressed: of the first to come, of others, and of one who comes again."""
    first, later, again = [], [], []
    for visit in range(VISITS):
        context = browser.new_context(viewport=DESK)
        (later if visit else first).append(until_run(context.new_page(), address))
        again.append(until_run(context.new_page(), address))
        context.close()
    yield "the page, the first visitor of all", first
    yield "the page, a new visitor", later
    yield "the page, somebody who comes again", again


def until_run(page: Page, address: str) -> float:
    """Return the milliseconds from going to the page until Run can be pressed."""
    began = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator("#run").click(trial=True)  # waits until it is seen, at rest, and hears a click
    return 1000 * (time.monotonic() - began)


def drawing(page: Page) -> Iterator[tuple[str, list[float]]]:
    """Yield the milliseconds from a click on Run to the picture, with the settings that the page begins with."""
    times = [page.evaluate(DRAWN) for _ in range(PICTURES)]
    yield "the first run of Create", times[:1]
    yield "later runs of Create", times[1:]


def exploring(page: Page) -> Iterator[tuple[str, list[float]]]:
    """Yield the milliseconds of each act in Explore, repeated in turns."""
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("explorer.view.trace")
    page.wait_for_timeout(1000)
    found: dict[str, list[float]] = {}
    for turn in range(REPEATS):
        for name, script in acts(turn).items():
            found.setdefault(name, []).append(page.evaluate(TIMED, script))
        shown = page.evaluate(SHOWN, f"explorer.show({{scale: {turn % len(SIDES)}}})")
        found.setdefault("show another scale", []).append(shown)
        found.setdefault("ten alternatives", []).append(page.evaluate(OFFERED, turn))
        page.evaluate("explorer.show({token: null})")
    yield from found.items()


def main() -> None:
    """Serve the app, measure, and print the rows."""
    with served(None) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        say(("from the act to what it shows", "median, ms", "slowest, ms"), ("---",) * 3)
        for name, times in opening(browser, server.address):
            say((name, *figures(times)))
        page = browser.new_page(viewport=DESK)
        until_run(page, server.address)
        for part in (drawing, exploring):
            for name, times in part(page):
                say((name, *figures(times)))
        browser.close()


def figures(times: list[float]) -> tuple[str, str]:
    """Return the median and the slowest, as they stand in the table."""
    return f"{statistics.median(times):.0f}", f"{max(times):.0f}"


def say(*rows: tuple[str, ...]) -> None:
    """Write rows of the table at once."""
    for row in rows:
        sys.stdout.write(f"| {' | '.join(row)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
