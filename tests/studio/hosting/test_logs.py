"""The log: a line for each thing, in which no text is a command."""

import io
import json
import logging
import sys
import threading
import traceback

import pytest

from var_studio.hosting.logs import JSON, LOG, PLAIN, clean, logged

ESCAPES = "\x1b]0;title\x07 red \x1b[31m \r\n \x9b2J \u202e"


def test_what_steers_a_terminal_is_spelled_out():
    shown = clean(f"Zoë {ESCAPES}")
    assert shown.isprintable() and shown.startswith("Zoë \\x1b]0;title\\x07")


def test_long_texts_are_cut():
    assert len(clean("x" * 10_000)) < 600


def lines_of(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_a_printed_traceback_is_one_line_with_its_place_and_without_its_words():
    told = io.StringIO()
    with logged(PLAIN, told):
        try:
            raise KeyError("a visitor's")
        except KeyError as error:
            try:
                raise ValueError(f"a visitor's {ESCAPES}\nof several\n  lines") from error
            except ValueError:
                traceback.print_exc()
        sys.stderr.write(f"a warning {ESCAPES}\n")
    first, second, third, *_ = lines_of(told)
    assert " KeyError (" in first and "test_logs.py:" in first
    assert " ValueError (" in second and "test_logs.py:" in second
    assert " a warning" in third
    assert "visitor" not in told.getvalue() and all(line.isprintable() for line in lines_of(told))


def test_errors_of_several_threads_do_not_mix():
    told = io.StringIO()
    barrier = threading.Barrier(4)

    def fail(number: int) -> None:
        try:
            raise ValueError(f"number {number}")
        except ValueError:
            for line in traceback.format_exc().splitlines():
                barrier.wait()
                sys.stderr.write(f"{line}\n")

    with logged(PLAIN, told):
        threads = [threading.Thread(target=fail, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [line.split(" ", 1)[1].split(" (")[0] for line in lines_of(told)] == ["ValueError"] * 4


def test_a_logged_error_is_one_line_too():
    told = io.StringIO()
    with logged(PLAIN, told):
        try:
            raise RuntimeError("first\nsecond")
        except RuntimeError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    (line,) = lines_of(told)
    assert "Exception in ASGI application: RuntimeError (" in line and "first" not in line


def test_a_server_that_had_a_log_of_its_own_has_it_again_afterwards(monkeypatch):
    server, told, own = logging.getLogger("uvicorn"), io.StringIO(), logging.NullHandler()
    monkeypatch.setattr(server, "handlers", [own])
    monkeypatch.setattr(server, "propagate", False)
    with logged(PLAIN, told):
        logging.getLogger("uvicorn.error").error("careful")
    assert "careful" in told.getvalue()
    assert server.handlers == [own] and not server.propagate


def test_as_json_each_line_has_the_fields_of_what_happened():
    told = io.StringIO()
    with logged(JSON, told):
        LOG.info("run", extra={"fields": {"run": "ab", "seconds": 1.5}})
        LOG.error("went wrong %s", ESCAPES)
    run, error = map(json.loads, lines_of(told))
    assert (run["message"], run["run"], run["seconds"], run["level"]) == ("run", "ab", 1.5, "info")
    assert run["time"].endswith("+00:00")
    assert error["level"] == "error" and error["message"].isprintable()


def test_in_words_only_what_goes_wrong_is_told():
    told = io.StringIO()
    with logged(PLAIN, told):
        LOG.info("run")
        LOG.warning("careful")
    assert [line.split(" ", 1)[1] for line in lines_of(told)] == ["careful"]


def test_afterwards_all_is_as_before():
    before = (sys.stderr, list(logging.getLogger().handlers))
    with pytest.raises(KeyboardInterrupt), logged(PLAIN, io.StringIO()):
        raise KeyboardInterrupt
    assert (sys.stderr, list(logging.getLogger().handlers)) == before
