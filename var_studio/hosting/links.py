"""The public link to an app on this machine, and how it is told."""

import io
import os
from urllib.parse import urlsplit

import gradio as gr
import segno
from gradio import networking

LIFE = "It lives as long as this runs, for a week at most."


def public_link(page: gr.Blocks, host: str, port: int) -> str:
    """Make a link from outside to an address of this machine, through Gradio's servers; ValueError if there is none."""
    try:
        link = networking.setup_tunnel(
            local_host=host,
            local_port=port,
            share_token=page.share_token,
            share_server_address=None,
            share_server_tls_certificate=None,
        )
    except Exception as error:  # no network, no program for this machine, no answer, no room on the disk
        reason = str(error).strip().splitlines()
        words = f" ({reason[0].rstrip('.')})" if reason else ""
        raise ValueError(f"No public link could be made{words}; it runs here only.") from error
    scheme = "http" if os.environ.get("GRADIO_SHARE_SERVER_ADDRESS") else "https"  # a server of one's own has no TLS
    return urlsplit(link)._replace(scheme=scheme).geturl()


def link_in_words(link: str, terminal: bool) -> str:
    """Return what is said of a link, on a terminal with a code for the camera of a phone."""
    words = f"Public link: {link}\n{LIFE}\n"
    if not terminal:
        return words
    code = io.StringIO()
    segno.make(link, micro=False).terminal(code, compact=True)
    return f"{words}\n{code.getvalue()}"
