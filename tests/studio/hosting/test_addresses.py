"""Where requests come from, and how many an address may have open."""

import asyncio

import pytest
from support.door import ask, echo

from var_studio.hosting.addresses import Forwarded, OpenRequests, address
from var_studio.hosting.refusals import Refused


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("9.9.9.9", 1), "9.9.9.9"),
        (("::ffff:9.9.9.9", 1), "9.9.9.9"),
        (("2001:db8:1:2:3::4", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:9::9", 1), "2001:db8:1:2::/64"),
        (("a pipe", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_visitor_is_counted_by_address_or_network(client: tuple[str, int] | None, counted: str):
    assert address({"client": client}) == counted


def test_a_trusted_proxy_s_word_is_taken():
    said = {"x-forwarded-for": "8.8.8.8, 7.7.7.7", "x-forwarded-proto": "https"}
    told = ask(Forwarded(echo, "127.0.0.1,10.0.0.0/8"), client=("10.1.2.3", 1), headers=said).json()
    assert (told["client"], told["scheme"]) == ("7.7.7.7", "https")  # the last is the one that the proxy saw itself


def test_what_others_say_of_themselves_is_forgotten():
    said = {"x-forwarded-for": "8.8.8.8", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    told = ask(Forwarded(echo, "127.0.0.1"), headers=said).json()
    assert (told["client"], told["scheme"]) == ("9.9.9.9", "http")
    assert not said.keys() & told["headers"].keys()


def test_an_address_may_have_only_so_many_requests_open_and_others_go_on():
    async def tried() -> None:
        release = asyncio.Event()

        async def waiting(*_):
            await release.wait()

        bounded = OpenRequests(waiting, 2)
        one, other = {"type": "http", "client": ("9.9.9.9", 1)}, {"type": "http", "client": ("8.8.8.8", 1)}
        open_ones = [asyncio.create_task(bounded(scope, None, None)) for scope in (one, one, other)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="More than 2 connections") as refused:
            await bounded(one, None, None)
        assert refused.value.status == 429
        release.set()
        await asyncio.gather(*open_ones)
        await bounded(one, None, None)
        assert not bounded.open

    asyncio.run(tried())
