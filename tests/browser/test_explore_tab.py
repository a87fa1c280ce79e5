"""The Explore tab as its user meets it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError
from safetensors import safe_open
from safetensors.numpy import save_file
from support.desk import at_rest, laying
from support.explore_tab import OFFERED, PRINTS, SCALES, changing, choose, draw, enter, with_picture
from support.hands import SIDES, download, upload


@pytest.fixture
def page(visit: Callable):
    """The tab, with a picture that the loaded model has drawn."""
    return with_picture(visit())


def test_there_is_something_to_look_at_before_anything_has_run(visit: Callable):
    page = visit()
    enter(page)
    assert page.locator("#xp-strip canvas").count() == 4 * SCALES
    assert "to look at only" in page.inner_text("#xp-facts")  # another model made it
    assert page.locator(".xp-acts button").count() == 0
    page.locator("#explore_shelf .thumbnail-item").nth(1).click()
    page.wait_for_function("explorer.view.trace.name === 'Mountain'")


def test_a_swapped_token_changes_later_scales_and_no_earlier_one(page):
    choose(page, 3, 1, 2)
    assert page.locator(".xp-options img").count() == 10
    assert page.inner_text("#xp-inspector h3 span") == "scale 4, row 2, column 3"
    before = page.evaluate(PRINTS, "picture")
    options = page.locator(".xp-options button")
    other = int("xp-taken" in (options.nth(0).get_attribute("class") or ""))
    wanted = options.nth(other).locator("img").get_attribute("src")
    changing(page, lambda: options.nth(other).click())
    after = page.evaluate(PRINTS, "picture")
    assert after[:3] == before[:3]
    assert all(a != b for a, b in zip(after[3:], before[3:], strict=True))
    assert page.evaluate("explorer.view.trace.pictures.at(-1)") == wanted
    assert page.locator(".xp-node").count() == 3

    changing(page, lambda: page.locator(".xp-node").nth(1).click())
    assert page.evaluate(PRINTS, "picture") == before


def test_a_reroll_keeps_coarser_scales_and_a_lock_its_own(page):
    before = page.evaluate(PRINTS, "tokens")
    page.get_by_role("button", name="Lock scale 6").click()
    page.get_by_role("button", name="Lock scale 6", pressed=True).wait_for()
    changing(page, lambda: page.get_by_role("button", name="Re-roll from scale 5").click())
    same = [a == b for a, b in zip(page.evaluate(PRINTS, "tokens"), before, strict=True)]
    assert same == [True] * 4 + [False, True] + [False] * (SCALES - 6)


def test_a_knob_acts_at_once(page):
    before = page.evaluate(PRINTS, "tokens")
    box = page.locator("#explore_guidance input[type=number]")
    box.fill("0.5")
    page.wait_for_function("explorer.view.trace.facts.includes('guidance 0.5')")
    after = page.evaluate(PRINTS, "tokens")
    assert after[0] == before[0] and after[-1] != before[-1]  # guidance grows from nothing at the first scale


def test_a_dragged_knob_ends_where_it_was_left_and_the_others_stay(page):
    bar = page.locator("#explore_guidance input[type=range]")
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.14 * box["width"], middle)
    page.mouse.down()
    for share in (0.2, 0.3, 0.4, 0.5, 0.6):
        page.mouse.move(box["x"] + share * box["width"], middle)
        page.wait_for_timeout(150)
    page.mouse.up()
    page.wait_for_function(
        "explorer.view.trace.facts.includes('guidance ' + document.querySelector('#explore_guidance input').value)"
    )
    assert float(page.input_value("#explore_guidance input[type=number]")) > 10
    assert page.input_value("#explore_class input") == "Sunflower"
    assert page.input_value("#explore_temperature input[type=number]") == "1"
    assert page.inner_text("#explore_run") == "Run"
    page.click("#explore_reset")
    page.wait_for_function("explorer.view.trace.facts.includes('guidance 4')")


def test_a_token_is_chosen_by_keyboard(page):
    page.focus("#xp-picture")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    heard = page.inner_text("#xp-status")
    assert heard.startswith(f"scale {SCALES}, row 2, column 3, code ") and "probability" in heard
    page.keyboard.press("Enter")
    page.wait_for_function(OFFERED)
    assert page.inner_text("#xp-inspector h3 span") == f"scale {SCALES}, row 2, column 3"
    assert page.evaluate("document.activeElement.id") == "xp-picture"
    page.locator("#xp-lock-2").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Lock scale 3", pressed=True).wait_for()
    assert page.evaluate("document.activeElement.id") == "xp-lock-2"


def test_alternatives_are_those_under_the_locks_and_their_buttons_stay_while_pictures_come(page):
    page.evaluate("explorer.choose({scale: 2, index: 4})")
    page.wait_for_function("document.querySelectorAll('.xp-options img').length > 1")
    page.evaluate("document.querySelector('#xp-option-9').mine = true")
    page.wait_for_function(OFFERED)
    assert page.evaluate("document.querySelector('#xp-option-9').mine")
    page.click("#xp-lock-5")
    page.wait_for_function("explorer.view.trace.locked.length === 1")
    page.wait_for_function(OFFERED)
    wanted = page.locator("#xp-option-1 img").get_attribute("src")
    changing(page, lambda: page.click("#xp-option-1"))
    assert page.evaluate("explorer.view.trace.pictures.at(-1)") == wanted


def test_the_page_stays_where_it_was_scrolled_to_while_answers_come(visit: Callable):
    page = with_picture(visit(width=390, height=844))
    page.evaluate("explorer.choose({scale: 2, index: 4})")
    page.wait_for_function(OFFERED)
    page.focus("#xp-later-keep")
    page.keyboard.press("Enter")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(OFFERED)
    assert page.evaluate("scrollY") == 0


def test_other_wishes_do_not_wait_for_what_a_token_could_have_been(page):
    page.evaluate("explorer.choose({scale: 0, index: 0})")
    page.wait_for_function("explorer.view.seen")
    changing(page, lambda: page.evaluate("explorer.ask({does: 'reroll', scale: 6})"))
    page.wait_for_function(OFFERED)  # of the new picture, in the end
    page.evaluate("explorer.choose({scale: 1, index: 0})")
    page.wait_for_function("explorer.view.seen")
    changing(page, lambda: page.click("#explore_run"))
    page.wait_for_function(OFFERED)


def test_what_is_opened_while_something_runs_is_not_lost(page):
    page.click("#explore_run")
    page.locator("#explore_shelf .thumbnail-item").first.click()
    pictures = "[explorer.view.trace.tree.length, document.querySelectorAll('.xp-node').length]"
    try:
        page.wait_for_function(f"String({pictures}) === '4,4' && !document.querySelector('.xp-busy')")
    except TimeoutError:
        titles = "explorer.view.trace.tree.map((each) => `${each.n} of ${each.parent}: ${each.title}`)"
        pytest.fail(f"{page.evaluate(pictures)} pictures: {page.evaluate(titles)}")


def test_names_in_a_trace_are_text(page, tmp_path: Path):
    (tmp_path / "mine.safetensors").write_bytes(download(page, "#explore_trace"))
    with safe_open(tmp_path / "mine.safetensors", "np") as file:
        about = json.loads(file.metadata()["var-studio-trace"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    about["class_name"] = about["model"] = "<img src=x onerror='window.harmed = 1'>"
    save_file(tensors, tmp_path / "odd.safetensors", {"var-studio-trace": json.dumps(about)})
    changing(page, lambda: upload(page, "explore_file", tmp_path / "odd.safetensors"))
    assert page.inner_text("#xp-name") == about["class_name"]
    assert page.evaluate("window.harmed") is None


def test_a_mix_shows_every_cut_and_one_can_be_taken(page):
    page.fill("#xp-other", "Sea")
    page.click("#xp-mix button")
    try:
        page.locator(".xp-mixed img").nth(SCALES).wait_for()
    except TimeoutError:
        mixed = "[explorer.view.mixed?.pictures.length, explorer.view.mixed?.more, explorer.view.trace.node]"
        shown = "document.querySelectorAll('.xp-mixed img').length"
        pytest.fail(f"{page.evaluate(mixed)}, {page.evaluate(shown)} shown: {page.inner_text('#explore_bar')}")
    cut = page.locator(".xp-mixed button").nth(3)
    wanted = cut.locator("img").get_attribute("src")
    changing(page, cut.click)
    assert page.evaluate("explorer.view.trace.pictures.at(-1)") == wanted


def test_a_class_that_does_not_exist_is_answered_and_nothing_is_lost(page):
    before = page.evaluate("explorer.view.trace.node")
    page.fill("#xp-other", "Sunflour")
    page.click("#xp-mix button")
    page.locator("#explore_class .wrong").get_by_text(
        "There is no class 'Sunflour'. Did you mean: Sunflower"
    ).wait_for()
    page.wait_for_function("!document.querySelector('.xp-busy')")
    assert page.evaluate("explorer.view.trace.node") == before


def test_every_kind_of_file_comes_out_and_a_trace_goes_in_again(page, tmp_path: Path):
    with Image.open(io.BytesIO(download(page, "#explore_gif"))) as gif:
        assert (gif.format, gif.n_frames) == ("GIF", SCALES)
    assert b"ftyp" in download(page, "#explore_mp4")[:16]
    assert Image.open(io.BytesIO(download(page, "#explore_sheet"))).format == "PNG"
    (tmp_path / "mine.safetensors").write_bytes(download(page, "#explore_trace"))
    with safe_open(tmp_path / "mine.safetensors", "np") as file:
        assert json.loads(file.metadata()["var-studio-trace"])["scale_seeds"] == [5] * SCALES
    wanted = page.evaluate("explorer.view.trace.pictures")
    draw(page, "6")
    changing(page, lambda: upload(page, "explore_file", tmp_path / "mine.safetensors"))
    assert page.evaluate("explorer.view.trace.pictures") == wanted
    assert page.input_value("#explore_seed textarea, #explore_seed input") == "5"


def test_a_picture_of_ones_own_is_taken_apart(page, tmp_path: Path):
    noise = np.random.default_rng(0).integers(256, size=(90, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "own.png")
    changing(page, lambda: upload(page, "explore_picture", tmp_path / "own.png"))
    total = sum(side**2 for side in SIDES)
    assert f"{total} of {total} tokens kept" in page.inner_text("#xp-facts")


def test_a_picture_from_create_and_one_from_edit_are_looked_into(visit: Callable):
    page = visit()
    page.click("#run")
    page.locator("#look_inside").wait_for()
    page.click("#look_inside")
    page.wait_for_function("explorer.view.trace?.origin === 'drawn' && explorer.view.trace.live")
    page.get_by_role("tab", name="Edit").click()
    at_rest(page)
    laying(page, page.locator("#examples .thumbnail-item").first.click)
    page.click("#edit_run")
    page.locator("#edit_look_inside").wait_for()
    page.click("#edit_look_inside")
    page.wait_for_function("explorer.view.trace.origin === 'edited'")
    assert "tokens kept" in page.inner_text("#xp-facts")


def test_on_a_phone_nothing_sticks_out(visit: Callable):
    page = with_picture(visit(width=390, height=844))
    choose(page, 2, 1, 1)
    page.click("#xp-tour")
    page.click("#xp-show")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
