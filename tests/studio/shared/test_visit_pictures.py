"""How the page shows the pictures of a visit."""

import re
from dataclasses import replace

from var_studio.shared.visit_pictures import CREATE, EDIT, EXPLORE, SIGNS, VisitPicture, as_html


def picture(tab: str, words: str) -> VisitPicture:
    return VisitPicture(tab, "a.png", "a.png", words, "digest", None, f"data:,{tab}")


def test_every_picture_is_a_button_with_the_sign_of_its_tab_the_newest_first():
    shown = as_html([picture(tab, f"made in {tab}") for tab in (CREATE, EDIT, EXPLORE)])
    cards = re.findall(r'<div class="visit-card".*?</label></div>', shown)
    assert [re.search('title="(.*?)"', card)[1] for card in cards] == [
        "Explore: made in explore",
        "Edit: made in edit",
        "Create: made in create",
    ]
    assert [SIGNS[tab][0] in card for tab, card in zip((EXPLORE, EDIT, CREATE), cards, strict=True)] == [True] * 3
    assert all('type="checkbox" aria-label="Tick ' in card for card in cards)


def test_the_closed_strip_shows_how_many_there_are_and_the_latest_of_them():
    shown = as_html([picture(CREATE, "x")] * 5)
    closed = re.search(r'<button type="button" class="visit-open".*?</button>', shown)[0]
    assert closed.count("<img") == 3 and "<i>5</i>" in closed and 'aria-expanded="false"' in closed
    assert as_html([]) == ""


def test_a_favourite_and_the_one_that_is_looked_at_are_told():
    plain, loved = picture(CREATE, "one"), replace(picture(CREATE, "two"), favourite=True)
    shown = as_html([plain, loved], plain.name)
    assert shown.count("★") == 1 and 'aria-label="Favourite. Create: two"' in shown
    assert re.findall('aria-pressed="(.*?)" aria-label="(.*?)"', shown) == [
        ("false", "Favourite. Create: two"),
        ("true", "Create: one"),
    ]


def test_words_of_a_file_are_no_markup():
    assert "<b>" not in as_html([picture(EDIT, '<b>"name"')]).split("visit-cards")[1]
