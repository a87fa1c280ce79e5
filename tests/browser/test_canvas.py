"""The Edit tab's canvas under mouse, keys and fingers."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor
from support.desk import HEIGHT, WIDTH, fingers, laying, painted_as, saved_mask, spot, zoom
from support.hands import copy, drop, pixels, set_number, unfold, until

from var_studio.shared import palette


def position(page) -> list[float]:
    """Where the corner of the photo lies on the canvas."""
    return page.evaluate("(({x, y}) => [x, y])(editor.tools.get('zoom').local_position)")


def moved(page, act) -> bool:
    """Do something, and say whether the photo moves."""
    before = position(page)
    act()
    until(page, lambda: position(page) != before)
    return True


def pan(page, button: str = "left") -> None:
    x, y = spot(page, 0.5, 0.5)
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + 40, y + 25, steps=3)
    page.mouse.up(button=button)


def test_the_canvas_zooms_and_pans_by_wheel_keys_and_fingers_and_nothing_is_painted(desk):
    page = desk
    unfold(page, "masking", "save_mask")
    page.evaluate("scrollTo(0, 0)")
    assert page.evaluate("editor.outline_graphics.filters?.length ?? 0") == 0  # nothing is blurred for every frame
    assert page.evaluate("editor.app.renderer.limits.maxBatchableTextures") == 4  # in which each pixel is looked for
    fit = zoom(page)
    x, y = spot(page, 0.5, 0.5)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 60)
    until(page, lambda: page.evaluate("scrollY") == 60)  # all of the photo is seen: the page scrolls
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -150)
    page.keyboard.up("Control")
    until(page, lambda: zoom(page) > 1.2 * fit)
    assert moved(page, lambda: page.mouse.wheel(0, 50)) and page.evaluate("scrollY") == 0
    assert moved(page, lambda: page.keyboard.press("ArrowDown"))
    page.keyboard.down("Space")
    assert moved(page, lambda: pan(page))
    page.keyboard.up("Space")
    assert moved(page, lambda: pan(page, "middle"))
    page.keyboard.press("0")
    until(page, lambda: zoom(page) == fit)
    fingers(page, [[(x - 20, y)], [(x - 20, y), (x + 20, y)], [(x - 80, y), (x + 80, y + 9)]])
    until(page, lambda: zoom(page) > 3 * fit)
    assert not saved_mask(page).any()
    page.click("#edit_seed input, #edit_seed textarea")
    page.keyboard.type("0")  # into the box, not to the canvas
    assert zoom(page) > 3 * fit


def test_the_brush_keeps_its_size_a_changed_mask_the_view_and_a_changed_colour_the_mask(desk):
    page = desk
    unfold(page, "masking", "save_mask")
    page.evaluate("scrollTo(0, 0)")
    fit = zoom(page)
    page.mouse.click(*spot(page, 0.25, 0.5))
    large = painted_as(page, np.any)
    page.mouse.move(*spot(page, 0.75, 0.5))
    for _ in range(3):
        page.keyboard.press("+")
    until(page, lambda: zoom(page) > 1.9 * fit)
    box = page.locator("#canvas canvas").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + 150, box["y"] + box["height"] / 2)
    small = painted_as(page, lambda mask: (mask & ~large).any()) & ~large
    assert np.sqrt(large.sum() / small.sum()) == pytest.approx(zoom(page) / fit, rel=0.1)
    seen = (zoom(page), position(page))
    laying(page, lambda: page.click("#invert"))
    assert (zoom(page), position(page)) == seen
    inverted = saved_mask(page)
    assert inverted.sum() == WIDTH * HEIGHT - large.sum() - small.sum()

    page.get_by_text("Green", exact=True).click()
    set_number(page, "mask_opacity", 100)
    page.evaluate("scrollTo(0, 0)")
    middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "width": 1, "height": 1}
    green = ImageColor.getrgb(palette.MARKS["Green"])
    until(page, lambda: tuple(pixels(page.screenshot(clip=middle))[0, 0]) == green)
    assert np.array_equal(saved_mask(page), inverted)


def plain(width: int, height: int) -> bytes:
    """A grey photo, as a PNG file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(file, "PNG")
    return file.getvalue()


def halves(width: int, height: int) -> bytes:
    """A photo that is light at the left and dark at the right."""
    photo = Image.new("RGB", (width, height), "wheat")
    photo.paste("navy", (width // 2, 0, width, height))
    file = io.BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()


def opened(page, width: int, height: int) -> None:
    page.wait_for_function("(size) => `${editor.width} ${editor.height}` === size", arg=f"{width} {height}")


def test_a_photo_is_dropped_on_the_canvas_or_pasted_but_not_into_a_text_box(desk):
    page = desk
    drop(page, "first.png", plain(120, 90), "#canvas canvas")
    opened(page, 120, 90)
    copy(page, plain(90, 60))
    page.click("#edit_seed input, #edit_seed textarea")
    page.keyboard.press("Control+v")
    page.mouse.click(5, 5)
    page.keyboard.press("Control+v")
    opened(page, 90, 60)
    assert page.locator("#past .thumbnail-item").count() == 2  # those before it


def test_the_list_of_shortcuts_opens_and_closes_by_key_and_by_click(page):
    title = page.get_by_role("dialog", name="Keyboard, mouse and fingers")
    page.click("#shortcuts")
    assert title.is_visible() and page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Escape")
    assert not title.is_visible() and page.evaluate("document.activeElement.id") == "shortcuts"
    for close in (lambda: page.keyboard.press("?"), lambda: page.mouse.click(5, 5)):
        page.keyboard.press("?")
        assert title.is_visible()
        close()
        assert not title.is_visible()
    page.click("#seed input, #seed textarea")
    page.keyboard.type("?")  # into the box
    assert not title.is_visible()


@pytest.fixture
def two_halves(desk):
    """The Edit tab with a photo that is light at the left and dark at the right, and the mask's tools in sight."""
    page = desk
    unfold(page, "masking", "save_mask")
    laying(page, lambda: drop(page, "halves.png", halves(240, 160), "#canvas canvas"))
    opened(page, 240, 160)
    page.evaluate("scrollTo(0, 0)")
    return page


def test_a_lasso_paints_by_mouse_and_takes_away_by_finger(two_halves):
    page = two_halves
    page.keyboard.press("l")
    corners = [(0.1, 0.2), (0.4, 0.2), (0.4, 0.8), (0.1, 0.8)]
    page.mouse.move(*spot(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*spot(page, *corner), steps=2)
    laying(page, page.mouse.up)
    lasso = np.zeros((160, 240), bool)
    lasso[32:129, 24:97] = True
    painted_as(page, lambda mask: (mask ^ lasso).mean() < 0.02)
    page.check("#takes input")
    around = [[spot(page, x, y)] for x, y in ((0.05, 0.1), (0.6, 0.1), (0.6, 0.5), (0.05, 0.5))]
    laying(page, lambda: fingers(page, around))
    lasso[:80] = False
    painted_as(page, lambda mask: (mask ^ lasso).mean() < 0.02)
    page.get_by_label("Erase", exact=True).first.click()
    assert page.is_checked("#tool input[value=Brush]")


def dragged(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of the photo to another."""
    page.mouse.move(*spot(page, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, *end), steps=2)
    page.mouse.up()


def test_a_rectangle_is_dragged_on_the_canvas_and_shift_or_alt_take_one_away(two_halves):
    page = two_halves
    page.keyboard.press("r")
    assert page.is_checked("#tool input[value=Rectangle]") and page.locator("#takes").is_visible()
    laying(page, lambda: dragged(page, (0.75, 0.8), (0.25, 0.2)))
    box = np.zeros((160, 240), bool)
    box[32:129, 60:181] = True
    painted_as(page, lambda mask: (mask ^ box).mean() < 0.02)
    for key, start, end in (("Shift", (0.1, 0.1), (0.4, 0.9)), ("Alt", (0.6, 0.1), (0.9, 0.9))):
        page.keyboard.down(key)
        laying(page, lambda start=start, end=end: dragged(page, start, end))
        page.keyboard.up(key)
    box[:, :97] = box[:, 144:] = False
    painted_as(page, lambda mask: (mask ^ box).mean() < 0.02)
    page.mouse.click(*spot(page, 0.1, 0.1))  # which is no rectangle
    page.mouse.move(*spot(page, 0.1, 0.1))
    page.mouse.down()
    page.mouse.move(*spot(page, 0.9, 0.9), steps=2)
    assert page.get_attribute("#canvas .lasso polygon", "points").count(",") == 4
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.get_attribute("#canvas .lasso polygon", "points") == ""
    painted_as(page, lambda mask: (mask ^ box).mean() < 0.02)


def test_similar_colour_is_painted_taken_back_and_with_shift_taken_away(two_halves):
    page = two_halves
    page.get_by_text("Similar colour", exact=True).click()
    place = spot(page, 0.8, 0.5)
    laying(page, lambda: page.mouse.click(*place))
    painted = painted_as(page, lambda mask: mask[:, 121:].all())
    assert not painted[:, :118].any()
    laying(page, lambda: page.keyboard.press("Control+z"))
    painted_as(page, lambda mask: not mask.any())
    laying(page, lambda: page.keyboard.press("Control+y"))
    painted_as(page, lambda mask: np.array_equal(mask, painted))
    page.keyboard.down("Shift")
    laying(page, lambda: page.mouse.click(*place))
    page.keyboard.up("Shift")
    painted_as(page, lambda mask: not mask[:, 121:].any())
