"""Health, told to those who watch over the app."""

import pytest
from support.door import ask, echo

from var_studio.hosting.health import Health


@pytest.mark.parametrize(
    ("path", "ready", "status", "word"),
    [
        ("/healthz", True, 200, "ok"),
        ("/healthz", False, 200, "ok"),
        ("/readyz", True, 200, "ok"),
        ("/readyz", False, 503, "loading"),
    ],
)
def test_an_app_lives_and_is_ready_once_a_model_is_loaded(path: str, ready: bool, status: int, word: str):
    answer = ask(Health(echo, lambda: ready), path)
    assert (answer.status_code, answer.text) == (status, word)


def test_all_else_goes_to_the_app():
    assert ask(Health(echo, lambda: False), "/healthz/x").json()["path"] == "/healthz/x"
    assert ask(Health(echo, lambda: False), "/healthz", "POST").json()["path"] == "/healthz"
