"""Gradio, imported without what only its own developers need."""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_gradio() -> None:
    """Import Gradio, if it is not imported yet."""
    with without_stubs():
        importlib.import_module("gradio")


@contextmanager
def without_stubs() -> Iterator[None]:
    """Let Gradio define components without writing a stub file beside each, which takes two fifths of its import.

    It leaves out those whose source it cannot find, so meanwhile the source of none is found.
    """
    getfile = inspect.getfile

    def missed(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no source")
        return getfile(thing)

    inspect.getfile = missed  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile
