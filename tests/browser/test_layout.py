"""Where things lie: what belongs together is seen at once in a window of a laptop's size, in one column on a phone."""

import re
from collections.abc import Callable

import pytest
from support.desk import PHOTO, at_rest, stroke
from support.hands import set_number

HEIGHT = 900  # of the window
ONWARD = "#after button, #edit .after button, #edit .after a"


def box(page, selector: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the first element of a selector, in the window."""
    found = page.locator(selector).first.bounding_box()
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def seen_at_once(page, *selectors: str) -> bool:
    """Whether all of each lies in the window."""
    return all(0 <= top < bottom <= HEIGHT for _, top, _, bottom in (box(page, selector) for selector in selectors))


def covered(page) -> list[str]:
    """The buttons of results that lie under the button of the visit's pictures."""
    left, top, right, bottom = box(page, ".visit-open")
    found = []
    for button in page.locator(ONWARD).all():
        if place := button.bounding_box():
            across = place["x"] < right and left < place["x"] + place["width"]
            down = place["y"] < bottom and top < place["y"] + place["height"]
            found += [button.inner_text()] if across and down else []
    return found


def create(page, count: int) -> None:
    set_number(page, "pictures", count)
    page.click("#run")
    page.locator("#bar").get_by_text(re.compile(rf"^{count} pictures? in ")).wait_for()
    page.locator(".visit-open").wait_for()


def edit(page, count: int) -> None:
    set_number(page, "edit_variations", count)
    page.click("#edit_run")
    page.locator("#edit_bar").get_by_text(re.compile(rf"^{count} variations? in ")).wait_for()
    page.locator(".visit-open").wait_for()


@pytest.mark.parametrize("count", [1, 4])
def test_a_picture_its_buttons_and_run_are_seen_at_once(page, count: int):
    create(page, count)
    page.evaluate("scrollTo(0, 0)")
    assert seen_at_once(page, "#gallery img", "#download", "#use_settings", "#send", "#alike", "#freedom", "#run")
    assert box(page, "#after")[0] >= box(page, "#gallery")[2]
    assert covered(page) == []


def test_results_are_seen_beside_the_canvas_with_run(desk):
    page = desk
    alone = box(page, "#canvas")
    stroke(page, (0.35, 0.4), (0.6, 0.5))
    page.evaluate("scrollTo(0, 0)")
    edit(page, 4)
    at_rest(page)
    canvas = box(page, "#canvas")
    assert seen_at_once(page, "#canvas", "#results img", "#edit_bar", "#edit_download", "#take", "#edit_run")
    assert box(page, "#results")[0] >= canvas[2] and box(page, "#edit .after")[0] >= canvas[2]
    assert canvas[2] - canvas[0] < alone[2] - alone[0]  # before, the canvas has all the room
    assert 0 <= box(page, "#compare")[1] - canvas[3] < 40
    left, top, width, height = page.evaluate(PHOTO)  # all of which is seen
    assert canvas[0] <= left and left + width <= canvas[2] and canvas[1] <= top and top + height <= canvas[3]
    assert covered(page) == []


def test_on_a_phone_all_stays_in_one_column_and_the_visits_button_beside_run(visit: Callable):
    page = visit(width=390, height=844, phone=True)
    create(page, 1)
    assert box(page, "#after")[1] >= box(page, "#gallery")[3]
    left, top, right, bottom = box(page, ".visit-open")
    bar, run = box(page, "#create .actions"), box(page, "#run")
    assert bar[1] <= top and bottom <= bar[3] and run[2] <= left and right <= 390
    page.get_by_role("tab", name="Edit").click()
    page.locator("#examples .thumbnail-item").first.click()
    page.wait_for_function("window.editor?.background_image")
    tools = [tool.bounding_box() for tool in page.locator("#tool label").all()]
    assert len(tools) == 5 and all(0 <= tool["x"] <= 390 - tool["width"] for tool in tools)
    page.evaluate("scrollTo(0, 0)")
    left, top, right, bottom = box(page, "#edit_run")  # over which the canvas's own tools may lie
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        x, y = left + share * (right - left), (top + bottom) / 2
        assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).id", [x, y]) == "edit_run"
    edit(page, 1)
    canvas, results = box(page, "#canvas"), box(page, "#results")
    assert results[1] >= canvas[3] and abs(results[0] - canvas[0]) < 2 and results[2] - results[0] > 340
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
