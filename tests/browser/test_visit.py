"""The pictures of the visit, which all tabs share, as their visitor meets them."""

import io
import re
import zipfile
from pathlib import Path

from support.hands import download, looked_at, pixels, set_number, unfold

from var_core.recipe import Recipe

DONE = re.compile(r"^\d+ pictures? in ")


def drawn(page, count: int) -> None:
    """Draw so many pictures in Create, and wait until they are in the strip."""
    set_number(page, "pictures", count)
    page.click("#run")
    page.locator("#bar").get_by_text(DONE).wait_for()
    page.wait_for_function("(count) => document.querySelectorAll('.visit-card').length === count", arg=count)


def seed(page) -> str:
    return page.input_value("#seed input, #seed textarea")


def test_pictures_go_from_tab_to_tab_and_come_back_after_a_reload(page, tmp_path: Path):
    assert not page.locator(".visit-open").is_visible()  # nothing was made yet
    drawn(page, 2)
    assert page.inner_text(".visit-open i") == "2" and not page.locator(".visit-cards").is_visible()
    looked_at(page, 1)
    (tmp_path / "first.png").write_bytes(download(page, "#visit_file"))
    made = Recipe.read(tmp_path / "first.png")
    assert f"{made.class_name}, seed {made.seed}" in page.inner_text("#visit_words")
    page.click("#visit_star")
    page.locator(".visit-card .star").wait_for()
    page.click("#visit_delete")
    page.get_by_text("take its star away before you delete it").first.wait_for()

    page.reload()
    page.locator(".visit-open").wait_for()
    assert page.inner_text(".visit-open i") == "2"
    page.fill("#seed input, #seed textarea", "1")
    looked_at(page, -1)
    assert page.locator(".visit-card .star").count() == 1
    assert download(page, "#visit_file") == (tmp_path / "first.png").read_bytes()
    page.click("#visit_use")
    page.wait_for_function(
        "(seed) => document.querySelector('#seed :is(input, textarea)').value === seed", arg=str(made.seed)
    )
    assert not page.locator(".visit-cards").is_visible()
    page.reload()  # a picture's settings win over what was remembered
    page.wait_for_function("document.documentElement.classList.contains('opened')")
    assert seed(page) == str(made.seed)

    looked_at(page, -1)
    page.click("#visit_look")
    page.get_by_role("tab", name="Explore", selected=True).wait_for()
    page.wait_for_function("(seed) => explorer.view.trace?.facts.includes(`seed ${seed}`)", arg=str(made.seed))
    page.click("#explore_keep")
    page.locator(".visit-open i").get_by_text("3").wait_for()
    looked_at(page, -1)
    page.click("#visit_edit")
    page.get_by_role("tab", name="Edit", selected=True).wait_for()
    unfold(page, "masking", "picker")
    page.locator(".picker img").wait_for()


def test_two_are_compared_and_chosen_ones_downloaded_by_keys_alone(page):
    drawn(page, 3)
    page.focus(".visit-open")
    page.keyboard.press("Enter")
    page.locator("#visit_detail").wait_for()
    assert page.evaluate("document.activeElement.className") == "visit-close"
    assert page.locator("[data-visit=compare]").is_disabled() and page.locator("[data-visit=pack]").is_disabled()
    for number in (0, 2):
        page.locator(".visit-card input").nth(number).focus()
        page.keyboard.press("Space")
    page.focus("[data-visit=compare]")
    page.keyboard.press("Enter")
    page.locator("#visit_compare img").nth(1).wait_for()
    assert page.inner_text("#visit_told").count("seed") == 2 and not page.locator("#visit_detail").is_visible()
    with page.expect_download() as caught:
        page.focus("[data-visit=pack]")
        page.keyboard.press("Enter")
    with zipfile.ZipFile(io.BytesIO(Path(caught.value.path()).read_bytes())) as packed:
        *pictures, words = packed.namelist()
        assert len(pictures) == 2 and all(pixels(packed.read(name)).shape == (128, 128, 3) for name in pictures)
        assert packed.read(words).decode().count("seed") >= 2
    page.keyboard.press("Escape")
    assert not page.locator(".visit-cards").is_visible()
    assert page.evaluate("document.activeElement.className") == "visit-open"


def test_the_large_picture_fills_the_screen(page):
    drawn(page, 1)
    looked_at(page, 0)
    page.locator("#visit_picture img").wait_for()
    page.get_by_role("button", name="Full screen", exact=True).first.click()
    page.wait_for_function("document.querySelector('#visit_picture').getBoundingClientRect().width > innerWidth * 0.9")


def test_a_button_that_needs_a_deleted_picture_says_how_to_have_it_again(page):
    drawn(page, 1)
    src = page.get_attribute("#strip figure:last-of-type img", "src")
    looked_at(page, 0)
    page.click("#visit_delete")
    page.locator(".visit-card").wait_for(state="detached")
    for button in ("#download", "#send"):
        page.click(button)
        page.get_by_text("press Use these settings, then Run").first.wait_for()
        page.locator(".toast-close").first.click()
        page.locator(".toast-close").wait_for(state="detached")
    page.click("#use_settings")
    page.wait_for_function("document.querySelector('#lock input').checked")
    page.click("#run")
    page.locator(".visit-card").wait_for(state="attached")
    assert page.get_attribute("#strip figure:last-of-type img", "src") == src
