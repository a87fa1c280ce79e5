"""Flags, the environment variables that stand for them, and the limits that they set."""

import re
from dataclasses import replace

import pytest

from var_core.settings import rows
from var_studio import flags as options
from var_studio.shared.limits import HOME, PUBLIC, Limits


def limits_of(*arguments: str, **environment: str) -> Limits:
    flags = options.read_flags(list(arguments), environment)
    return options.limits(flags, options.is_public(flags, flags.host))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], HOME),
        (["--share"], PUBLIC),
        (["--host", "0.0.0.0"], PUBLIC),
        (["--host", "::1"], HOME),
        (["--public"], PUBLIC),
        (["--share", "--no-public"], HOME),
        (["--share", "--limit", "pictures=2", "--max-queue", "7"], replace(PUBLIC, pictures=2, queue=7)),
    ],
)
def test_who_can_reach_the_app_decides_which_limits_hold(arguments: list[str], expected: Limits):
    assert limits_of(*arguments) == expected


def test_every_flag_has_an_environment_variable_which_it_wins_over():
    environment = {
        "VAR_STUDIO_PORT": "8000",
        "VAR_STUDIO_SHARE": "yes",
        "VAR_STUDIO_COMPILE": "0",
        "VAR_STUDIO_PUBLIC": "no",
        "VAR_STUDIO_AUTH": "-anna:b",
    }
    flags = options.read_flags(["--port", "9000"], environment)
    assert (flags.port, flags.share, flags.compile, flags.public, flags.auth) == (9000, True, False, False, "-anna:b")
    assert options.read_flags([], environment).port == 8000
    assert options.read_flags(["--public"], environment).public


def test_limits_are_read_from_the_environment_and_flags_win():
    environment = {"VAR_STUDIO_LIMITS": "pictures=4, queue=10", "VAR_STUDIO_MAX_QUEUE": "20"}
    assert limits_of(**environment) == replace(HOME, pictures=4, queue=20)
    assert limits_of("--limit", "queue=5", "--limit=waiting=1", **environment) == replace(
        HOME, pictures=4, queue=5, waiting=1
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("pictures", "--limit pictures is none: give NAME=VALUE, with one of: pictures, cells, variations,"),
        ("colour=3", "--limit colour=3 is none: give NAME=VALUE"),
        ("pictures=17", "pictures 17 is out of range: choose 1 to 16."),
        ("pictures=many", "pictures a run 'many' is not a number."),
    ],
)
def test_a_limit_that_is_none_is_refused(given: str, sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        limits_of("--limit", given)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"VAR_STUDIO_SHARE": "maybe"}, "VAR_STUDIO_SHARE 'maybe' is neither on nor off."),
        ({"VAR_STUDIO_PORT": "http"}, "invalid int value: 'http'"),
        ({"VAR_STUDIO_LIMITS": "pictures"}, "--limit pictures is none"),
    ],
)
def test_a_wrong_variable_is_refused(environment: dict[str, str], sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        limits_of(**environment)


def test_the_help_lists_every_limit_with_its_defaults():
    told = " ".join(options.parser().format_help().split())
    for row in rows(Limits):
        assert f"{row.name} ({row.help}; {row.default}, {getattr(PUBLIC, row.name)} in public)" in told
