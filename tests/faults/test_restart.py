"""The port at a restart: taken by another program, or still warm of the one that ended."""

import socket
import sys

import pytest
from support.faults import FORK, one_sentence
from support.served import free_port

from var_studio import main as app

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends programs as only POSIX can")


def test_a_server_that_was_killed_leaves_its_port_to_the_next_one():
    port, heard = free_port(), FORK.Event()

    def serve() -> None:
        with app.take_port("127.0.0.1", port) as taken:
            heard.set()
            visitor, _ = taken.accept()
            visitor.recv(1)

    server = FORK.Process(target=serve)
    server.start()
    assert heard.wait(60)
    with socket.create_connection(("127.0.0.1", port)) as visitor:
        visitor.settimeout(0.1)
        with pytest.raises(TimeoutError):
            visitor.recv(1)  # it is taken
        server.kill()
        server.join()
        with app.take_port("127.0.0.1", port) as again:
            assert again.getsockname()[1] == port


def test_a_port_that_another_program_has_is_refused_before_a_model_is_loaded(capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert app.main(["--model", "there is none", "--port", str(taken.getsockname()[1])]) == 2
    told = capsys.readouterr().err
    assert one_sentence(told) and "Address already in use" in told


def test_two_that_start_at_once_do_not_meet(monkeypatch: pytest.MonkeyPatch):
    found = []

    def begin_another(*_: object) -> None:
        with app.take_port("127.0.0.1", None) as other:
            found.append(other.getsockname()[1])
        raise ValueError("enough")

    monkeypatch.setattr(app, "load", begin_another)
    assert app.main([]) == 2
    with app.take_port("127.0.0.1", None) as mine:
        assert found and found != [mine.getsockname()[1]]
