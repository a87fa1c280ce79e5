"""The Edit tab as its user meets it: paint with the mouse, run, compare, go on."""

import re
from pathlib import Path

import numpy as np
import pytest
from hands import download, pixels, set_number, unfold, upload
from PIL import Image

from var_core.canvas import grow
from var_core.edit import Settings
from var_core.recipe import Recipe

WIDTH, HEIGHT = 300, 200


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
    page.locator("#canvas canvas").first.wait_for()
    page.wait_for_timeout(500)
    empty = zoom(page)
    upload(page, "open", photo)
    while zoom(page) == empty:
        page.wait_for_timeout(200)
    page.wait_for_timeout(1000)  # it slides into its place
    return page


def zoom(page) -> float:
    """How large the canvas shows the photo, in per cent."""
    return float(re.search(r"(\d+)%", page.inner_text("#canvas"))[1])


def spot(page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the photo (0 to 1) lies on the page; the canvas shows the photo at its middle."""
    box = page.locator("#canvas canvas").first.bounding_box()
    size = [pixels * zoom(page) / 100 for pixels in (WIDTH, HEIGHT)]
    left, top = box["x"] + (box["width"] - size[0]) / 2, box["y"] + (box["height"] - size[1]) / 2
    return left + x * size[0], top + y * size[1]


def stroke(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*spot(page, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, *end), steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)


def run(page, count: int) -> None:
    page.click("#edit_run")
    page.locator("#edit_stop").wait_for()
    page.locator("#edit_run").wait_for()
    page.get_by_text(re.compile(rf"^{count} variations? in ")).wait_for()


def mask_of(page) -> np.ndarray:
    return pixels(download(page, "#edit_mask"))[..., 0] > 0


def test_a_stroke_is_repainted_and_every_other_pixel_stays(desk, photo: Path, tmp_path: Path):
    page = desk
    stroke(page, (0.35, 0.4), (0.6, 0.5))
    run(page, int(page.input_value("#edit_variations input[type=number]")))
    before, after, mask = pixels(photo.read_bytes()), pixels(download(page, "#edit_download")), mask_of(page)
    assert 0.01 < mask.mean() < 0.4
    untouched = ~grow(mask, Settings().feather)
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
    feather = Settings().feather
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
    page.get_by_text("Nothing is painted yet").wait_for()
    unfold(page, "masking", "corners")
    page.fill("#corners input, #corners textarea", "100, 50, 180, 140")
    page.click("#add")
    page.wait_for_timeout(3500)  # the canvas takes its time to show a mask that it did not paint
    run(page, 4)
    assert mask_of(page).sum() == 81 * 91
    page.click("#invert")
    page.wait_for_timeout(3500)
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
    page.get_by_text("not a picture that can be read").wait_for()
    run(page, 4)
    assert np.array_equal(mask_of(page), before)


def test_a_picture_goes_from_create_to_edit(page):
    page.click("#run")
    page.get_by_text(re.compile(r"^1 picture in ")).wait_for()
    page.click("#send")
    page.locator("#canvas canvas").first.wait_for()
    page.get_by_text("Extend", exact=True).click()
    set_number(page, "extend_left", 64)
    page.get_by_text("128 × 128 becomes 192 × 128 pixels").wait_for()  # noqa: RUF001


def test_it_fits_a_phone(visit, photo: Path):
    page = visit(width=390, height=844)
    page.get_by_role("tab", name="Edit").click()
    upload(page, "open", photo)
    page.locator("#canvas canvas").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#edit_run").is_visible()
