"""How the app is to be served."""

import os
from pathlib import Path

import pytest

from var_studio.hosting.serving import CACHE, Hosting, own_cache


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keyfile": __file__}, "go together: give both"),
        ({"certfile": __file__}, "go together: give both"),
        ({"keyfile": "no-such-file", "certfile": __file__}, "There is no file no-such-file"),
        ({"share": True, "root": "/studio"}, "--share makes a link of its own"),
        ({"share": True, "keyfile": __file__, "certfile": __file__}, "--share makes a link of its own"),
        ({"root": "studio"}, "--root-path must be a path such as /studio"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(given: dict[str, object], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        Hosting(**given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"share": True}, False),
        ({"root": "/studio"}, False),
    ],
)
def test_an_app_is_for_this_machine_alone_unless_it_is_reached_from_elsewhere(given: dict[str, object], expected: bool):
    assert Hosting(**given).is_local is expected


def test_an_address_can_be_opened():
    assert Hosting().address == "http://127.0.0.1:7860/"
    assert Hosting("::1", 8000, keyfile=__file__, certfile=__file__).address == "https://[::1]:8000/"


def test_visitors_files_are_in_a_folder_of_the_app_s_own_while_it_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(CACHE, raising=False)
    with own_cache():
        folder = Path(os.environ[CACHE])
        (folder / "photo.png").touch()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists() and CACHE not in os.environ


def test_a_folder_that_the_owner_names_is_used_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(CACHE, str(tmp_path))
    with own_cache():
        assert os.environ[CACHE] == str(tmp_path)
    assert tmp_path.exists()
