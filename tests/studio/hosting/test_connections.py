"""Connections that do not speak are closed."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest
import uvicorn
from support.door import echo

from var_studio.hosting.connections import patient


@pytest.fixture
def connect() -> Callable:
    """A server with little patience; a function that connects to it."""
    config = uvicorn.Config(echo, port=0, http=patient(0.3), lifespan="off", log_config=None, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield lambda: socket.create_connection(listening.getsockname(), timeout=10)
    server.should_exit = True
    thread.join()


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed by the server."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_who_says_nothing_is_closed(connect: Callable):
    with connect() as connection:
        assert read_all(connection) == b""


def test_who_says_it_too_slowly_is_closed(connect: Callable):
    began = time.monotonic()
    with connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert read_all(connection) == b""
    assert time.monotonic() - began < 5


def test_who_asks_is_answered_and_may_ask_again(connect: Callable):
    with connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTT")  # the next one does not come to an end
        assert read_all(connection) == b""
