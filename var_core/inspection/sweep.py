"""Pictures over a grid of two settings, an X/Y plot: the requests of its cells, and one sheet with labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from PIL import Image

from ..config import ModelSpec, Sampling
from ..engine.pipeline import Pipeline
from ..engine.progress import Progress
from ..engine.request import Request, Seed
from ..engine.sampling import Step
from ..engine.seeds import branched, last_seed, read_seed, seed_text
from ..schedule import Schedule
from ..settings import Setting, Value, parse_int, parsed, rows
from .lettering import INK, QUIET, font_of, shortened, write_line

CLASS, SEED, KEPT = "class", "seed", "kept"
SUBJECTS = {CLASS: "Class", SEED: "Seed", KEPT: "Kept scales"}  # what a sweep may turn besides settings of the draw
NAMES = (*SUBJECTS, *(row.name for row in rows(Sampling)))

MARGIN, GAP, LETTERS, LINE = 24, 8, 18, 30  # pixels of a sheet
LEAST_CELL, MOST_SIDE = 96, 12_000


@dataclass(frozen=True)
class Turn:
    """One value of one setting, as what it changes of a picture, and in words, for example "guidance 2"."""

    words: str
    label: int | None = None
    seed: Seed | None = None
    kept: int | None = None  # scales
    settings: tuple[tuple[str, Value], ...] = ()  # by name


@dataclass(frozen=True)
class Axis:
    """One setting by its name, of `NAMES`, and the values that it takes."""

    name: str
    turns: tuple[Turn, ...]

    @classmethod
    def read(cls, spec: ModelSpec, name: str, texts: Sequence[str]) -> "Axis":
        """Read the values of a setting for a model; ValueError says which one is wrong, and what it takes."""
        if name not in NAMES:
            raise ValueError(f"'{name}' cannot be turned: choose one of {', '.join(NAMES)}.")
        turns = {turn.words: turn for turn in (_turn(spec, name, text) for text in texts)}
        if not turns:
            raise ValueError(f"{title_of(name)}: give values, with commas between them.")
        return cls(name, tuple(turns.values()))


@dataclass(frozen=True)
class Sweep:
    """Pictures for all pairs of values of two axes: x from left to right, y from top to bottom.

    All else is as in `base`, a request for one picture. Kept scales are those of its seed; the finer ones are drawn
    with the seed of the other axis, or with the next one.
    """

    spec: ModelSpec
    base: Request
    x: Axis
    y: Axis | None = None

    def __post_init__(self) -> None:
        if self.y is not None and self.x.name == self.y.name:
            raise ValueError(f"Both axes turn {title_of(self.x.name).lower()}: choose two different settings.")

    @property
    def columns(self) -> int:
        return len(self.x.turns)

    @property
    def count(self) -> int:
        """The number of pictures."""
        return self.columns * (len(self.y.turns) if self.y else 1)

    @cached_property
    def cells(self) -> tuple[Request, ...]:
        """The requests of all cells, row by row, each for one picture; ValueError if one cannot be."""
        return tuple(self._cell(turns) for turns in self._turns())

    def _turns(self) -> list[tuple[Turn, ...]]:
        """Return what each cell changes of the base, row by row."""
        if self.y is None:
            return [(one,) for one in self.x.turns]
        return [(one, other) for other in self.y.turns for one in self.x.turns]

    def _cell(self, turns: tuple[Turn, ...]) -> Request:
        (label,), (own,), settings = self.base.labels, self.base.seeds, dict[str, Value]()
        seed, kept = None, None
        for turn in turns:
            label = label if turn.label is None else turn.label
            seed = seed if turn.seed is None else turn.seed
            kept = kept if turn.kept is None else turn.kept
            settings |= dict(turn.settings)
        found = own if seed is None else seed
        if kept is not None:
            other = last_seed(own) + 1 if seed is None else last_seed(seed)
            found = branched(own, kept, other, len(Schedule.of(self.spec.tokenizer)))
        return Request((label,), (found,), parsed(self.base.sampling, settings))

    def words_of(self, index: int) -> str:
        """Say what the picture at an index, row by row, has of its own, for example "guidance 2, seed 5"."""
        return ", ".join(turn.words for turn in self._turns()[index])

    def stream(self, pipe: Pipeline, free: int | None = None) -> Iterator[Progress]:
        """Make the pictures of all cells, row by row and step by step; see `Pipeline.stream`.

        Neighbours that differ in no setting of the draw are made together.
        """
        begun: tuple[tuple[Step, ...], ...] = ()
        for request in joined(self.cells):
            for progress in pipe.stream(request, free):
                yield Progress((*begun, *progress.parts), len(self.cells), progress.at_once, progress.scales)
            begun = (*begun, *progress.parts)

    def sheet(self, pictures: Sequence[Image.Image]) -> Image.Image:
        """Lay the pictures of the cells, of one size and in their order, on one with the values beside them.

        Cells that have no picture stay empty. Where it would be too large the pictures are made smaller.
        """
        font, head = font_of(LETTERS), font_of(LETTERS, bold=True)
        across = [turn.words for turn in self.x.turns]
        down = [turn.words for turn in self.y.turns] if self.y else [""]
        side = max(LEAST_CELL, min(pictures[0].width, MOST_SIDE // max(len(across), len(down))))
        left = MARGIN + (min(max(map(font.getlength, down)), 3 * side) + 2 * GAP if self.y else 0)
        top = MARGIN + 2 * LINE
        width = int(left + len(across) * (side + GAP) - GAP + MARGIN)
        sheet = Image.new("RGB", (width, top + len(down) * (side + GAP) - GAP + MARGIN), "white")
        write_line(sheet, (MARGIN, MARGIN), self.title(), head, INK, width - 2 * MARGIN)
        for column, text in enumerate(across):
            shown = shortened(text, font, side)
            middle = left + column * (side + GAP) + (side - font.getlength(shown)) / 2
            write_line(sheet, (middle, MARGIN + LINE), shown, font, QUIET, side)
        for row, text in enumerate(down):
            middle = top + row * (side + GAP) + side / 2 - LETTERS / 2
            write_line(sheet, (MARGIN, middle), text, font, QUIET, left - MARGIN - GAP)
        for index, picture in enumerate(pictures):
            row, column = divmod(index, self.columns)
            place = (int(left) + column * (side + GAP), top + row * (side + GAP))
            sheet.paste(picture.resize((side, side), Image.Resampling.LANCZOS), place)
        return sheet

    def title(self) -> str:
        """Say what is the same in all cells."""
        turned = {axis.name for axis in (self.x, self.y) if axis}
        (label,), (seed,) = self.base.labels, self.base.seeds
        parts = [] if CLASS in turned else [self.spec.class_name(label)]
        parts += [] if turned == {SEED} else [f"seed {seed_text(seed)}"]
        return "  ·  ".join([*parts, self.spec.name])


def joined(requests: Sequence[Request]) -> list[Request]:
    """Return requests for one picture each as requests for several, where neighbours have the same settings."""
    found = []
    for sampling, some in groupby(requests, key=lambda request: request.sampling):
        alike = list(some)
        labels, seeds = (tuple(getattr(one, name)[0] for one in alike) for name in ("labels", "seeds"))
        found.append(Request(labels, seeds, sampling))
    return found


def title_of(name: str) -> str:
    """Return what a setting of `NAMES` is called."""
    return SUBJECTS.get(name) or _row(name).label


def _row(name: str) -> Setting:
    return next(row for row in rows(Sampling) if row.name == name)


def _turn(spec: ModelSpec, name: str, text: str) -> Turn:
    scales = len(Schedule.of(spec.tokenizer))
    if name == CLASS:
        label = spec.label(text)
        return Turn(spec.class_name(label), label=label)
    if name == SEED:
        seed = read_seed(text, scales)
        return Turn(f"seed {seed_text(seed)}", seed=seed)
    if name == KEPT:
        kept = parse_int("kept scales", text)
        if not 0 <= kept <= scales:
            raise ValueError(f"kept scales {kept}: choose 0 (none) to {scales} (all).")
        return Turn(f"{kept} kept", kept=kept)
    value = _row(name).parse(text)
    return Turn(_row(name).says(value), settings=((name, value),))
