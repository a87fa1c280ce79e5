"""How long it takes from a click in the Explore tab to the changed picture, in a real browser with the bundled model.

    python tests/browser/latency.py

Prints the median and the slowest of 20 of each act, in milliseconds. Not a test: those are not timed.
"""

import shutil
import socket
import statistics
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from support.hands import FLAGS, SIDES

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 20
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


def measure(page) -> dict[str, list[float]]:
    """Milliseconds of each act, repeated in turns."""
    found: dict[str, list[float]] = {}
    for turn in range(REPEATS):
        for name, script in acts(turn).items():
            found.setdefault(name, []).append(page.evaluate(TIMED, script))
        shown = page.evaluate(SHOWN, f"explorer.show({{scale: {turn % len(SIDES)}}})")
        found.setdefault("show another scale", []).append(shown)
        found.setdefault("ten alternatives", []).append(page.evaluate(OFFERED, turn))
        page.evaluate("explorer.show({token: null})")
    return found


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_role("tab", name="Explore").click()
            page.wait_for_function("explorer.view.trace")
            page.wait_for_timeout(1000)
            for name, times in measure(page).items():
                sys.stdout.write(f"{name:26} median {statistics.median(times):5.0f} ms, slowest {max(times):5.0f}\n")
            browser.close()
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
