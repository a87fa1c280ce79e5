"""Wrong passwords: each makes the next attempt slower, and after several an address has to wait."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .addresses import address
from .refusals import Refused

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0  # seconds; each wrong password doubles it
MANY = 4  # times as many wrong passwords for one name, from anywhere, before strangers to it take turns
TURN = 3.0  # seconds of such a turn
MOST_KEPT = 10_000  # addresses and names that are remembered: the last ones


@dataclass
class Tried:
    """Attempts that were not right, and when the last one began."""

    wrong: int = 0
    last: float = 0.0


@dataclass
class Name(Tried):
    """Attempts at one name from anywhere, and the addresses from which it has logged in."""

    homes: set[str] = field(default_factory=set)


T = TypeVar("T", bound=Tried)


class Attempts:
    """Attempts to log in, by address and by name. Each counts as wrong from its beginning until it proves right."""

    def __init__(self, most: int, minutes: float, clock: Callable[[], float] = time.monotonic):
        """`most`: wrong passwords in a row before an address has to wait for so many `minutes`."""
        self.most, self.seconds, self.clock = most, 60 * minutes, clock
        self.addresses: OrderedDict[str, Tried] = OrderedDict()
        self.names: OrderedDict[str, Name] = OrderedDict()

    def begin(self, visitor: str, name: str) -> float:
        """Count an attempt; the seconds to pause before it is looked at. Refused if the address has to wait.

        Where one name is tried from many addresses, only those that it has logged in from before go on freely:
        nobody can lock it out, and all others together have one attempt a `TURN`.
        """
        now = self.clock()
        tried, of_name = _kept(self.addresses, visitor, Tried), _kept(self.names, name, Name)
        for counted in (tried, of_name):
            if now - counted.last > self.seconds:
                counted.wrong = 0
        if tried.wrong >= self.most:
            wait = tried.last + self.seconds - now
            sentence = f"Too many wrong passwords: wait {max(1, round(wait / 60))} min, then try again."
            raise Refused(429, "password", sentence, wait)
        if of_name.wrong >= MANY * self.most and visitor not in of_name.homes and now - of_name.last < TURN:
            raise Refused(429, "password", "Too many wrong passwords for this name: try again.", TURN)
        tried.wrong, tried.last = tried.wrong + 1, now
        of_name.wrong, of_name.last = of_name.wrong + 1, now
        return min(FIRST_PAUSE * 2 ** (tried.wrong - 2), LONGEST_PAUSE) if tried.wrong > 1 else 0.0

    def right(self, visitor: str, name: str) -> None:
        """Forget what was counted: the password was right."""
        self.addresses.pop(visitor, None)
        of_name = _kept(self.names, name, Name)
        of_name.wrong = 0
        of_name.homes.add(visitor)


def _kept(table: OrderedDict[str, T], key: str, kind: type[T]) -> T:
    """Return a row, made if need be; the rows that were not asked for longest go."""
    table.setdefault(key, kind())
    table.move_to_end(key)
    if len(table) > MOST_KEPT:
        table.popitem(last=False)
    return table[key]


class SlowLogin:
    """Stands before the login: counts attempts, and lets those wait that were wrong before."""

    def __init__(self, app: ASGIApp, attempts: Attempts, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep):
        self.app, self.attempts, self.sleep = app, attempts, sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/") != "/login":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()  # bounded before it came here
        async with request.form() as form:
            name = str(form.get("username", "")).strip()
        visitor = address(scope)
        await self.sleep(self.attempts.begin(visitor, name))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self.attempts.right(visitor, name)
            await send(message)

        async def received() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, received, sending)
