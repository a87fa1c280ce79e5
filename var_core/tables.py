"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table: a line of heads, and a line of as many cells for each row."""
    cells = [heads, ["---"] * len(heads), *rows]
    head, rule, *lines = ("| " + " | ".join(map(str, row)) + " |" for row in cells)
    return "\n".join((head, rule.replace(" ", ""), *lines))


def by_kind(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return Markdown: a table under a heading for each kind; every row is of a kind, in the order of their first."""
    kinds = dict.fromkeys(kind for kind, _ in rows)
    return "\n\n".join(
        f"### {kind}\n\n{markdown(heads, [cells for other, cells in rows if other == kind])}" for kind in kinds
    )
