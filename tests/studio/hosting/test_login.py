"""Wrong passwords become slower, then wait."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from support.clock import Clock
from support.door import ask

from var_studio.hosting import login
from var_studio.hosting.login import MANY, TURN, Attempts, SlowLogin
from var_studio.hosting.refusals import Refused


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(most=5, minutes=15, clock=clock)


def test_each_wrong_password_makes_the_next_attempt_slower(attempts: Attempts):
    assert [attempts.begin("a", "anna") for _ in range(5)] == [0, 0.25, 0.5, 1, 2]


def test_after_several_an_address_waits_and_others_do_not(attempts: Attempts, clock: Clock):
    for _ in range(5):
        attempts.begin("a", "anna")
    with pytest.raises(Refused, match="wait 15 min") as refused:
        attempts.begin("a", "bert")
    assert (refused.value.status, refused.value.wait) == (429, 900)
    assert attempts.begin("b", "anna") == 0
    clock.now += 901
    assert attempts.begin("a", "anna") == 0


def test_the_right_password_forgets_the_wrong_ones(attempts: Attempts):
    for _ in range(4):
        attempts.begin("a", "anna")
    attempts.right("a", "anna")
    assert attempts.begin("a", "anna") == 0


def test_attempts_at_one_moment_count_before_they_prove_wrong(attempts: Attempts):
    for _ in range(5):
        attempts.begin("a", "anna")
    with pytest.raises(Refused):
        attempts.begin("a", "anna")


def test_one_name_tried_from_many_addresses_takes_turns_but_is_not_locked_out(attempts: Attempts, clock: Clock):
    attempts.begin("home", "anna")
    attempts.right("home", "anna")
    for number in range(MANY * 5):
        attempts.begin(f"stranger {number}", "anna")
    with pytest.raises(Refused, match="for this name"):
        attempts.begin("stranger", "anna")
    assert attempts.begin("home", "anna") == 0
    assert attempts.begin("stranger", "bert") == 0
    clock.now += TURN
    assert attempts.begin("another stranger", "anna") == 0
    with pytest.raises(Refused, match="for this name"):
        attempts.begin("one more", "anna")


def test_what_is_remembered_is_bounded(attempts: Attempts, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(login, "MOST_KEPT", 10)
    for number in range(100):
        attempts.begin(str(number), str(number))
    assert len(attempts.addresses) == len(attempts.names) == 10


async def gradio(scope, receive, send):
    """A login that knows one password."""
    async with Request(scope, receive).form() as form:
        right = (form.get("username"), form.get("password")) == ("anna", "secret")
    await JSONResponse({}, 200 if right else 400)(scope, receive, send)


@pytest.mark.parametrize("kind", ["data", "files"], ids=["a form", "a form with parts"])
def test_a_login_is_slowed_down_and_locked_by_address(attempts: Attempts, kind: str):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    door = SlowLogin(gradio, attempts, sleep)

    def tried(password: str, client: tuple[str, int] = ("9.9.9.9", 1)) -> int:
        fields = {"username": "anna", "password": password}
        sent = fields if kind == "data" else {name: (None, value) for name, value in fields.items()}
        return ask(door, "/login", "POST", client=client, **{kind: sent}).status_code

    assert [tried(word) for word in ("a", "b", "secret", "a", "b", "c", "d", "e", "f", "secret")] == [
        *(400, 400, 200),
        *(400, 400, 400, 400, 400),
        *(429, 429),
    ]
    assert slept == [0, 0.25, 0.5, 0, 0.25, 0.5, 1, 2]
    assert tried("secret", ("8.8.8.8", 1)) == 200
