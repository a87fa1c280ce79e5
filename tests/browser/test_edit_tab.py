"""The Edit tab as its user meets it: paint with the mouse, run, compare, go on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.desk import HEIGHT, WIDTH, at_rest, laying, saved_mask, stroke
from support.hands import SETTLE, download, looked_at, pixels, reads, set_number, unfold, until, upload

from var_core.editing.canvas import dilated
from var_core.editing.edit_settings import EditSettings
from var_core.recipe import Recipe


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A rectangle between two places (0 to 1) of the small photo."""
    unfold(page, "masking", "picker")
    picker = page.locator(".picker")
    picker.wait_for()
    picker.scroll_into_view_if_needed()
    box = picker.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()


def run(page, count: int) -> None:
    page.click("#edit_run")
    page.locator("#edit_stop").wait_for()
    page.wait_for_function("document.querySelector('#edit_run')?.checkVisibility()")  # at every frame
    reads(page, "#edit_bar", f"{count} variations? in ")


def stop_an_extension(page, pixels: int) -> None:
    """Start to extend the photo to the right, by many squares, and stop that; then back to inpainting."""
    usual = int(page.input_value("#edit_variations input[type=number]"))
    set_number(page, "edit_variations", 8)  # so that no square is done before the stop is there
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_right", pixels)
    page.click("#edit_run")
    page.locator("#edit_bar").get_by_text(re.compile("^pass 1 of ")).first.wait_for()
    page.click("#edit_stop")
    page.locator("#edit_bar").get_by_text("Stopped. The photo is as it was.").wait_for()
    page.locator("#edit_run").wait_for()
    page.get_by_text("Inpaint", exact=True).click()
    set_number(page, "edit_variations", usual)


@contextmanager
def slowed(page, asked: str, seconds: float) -> Iterator[None]:
    """A slow way to the server for what is asked of it meanwhile."""

    def wait(route) -> None:
        page.wait_for_timeout(1000 * seconds)
        route.continue_()

    page.route(asked, wait)
    yield
    page.unroute_all(behavior="wait")


def mask_of(page) -> np.ndarray:
    return pixels(download(page, "#edit_mask"))[..., 0] > 0


def test_a_stroke_is_repainted_and_every_other_pixel_stays(desk, photo: Path, tmp_path: Path):
    page = desk
    stroke(page, (0.35, 0.4), (0.6, 0.5))
    run(page, int(page.input_value("#edit_variations input[type=number]")))
    until(page, lambda: 0 <= page.locator("#edit_bar").bounding_box()["y"] < 450)  # results lie in sight
    before, after, mask = pixels(photo.read_bytes()), pixels(download(page, "#edit_download")), mask_of(page)
    assert 0.01 < mask.mean() < 0.4
    untouched = ~dilated(mask, EditSettings().feather)
    assert np.array_equal(after[untouched], before[untouched])
    assert (after[mask] != before[mask]).any(-1).mean() > 0.8

    # erase a part: the rest of the mask is still there, and less is repainted
    page.get_by_label("Erase", exact=True).first.click()
    stroke(page, (0.5, 0.3), (0.7, 0.6))
    run(page, 4)
    smaller = mask_of(page)
    assert 0 < smaller.sum() < mask.sum() and not (smaller & ~mask).any()

    # the same seed on the same mask gives the same pixels
    first = download(page, "#edit_download")
    page.check("#edit_lock input")
    run(page, 4)
    assert np.array_equal(pixels(download(page, "#edit_download")), pixels(first))
    (tmp_path / "kept.png").write_bytes(first)
    recipe = Recipe.read(tmp_path / "kept.png")
    assert recipe.edited is not None and recipe.class_name == "no class"


def test_the_photo_is_extended_and_used_as_the_next_input(desk, photo: Path):
    page = desk
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_right", 60)
    page.get_by_text("300 × 200 becomes 360 × 200 pixels").wait_for()  # noqa: RUF001
    run(page, 4)
    after = pixels(download(page, "#edit_download"))
    feather = EditSettings().feather
    assert after.shape == (200, 360, 3)
    assert np.array_equal(after[:, : 300 - feather], pixels(photo.read_bytes())[:, : 300 - feather])
    page.click("#take")
    page.locator("#past img").wait_for()
    page.get_by_text("360 × 200 becomes 420 × 200 pixels").wait_for()  # noqa: RUF001
    page.locator("#past .thumbnail-item").first.click()
    page.get_by_text("300 × 200 becomes 360 × 200 pixels").wait_for()  # noqa: RUF001


def test_nothing_painted_is_said_and_a_class_edit_takes_its_class(desk, tmp_path: Path):
    page = desk
    page.get_by_text("Change into …", exact=True).click()
    page.click("#into input")
    page.keyboard.type("Sunflower")
    page.keyboard.press("Enter")
    page.click("#edit_run")
    page.get_by_text("Nothing is painted yet").first.wait_for()
    unfold(page, "masking", "corners")
    page.fill("#corners input, #corners textarea", "100, 50, 180, 140")
    page.wait_for_timeout(SETTLE)
    laying(page, lambda: page.click("#add"))
    run(page, 4)
    assert mask_of(page).sum() == 81 * 91
    laying(page, lambda: page.click("#invert"))
    run(page, 4)
    assert mask_of(page).sum() == WIDTH * HEIGHT - 81 * 91
    (tmp_path / "sunflower.png").write_bytes(download(page, "#edit_download"))
    assert Recipe.read(tmp_path / "sunflower.png").class_name == "Sunflower"


def test_a_mask_survives_another_tab_and_a_bad_file(desk, tmp_path: Path):
    page = desk
    stroke(page, (0.3, 0.5), (0.6, 0.5))
    run(page, 4)
    before = mask_of(page)
    page.get_by_role("tab", name="Create").click()
    page.get_by_role("tab", name="Edit").click()
    (tmp_path / "notes.png").write_text("no picture")
    upload(page, "open", tmp_path / "notes.png")
    page.get_by_text("not a picture that can be read").first.wait_for()
    run(page, 4)
    assert np.array_equal(mask_of(page), before)


def test_a_rectangle_is_dragged_to_paint_it_or_to_look_there(desk, photo: Path):
    page = desk
    drag(page, (0.5, 0.25), (0.75, 0.75))
    left, top, right, bottom = (int(part) for part in page.input_value("#corners textarea, #corners input").split(","))
    assert (left, top) == pytest.approx((150, 50), abs=2) and (right, bottom) == pytest.approx((225, 150), abs=2)
    laying(page, lambda: page.click("#add"))
    stroke(page, (0.1, 0.9), (0.2, 0.9))  # from now on the canvas tells what is painted
    drag(page, (0.4, 0.1), (0.7, 0.5))
    page.click("#look")
    page.wait_for_function("document.querySelector('#box textarea, #box input').value !== ''")
    x, y, side = (int(part) for part in page.input_value("#box textarea, #box input").split(","))
    run(page, 4)
    mask = mask_of(page)
    assert mask[HEIGHT * 9 // 10, WIDTH * 3 // 20]
    painted = np.flatnonzero(mask[top - 10 : bottom - 10].any(0))  # above the stroke
    assert (painted[0], painted[-1]) == (left, right) and mask[top : bottom + 1, left : right + 1].all()
    changed = (pixels(download(page, "#edit_download")) != pixels(photo.read_bytes())).any(-1)
    inside = np.zeros_like(changed)
    inside[max(y, 0) : y + side, max(x, 0) : x + side] = True
    assert (changed & inside).any() and not (changed & ~inside).any()


def test_keys_take_a_stroke_back_and_bring_it_again_and_change_the_brush(desk):
    page = desk
    stroke(page, (0.3, 0.5), (0.6, 0.5))
    page.keyboard.press("Control+z")
    page.wait_for_timeout(SETTLE)
    page.click("#edit_run")
    page.get_by_text("Nothing is painted yet").first.wait_for()
    page.keyboard.press("Control+y")
    page.wait_for_timeout(SETTLE)
    run(page, 4)
    thin = mask_of(page).sum()
    assert thin > 0
    page.keyboard.press("Control+z")
    for _ in range(6):
        page.keyboard.press("]")
    stroke(page, (0.3, 0.5), (0.6, 0.5))
    run(page, 4)
    assert mask_of(page).sum() > 1.5 * thin


def test_a_large_photo_keeps_its_size_and_stop_its_mask(desk, tmp_path: Path):
    page = desk
    pixels_ = np.random.default_rng(1).integers(256, size=(900, 1400, 3), dtype=np.uint8)
    Image.fromarray(pixels_).save(tmp_path / "large.png")
    laying(page, lambda: upload(page, "open", tmp_path / "large.png"))
    page.locator("#past img").wait_for()
    assert not page.locator("#canvas").get_by_label("Clear canvas").is_visible()  # the bin would take the photo too
    unfold(page, "masking", "corners")
    page.fill("#corners input, #corners textarea", "600, 300, 799, 499")
    page.wait_for_timeout(SETTLE)
    laying(page, lambda: page.click("#add"))
    stop_an_extension(page, 2800)
    run(page, 4)
    mask, after = mask_of(page), pixels(download(page, "#edit_download"))
    assert mask.shape == (900, 1400) and mask.sum() == 200 * 200 and mask[300:500, 600:800].all()
    untouched = ~dilated(mask, EditSettings().feather)
    assert np.array_equal(after[untouched], pixels_[untouched]) and (after[mask] != pixels_[mask]).any()
    saved = pixels(download(page, "#save_mask"))[..., 0] > 0
    assert np.array_equal(saved, mask)


def test_strokes_are_undone_and_redone_and_earlier_edits_come_back(desk):
    page = desk
    stroke(page, (0.3, 0.5), (0.6, 0.5))
    unfold(page, "masking", "undo")
    at_rest(page)
    wanted = dilated(dilated(saved_mask(page), 8), 8)

    def grow_twice() -> None:
        with page.expect_request("**/queue/join*"):
            page.click("#grow")
        page.click("#grow")  # the server has yet to answer

    with slowed(page, "**/queue/join*", 3.0):
        laying(page, grow_twice)
    until(page, lambda: np.array_equal(saved_mask(page), wanted))
    run(page, 4)
    at_rest(page)
    grown, first = mask_of(page), download(page, "#edit_download")
    stroke(page, (0.2, 0.8), (0.4, 0.8))
    laying(page, lambda: page.click("#undo"))
    run(page, 4)
    assert np.array_equal(mask_of(page), grown)
    laying(page, lambda: page.click("#redo"))
    run(page, 4)
    assert mask_of(page).sum() > grown.sum()
    stop_an_extension(page, 900)
    assert mask_of(page).sum() > grown.sum()  # the last results are there again
    looked_at(page, -1)
    page.click("#visit_see")
    page.locator("#edit_bar").get_by_text(re.compile(r"^4 variations in ")).wait_for()
    until(page, lambda: download(page, "#edit_download") == first)


def test_edits_of_the_visit_come_back_with_settings_and_mask(desk, tmp_path: Path):
    page = desk
    set_number(page, "edit_variations", 1)
    stroke(page, (0.3, 0.5), (0.6, 0.5))
    run(page, 1)
    mask, first = mask_of(page), download(page, "#edit_download")
    stroke(page, (0.2, 0.8), (0.4, 0.8))
    page.get_by_text("Remove", exact=True).click()
    run(page, 1)
    looked_at(page, -1)
    page.get_by_text(re.compile("^Edit: garden · Inpaint · no class · seed ")).first.wait_for()

    def use_settings() -> None:
        page.click("#visit_use")
        page.get_by_text("Settings and mask are back.").first.wait_for()

    laying(page, use_settings)
    run(page, 1)
    assert np.array_equal(mask_of(page), mask)
    assert np.array_equal(pixels(download(page, "#edit_download")), pixels(first))
    page.get_by_text("JPEG", exact=True).click()
    (tmp_path / "garden.jpg").write_bytes(download(page, "#edit_download"))
    assert np.abs(pixels((tmp_path / "garden.jpg").read_bytes()).astype(int) - pixels(first)).mean() < 8
    assert Recipe.read(tmp_path / "garden.jpg").edited is not None


def test_a_downloaded_edit_restores_its_settings_and_its_pixels(desk, tmp_path: Path):
    page = desk
    stroke(page, (0.35, 0.4), (0.6, 0.5))
    page.get_by_text("Change into …", exact=True).click()
    page.click("#into input")
    page.keyboard.type("Rose")
    page.keyboard.press("Enter")
    set_number(page, "edit_variations", 1)
    unfold(page, "editing", "fill")
    set_number(page, "dilate", 3)
    run(page, 1)
    first = download(page, "#edit_download")
    (tmp_path / "edited.png").write_bytes(first)
    set_number(page, "dilate", 0)
    page.get_by_text("Inpaint", exact=True).click()
    page.wait_for_timeout(SETTLE)
    upload(page, "edit_restore", tmp_path / "edited.png")
    page.get_by_text("Settings restored").first.wait_for()
    until(page, lambda: page.input_value("#dilate input") == "3" and page.is_checked("#edit_lock input"))
    until(page, lambda: page.input_value("#task input:checked") == "Change into …")
    page.wait_for_timeout(SETTLE)
    run(page, 1)
    assert np.array_equal(pixels(download(page, "#edit_download")), pixels(first))
    page.click("#send_back")
    page.wait_for_function("document.querySelector('#class input').value === 'Rose'")
    page.locator("#run").wait_for()


def test_a_picture_goes_from_create_to_edit(page):
    page.click("#run")
    page.locator("#bar").get_by_text(re.compile(r"^1 picture in ")).wait_for()
    page.click("#send")
    page.locator("#canvas canvas").first.wait_for()
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_left", 64)
    page.get_by_text("128 × 128 becomes 192 × 128 pixels").wait_for()  # noqa: RUF001


def looks(page) -> np.ndarray:
    """What the slider shows, as levels (H, W, 3)."""
    page.wait_for_timeout(SETTLE)
    return pixels(page.locator("#compare .slider-wrap").screenshot()).astype(int)


def test_while_compare_is_held_the_photo_is_shown_as_it_was_and_then_the_result_again(visit, tmp_path: Path):
    page = visit(width=390, height=844)
    page.get_by_role("tab", name="Edit").click()
    Image.new("RGB", (WIDTH, HEIGHT), (0, 90, 200)).save(tmp_path / "blue.png")
    upload(page, "open", tmp_path / "blue.png")
    set_number(page, "edit_variations", 1)
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_right", 200)
    page.get_by_text("300 × 200 becomes 500 × 200 pixels").wait_for()  # noqa: RUF001
    run(page, 1)
    button = page.get_by_role("button", name="Hold to compare")
    button.scroll_into_view_if_needed()
    slider = looks(page)

    def drawn(seen: np.ndarray) -> float:
        """The share of the right half that is neither the photo's blue nor one colour."""
        part = seen[40:-40, seen.shape[1] * 2 // 3 : -20]
        return float((np.abs(part - np.median(part, (0, 1))).max(-1) > 12).mean())

    box = button.bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down()
    before = looks(page)
    page.mouse.up()
    after = looks(page)
    assert drawn(before) < 0.02 < 0.2 < drawn(after) and drawn(slider) > 0.2
    page.mouse.move(5, 5)
    for key in ("Space", "Enter"):
        button.focus()
        page.keyboard.down(key)
        assert button.get_attribute("aria-pressed") == "true" and np.abs(looks(page) - before).mean() < 2
        page.keyboard.up(key)
        assert button.get_attribute("aria-pressed") == "false" and np.abs(looks(page) - after).mean() < 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_fits_a_phone(visit, photo: Path):
    page = visit(width=390, height=844)
    page.get_by_role("tab", name="Edit").click()
    upload(page, "open", photo)
    page.locator("#canvas canvas").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#edit_run").is_visible()


def test_what_a_photo_looks_like_is_one_click_from_the_class(desk):
    page = desk
    page.click("#guess")
    page.locator("#guesses").wait_for()
    answers = page.locator("#guesses label")
    if answers.count():  # random weights may find a class, or none
        name = answers.first.inner_text().rsplit(" ", 1)[0].strip()
        answers.first.click()
        page.wait_for_function("(name) => document.querySelector('#into input').value === name", arg=name)
    else:
        page.get_by_text("none of the classes of this model").first.wait_for()
