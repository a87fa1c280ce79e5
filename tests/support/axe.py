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
# Whether nothing moves, for two frames; what turns for ever, as a sign of waiting does, changes no colour.
STILL = """() => new Promise((told) => {
  const moves = () => document.getAnimations().some(({ effect }) => effect.getComputedTiming().endTime < Infinity);
  requestAnimationFrame(() => requestAnimationFrame(() => told(!moves())));
})"""
FOUND = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => [id, node.target.join(" "), node.html]));
}"""


def ours(page) -> list[list[str]]:
    """What axe finds on the page once no colour fades, less what is Gradio's; the page has been given `AXE`."""
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_function(STILL)
    return [[rule, *rest] for rule, *rest in page.evaluate(FOUND) if GRADIOS.get(rule, "\0") not in " ".join(rest)]
