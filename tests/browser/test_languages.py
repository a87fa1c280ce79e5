"""The page in a German browser: all that it says, what is done on it, and the way to another language."""

import re
from collections.abc import Callable, Iterator

import pytest

from var_studio.page.scripts import catalogues

GERMAN = catalogues()["de"]
TABS = ("Erzeugen", "Bearbeiten", "Erkunden", "Lernen")
SAID = """() => {
  const found = new Set(), left = "script, style, [translate=no], .class-search ul";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if ((node.parentElement ?? node).closest(left)) continue;
    if (node.nodeType === Node.TEXT_NODE) found.add(node.data);
    else for (const name of ["alt", "aria-label", "placeholder", "title"]) found.add(node.getAttribute(name) ?? "");
  }
  return [...found].map((text) => text.trim().replace(/\\s+/g, " "));
}"""


@pytest.fixture
def german(chromium, address: str) -> Iterator[Callable]:
    """Opens the app in a German browser."""
    context, troubles = chromium.new_context(locale="de-DE", accept_downloads=True), []

    def opened(width: int = 1440, height: int = 900):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        page.wait_for_function("document.documentElement.classList.contains('opened')")
        return page

    yield opened
    context.close()
    assert troubles == []


def english_on(page) -> set[str]:
    """What the page says in English though there is a German text for it."""
    return {text for text in page.evaluate(SAID) if GERMAN.get(text, text) != text}


def seen(page, name: str) -> None:
    """Wait for what a tab shows by itself when it is first seen."""
    page.get_by_role("tab", name=name, exact=True).click()
    waits = {"Erkunden": "explorer.view.trace", "Lernen": "document.querySelector('#ln_measured .ln')"}
    if name in waits:
        page.wait_for_function(waits[name])


def test_a_german_browser_makes_a_picture_and_reads_no_english(german: Callable):
    page = german()
    assert page.get_attribute("html", "lang") == "de"
    page.get_by_role("button", name="Starten", exact=True).first.click()
    page.locator("#bar").get_by_text(re.compile(r"^\d+ Bild(er)? in ")).wait_for()
    page.locator("#announcer").get_by_text(re.compile(" Bild(er)? in ")).wait_for(state="attached")
    for name in TABS:
        seen(page, name)
        assert english_on(page) == set(), name
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Tastatur, Maus und Finger").is_visible()
    assert english_on(page) == set()


def test_a_refusal_is_german_and_still_marks_its_field(german: Callable):
    page = german()
    page.click("#class input")
    page.keyboard.type("Sunflour")
    page.keyboard.press("Control+Enter")
    page.locator("#wrong_class", has_text="Es gibt keine Klasse „Sunflour“. Gemeint vielleicht: Sunflower").wait_for()
    page.locator("#class input[aria-invalid=true]").wait_for()


def test_another_language_can_be_chosen_and_is_remembered(german: Callable):
    page = german()
    page.get_by_role("button", name="English", exact=True).click()
    page.get_by_role("tab", name="Create", exact=True).wait_for()
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["en", "en"]
    page.reload()
    page.get_by_role("tab", name="Create", exact=True).wait_for()
    page.get_by_role("button", name="Deutsch", exact=True).click()
    page.get_by_role("tab", name="Erzeugen", exact=True).wait_for()


def test_in_german_nothing_is_lost_at_the_sides_of_a_phone(german: Callable):
    page = german(390, 844)
    for name in TABS:
        seen(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
