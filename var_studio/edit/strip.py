"""The strip of all edits of a visit: which of them are kept, and how they are shown. No widgets."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from .results import EditResult
from .workspace import latest

MOST_DONE = 60  # edits whose results can be looked at again
MOST_DONE_PIXELS = 50_000_000  # of what is kept of them to be shown, together

Results = tuple[EditResult, ...]  # oldest first


def finished(results: Results, result: EditResult) -> Results:
    """The edits that are kept once another one is done: that one, the favourites, and of the rest the latest."""
    favourites = [one for one in results if one.favourite]
    others = tuple(one for one in results if not one.favourite)
    others = others[max(0, len(others) + len(favourites) + 1 - MOST_DONE) :]
    room = MOST_DONE_PIXELS - sum(map(pixels_of, (*favourites, result)))
    kept = latest(others, [pixels_of(one) for one in others], room)
    return *(one for one in results if one.favourite or one in kept), result


def pixels_of(result: EditResult) -> int:
    """Return how many pixels of an edit are kept: its photo and results, and what the model saw and drew."""
    return sum(square.pixels for square in result.squares) + result.pixels


def with_star(results: Results, result: EditResult) -> tuple[Results, EditResult]:
    """Make an edit a favourite, or no longer one; return all edits, and this one.

    ValueError if the favourites would leave no room for other edits.
    """
    marked = replace(result, favourite=not result.favourite)
    after = tuple(marked if one.bundle == result.bundle else one for one in results)
    favourites = [one for one in after if one.favourite]
    if marked.favourite and (len(favourites) >= MOST_DONE or sum(map(pixels_of, favourites)) > MOST_DONE_PIXELS):
        raise ValueError("There is no room for another favourite: take the star from one, or download it instead.")
    return after, marked


def without(results: Results, result: EditResult) -> tuple[Results, EditResult | None]:
    """Throw an edit away, files too; return the others, and the one beside it. ValueError if it is a favourite."""
    if result.favourite:
        raise ValueError("This edit is a favourite: take its star away before you delete it.")
    place = next((number for number, one in enumerate(results) if one.bundle == result.bundle), len(results))
    after = (*results[:place], *results[place + 1 :])
    shutil.rmtree(Path(result.bundle).parent, ignore_errors=True)
    return after, after[min(place, len(after) - 1)] if after else None


def words(result: EditResult) -> str:
    """Say how an edit was done, and how long it took."""
    return f"{result.words} · {result.seconds:.1f} s"


def as_html(results: Sequence[EditResult], shown: EditResult | None) -> str:
    """Return all edits as buttons to choose one, and what was asked of the one that is shown; nothing if none is."""
    if not results:
        return ""
    cards = "".join(_card(number, one, one is shown) for number, one in enumerate(results))
    said = f'<p class="done-words">{escape(words(shown))}</p>' if shown else ""
    title = f"<h2>Edits of this visit <span>{len(results)}; click one to see it again</span></h2>"
    return f'<section class="done">{title}<div class="done-cards" role="group">{cards}</div>{said}</section>'


def _card(number: int, result: EditResult, chosen: bool) -> str:
    said = escape(f"{'Favourite: ' if result.favourite else ''}{words(result)}", quote=True)
    star = '<i class="star" aria-hidden="true">★</i>' if result.favourite else ""
    return (
        f'<button type="button" class="done-card" data-edit="{number}" aria-pressed="{str(chosen).lower()}" '
        f'aria-label="{said}" title="{said}"><img src="{result.small}" alt="">{star}</button>'
    )
