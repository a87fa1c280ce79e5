"""The Learn tab in a browser: the live picture, the race, the plots, and the ways into Explore."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support.hands import SIDES, drop, upload

SCALES = len(SIDES)
# Presses Play once the knob has begun to move, at that moment, and says where the knob is then.
PAUSED = """() => new Promise((resolve) => {
  const knob = document.querySelector(".ln-knob input");
  const look = () => {
    if (!Number(knob.value)) return setTimeout(look, 10);
    document.querySelector(".ln-play").click();
    resolve(knob.value);
  };
  look();
})"""


@pytest.fixture
def page(visit: Callable):
    """The app's page with the tab open."""
    page = visit()
    enter(page)
    return page


@pytest.fixture(scope="module")
def opened_once(shared_visits):
    return shared_visits.open()


@pytest.fixture
def shared(opened_once, shared_visits):
    """The tab on a page that other tests use as well."""
    enter(opened_once)
    yield opened_once
    shared_visits.check()


def enter(page) -> None:
    page.get_by_role("tab", name="Learn").click()
    page.locator(".ln-pyramid").wait_for()
    page.locator("#ln_measured svg").first.wait_for()


def shown(page) -> list[str]:
    """The pictures that are in sight."""
    return page.eval_on_selector_all(".ln-panels img", "all => all.filter((i) => i.offsetParent).map((i) => i.src)")


def test_a_turn_of_the_knob_shows_another_scale_without_asking_the_server(shared):
    page = shared
    asked = []
    page.on("request", lambda request: None if request.url.startswith("data:") else asked.append(request.url))
    seen = []
    for scale in range(SCALES):
        page.locator(".ln-knob input").fill(str(scale))
        assert f"Scale {scale + 1} of {SCALES}" in page.locator(".ln-told:not([hidden])").inner_text()
        seen += shown(page)
    assert len(seen) == len(set(seen)) == 3 * SCALES
    page.locator(".ln-strip button").nth(2).click()
    assert page.locator(".ln-knob input").input_value() == "2" and shown(page) == seen[6:9]
    page.locator(".ln-play").click()
    page.wait_for_function("document.querySelector('.ln-knob input').value === '3'")
    page.wait_for_function(f"document.querySelector('.ln-knob input').value === '{SCALES - 1}'")
    assert page.locator(".ln-play").inner_text() == "Play"
    page.locator(".ln-play").click()  # from the end it starts again, and pauses where it is
    held = page.evaluate(PAUSED)
    page.wait_for_timeout(1500)
    assert held in ("1", "2") and page.locator(".ln-knob input").input_value() == held
    assert asked == []


def test_a_picture_of_ones_own_goes_to_explore(shared, tmp_path: Path):
    page = shared
    page.locator(".ln-knob input").fill(str(SCALES - 1))  # two pictures may have the same coarse tokens
    before = shown(page)
    Image.radial_gradient("L").convert("RGB").save(tmp_path / "own.png")
    drop(page, "own.png", (tmp_path / "own.png").read_bytes())
    page.wait_for_function(
        "(src) => [...document.querySelectorAll('.ln-panels img')].every((i) => i.src !== src)", arg=before[2]
    )
    page.click("#ln_inside")
    page.wait_for_function("explorer.view.trace?.name === 'own' && explorer.view.trace.origin === 'opened'")
    assert page.locator("#xp-strip canvas").first.is_visible()


def test_a_file_that_is_no_picture_is_answered_and_the_picture_stays(shared, tmp_path: Path):
    page = shared
    before = shown(page)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    upload(page, "ln_open", tmp_path / "broken.png")
    page.locator(".toast-body", has_text="broken.png").wait_for()
    assert shown(page) == before


def test_the_race_is_painted_live_and_var_wins(shared):
    page = shared
    page.click("#ln_run")
    page.wait_for_function("/step [1-9]\\d* of 256/.test(document.querySelector('#ln_track').innerText)")
    part = page.locator("#ln_track").inner_text()
    assert "step 256 of 256" not in part
    page.locator(".ln-lane.ln-done").nth(1).wait_for()
    page.locator("#ln_race_bar", has_text="Raster order").wait_for()  # a look at the end may come before the result
    told = page.locator("#ln_race_bar").inner_text()
    found = re.search(rf"VAR: {SCALES} steps in ([\d.]+) s\. Raster order: 256 steps in ([\d.]+) s", told)
    assert float(found[1]) < float(found[2])
    assert page.locator(".ln-lane img").count() == 2
    page.locator("#ln_run").wait_for()  # it comes back after the result
    page.click("#ln_winner")  # the tests' own model is loaded, not the one that raced
    page.locator(".toast-body", has_text="Another model is loaded").wait_for()


def test_a_race_is_stopped(page):
    page.click("#ln_run")
    page.click("#ln_stop")
    page.locator("#ln_run").wait_for()
    assert "step 256 of 256" not in page.locator("#ln_track").inner_text()
    assert "times as long" not in page.locator("#ln_race_bar").inner_text()


def test_the_plots_read_on_light_and_on_dark(visit: Callable):
    for query, low, high in (("", 0, 110), ("?__theme=dark", 145, 255)):
        page = visit(query)
        enter(page)
        figures = page.locator("#ln_measured svg[role=img]")
        assert figures.count() >= 2
        for place in range(figures.count()):
            assert figures.nth(place).bounding_box()["width"] > 200
        ink = page.eval_on_selector("#ln_measured svg text", "e => getComputedStyle(e).fill")
        assert all(low <= int(level) <= high for level in re.findall(r"\d+", ink)[:3])
        assert "measured here" in page.inner_text("#ln_measured") and "published" in page.inner_text("#ln_measured")


def test_it_fits_a_phone(visit: Callable):
    page = visit(width=390, height=844)
    enter(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#ln_run").scroll_into_view_if_needed()
    page.click("#ln_run")
    page.locator(".ln-lane.ln-done").nth(1).wait_for()
    boxes = [page.locator(".ln-lane").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[1]["x"] + boxes[1]["width"] <= 390
