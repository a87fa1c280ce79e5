"""What axe finds on a page."""

from pathlib import Path

import axe_playwright_python

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# In parts that Gradio makes, by rule: what its selector must have in it.
GRADIOS = {
    "aria-prohibited-attr": "unpadded_box",  # an empty gallery calls itself "Empty value"
    "label-content-name-mismatch": "thumbnail",
    "image-redundant-alt": "thumbnail",
}
COLOUR = ["color-contrast", "link-in-text-block"]  # the rules whose answers change with the theme
# Wait until nothing moves, for two frames; what turns for ever, as a sign of waiting does, changes no colour.
STILL = """async () => {
  const ends = ({ playState, effect }) => playState === "running" && effect.getComputedTiming().endTime < Infinity;
  for (let still = 0; still < 2; still = document.getAnimations().some(ends) ? 0 : still + 1)
    await new Promise(requestAnimationFrame);
}"""
FOUND = """async (rules) => {
  const options = { resultTypes: ["violations"], elementRef: true, ...(rules && { runOnly: rules }) };
  const { violations } = await axe.run(document, options);
  const told = ({ target, element, html, failureSummary }) => [
    `${target}, in ${element?.closest(".thumbnail-item, [id]")?.className}`, html, failureSummary];
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => [id, ...told(node)]));
}"""


def found(page, dark: bool = True) -> list[list[str]]:
    """What axe finds on the page, in the light theme and, unless not wanted, in the dark one, less what is Gradio's.

    It looks once no colour fades, and ends in the light. The page has been given `AXE`, and no theme was chosen on it.
    """
    return (_found(page, "dark", COLOUR) if dark else []) + _found(page, "light", None)


def _found(page, theme: str, rules: list[str] | None) -> list[list[str]]:
    page.emulate_media(reduced_motion="reduce", color_scheme=theme)
    page.wait_for_function("(dark) => document.body.classList.contains('dark') === dark", arg=theme == "dark")
    page.evaluate(STILL)  # it waits itself: a promise is something, by which `wait_for_function` would go on
    seen = page.evaluate(FOUND, rules)
    return [[theme, rule, *rest] for rule, *rest in seen if GRADIOS.get(rule, "\0") not in " ".join(rest)]
