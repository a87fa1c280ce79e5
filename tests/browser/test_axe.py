"""What axe finds on the page, light and dark, in every tab and state: of all that is ours, nothing."""

from collections.abc import Iterator

import pytest
from support.axe import AXE, found
from support.hands import looked_at, set_number, unfold

DONE = ".fill[style*='100.0%']"  # the bar of a run that is over, in any language
CLOSE = "document.querySelectorAll('.toast-close').forEach((button) => button.click())"  # they may have gone by now


def create(page) -> Iterator[str]:
    yield "as it begins"
    page.click("#class input")
    page.keyboard.type("r")
    page.locator(".option-list .item").first.wait_for()
    yield "a list of classes"
    page.keyboard.type("ubbish")
    page.keyboard.press("Control+Enter")
    page.locator("#wrong_class").wait_for()
    yield "an error"
    page.evaluate(CLOSE)
    page.fill("#class input", "Rose")
    page.keyboard.press("Enter")
    set_number(page, "pictures", 2)
    page.click("#run")
    page.locator(f"#bar {DONE}").wait_for()
    unfold(page, "drawing", "guidance")
    page.locator("#guidance > .help").click()
    page.locator("#setting_help img").wait_for()
    yield "two pictures, settings and their help"
    page.keyboard.press("Escape")
    page.click("#drawing button.label-wrap")
    page.click("#models button.label-wrap")
    page.locator("#model").wait_for()
    page.locator("#gallery .thumbnail-lg").first.click()
    page.locator("#gallery .preview").wait_for()
    yield "one large, and the models"
    page.click("#models button.label-wrap")
    page.click("#alike")
    page.locator(".visit-card").nth(5).wait_for(state="attached")
    yield "more like it"
    unfold(page, "comparing", "grid_run")
    page.fill("#grid_x_values input, #grid_x_values textarea", "1, 4")
    page.fill("#grid_y_values input, #grid_y_values textarea", "1")
    page.click("#grid_run")
    page.locator("#sheet").wait_for()
    yield "a grid"


def edit(page) -> Iterator[str]:
    yield "as it begins"
    page.locator("#examples .thumbnail-item").first.click()
    page.wait_for_function("window.editor?.background_image")
    unfold(page, "masking", "undo")
    unfold(page, "editing", "context")
    page.click("#task label:nth-of-type(3)")
    page.locator("#sides").wait_for()
    yield "settings"
    page.click("#task label:nth-of-type(1)")
    page.locator("#sides").wait_for(state="hidden")
    page.click("#guess")
    page.locator("#guesses").wait_for()
    page.fill("#box input, #box textarea", "670, 260, 128")  # holds a part of what is painted
    set_number(page, "edit_variations", 2)
    page.click("#edit_run")
    page.locator(".toast-body.warning").wait_for()
    yield "under way, and a warning"
    page.locator(f"#edit_bar {DONE}").wait_for()
    page.locator("#compare img").nth(1).wait_for()
    page.evaluate(CLOSE)
    yield "results"
    page.focus("#edit .hold")
    page.keyboard.down("Space")
    page.locator("#edit .hold[aria-pressed=true]").wait_for()
    yield "compared while a key is held"
    page.keyboard.up("Space")
    page.click("#take")
    page.locator("#past img").wait_for()
    page.click("#edit_use_settings")
    page.locator(".toast-body.info").wait_for()
    yield "what was there before, and a word"
    page.evaluate(CLOSE)


def explore(page) -> Iterator[str]:
    page.wait_for_function("explorer.view.trace")
    yield "as it begins"
    before = page.evaluate("explorer.view.trace.node")
    page.click("#explore_run")
    page.wait_for_function("(before) => explorer.view.trace?.node !== before", arg=before)
    page.evaluate("explorer.choose({scale: 4, index: 0})")
    page.wait_for_function("explorer.view.options?.pictures.length === 10")
    yield "a token"
    page.click("#xp-tour")
    page.fill("#xp-other", "Rose")
    page.click("#xp-mix button")
    page.locator("#xp-mixed img").nth(9).wait_for()
    yield "a mix, and the tour"


def learn(page) -> Iterator[str]:
    page.locator("#ln_measured .ln").first.wait_for()
    page.locator(".ln-pyramid").wait_for()
    yield "as it begins"
    page.click("#ln_run")
    page.locator("#ln_winner").wait_for()
    yield "a race"


def around(page) -> Iterator[str]:
    """What all tabs share."""
    set_number(page, "pictures", 2)
    page.click("#run")
    page.locator(".visit-card").nth(1).wait_for(state="attached")
    page.click("#tour_button")
    page.locator("#tabs_tour").wait_for()
    yield "the tour"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#shortcut_list").wait_for()
    yield "the shortcuts"
    page.keyboard.press("Escape")
    looked_at(page, 0)
    page.locator("#visit_picture img").wait_for()
    page.click("#visit_star")
    page.locator(".visit-card .star").wait_for()
    yield "a picture of the visit"
    for box in page.locator(".visit-card input").all()[:2]:
        box.check()
    page.click("[data-visit=compare]")
    page.locator("#visit_compare img").nth(1).wait_for()
    yield "two pictures of the visit"
    page.click(".visit-close")


STATES = {"create": create, "edit": edit, "explore": explore, "learn": learn, "around": around}
LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module", params=["laptop", "german phone"])
def opened(request, shared_visits):
    """A page for all tests of a device, with axe on it; and whether it is a laptop."""
    laptop = request.param == "laptop"
    page = shared_visits.open(**LAPTOP if laptop else {**PHONE, "phone": True, "locale": "de-DE"})
    page.evaluate(AXE)
    return page, laptop


@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing_of_ours(opened, shared_visits, name: str):
    """On the laptop in both themes, and in the end in a window as narrow as a phone's."""
    page, laptop = opened
    page.locator(f"[role=tab][data-tab-id={'create' if name == 'around' else name}]:visible").click()
    seen = {state: found(page, dark=laptop) for state in STATES[name](page)}
    if laptop:
        page.set_viewport_size(PHONE)
        seen["in a narrow window"] = found(page)
        page.set_viewport_size(LAPTOP)
    assert {state: each for state, each in seen.items() if each} == {}
    shared_visits.check()
