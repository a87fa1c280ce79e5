"""The Edit tab's canvas in a browser, with a photo on it."""

import re
from collections.abc import Callable

import numpy as np
from support.hands import download, pixels

WIDTH, HEIGHT = 300, 200  # of the photo

# left, top, width and height of the photo on the page
PHOTO = """() => {
  const {local_scale, local_position} = editor.tools.get("zoom");
  const {left, top} = editor.app.canvas.getBoundingClientRect();
  const place = [left + local_position.x, top + local_position.y];
  return [...place, editor.width * local_scale, editor.height * local_scale];
}"""

# Whether the mask's layer is another one than before, with all that the server sent, and nothing moves any more.
LAID = """(before) => {
  const { active_layer_id, layers } = editor.layer_manager;
  return active_layer_id !== before && layers.some(({ id }) => id === active_layer_id) && !editor.app.ticker.started;
}"""


def zoom(page) -> float:
    """How large the canvas shows the photo, in per cent."""
    return float(re.search(r"(\d+)%", page.inner_text("#canvas"))[1])


def spot(page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the photo (0 to 1) lies on the page."""
    left, top, width, height = page.evaluate(PHOTO)
    return left + x * width, top + y * height


def laying(page, act: Callable[[], object]) -> None:
    """Do something that lays photo and mask anew on the canvas, and wait until it shows them and is at rest."""
    before = page.evaluate("editor.layer_manager.active_layer_id")
    act()
    page.wait_for_function(LAID, arg=before)


def at_rest(page) -> None:
    """Wait until the canvas is there, and nothing on it moves any more."""
    page.wait_for_function("window.editor")
    page.evaluate("() => editor.ready")  # waits itself: by `wait_for_function` a promise would be something
    page.wait_for_function("!editor.app.ticker.started")


def stroke(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.locator("#canvas canvas").first.scroll_into_view_if_needed()
    page.mouse.move(*spot(page, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, *end), steps=3)  # each costs a canvas that is drawn without a GPU a while
    page.mouse.up()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    at_rest(page)  # which it is half a second after the last touch, on a busy machine later


def saved_mask(page) -> np.ndarray:
    """What is painted, as the button under Mask saves it; afterwards the canvas is in sight again."""
    found = pixels(download(page, "#save_mask"))[..., 0] > 0
    page.evaluate("scrollTo(0, 0)")
    return found


def fingers(page, moments: list[list[tuple[float, float]]]) -> None:
    """Put fingers on places of the window, a moment after another, and lift all of them."""
    session = page.context.new_cdp_session(page)
    phone = page.evaluate("navigator.maxTouchPoints > 0")
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    down = 0
    for moment in moments:
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(moment)]
        kind = "touchStart" if len(points) > down else "touchMove"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        down = len(points)
        page.wait_for_timeout(50)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    session.detach()


def painted_as(page, holds: Callable[[np.ndarray], bool]) -> np.ndarray:
    """What is painted, as soon as it is what is waited for."""
    for _ in range(40):
        mask = saved_mask(page)
        if holds(mask):
            break
        page.wait_for_timeout(500)
    assert holds(mask)
    return mask
