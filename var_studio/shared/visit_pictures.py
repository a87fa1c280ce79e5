"""Pictures of a visit, which all tabs share: what is known of each, and how the page shows them. No widgets."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

CREATE, EDIT, EXPLORE = "create", "edit", "explore"
SIGNS = {CREATE: ("✦", "Create"), EDIT: ("✎", "Edit"), EXPLORE: ("◎", "Explore")}  # what marks a tab's, and its name
LATEST = 3  # that the closed strip shows
GONE = "This picture is no longer kept: choose another one, or make it again."


@dataclass(frozen=True, eq=False)
class VisitPicture:
    """A picture that a visitor has made in a tab."""

    tab: str  # one of `SIGNS`
    file: str  # as it is downloaded
    shown: str  # the same for the page, smaller if it is large
    words: str  # how it was made
    digest: str  # of the model
    made: object  # what its tab takes to go on from it: of `handover`, or the `Sweep` of a grid
    small: str = ""  # as an address that holds it
    favourite: bool = False
    nbytes: int = 0  # of memory that `made` takes, besides its files
    name: str = field(default_factory=lambda: secrets.token_hex(8))  # tells it from all others

    @property
    def folder(self) -> Path:
        """Return where its files lie, with those of all pictures that were made with it."""
        return Path(self.file).parent

    def need_files(self) -> None:
        """Raise ValueError if its files are gone."""
        if not Path(self.file).is_file():
            raise ValueError(GONE)


VisitPictures = tuple[VisitPicture, ...]  # oldest first


def as_html(pictures: Sequence[VisitPicture], shown: str = "") -> str:
    """Return the strip: a button with the latest pictures, and all of them to choose from; nothing if there is none.

    `shown` is the name of the one that is looked at.
    """
    if not pictures:
        return ""
    newest = list(reversed(pictures))
    latest = "".join(f'<img src="{one.small}" alt="">' for one in newest[:LATEST])
    cards = "".join(_card(one, one.name == shown) for one in newest)
    return (
        '<section class="visit" aria-label="Your pictures">'
        '<button type="button" class="visit-open" aria-expanded="false" aria-controls="visit">'
        f'<span class="visit-latest">{latest}</span><b>Your pictures</b><i>{len(pictures)}</i></button>'
        '<div class="visit-head"><h2>Your pictures</h2>'
        f"<p>{len(pictures)}, the newest first. Tick two to compare them.</p>"
        '<button type="button" data-visit="compare" disabled>Compare</button>'
        '<button type="button" data-visit="pack" disabled>Download ZIP</button>'
        '<button type="button" class="visit-close" aria-label="Close your pictures">✕</button></div>'
        f'<div class="visit-cards" role="group" aria-label="All your pictures">{cards}</div></section>'
    )


def caption(picture: VisitPicture) -> str:
    """Say which tab a picture comes from, and how it was made."""
    return f"{SIGNS[picture.tab][1]}: {picture.words}"


def _card(picture: VisitPicture, is_shown: bool) -> str:
    said = escape(f"{'Favourite. ' if picture.favourite else ''}{caption(picture)}", quote=True)
    star = '<i class="star" aria-hidden="true">★</i>' if picture.favourite else ""
    sign = SIGNS[picture.tab][0]
    return (
        f'<div class="visit-card" data-picture="{picture.name}">'
        f'<button type="button" aria-pressed="{str(is_shown).lower()}" aria-label="{said}" title="{said}">'
        f'<img src="{picture.small}" alt="">{star}</button>'
        f'<label><input type="checkbox" aria-label="Tick {said}"><i aria-hidden="true">{sign}</i></label></div>'
    )
