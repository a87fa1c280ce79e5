"""The flags of the app, and one sentence and status 2 for each way to get them wrong."""

import re
import socket
import sys
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image
from support import tiny
from support.processes import begun

from var_core.config import ON_CPU
from var_studio import main as app
from var_studio.flags import parser


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--auth", "nobody"], "--auth must be a user name and a password with a colon between them: USER:PASSWORD."),
        (["--auth", ":secret"], "--auth must be"),
        (["--auth", "anna:"], "--auth must be"),
        (["--port", "99999"], "Port 99999 is out of range: choose 1 to 65535."),
        (["--port", "http"], "invalid int value: 'http'"),
        (["--host", "256.0.0.1"], "Cannot serve on 256.0.0.1"),
        (["--threads", "0"], "threads 0 is out of range: choose 1 or more."),
        (["--model", "no-such-model"], "There is no model 'no-such-model'."),
        (["--colour"], "Unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_flag_is_answered_in_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture):
    assert app.main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert sentence in output.err
    assert output.err.count("\n") == 1


def test_a_device_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert app.main(["--model", str(tiny.write(tmp_path)), "--device", "abacus"]) == 2
    assert "Device 'abacus' is not available here" in capsys.readouterr().err


def test_damaged_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tiny.write(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    assert app.main(["--model", str(path)]) == 2
    assert "this file is damaged" in capsys.readouterr().err


def test_a_port_in_use_is_refused(capsys: pytest.CaptureFixture):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 2
    assert f"Cannot serve on 127.0.0.1, port {port} (Address already in use)" in capsys.readouterr().err


def test_an_address_of_ipv6_is_served_on():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match="Address already in use"):
            app.take_port("::1", port)
    with app.take_port("::1", port) as found:
        assert found.getsockname()[1] == port


def guarded(photo: Path) -> None:
    """Open a photo as a process does that is guarded."""
    EpsImagePlugin.gs_binary = Image.MAX_IMAGE_PIXELS = None  # as if nothing was guarded before
    app.guard_gradio()
    sys.stdout.write(f"{EpsImagePlugin.gs_binary}\n")
    try:
        Image.open(photo)
    except Image.DecompressionBombError:
        sys.stdout.write("refused\n")


def test_a_visitor_s_file_is_bounded_wherever_it_is_opened(tmp_path: Path):
    Image.new("1", (7100, 7100)).save(tmp_path / "huge.png")
    begun(guarded, tmp_path / "huge.png", said=tmp_path / "said").join(60)
    assert (tmp_path / "said").read_text() == "False\nrefused\n"


def test_without_a_port_the_first_free_one_is_taken():
    with app.take_port("127.0.0.1", None) as found, app.take_port("127.0.0.1", None) as next_one:
        first, second = (taken.getsockname()[1] for taken in (found, next_one))
    assert app.FIRST_PORT <= first < second < app.FIRST_PORT + app.PORTS


@pytest.mark.parametrize(
    ("text", "pair"), [(None, None), ("anna:secret", ("anna", "secret")), ("anna:a:b", ("anna", "a:b"))]
)
def test_credentials_split_at_the_first_colon(text: str | None, pair: tuple[str, str] | None):
    assert app.credentials(text) == pair


def test_every_flag_is_explained(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit, match="0"):
        app.main(["--help"])
    told = capsys.readouterr().out
    flags = re.findall(r"^  (?:-h, )?(--[a-z-]+)", told, re.MULTILINE)
    words = re.findall(r"^  (?:-h, )?--[a-z-]+(?:, --[a-z-]+)?(?: [A-Z:=]+)?\s{2,}(\S.{9,})", told, re.MULTILINE)
    assert len(flags) == len(words) == len(parser()._actions) >= 14


def test_a_loaded_model_makes_a_page(tmp_path: Path):
    page = app.build(app.load(str(tiny.write(tmp_path)), ON_CPU))
    assert page.title == "VAR Studio"
