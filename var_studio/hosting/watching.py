"""Tell in figures and in the log what the handlers of a page do; of what visitors sent, only the words of an error."""

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from ..shared.events import ON_MODEL
from .figures import Figures
from .logs import LOG

RUNS = ON_MODEL["concurrency_id"]


def watch(page: gr.Blocks, figures: Figures) -> None:
    """Watch all handlers of a page: those of events that need the model as runs."""
    for event in page.fns.values():
        if event.fn is not None:
            event.fn = _watched(event.fn, event.concurrency_id == RUNS, figures)


def _watched(handler: Callable[..., Any], is_run: bool, figures: Figures) -> Callable[..., Any]:
    """Return a handler that does the same, and is watched."""
    name = getattr(handler, "__name__", "handler")

    if inspect.isgeneratorfunction(handler):  # Gradio looks whether it is one

        @wraps(handler)
        def stepping(*values: object) -> Iterator[object]:
            with _told(name, is_run, figures):
                yield from handler(*values)

        return stepping

    @wraps(handler)
    def called(*values: object) -> object:
        with _told(name, is_run, figures):
            return handler(*values)

    return called


@contextmanager
def _told(name: str, is_run: bool, figures: Figures) -> Iterator[None]:
    """Count and log a run; count an error that nobody expected."""
    run, began, end = LocalContext.event_id.get(None) or "", time.monotonic(), "failed"
    if is_run:
        figures.under_way.inc()
    try:
        yield
        end = "done"
    except GeneratorExit:
        end = "left"
        raise
    except gr.Error:
        end = "refused"
        raise
    except Exception:
        figures.errors.inc()
        raise
    finally:
        if is_run:
            seconds = time.monotonic() - began
            figures.under_way.dec()
            figures.runs.labels(name, end).inc()
            figures.seconds.labels(name).observe(seconds)
            fields = {"run": run, "name": name, "end": end, "seconds": round(seconds, 3)}
            LOG.info("run", extra={"fields": fields})
