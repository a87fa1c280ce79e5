"""`python -m var_core ...`: make pictures and traces of them, get models, train, export, evaluate, measure."""

import argparse
import os

from .. import __version__
from ..engine.pipeline import use_threads
from ..files import where_models_go
from . import bench, edits, evaluate, experiments, grids, models, pictures, runs, train
from .shared import complain, divided


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one sentence about what was wrong."""
    try:
        options = parser().parse_args(arguments)
        if options.threads is not None:
            use_threads(options.threads)
        options.run(divided(options))
    except (ValueError, OSError) as error:
        complain(f"error: {_told(error)}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    return 0


def _told(error: ValueError | OSError) -> str:
    """Say what was wrong: the system's errors without their numbers."""
    if isinstance(error, ValueError) or not error.strerror or not error.filename:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}."


def parser() -> argparse.ArgumentParser:
    """Return all commands and their options."""
    about = "VAR Studio on the command line."
    top = argparse.ArgumentParser(prog="python -m var_core", description=about, epilog=where_models_go())
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for kind in (pictures, grids, edits, models, train, runs, experiments, evaluate, bench):
        kind.add_commands(commands)
    return top
