"""The Edit tab's canvas without a mouse: painting by keys, and by the fingers of a phone."""

import re

import numpy as np
from support.desk import at_rest, fingers, laying, painted_as, saved_mask, spot, zoom
from support.hands import unfold, until

ON_CANVAS = "document.activeElement === editor.app.canvas"


def reach(page) -> None:
    """Go to the canvas by the Tab key."""
    page.focus("#tool input:checked")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(ON_CANVAS):
            return
    assert page.evaluate(ON_CANVAS)


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def heard(page, words: str) -> re.Match[str]:
    """Wait for what is read out, and match it."""
    until(page, lambda: re.search(words, page.inner_text("#announcer")) is not None)
    return re.search(words, page.inner_text("#announcer"))


def test_keys_paint_as_a_mouse_does_and_erase_and_it_is_said_where(desk):
    page = desk
    unfold(page, "masking", "save_mask")
    page.evaluate("scrollTo(0, 0)")
    page.mouse.click(*spot(page, 0.5, 0.5))
    by_mouse = painted_as(page, np.any)
    laying(page, lambda: page.click("#clear"))
    assert not saved_mask(page).any()
    reach(page)
    assert page.locator("#canvas .cross").is_visible()
    page.keyboard.press("Space")
    share = heard(page, r"x 50 %, y 50 %, painted (\d+) % of the photo")[1]
    by_keys = painted_as(page, np.any)
    assert (by_keys ^ by_mouse).sum() < 0.1 * by_mouse.sum()  # a mouse stands on whole pixels
    assert abs(int(share) - 100 * by_keys.mean()) < 1

    reach(page)
    press(page, "Enter", *["Shift+ArrowRight"] * 6, "Enter")  # a stroke to the right
    heard(page, "x 80 %, y 50 %")
    stroke = painted_as(page, lambda mask: mask[100, 150:241].all())
    assert not stroke[:, 290:].any() and not (by_mouse & ~stroke).any()
    reach(page)
    press(page, "e", "Space")
    less = painted_as(page, lambda mask: not mask[100, 240])
    assert less.sum() < stroke.sum() and less[100, 150]


def test_keys_draw_a_lasso_and_rectangles_which_escape_drops(desk):
    page = desk
    unfold(page, "masking", "save_mask")
    page.evaluate("scrollTo(0, 0)")
    reach(page)
    press(page, "l", "Enter", "ArrowDown", "Enter", "Escape")
    heard(page, "dropped")
    press(page, "ArrowUp", "Enter", *["Shift+ArrowRight"] * 4, "Enter", *["Shift+ArrowDown"] * 4, "Enter")
    heard(page, "corner 3, x 70 %, y 70 %")
    page.keyboard.press("Enter")
    wanted = np.fromfunction(lambda y, x: (x - 150) / 60 >= (y - 100) / 40, (200, 300))
    wanted[:100] = wanted[141:] = False
    wanted[:, :150] = wanted[:, 211:] = False
    assert wanted.any()
    lasso = painted_as(page, lambda mask: (mask ^ wanted).mean() < 0.01)

    reach(page)  # the cross stands at 70 %, 70 %
    press(page, "r", "Enter", "Enter")
    heard(page, "needs another corner")
    press(page, *["Shift+ArrowRight"] * 3, *["Shift+ArrowUp"] * 3, "Enter")
    heard(page, "rectangle closed, x 85 %, y 55 %")
    wanted[110:141, 210:256] = True
    painted_as(page, lambda mask: (mask ^ wanted).mean() < 0.01 and (mask & ~lasso).any())

    page.focus("#mask_pixels input")
    while page.evaluate("document.activeElement.className") != "picker":
        page.keyboard.press("Tab")
    press(page, "Enter", "Escape", *["Shift+ArrowLeft"] * 4, "Enter", *["Shift+ArrowUp"] * 2, "ArrowRight", "Space")
    heard(page, r"^rectangle 90, 80, 93, 100, x 31 %, y 40 %$")
    assert page.input_value("#corners input, #corners textarea") == "90, 80, 93, 100"


def test_on_a_phone_a_finger_paints_only_once_that_is_chosen_and_two_zoom(visit):
    page = visit(width=390, height=844, phone=True)
    page.get_by_role("tab", name="Edit").click()
    page.locator("#examples .thumbnail-item").first.click()
    page.wait_for_function("window.editor?.background_image")
    at_rest(page)
    page.locator("#canvas").scroll_into_view_if_needed()
    assert page.is_checked("#tool input[value=Move]")
    boxes = [tool.bounding_box() for tool in page.locator("#tool label, #canvas button:visible").all()]
    assert len(boxes) >= 9 and min(min(box["width"], box["height"]) for box in boxes) >= 40
    fit, before = zoom(page), page.evaluate("scrollY")
    history = "Boolean(editor.command_manager.history.previous)"
    x, y = spot(page, 0.5, 0.5)
    fingers(page, [[(x, y)], [(x, y - 30)], [(x, y - 90)]])
    until(page, lambda: page.evaluate("scrollY") > before)
    assert not page.evaluate(history) and zoom(page) == fit
    x, y = spot(page, 0.5, 0.5)
    fingers(page, [[(x - 20, y)], [(x - 20, y), (x + 20, y)], [(x - 60, y), (x + 60, y)]])
    until(page, lambda: zoom(page) > 1.5 * fit)
    page.tap("#tool label:has(input[value=Brush])")
    assert not page.evaluate(history)
    x, y = spot(page, 0.5, 0.5)
    fingers(page, [[(x, y)], [(x + 20, y)]])
    until(page, lambda: page.evaluate(history))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
