"""What the browser remembers of the settings in every tab."""

from support.hands import set_number, unfold, until

REMEMBERED = "JSON.stringify(localStorage)"


def said(page) -> tuple[str, str]:
    return page.input_value("#pictures input[type=number]"), page.input_value("#seed input, #seed textarea")


def test_settings_are_remembered_and_forgotten_and_a_link_wins(page, address: str):
    usual = said(page)
    set_number(page, "pictures", 3)
    page.click("#seed input, #seed textarea", click_count=3)
    page.keyboard.type("77")
    page.wait_for_function("document.querySelector('#lock input').checked")
    page.reload()
    until(page, lambda: said(page) == ("3", "77"))
    page.goto(f"{address}?class=lotus&seed=7&count=2")
    until(page, lambda: said(page) == ("2", "7"))
    page.goto(address)
    until(page, lambda: said(page) == ("3", "77"))
    page.keyboard.press("?")
    page.get_by_role("button", name="Forget my settings").click()
    until(page, lambda: said(page) == usual)
    page.reload()
    page.wait_for_function("document.documentElement.classList.contains('opened')")
    assert said(page) == usual


def number(page, name: str) -> str:
    return page.input_value(f"#{name} input:not([type=range])")


def pick(page, name: str) -> None:
    """Choose one of a row of settings by its words."""
    page.get_by_label(name, exact=True).check(force=True)  # the box itself is hidden


def reload(page) -> None:
    page.reload()
    page.wait_for_function("document.documentElement.classList.contains('opened')")


def test_settings_of_edit_and_explore_are_remembered_and_the_look_of_the_mask(page):
    page.get_by_role("tab", name="Edit").click()
    pick(page, "Extend")
    set_number(page, "extend_left", 40)
    unfold(page, "editing", "dilate")
    set_number(page, "dilate", 3)
    unfold(page, "masking", "mask_opacity")
    pick(page, "Green")
    set_number(page, "mask_opacity", 80)
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("explorer.view.trace")
    page.fill("#explore_class input", "Sea")
    page.keyboard.press("Enter")
    page.click("#explore_seed textarea, #explore_seed input", click_count=3)
    page.keyboard.type("41")
    page.wait_for_function("document.querySelector('#explore_lock input').checked")
    set_number(page, "explore_top_k", 7)

    reload(page)
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mask')") == "#22c55e"
    page.get_by_role("tab", name="Edit").click()
    until(page, lambda: page.get_by_label("Extend", exact=True).is_checked())
    assert number(page, "extend_left") == "40"
    unfold(page, "editing", "dilate")
    unfold(page, "masking", "mask_opacity")
    assert page.get_by_label("Green", exact=True).is_checked()
    assert (number(page, "dilate"), number(page, "mask_opacity")) == ("3", "80")
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("explorer.view.trace")  # what it begins with changes no setting
    page.wait_for_function("!document.querySelector('.xp-busy')")
    assert page.input_value("#explore_class input") == "Sea"
    assert page.input_value("#explore_seed textarea, #explore_seed input") == "41"
    assert page.is_checked("#explore_lock input") and number(page, "explore_top_k") == "7"


def test_what_is_changed_before_the_page_was_told_its_settings_does_not_make_it_forget_them(page):
    set_number(page, "pictures", 3)
    held, waiting = [], True
    page.route("**/queue/join*", lambda route: held.append(route) if waiting else route.continue_())
    with page.expect_request("**/queue/join*"):  # the page asks what its settings were
        page.reload(wait_until="commit")
    kept, waiting = page.evaluate(REMEMBERED), False
    page.get_by_role("tab", name="Edit").click()
    pick(page, "Extend")
    page.locator("#sides").wait_for()  # the choice has been heard
    assert page.evaluate(REMEMBERED) == kept
    for route in held:
        route.continue_()
    page.wait_for_function("document.documentElement.classList.contains('opened')")
    page.get_by_role("tab", name="Create").click()
    until(page, lambda: number(page, "pictures") == "3")
