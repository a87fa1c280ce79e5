"""The Create tab as its user meets it."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from support.hands import SIDES, download, drop, pixels, reads, set_number, unfold, until

from var_core.recipe import Recipe

SCALES = len(SIDES)
# Everything that the bar says, also what it says for less than a frame.
LISTEN = """() => {
  window.told = [];
  const note = () => told.push(document.querySelector("#bar span")?.textContent);
  const all = {subtree: true, childList: true, characterData: true};
  new MutationObserver(note).observe(document.querySelector("#bar"), all);
}"""
# Press Stop as soon as the bar tells of one of these scales: a person's hand may be slower than they are.
STOP = """() => {
  const press = () => {
    if (!/^scale [2345] of/.test(document.querySelector("#bar span")?.textContent)) return;
    pressing.disconnect();
    document.querySelector("#stop").click();
  };
  const pressing = new MutationObserver(press);
  pressing.observe(document.querySelector("#bar"), {subtree: true, childList: true, characterData: true});
}"""


def pick(page, name: str) -> None:
    page.click("#class input")
    page.keyboard.type(name)
    page.get_by_role("option", name=name).click()


def controls(page) -> dict[str, object]:
    """What all controls say."""
    unfold(page, "drawing", "guidance")
    numbers = ("pictures", "guidance", "temperature", "top_k", "top_p")
    said = {name: float(page.input_value(f"#{name} input[type=number]")) for name in numbers}
    said |= {"class": page.input_value("#class input"), "seed": page.input_value("#seed input")}
    return said | {name: page.is_checked(f"#{name} input") for name in ("smooth", "lock")}


def run(page, count: int) -> None:
    page.click("#run")
    finished(page, count)


def finished(page, count: int) -> None:
    reads(page, "#bar", f"{count} pictures? in ")
    page.locator("#run").wait_for()


def recipe(png: bytes, folder: Path) -> Recipe:
    (folder / "downloaded.png").write_bytes(png)
    return Recipe.read(folder / "downloaded.png")


def test_every_scale_arrives_on_the_stage(page):
    page.evaluate(LISTEN)
    set_number(page, "pictures", 4)
    run(page, 4)
    told = page.evaluate("told")
    found = (re.match(rf"scale (\d) of {SCALES}, (\d+) token", text) for text in told)
    assert {(int(one[1]), int(one[2])) for one in found if one} == {(k + 1, side**2) for k, side in enumerate(SIDES)}
    assert page.locator("#gallery .thumbnail-lg img").count() == 4
    assert page.locator("#strip figure").count() == SCALES
    assert page.locator("#gallery .thumbnail-lg").first.bounding_box()["width"] >= 256


def test_a_downloaded_picture_brings_back_its_settings_and_its_pixels(page, tmp_path: Path):
    pick(page, "Tulip")
    page.click("#seed input", click_count=3)
    page.keyboard.type("77")
    unfold(page, "drawing", "guidance")
    set_number(page, "guidance", 2.35)
    set_number(page, "top_k", 123)
    page.check("#smooth input")
    page.wait_for_function("document.querySelector('#lock input').checked")  # typing a seed locks it
    before = controls(page)
    run(page, 1)
    first = download(page, "#download")
    made = recipe(first, tmp_path)
    assert (made.class_name, made.seed, made.sampling.guidance, made.sampling.top_k) == ("Tulip", 77, 2.35, 123)

    page.click("#reset")
    page.wait_for_function("document.querySelector('#top_k input').value === '100'")
    pick(page, "Sea")
    page.click("#dice")
    page.wait_for_function("document.querySelector('#seed input').value !== '77'")
    page.uncheck("#lock input")
    drop(page, f"{made.seed}.png", first)
    page.get_by_text("Restored: Tulip").first.wait_for()
    until(page, lambda: controls(page) == before)  # the message comes before the values

    run(page, 1)
    assert np.array_equal(pixels(download(page, "#download")), pixels(first))


def test_use_these_settings_and_the_large_view_give_the_same_file(page, tmp_path: Path):
    set_number(page, "pictures", 3)
    run(page, 3)
    page.locator("#gallery .thumbnail-lg").nth(1).click()
    page.get_by_text(re.compile(r"^seed ")).first.wait_for()
    seen = download(page, "#gallery button[title=Download]")
    seed = recipe(seen, tmp_path).seed
    page.locator("#strip").get_by_text(f"seed {seed}").wait_for()
    assert download(page, "#download") == seen
    page.click("#use_settings")
    until(page, lambda: controls(page)["seed"] == str(seed))
    assert controls(page)["pictures"] == 3 and controls(page)["lock"]
    run(page, 3)
    assert np.array_equal(pixels(download(page, "#download")), pixels(seen))


def test_stop_keeps_what_is_there(page):
    set_number(page, "pictures", 16)
    page.evaluate(LISTEN)
    page.evaluate(STOP)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("told.some((text) => text?.startsWith('Stopping'))")
    page.wait_for_function("document.querySelector('#stop')?.disabled ?? true")
    page.locator("#bar").get_by_text(re.compile(f"^stopped after scale [2-8] of {SCALES}")).wait_for()
    page.locator("#run").wait_for()
    told = [text or "" for text in page.evaluate("told")]
    told = told[max(n for n, text in enumerate(told) if text.startswith("Stopping")) :]
    assert not any(text.startswith("scale") for text in told)  # while files are written it still says so
    assert page.locator("#gallery .thumbnail-lg img").count() == 16
    made = page.locator("#strip figure").count()
    assert page.inner_text("#bar span").startswith(f"stopped after scale {made} of {SCALES}")
    set_number(page, "pictures", 1)
    run(page, 1)


def test_an_unknown_class_is_answered_and_nothing_is_lost(page):
    run(page, 1)
    before = page.get_attribute("#gallery .thumbnail-lg img", "src")
    page.click("#class input")
    page.keyboard.type("Sunflour")
    page.keyboard.press("Control+Enter")
    sentence = "There is no class 'Sunflour'. Did you mean: Sunflower"
    page.locator("[data-testid=toast-body]").get_by_text(sentence).wait_for()
    page.locator("#class input[aria-invalid=true]").wait_for()
    page.get_by_role("button", name="Error", exact=True).press("Enter")  # folds what it says
    page.locator("[data-testid=toast-text]").wait_for(state="detached")
    page.locator("[data-testid=toast-close]").click()
    page.locator("[data-testid=toast-body]").wait_for(state="detached")
    words = page.locator(f"#{page.get_attribute('#class input', 'aria-describedby')}")  # they outlive the message
    assert sentence in words.inner_text()
    field, below = page.locator("#class input").bounding_box(), words.bounding_box()
    assert below["y"] >= field["y"] + field["height"]
    assert page.locator("[aria-invalid=true]").count() == 1
    assert page.get_attribute("#gallery .thumbnail-lg img", "src") == before
    assert controls(page)["class"] == "Sunflour"
    assert page.is_visible("#run")
    page.fill("#class input", "Sunflow")
    assert page.locator("[aria-invalid=true], [aria-describedby^=wrong], .wrong").count() == 0


def test_what_an_error_says_leaves_its_field_once_the_page_itself_sets_it(page):
    page.click("#seed input", click_count=3)
    page.keyboard.type("much")
    page.wait_for_function("document.querySelector('#lock input').checked")  # else a run rolls another one
    page.keyboard.press("Control+Enter")
    page.locator("#seed .wrong").wait_for()
    page.click("#dice")
    page.locator("#seed .wrong").wait_for(state="detached")
    assert page.locator("#seed [aria-invalid], #seed [aria-describedby]").count() == 0


def test_a_picture_without_a_recipe_changes_nothing(page, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    before = controls(page)
    page.set_input_files("input[type=file]", tmp_path / "plain.png")
    page.get_by_text("carries no recipe").first.wait_for()
    assert controls(page) == before


def test_a_link_opens_with_its_settings(visit: Callable):
    page = visit("?class=lotus&seed=7&count=2&guidance=1.5")
    page.wait_for_function("document.querySelector('#lock input').checked")
    said = controls(page)
    assert (said["class"], said["seed"], said["pictures"], said["guidance"]) == ("Lotus", "7", 2, 1.5)


def test_a_link_is_copied_and_nothing_is_lost_and_makes_the_same_picture_on_a_phone(page, visit: Callable):
    run(page, 1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    before = page.get_attribute("#gallery .thumbnail-lg img", "src")
    page.locator("#strip [data-copy-link]").first.click()
    page.locator("#strip").get_by_text("Copied", exact=True).wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(page.url) and f"seed={controls(page)['seed']}" in link
    assert page.get_attribute("#gallery .thumbnail-lg img", "src") == before
    phone = visit("?" + link.partition("?")[2], 390, 844, phone=True)
    phone.click("#run")
    finished(phone, 1)
    assert np.array_equal(pixels(download(phone, "#download")), pixels(download(page, "#download")))


def test_run_waits_for_the_settings_of_a_link(visit: Callable):
    page = visit("?class=lotus&seed=7&count=2", opened=False)
    page.click("#run")
    finished(page, 2)
    assert (controls(page)["class"], controls(page)["seed"]) == ("Lotus", "7")


def test_a_random_class_keeps_to_the_group(page):
    page.get_by_text("Scene", exact=True).click()
    page.wait_for_function("document.querySelector('#class input').value === 'Forest'")
    page.click("#class input")
    page.keyboard.type("Tulip")
    page.keyboard.press("Tab")
    page.click("#random_class")
    page.wait_for_function("document.querySelector('#class input').value !== 'Tulip'")
    assert controls(page)["class"] in ("Forest", "Mountain", "Sea")


def test_on_a_phone_run_is_in_reach_and_nothing_sticks_out(visit: Callable):
    page = visit(width=390, height=844)
    run(page, 1)
    box = page.locator("#run").bounding_box()
    assert 0 <= box["y"] <= 844 - box["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_more_like_this_draws_pictures_that_share_the_coarse_scales_and_leaves_the_settings(page, tmp_path: Path):
    run(page, 1)
    first = recipe(download(page, "#download"), tmp_path)
    before = controls(page)
    page.click("#alike")
    finished(page, 4)
    page.locator("#gallery .thumbnail-lg").nth(2).click()
    page.get_by_text(re.compile("^Picture 3 of 4: ")).first.wait_for()
    made = recipe(download(page, "#download"), tmp_path)
    (scale, other), *more = made.later
    assert (made.seed, made.class_name, more) == (first.seed, first.class_name, []) and 0 < scale < SCALES
    page.get_by_text(f"seed {first.seed}, {other} from scale {scale + 1}").first.wait_for()
    assert controls(page) == before
    page.click("#use_settings")
    until(page, lambda: controls(page)["seed"] == f"{first.seed}, {other} from scale {scale + 1}")


def test_the_buttons_say_which_picture_they_act_on_and_it_has_a_line_around_it(page):
    set_number(page, "pictures", 2)
    run(page, 2)
    page.get_by_text(re.compile(r"^Picture 1 of 2: .*, seed \d+$")).first.wait_for()
    styles = "them => them.map((one) => getComputedStyle(one).outlineStyle)"
    assert page.locator("#gallery .thumbnail-lg").evaluate_all(styles) == ["solid", "none"]


def test_larger_and_packed_downloads(page, tmp_path: Path):
    set_number(page, "pictures", 2)
    run(page, 2)
    side = pixels(download(page, "#download")).shape[0]
    assert page.inner_text("#large") == f"Download {4 * side} px (resized)"
    assert not page.is_visible("#larger_file") and not page.is_visible("#packed_file")  # they only give files over
    large = download(page, "#large")
    assert pixels(large).shape[0] == 4 * side and recipe(large, tmp_path)
    with zipfile.ZipFile(io.BytesIO(download(page, "#everything"))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        assert len(names) == 2 and all(recipe(archive.read(name), tmp_path) for name in names)


def test_what_fits_best_is_taken_by_enter_and_tab_closes_the_list(page):
    for typed, taken in (("f", "Forest"), ("sea", "Sea"), ("r", "Rose")):  # Sunflower stands before Forest
        page.click("#class input")
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        page.wait_for_function("name => document.querySelector('#class input').value === name", arg=taken)
    page.click("#class input")
    assert page.get_by_role("option").count() == 8
    page.keyboard.type("s")
    page.keyboard.press("Tab")
    until(page, lambda: page.get_by_role("option").count() == 0)
    assert page.evaluate("document.activeElement.id") == "random_class"


def test_several_classes_are_drawn_in_one_run_with_their_names(page):
    set_number(page, "pictures", 2)
    page.click("#also input")
    page.keyboard.type("rose")
    page.keyboard.press("Enter")
    page.locator("#also .token").get_by_text("Rose").wait_for()
    page.keyboard.press("Escape")
    run(page, 4)
    words = page.locator("#gallery .thumbnail-lg .caption-label").all_inner_texts()
    assert [text.split(",")[0] for text in words] == ["Sunflower", "Sunflower", "Rose", "Rose"]
    page.get_by_text("All 4:").first.wait_for()


def test_a_grid_over_two_settings_comes_as_one_picture_with_labels(page):
    unfold(page, "comparing", "grid_run")
    page.fill("#grid_x_values input, #grid_x_values textarea", "1, 4")
    page.fill("#grid_y_values input, #grid_y_values textarea", "0.5, 1")
    page.click("#grid_run")
    finished(page, 4)
    words = page.locator("#gallery .thumbnail-lg .caption-label").all_inner_texts()
    assert words[0] == "guidance 1, temperature 0.5" and words[3] == "guidance 4, temperature 1"
    sheet = pixels(download(page, "#sheet"))
    assert sheet.shape[1] > 2 * 128 and (sheet == 255).mean() > 0.1
    page.set_viewport_size({"width": 390, "height": 844})
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight).length"
    assert page.locator("#gallery .thumbnail-lg .caption-label").evaluate_all(cut) == 0  # on a phone they are whole
