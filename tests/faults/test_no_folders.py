"""Folders that cannot be written to: the user's, and the system's for files that are needed for a while."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
from support import tiny
from support.faults import ROOT, mounts, no_room, on_small_disk, one_sentence
from support.program import Program
from support.served import free_port

from var_core.files import HOME
from var_studio import main as app
from var_studio.hosting.serving import CACHE, own_cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bounds files as only POSIX can")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python looks for a folder once: forget it."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("TMPDIR", "TEMP", "TMP", CACHE):
        monkeypatch.delenv(name, raising=False)


def test_without_a_folder_for_a_while_the_app_says_which_to_name(tmp_path, capsys, monkeypatch):
    model = tiny.write(tmp_path)
    with no_room():
        assert app.main(["--model", str(model)]) == 2
    told = capsys.readouterr().err
    assert one_sentence(told) and f"name one in {CACHE}." in told
    monkeypatch.setenv(CACHE, str(tmp_path / "model" / "tiny.safetensors"))
    (tmp_path / "model").write_text("a file")
    assert app.main(["--model", str(model)]) == 2
    told = capsys.readouterr().err
    assert one_sentence(told) and "cannot be written to (Not a directory)" in told


def test_a_folder_that_is_named_serves_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "absent")])
    monkeypatch.setenv(CACHE, str(tmp_path / "named"))
    with own_cache():
        assert tempfile.gettempdir() == str(tmp_path / "named")
        tempfile.TemporaryFile().close()


READ_ONLY = pytest.mark.skipif(not mounts(), reason="no disk can be mounted here")


@pytest.mark.slow
@READ_ONLY
@pytest.mark.parametrize(
    "words", [("save", "--model", "{model}", "--out"), ("generate", "--model", "{model}", "--class", "Rose", "--out")]
)
def test_a_command_says_that_a_folder_is_read_only(tmp_path, words):
    model, out = tiny.write(tmp_path), tmp_path / "home"
    asked = [word.format(model=model) for word in words]
    done = on_small_disk(out, "ro", "-m", "var_core", *asked, out / "a")
    assert done.returncode == 2 and one_sentence(done.stderr), done.stderr
    assert "Read-only file system" in done.stderr


@pytest.fixture
def in_a_read_only_home(tmp_path) -> Iterator[str]:
    """The app, whose user's folders cannot be written to; its address."""
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    script = 'mount -t tmpfs -o ro none "$HOME" && exec "$0" "$@"'
    asked = [str(tiny.write(tmp_path)), "--port", str(port)]
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable, "app.py", "--model", *asked]
    around = {**os.environ, "HOME": str(home), HOME: str(home / "studio"), "OMP_NUM_THREADS": "1"}
    served = subprocess.Popen(command, cwd=ROOT, env=around, stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in served.stdout if "VAR Studio is at" in line)
        yield f"http://127.0.0.1:{port}/"
    finally:
        served.terminate()
        assert served.wait(60) == 0


@pytest.mark.slow
@READ_ONLY
def test_the_app_needs_no_home_to_write_to(in_a_read_only_home: str):
    program = Program(in_a_read_only_home)
    assert len(program.call("generate", "Rose", 1, 7, {})[1]) == 1
