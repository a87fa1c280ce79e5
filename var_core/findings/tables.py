"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table: a line of heads, and a line of as many cells for each row."""
    cells = [heads, ["---"] * len(heads), *rows]
    head, rule, *lines = ("| " + " | ".join(map(str, row)) + " |" for row in cells)
    return "\n".join((head, rule.replace(" ", ""), *lines))
