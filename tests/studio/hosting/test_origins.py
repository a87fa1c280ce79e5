"""Requests of other sites' pages are refused; the app's own, programs and links are not."""

import pytest
from support.door import ask, echo

from var_studio.hosting.origins import OwnPages

JOIN = "/gradio_api/queue/join"


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"origin": "http://studio.example"},
        {"origin": "http://STUDIO.example"},
        {"origin": "https://public.example", "x-forwarded-host": "public.example, inner"},
        {"origin": "https://public.example", "sec-fetch-site": "same-origin"},  # a proxy told nothing, the browser did
        {"sec-fetch-site": "none"},
    ],
)
def test_the_app_s_own_page_and_programs_are_let_in(headers: dict[str, str]):
    assert ask(OwnPages(echo), JOIN, "POST", headers=headers).status_code == 200


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/upload", "/gradio_api/component_server", "/login"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://studio.example:8080"},
        {"origin": "http://studio.example.evil.example"},
        {"origin": "http://studio.example", "sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a form
    ],
)
def test_pages_of_other_sites_are_refused(path: str, headers: dict[str, str]):
    assert ask(OwnPages(echo), path, "POST", headers=headers).status_code == 403


def test_a_link_elsewhere_opens_the_app_but_logs_nobody_out():
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert ask(OwnPages(echo), "/?seed=1", headers=link).status_code == 200
    assert ask(OwnPages(echo), "/logout", headers=link).status_code == 403
    shown = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert ask(OwnPages(echo), "/gradio_api/file=/tmp/x.png", headers=shown).status_code == 403


def test_the_address_that_the_owner_gave_is_the_app_s_own():
    headers = {"origin": "https://public.example"}
    assert ask(OwnPages(echo, "https://public.example/studio"), JOIN, "POST", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:7860", 200), ("127.0.0.1:7860", 200), ("[::1]:7860", 200), ("evil.example:7860", 403), ("", 403)],
)
def test_an_app_of_this_machine_answers_to_no_other_name(host: str, status: int):
    """Another site's name may be made to mean this machine."""
    answer = ask(OwnPages(echo, local=True), JOIN, "POST", headers={"host": host, "sec-fetch-site": "same-origin"})
    assert answer.status_code == status
