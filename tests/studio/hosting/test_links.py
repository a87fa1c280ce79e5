"""The public link, and what is said of it."""

import gradio as gr
import pytest
from gradio import networking

from var_studio.hosting.links import link_in_words, public_link

LINK = "https://0123456789abcdef01.gradio.live"


@pytest.fixture
def page() -> gr.Blocks:
    with gr.Blocks() as page:
        pass
    return page


def test_on_a_terminal_a_link_has_a_code_for_a_phone():
    words = link_in_words(LINK, terminal=True)
    assert words.startswith(f"Public link: {LINK}\nIt lives as long as this runs, for a week at most.\n")
    assert words.count("\n") > 10 and "█" in words + words.replace("\x1b[7m", "█")


def test_elsewhere_it_has_none():
    assert link_in_words(LINK, terminal=False).splitlines() == [
        f"Public link: {LINK}",
        "It lives as long as this runs, for a week at most.",
    ]


@pytest.mark.parametrize(("own", "scheme"), [(None, "https"), ("tunnel.example:7000", "http")])
def test_a_link_leads_to_the_app(page: gr.Blocks, monkeypatch: pytest.MonkeyPatch, own: str | None, scheme: str):
    asked = {}

    def setup_tunnel(**given):
        asked.update(given)
        return LINK

    monkeypatch.setattr(networking, "setup_tunnel", setup_tunnel)
    monkeypatch.delenv("GRADIO_SHARE_SERVER_ADDRESS", raising=False)
    if own:
        monkeypatch.setenv("GRADIO_SHARE_SERVER_ADDRESS", own)
    assert public_link(page, "127.0.0.1", 7860) == LINK.replace("https", scheme)
    assert (asked["local_host"], asked["local_port"]) == ("127.0.0.1", 7860)


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (RuntimeError("Could not get share link.\nmore"), "No public link could be made (Could not get share link);"),
        (OSError(), "No public link could be made; it runs here only."),
    ],
)
def test_without_one_it_is_said_in_a_sentence(page: gr.Blocks, monkeypatch, failure: Exception, sentence: str):
    def setup_tunnel(**_):
        raise failure

    monkeypatch.setattr(networking, "setup_tunnel", setup_tunnel)
    with pytest.raises(ValueError) as told:
        public_link(page, "127.0.0.1", 7860)
    assert str(told.value).startswith(sentence)
