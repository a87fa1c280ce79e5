"""The page as a whole, in every tab: what a newcomer meets, what it remembers, and whether everybody can use it.

What axe says of it stands in `test_axe.py`.
"""

import re
from collections.abc import Callable

import pytest
from support.hands import unfold, until

TABS = ("Create", "Edit", "Explore", "Learn")
OURS = 1_500_000  # bytes of our own that may be fetched before a tab is opened
DONE = re.compile(r"^\d+ pictures? in ")
# The word that a stream of answers ends comes late, as over a slow network.
LATE_END = """{
  const fetched = globalThis.fetch;
  const transform = async (part, to) => {
    const text = new TextDecoder().decode(part);
    if (!text.includes("close_stream")) return to.enqueue(part);
    const end = text.lastIndexOf("data:", text.indexOf("close_stream"));
    to.enqueue(new TextEncoder().encode(text.slice(0, end)));
    await new Promise((goOn) => setTimeout(goOn, 500));
    to.enqueue(new TextEncoder().encode(text.slice(end)));
  };
  globalThis.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    const isStream = String(asked[0].url ?? asked[0]).includes("/queue/data");
    return isStream ? new Response(answer.body.pipeThrough(new TransformStream({ transform })), answer) : answer;
  };
}"""


@pytest.fixture(scope="module")
def opened_once(shared_visits):
    return shared_visits.open()


@pytest.fixture
def shared(opened_once, shared_visits):
    """A page that other tests use as well, in the tab that it begins with; nothing has the focus."""
    tab(opened_once, "Create")
    opened_once.evaluate("document.activeElement.blur()")
    yield opened_once
    shared_visits.check()


def tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()


def run(page) -> None:
    page.click("#run")
    page.locator("#bar").get_by_text(DONE).wait_for()
    page.locator("#run").wait_for()


def seen(page, name: str) -> None:
    """Wait for what a tab shows by itself when it is first seen."""
    tab(page, name)
    waits = {"Explore": "explorer.view.trace", "Learn": "document.querySelector('#ln_measured .ln')"}
    if name in waits:
        page.wait_for_function(waits[name])


def dark(page) -> bool:
    return page.evaluate("document.body.classList.contains('dark')")


def test_the_page_has_a_picture_before_anything_was_drawn(page):
    picture = page.locator("#gallery img").first
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 256
    assert page.locator("#strip figure").count() == 9
    assert "press Run" in page.inner_text("#bar")
    assert page.locator("#run").is_visible()


def test_before_a_tab_is_opened_little_of_our_own_is_fetched(visit: Callable):
    page = visit()
    page.wait_for_load_state()
    page.locator("#gallery img").first.wait_for()
    entries = page.evaluate("""() => [...performance.getEntriesByType("navigation"),
      ...performance.getEntriesByType("resource")].map((entry) => [entry.name, entry.decodedBodySize])""")
    fetched = {url: size for url, size in entries if "/assets/" not in url and "/static/" not in url}  # Gradio's own
    assert sum(fetched.values()) < OURS
    assert not [url for url in fetched if re.search("meadow|peaks|halves|raster", url)]


def test_the_tour_goes_through_the_tabs_by_keyboard_and_is_not_urged_twice(page):
    assert page.locator("html.newcomer").count() == 1
    page.focus("#tour_button")
    page.keyboard.press("Enter")
    for number, name in enumerate(TABS):
        page.get_by_role("dialog", name=re.compile(f"^{name}:")).wait_for()
        page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()
        assert page.evaluate("document.activeElement.id") == "tour_title"
        page.get_by_role("button", name="Done" if number == 3 else "Next", exact=True).press("Enter")
    assert page.locator("#tabs_tour").count() == 0
    assert page.evaluate("document.activeElement.id") == "tour_button"
    later = page.context.new_page()
    later.goto(page.url)
    later.locator("#tour_button").wait_for()
    assert later.locator("html.newcomer").count() == 0


def test_the_tour_can_be_left_at_any_time(shared):
    page = shared
    page.click("#tour_button")
    page.keyboard.press("Escape")
    assert page.locator("#tabs_tour").count() == 0
    page.click("#tour_button")
    page.get_by_role("button", name="Skip", exact=True).click()
    assert page.locator("#tabs_tour").count() == 0


def test_the_theme_goes_round_and_is_remembered(page):
    assert not dark(page)
    page.click("#theme_button")
    assert page.get_attribute("html", "data-theme") == "light"
    page.click("#theme_button")
    page.wait_for_function("document.querySelector('#announcer').textContent === 'Theme: dark'")
    assert dark(page)
    page.reload()
    page.wait_for_function("document.documentElement.classList.contains('opened')")
    assert dark(page)
    page.click("#theme_button")
    page.emulate_media(color_scheme="dark")
    until(page, lambda: dark(page))
    page.emulate_media(color_scheme="light")
    until(page, lambda: not dark(page))


def test_a_setting_shows_pictures_of_what_it_does_to_mouse_keys_and_finger(shared):
    page = shared
    unfold(page, "drawing", "guidance")
    settings = page.locator("#drawing .pictured")
    until(page, lambda: settings.count() == settings.locator(":scope > .help").count() > 0)
    fetched = "performance.getEntriesByType('resource').filter(({name}) => name.includes('/settings/')).length"
    assert page.evaluate(fetched) == 0
    picture, mark = page.locator("#setting_help img"), page.locator("#guidance > .help")
    mark.hover()
    until(page, lambda: picture.evaluate("picture => picture.complete && picture.naturalWidth") > 300)
    assert page.locator("#setting_help span").all_inner_texts() == ["0", "4", "20"]
    assert page.evaluate(fetched) == 1
    page.mouse.move(5, 5)
    picture.wait_for(state="hidden")
    page.focus("#top_k input")
    page.keyboard.press("Tab")
    assert page.locator("#setting_help").is_visible() and "Top-k" in picture.get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("#setting_help").is_visible()
    page.locator("#top_p > .help").click()
    assert page.locator("#setting_help").is_visible()
    page.mouse.click(5, 5)
    assert not page.locator("#setting_help").is_visible()


def test_the_last_pictures_come_back_after_a_reload(page):
    run(page)
    before = page.get_attribute("#strip figure:last-of-type img", "src")
    seed = page.inner_text("#strip h2 span")
    page.reload()
    page.click("#bring_back")
    page.locator("#bar").get_by_text(DONE).wait_for()
    assert page.inner_text("#strip h2 span") == seed
    assert page.get_attribute("#strip figure:last-of-type img", "src") == before
    page.locator("#bring_back").wait_for(state="hidden")


def test_keys_lead_to_the_tabs_and_along_rows(shared):
    page = shared
    for number, name in ((3, "Explore"), (2, "Edit"), (1, "Create")):
        page.keyboard.press(f"Alt+{number}")
        page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()
    page.get_by_role("tab", name="Create", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Edit", exact=True, selected=True).wait_for()
    page.focus("#task input:checked")
    first = page.evaluate("document.activeElement.value")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.checked && document.activeElement.value") != first
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#task')") is None


def test_every_stop_of_the_tab_key_shows_its_focus(shared):
    page = shared
    shown = """() => {
      const now = document.activeElement, ring = getComputedStyle(now), box = now.getBoundingClientRect();
      const held = now.closest(".pills label") ?? now;
      const look = getComputedStyle(held);
      return [now === document.body, look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2,
              now.outerHTML.slice(0, 120)];
    }"""
    page.focus("#tour_button")
    for _ in range(25):
        page.keyboard.press("Tab")
        lost, visible, what = page.evaluate(shown)
        assert lost or visible, what


def test_at_twice_the_size_nothing_is_lost_at_the_sides(visit: Callable):
    page = visit(width=720, height=450)
    for name in TABS:
        seen(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 720, name


def test_nothing_moves_where_it_is_not_wanted(shared):
    page = shared
    page.emulate_media(reduced_motion="reduce")
    run(page)
    moving = """() => document.getAnimations().filter(({ effect }) => effect.getTiming().duration > 10).length"""
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="null")


def test_progress_is_read_out(shared):
    page = shared
    page.evaluate("window.heard = []")
    page.evaluate("""() => new MutationObserver(() => heard.push(document.querySelector("#announcer")?.textContent))
      .observe(document.body, {childList: true, subtree: true, characterData: true})""")
    run(page)
    until(page, lambda: DONE.match(page.inner_text("#announcer")) is not None)
    assert page.locator("#announcer[role=status]").count() == 1


def test_every_tab_has_its_headings_and_what_is_chosen_has_a_name(shared):
    page = shared
    for name in TABS:
        tab(page, name)
        assert page.get_by_role("heading", name=name, level=2).count() == 1
    tab(page, "Create")
    page.click("#models button.label-wrap")
    page.locator("#model input").wait_for()
    assert page.get_attribute("#model input", "aria-label") == "Model"
    page.focus("#group input:checked")
    assert page.get_by_role("group", name="Group", exact=True).count() == 1


def test_the_model_menu_says_how_long_a_picture_takes(page):
    run(page)
    page.reload()
    page.click("#models button.label-wrap")
    page.locator("#model_about").get_by_text(
        re.compile(r"^A picture takes about .* here \(measured here on")
    ).wait_for()
    assert " a picture" in page.input_value("#model input")


def test_the_page_opens_and_a_run_ends_though_the_end_of_a_stream_is_told_late(page):
    page.add_init_script(LATE_END)
    page.reload()
    page.wait_for_function("document.documentElement.classList.contains('opened')")
    run(page)
