"""Traces that ship with the app, and the files that a picture on the Explore tab is saved as. No widgets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from var_core.files import ASSETS
from var_core.inspection import render
from var_core.inspection.trace import Trace
from var_core.recipe import slug

from .session import ExploreSession

TRACES = ASSETS / "traces"
EXPORT_SUFFIXES = {"gif": ".gif", "mp4": ".mp4", "sheet": ".png", "trace": ".safetensors"}


def shipped() -> list[Path]:
    """Traces that come with the app."""
    return sorted(TRACES.glob("*.safetensors"))


def export_path(session: ExploreSession, kind: str, folder: Path) -> Path:
    """Return the path in a folder for the picture that is looked at, as one of the kinds in `EXPORT_SUFFIXES`."""
    about = session.seen.about
    return folder / f"{slug(session.branch.name, 'picture')}-{about.origin}-seed-{about.seed}{EXPORT_SUFFIXES[kind]}"


def exporting(session: ExploreSession, kind: str, path: Path) -> Iterator[float]:
    """Write the picture that is looked at as a file of a kind, a frame of a film at a time; yield the share done."""
    if kind == "trace":
        session.seen.save(path)
    else:
        yield from render.writing(session.seen, kind, path)


def trace_thumbnails(paths: Sequence[Path]) -> list[Image.Image]:
    """The last picture of each trace file."""
    return [Image.fromarray(Trace.load(path).pictures[-1].numpy()) for path in paths]
