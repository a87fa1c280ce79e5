"""What is refused is answered once, in words."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from support.door import ask, echo

from var_studio.hosting.refusals import Answering, Refused, reading


def refusing(wait: float = 0):
    async def app(*_):
        raise Refused(418, "tea", "No coffee here.", wait)

    return app


def test_a_refusal_is_answered_in_words_and_counted_by_its_kind():
    kinds = []
    answer = ask(refusing(), told=kinds.append)
    assert (answer.status_code, answer.json(), kinds) == (418, {"detail": "No coffee here."}, ["tea"])
    assert "retry-after" not in answer.headers


def test_an_upload_is_answered_in_plain_words_which_the_page_shows():
    assert ask(refusing(), "/gradio_api/upload").text == "No coffee here."


@pytest.mark.parametrize(("wait", "told"), [(0.2, "1"), (90.4, "90")])
def test_a_refusal_says_when_another_try_is_worth_it(wait: float, told: str):
    assert ask(refusing(wait)).headers["retry-after"] == told


def test_a_refusal_in_the_midst_of_an_answer_ends_it_without_a_second_one():
    async def app(scope, receive, send):
        await PlainTextResponse("begun")(scope, receive, send)
        raise Refused(418, "tea", "No coffee here.")

    assert ask(app).text == "begun"


def test_websockets_are_closed():
    sent = []

    async def send(message):
        sent.append(message["type"])

    asyncio.run(Answering(echo, print)({"type": "websocket"}, None, send))
    assert sent == ["websocket.close"]


@pytest.mark.parametrize("swallows", [True, False])
def test_what_is_refused_while_a_body_is_read_wins_over_what_the_app_makes_of_it(swallows: bool):
    async def receive():
        raise Refused(413, "size", "Too large.")

    async def app(scope, receive, send):
        try:
            await receive()
        except Refused as error:
            await PlainTextResponse("I did not understand")(scope, receive, send)
            if not swallows:
                raise RuntimeError from error

    async def bounded(scope, _, send):
        await reading(app, scope, receive, send)

    answer = ask(bounded)
    assert (answer.status_code, answer.json()) == (413, {"detail": "Too large."})
