"""A tiny app to put a part of the door before, and requests to it without a network."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from var_studio.hosting.refusals import Answering

VISITOR = ("9.9.9.9", 4000)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what arrived."""
    request = Request(scope, receive)
    try:
        body = await request.body()
    except ClientDisconnect:
        return
    told = {"path": scope["path"], "size": len(body), "client": scope["client"][0], "scheme": scope["scheme"]}
    await JSONResponse({**told, "headers": dict(request.headers)})(scope, receive, send)


def ask(
    app: ASGIApp,
    path: str = "/",
    method: str = "GET",
    client: tuple[str, int] = VISITOR,
    told: Callable[[str], object] = str,
    **given: object,
) -> httpx.Response:
    """Ask an app, whose refusals are answered, as a browser or program at an address would."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(Answering(app, told), client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://studio.example") as visitor:
            return await visitor.request(method, path, **given)

    return asyncio.run(asked())


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    """Yield a body piece by piece, whose length is not told before."""
    for piece in pieces:
        yield piece


def form(data: dict[str, str], files: list[tuple[str, tuple[str, bytes]]]) -> tuple[str, bytes]:
    """The kind and the body of a form, as a browser sends it."""
    request = httpx.Request("POST", "http://studio.example", data=data, files=files)
    return request.headers["content-type"], request.read()


def photo(size: int = 10) -> tuple[str, tuple[str, bytes]]:
    return "files", ("photo.png", b"x" * size)
