"""The Explore tab in a browser, under a user's hands."""

from collections.abc import Callable

from support.hands import SETTLE, SIDES

SCALES = len(SIDES)
NEW = "(before) => explorer.view.trace?.node !== before && !document.querySelector('.xp-busy')"
OFFERED = "explorer.view.options?.pictures.length === 10 && !document.querySelector('.xp-busy')"
# The pixels of every small map of a row of the film strip, as one number for each.
PRINTS = """(row) => [...document.querySelectorAll(`#xp-strip canvas[data-row=${row}]`)].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((mixed, value) => (mixed * 31 + value) % 1000000007, 7);
})"""


def enter(page) -> None:
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("explorer.view.trace")
    page.wait_for_timeout(SETTLE)


def draw(page, seed: str) -> None:
    page.click("#explore_seed textarea, #explore_seed input", click_count=3)
    page.keyboard.type(seed)
    page.keyboard.press("Tab")
    page.wait_for_function("document.querySelector('#explore_lock input').checked")
    changing(page, lambda: page.click("#explore_run"))


def with_picture(page):
    """Enter the tab, and let the loaded model draw a picture."""
    enter(page)
    draw(page, "5")
    return page


def changing(page, act: Callable) -> None:
    """Do something that ends with another picture."""
    before = page.evaluate("explorer.view.trace.node")
    act()
    page.wait_for_function(NEW, arg=before)


def choose(page, scale: int, row: int, column: int) -> None:
    """Click a token in the film strip, and wait for all that comes of it."""
    canvas = page.locator(f"#xp-strip canvas[data-row=tokens][data-scale='{scale}']")
    canvas.scroll_into_view_if_needed()
    side, box = SIDES[scale], canvas.bounding_box()
    cell = box["width"] / side
    canvas.click(position={"x": (column + 0.5) * cell, "y": (row + 0.5) * cell})
    page.wait_for_function(OFFERED)
