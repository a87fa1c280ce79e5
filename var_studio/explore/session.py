"""A visitor's pictures on the Explore tab, which grew out of one another. No widgets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection.trace import Marks, Trace, has_sizes_of

from ..shared.run import StopFlag

MOST_BRANCHES = 40
MOST_BYTES = 2_000_000_000  # on disk, of all traces of a visitor together, where nothing bounds them further
NOTHING = "There is no picture yet: draw one, open one, or choose an example."


@dataclass(frozen=True, eq=False)
class Origin:
    """The way by which a picture came to the tab."""

    title: str
    name: str  # of what it shows, the same for all that grew out of it
    parent: int | None = None  # the number of the one that it grew out of; None: of none
    photo: Marks | None = None  # the tokens that a photo under it has given; None: there is none
    turned: bool = False  # only a knob was turned: the next turn takes its place
    instead: int | None = None  # the number of the one whose place it took


@dataclass(frozen=True, eq=False, kw_only=True)
class Branch(Origin):
    """A picture on the tab. Its trace lies in a file: only the one that is looked at is held in memory."""

    number: int
    file: Path


class OpenQuestions:
    """The questions of a visitor that the page still wants answered: it numbers them, and drops them in their order."""

    def __init__(self) -> None:
        self.dropped = 0

    def drop(self, number: int) -> None:
        """Drop a question and all before it."""
        self.dropped = max(self.dropped, number)

    def wanted(self, number: int) -> bool:
        return number > self.dropped


@dataclass(frozen=True, eq=False)
class ExploreSession:
    """The pictures of a visitor, the one that is looked at, and what was mixed last.

    `stop_flag` is the visitor's own: it ends the run under way, and tells one visitor from another. So are `questions`.
    `offered` is the class that was in its box when the tab was entered: nobody has chosen it since.
    """

    branches: tuple[Branch, ...] = ()
    current: int = 0
    trace: Trace | None = None  # of the current one
    locked: frozenset[int] = frozenset()  # scales whose tokens stay
    mixed: tuple[tuple[str, Request], ...] = ()
    stop_flag: StopFlag = field(default_factory=StopFlag)
    questions: OpenQuestions = field(default_factory=OpenQuestions)
    offered: str = ""

    @property
    def branch(self) -> Branch:
        """The one that is looked at; ValueError if there is none."""
        return self.named(self.current)

    @property
    def seen(self) -> Trace:
        """The trace of the one that is looked at; ValueError if there is none."""
        if self.trace is None:
            raise ValueError(NOTHING)
        return self.trace

    def named(self, number: object) -> Branch:
        """A picture by its number; ValueError if it is not there."""
        for branch in self.branches:
            if branch.number == number:
                return branch
        if not self.branches:
            raise ValueError(NOTHING)
        raise ValueError("That picture is no longer here: only the latest ones are kept.")

    @property
    def pinned(self) -> Marks:
        """The tokens that no act draws anew: those of a photo, and those of locked scales."""
        locked, photo = self.seen.of_scales(self.locked), self.branch.photo
        return locked if photo is None else locked | photo

    def at(self, number: object) -> "ExploreSession":
        """Return the session that looks at another picture; ValueError if that is not there any more."""
        branch = self.named(number)
        return replace(self, current=branch.number, trace=Trace.load(branch.file))

    def with_branch(self, origin: Origin, trace: Trace, folder: Path, most_bytes: int = MOST_BYTES) -> "ExploreSession":
        """Return the session with one more picture, which it looks at; write its trace into a folder.

        The oldest pictures go whose traces would make all of them larger than `most_bytes`.
        """
        number = 1 + max((branch.number for branch in self.branches), default=0)
        file = folder / f"{number}.safetensors"
        trace.save(file)
        branches = (*self.branches, Branch(**vars(origin), number=number, file=file))
        gone = [branch for branch in branches if branch.number == origin.instead]
        return replace(
            self, branches=_without(branches, gone or _excess(branches, most_bytes)), current=number, trace=trace
        )

    def origin_of_branch(self, title: str) -> Origin:
        """Return the origin of a picture that grows out of the one that is looked at."""
        return Origin(title, self.branch.name, self.current, self.branch.photo)

    def origin_of_turn(self, title: str) -> Origin:
        """Return the origin of a picture only drawn with other settings: it takes the place of an earlier turn."""
        now = self.branch
        if now.turned and all(branch.parent != now.number for branch in self.branches):
            return Origin(title, now.name, now.parent, now.photo, turned=True, instead=now.number)
        return replace(self.origin_of_branch(title), turned=True)


def _excess(branches: Sequence[Branch], most_bytes: int) -> list[Branch]:
    """The oldest branches, as many as have to go; the last one always stays."""
    sizes = [branch.file.stat().st_size if branch.file.is_file() else 0 for branch in branches]
    first = max(0, len(branches) - MOST_BRANCHES)
    while first < len(branches) - 1 and sum(sizes[first:]) > most_bytes:
        first += 1
    return list(branches[:first])


def _without(branches: Sequence[Branch], gone: Sequence[Branch]) -> tuple[Branch, ...]:
    """The other branches; children of one that goes are handed to its parent, and its file goes too."""
    left = list(branches)
    for branch in gone:
        branch.file.unlink(missing_ok=True)
        others = [one for one in left if one is not branch]
        left = [replace(one, parent=branch.parent) if one.parent == branch.number else one for one in others]
    return tuple(left)


def is_live(pipe: Pipeline, trace: Trace) -> bool:
    """Say whether the model that made a trace is the one that is loaded: its file says so, and has its sizes."""
    return trace.about.digest == pipe.digest and has_sizes_of(trace, pipe.spec)


def changeable_trace(pipe: Pipeline, session: ExploreSession) -> Trace:
    """The trace that is looked at; ValueError if there is none, or another model made it."""
    about = session.seen.about
    if about.digest == pipe.digest and not has_sizes_of(session.seen, pipe.spec):
        raise ValueError(
            f"This trace says that {about.model} made it, but has other sizes: the file is damaged. It can be looked "
            "at; to change a picture, draw it anew."
        )
    if not is_live(pipe, session.seen):
        raise ValueError(
            f"This trace was made by {about.model} ({about.digest}); {pipe.spec.name} is loaded. "
            "It can be looked at; to change it, load that model."
        )
    return session.seen
