"""The wait of a run, and about how long it is: reckoned from how long runs of each kind took, and said in words."""

from collections.abc import Iterable
from typing import NamedTuple

from var_core.words import counted

NEWER = 0.3  # weight of the last run in the mean duration of its kind
LEFT = 0.1  # share of its kind's duration that a run still takes at least, however long it has run


class Visitor(NamedTuple):
    """Who asks: a name that a browser gives itself, and where it comes from; "" is an address that tells nothing."""

    name: str
    address: str = ""


class Ahead(NamedTuple):
    """The wait of a run: how many are before it, and about how many seconds they take, if that is known."""

    runs: int
    seconds: float | None = None

    def __str__(self) -> str:
        """Return the words for the visitor who waits."""
        if not self.runs:
            return "Waiting for the model …"
        time_left = "" if self.seconds is None else f", about {rounded(self.seconds)}"
        return f"Waiting: {counted(self.runs, 'run')} before yours{time_left}"


class Durations:
    """The mean seconds that runs of each kind need the model."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def learn(self, kind: str, seconds: float) -> None:
        """Take in how long a run of a kind took."""
        before = self._means.get(kind, seconds)
        self._means[kind] = before + NEWER * (seconds - before)

    def needed(self, runs: Iterable[tuple[Visitor, str, float]]) -> list[tuple[Visitor, float]] | None:
        """Return the seconds that runs still need the model; None if that is not known of all kinds.

        Each run comes with its visitor, its kind and the seconds that it has had.
        """
        found = []
        for visitor, kind, had in runs:
            mean = self._means.get(kind)
            if mean is None:
                return None
            found.append((visitor, max(mean - had, LEFT * mean)))
        return found


def time_until_begun(
    visitor: Visitor,
    under_way: list[tuple[Visitor, float]],
    queued: list[tuple[Visitor, float]],
    slots: int,
    models: int = 1,
) -> float:
    """Return after how many seconds a visitor's run begins, after those that are queued, if all share the models.

    Each run comes with the seconds that it needs the model. At most `slots` go on together, one of each visitor.
    """
    running, passed = dict(under_way), 0.0
    for who, needs in [*queued, (visitor, 0.0)]:
        while who in running or len(running) >= slots:
            least = min(running.values())
            passed += least * max(1.0, len(running) / models)
            running = {other: left - least for other, left in running.items() if left > least}
        running[who] = needs
    return passed


def rounded(seconds: float) -> str:
    """Say a time as nearly as it is known: to a second, five, or a minute."""
    if seconds >= 100:
        return f"{round(seconds / 60)} min"
    return f"{5 * round(seconds / 5)} s" if seconds >= 12 else f"{max(1, round(seconds))} s"
