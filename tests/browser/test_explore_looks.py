"""What one looks at in the Explore tab, which changes no picture: one page serves all tests."""

import pytest
from support.explore_tab import OFFERED, SCALES, choose, with_picture

# Shows the picture as it is when it has just been drawn.
AS_DRAWN = """() => {
  const chosen = {token: null, cursor: null, seen: null, known: null, options: null, block: "mean", head: "mean"};
  explorer.show({...chosen, layer: "picture", scale: explorer.view.trace.sides.length - 1});
  document.activeElement.blur();
  scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def shared(shared_visits):
    """The tab, with a picture that the loaded model has drawn."""
    return with_picture(shared_visits.open())


@pytest.fixture
def page(shared, shared_visits):
    """The tab with its picture, whatever others have looked at there."""
    shared.evaluate(AS_DRAWN)
    yield shared
    shared_visits.check()


def shown_scale(page) -> int:
    return int(page.inner_text("#xp-where").split()[1])


def test_every_scale_is_stepped_through_without_asking_the_server(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("#xp-reset")
    assert shown_scale(page) == 1
    seen = [page.locator("#xp-picture").screenshot()]
    for scale in range(2, SCALES + 1):
        page.click("#xp-step")
        assert shown_scale(page) == scale
        seen.append(page.locator("#xp-picture").screenshot())
    assert len(set(seen)) == SCALES
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown_scale(page) == SCALES - 2
    page.keyboard.press("ArrowRight")
    assert shown_scale(page) == SCALES - 1
    page.locator("#xp-strip .xp-head").nth(3).click()
    assert shown_scale(page) == 3
    for layer in ("tokens", "added", "probability", "entropy", "divergence", "evidence", "unguided"):
        page.click(f"#xp-layer-{layer}")
        seen.append(page.locator("#xp-picture").screenshot())
    assert len(set(seen)) == SCALES + 7
    assert asked == []


def test_play_runs_through_all_scales_and_space_pauses(page):
    page.click("#xp-play")
    page.wait_for_function("explorer.view.scale === 0 && explorer.view.playing")
    page.wait_for_function("explorer.view.scale === 2")
    page.locator("#xp-name").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    page.wait_for_function("!explorer.view.playing")
    page.keyboard.press(" ")
    page.wait_for_function(f"explorer.view.scale === {SCALES - 1} && !explorer.view.playing")


def test_pointing_at_a_token_tells_what_it_is(page):
    canvas = page.locator("#xp-strip canvas[data-row=tokens][data-scale='4']")
    box = canvas.bounding_box()
    canvas.hover(position={"x": 3.5 / 6 * box["width"], "y": 2.5 / 6 * box["height"]})
    tip = page.locator("#xp-tip")
    said = tip.inner_text()
    assert "scale 5, row 3, column 4" in said and "probability" in said and "rank" in said and "nats" in said
    page.locator("#xp-name").hover()
    assert not tip.is_visible()


def test_attention_sums_to_one_and_never_looks_ahead(page):
    choose(page, 4, 2, 2)
    page.click("#xp-layer-attention")
    shares = [float(text.split()[0]) for text in page.locator(".xp-fraction").all_inner_texts()]
    assert len(shares) == SCALES and abs(sum(shares) - 100) < 0.5
    assert shares[5:] == [0] * (SCALES - 5)
    mean = page.locator("#xp-picture").screenshot()
    page.locator("#xp-inspector select").first.select_option("3")
    assert page.locator("#xp-picture").screenshot() != mean
    rows = page.locator(".xp-matrix tr").all()[1:]
    sums = [sum(int(text) for text in row.locator("td").all_inner_texts() if text) for row in rows]
    assert all(abs(total - 100) <= 3 for total in sums)


def test_a_touch_of_the_settings_does_not_end_the_pictures_of_a_token(page):
    page.evaluate("explorer.choose({scale: 0, index: 0})")
    page.wait_for_function("explorer.view.seen")
    page.locator("#explore .settings").dispatch_event("pointerdown")
    page.wait_for_function(OFFERED)


def test_of_many_quick_clicks_the_last_one_is_answered(page):
    page.evaluate("for (const index of [0, 5, 9, 30]) explorer.choose({scale: 4, index})")
    page.wait_for_function(OFFERED)
    assert page.inner_text("#xp-inspector h3 span") == "scale 5, row 6, column 1"


def test_the_tour_walks_through_all_stations(page):
    page.click("#xp-tour")
    for station in range(1, 7):
        title = page.inner_text("#xp-station h3")
        assert title.startswith(f"{station} of 6")
        assert page.inner_text("#xp-station .xp-see") == ""
        page.click("#xp-show")
        page.wait_for_function("document.querySelector('#xp-station .xp-see').textContent")
        if station in (3, 4):
            assert page.locator("#xp-stage canvas").count() == {3: 2, 4: 1}[station]
        page.focus("#xp-next")
        page.keyboard.press("Enter")
    assert not page.is_visible("#xp-station")
    assert page.evaluate("document.activeElement.id") == "xp-tour"
