"""The page says where its icon and its manifest are."""

from starlette.responses import HTMLResponse
from support.door import ask

from var_studio.hosting.page_links import AT_THE_ROOT, BESIDE, BesidePage

PAGE = "<head><base href='./'>{}</head><body>{}</body>"


def answered(text: str, path: str = "/"):
    return ask(BesidePage(HTMLResponse(text)), path)


def test_icon_and_manifest_lie_beside_the_page_and_its_length_is_told():
    answer = answered(PAGE.format(AT_THE_ROOT.decode(), "here"))
    assert answer.text == PAGE.format(BESIDE.decode(), "here")
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_what_is_no_page_stays_as_it_is():
    text = PAGE.format(AT_THE_ROOT.decode(), "a file")
    assert answered(text, "/gradio_api/file=notes.html").text == text
    assert answered("").text == ""
