"""Headers that protect, on every answer."""

import pytest
from starlette.responses import Response
from support.door import ask, echo

from var_studio.hosting.protecting_headers import Protecting

FILE = "/gradio_api/file=/tmp/x"


def answering(**headers: str):
    return Response(b"x", headers=headers)


def test_no_other_site_is_asked_for_anything_and_none_may_show_the_app_in_a_frame():
    headers = ask(Protecting(echo)).headers
    content = headers["content-security-policy"]
    assert "default-src 'self'" in content and "frame-ancestors 'self'" in content
    assert "http" not in content and "*" not in content
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"


def test_where_it_is_to_be_embedded_it_may_be_shown_in_a_frame():
    headers = ask(Protecting(echo, embed=True)).headers
    assert "frame-ancestors *" in headers["content-security-policy"]
    assert "x-frame-options" not in headers


def test_other_sites_may_not_read_answers():
    open_to_all = answering(**{"access-control-allow-origin": "https://evil.example"})
    assert not [name for name in ask(Protecting(open_to_all)).headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("kind", "told", "expected"),
    [
        ("image/png", "", None),
        ("image/jpeg; x=y", "inline", "inline"),
        ("image/svg+xml", "", "attachment"),
        ("text/html", 'inline; filename="a.html"', 'attachment; filename="a.html"'),
        ("video/mp4", "", "attachment"),
        ("", "", "attachment"),
    ],
)
def test_what_is_no_picture_is_saved_and_not_shown(kind: str, told: str, expected: str | None):
    sent = {name: value for name, value in (("content-type", kind), ("content-disposition", told)) if value}
    assert ask(Protecting(answering(**sent)), FILE).headers.get("content-disposition") == expected


def test_the_page_itself_is_shown():
    assert "content-disposition" not in ask(Protecting(answering(**{"content-type": "text/html"}))).headers


@pytest.mark.parametrize(("embed", "expected"), [(False, "SameSite=lax"), (True, "SameSite=none")])
def test_cookies_go_along_with_requests_of_other_sites_only_where_it_is_embedded(embed: bool, expected: str):
    app = answering(**{"set-cookie": "token=a; HttpOnly; SameSite=none; Secure"})
    assert ask(Protecting(app, embed)).headers["set-cookie"] == f"token=a; HttpOnly; {expected}; Secure"
