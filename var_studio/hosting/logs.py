"""The log of a served app: a line for each thing that happened, as text or JSON; no text in it acts on a terminal."""

import io
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import datetime, timezone
from typing import TextIO

LOG = logging.getLogger("var_studio")
PLAIN, JSON = "plain", "json"
FORMS = (PLAIN, JSON)  # what went wrong, in words; every run as well, as JSON
MOST_LETTERS = 500  # of a message
MOST_PLACES = 3  # of an error: where it was raised, and what called that
BETWEEN = ("During handling of the above exception", "The above exception was the direct cause")
PLACE = re.compile(r'\s+File "(?P<file>.+)", line (?P<line>\d+)')


def clean(text: str) -> str:
    """Return a text in one line, in which characters that steer a terminal are spelled out."""
    shown = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} …"
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown)


def in_short(error: BaseException) -> str:
    """Return an error in one line: its kind, and where it was raised. Its words may be a visitor's."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} ({' < '.join(reversed(places[-MOST_PLACES:])) or 'nowhere'})"


class Lines(logging.Formatter):
    """One line for each record: its `fields` as JSON, or as words; an error in short."""

    def __init__(self, form: str):
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        words = record.getMessage().strip()
        if record.exc_info and record.exc_info[1]:
            words = f"{words.rstrip('.')}: {in_short(record.exc_info[1])}"
        moment = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        fields = {"time": moment, "level": record.levelname.lower(), "message": clean(words)}
        fields |= getattr(record, "fields", {})
        if self.form == JSON:
            return json.dumps(fields)
        return f"{fields['time']} {fields['message']}"


class Tracebacks(io.TextIOBase):
    """A stand-in for stderr: what is printed there becomes lines of the log, a traceback one of them."""

    def __init__(self) -> None:
        self._of_threads = threading.local()  # what each is in the midst of saying

    def write(self, text: str) -> int:
        said = self._of_threads
        *lines, said.rest = (getattr(said, "rest", "") + text).split("\n")
        for line in lines:
            if self._take(line):  # the words of an error come at once: all that is left of them
                break
        return len(text)

    def _take(self, line: str) -> bool:
        """Take a line; say whether it is the last one of a traceback."""
        said = self._of_threads
        places = getattr(said, "places", None)  # of the traceback that is being printed
        if line.startswith("Traceback (most recent call last)"):
            said.places = []
        elif places is not None and (not line.strip() or line.startswith((" ", "\t"))):
            found = PLACE.match(line)
            said.places += [f"{found['file']}:{found['line']}"] if found else []
        elif places is not None:
            kind = line.partition(":")[0].split(" ")[0]
            LOG.error("%s (%s)", kind, " < ".join(reversed(places[-MOST_PLACES:])) or "nowhere")
            said.places = None
            return True
        elif line.strip() and not line.startswith(BETWEEN):
            LOG.warning("%s", line)
        return False


@contextmanager
def logged(form: str = PLAIN, to: TextIO | None = None) -> Iterator[None]:
    """Write the log to a stream, by default stderr, in place of all that would be printed there meanwhile."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(Lines(form))
    root, server = logging.getLogger(), logging.getLogger("uvicorn")
    before = server.handlers[:], server.propagate  # another server in this process may have given it its own
    server.handlers, server.propagate = [], True
    root.addHandler(handler)
    LOG.setLevel(logging.INFO if form == JSON else logging.WARNING)
    try:
        with redirect_stderr(Tracebacks()):
            yield
    finally:
        root.removeHandler(handler)
        server.handlers, server.propagate = before
        LOG.setLevel(logging.NOTSET)
