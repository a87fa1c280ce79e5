"""Load on a served app: many visitors at once, one for long, or how soon somebody sees something; prints a table.

python -m tools.load --visitors 32 --minutes 5
python -m tools.load --alone --runs 2000
python -m tools.load --signs
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline

from .crowd import alone, checked, crowd, settled
from .server import Server, served
from .signs import signs

EVERY = 100  # runs between two looks at the server's memory


def main(arguments: list[str] | None = None) -> None:
    """Serve the app, let visitors come, and print what came of it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="name or path (default: the one that ships)")
    options.add_argument("--visitors", type=int, default=32)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--idle-minutes", type=int, default=10, help="after which an idle visitor's files go")
    options.add_argument("--alone", action="store_true", help="one visitor instead, who makes --runs")
    options.add_argument("--runs", type=int, default=2000)
    options.add_argument("--every", type=int, default=EVERY, help="runs between two looks at memory, with --alone")
    options.add_argument("--signs", action="store_true", help="one visitor instead, with a small and a large photo")
    asked = options.parse_args(arguments)
    limits = ("--limit", f"idle_minutes={asked.idle_minutes}")
    with tempfile.TemporaryDirectory() as name, served(asked.model, *limits) as server:
        kind = by_signs if asked.signs else by_one if asked.alone else by_many
        say("| what | measured |\n|---|---|\n")
        for what, measured in kind(server, asked, Path(name)):
            say(f"| {what} | {measured} |\n")


def by_many(server: Server, asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what many visitors have met."""
    yield "visitors, minutes", f"{asked.visitors}, {asked.minutes:g}"
    tally = crowd(server, asked.visitors, asked.minutes, folder)
    tally.after, tally.files_left = settled(server, asked.idle_minutes)
    checked(tally, Pipeline.load(asked.model, ON_CPU) if asked.model else Pipeline.load(options=ON_CPU))
    yield from tally.rows()


def by_one(server: Server, asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield how the server's memory grows with the runs of one visitor."""
    memory, errors = [], []
    for number, megabytes, made in alone(server, asked.runs, folder, asked.every):
        errors += [made.told.error] if made.told.error else []
        if megabytes:
            memory.append(megabytes)
            yield f"MB after {number} runs", f"{megabytes:.0f}"
        for file in (*made.files, made.photo, made.mask):
            if file is not None:
                file.unlink(missing_ok=True)
    yield "errors", str(len(errors) or "none")
    yield from ((f"error: {text[:100]}", "1") for text in errors[:9])
    if memory:
        yield "last against first look", f"{memory[-1] / memory[0]:.2f}"
    megabytes, files = settled(server, asked.idle_minutes)
    yield "MB when nobody had been there for long enough", f"{megabytes:.0f}"
    yield "files left then", str(files)


def by_signs(server: Server, _asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield how soon somebody sees something."""
    yield from signs(server, folder)


def say(text: str) -> None:
    """Write at once: a run takes hours."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
