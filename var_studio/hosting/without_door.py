"""Serve the app by Gradio's own server, where a host demands that: with what of the door can be had there."""

import gradio as gr
from starlette.middleware import Middleware

from ..page.theme import Look
from ..shared.models import Models
from ..shared.sessions import Sessions
from .addresses import Forwarded
from .serving import OWN_MACHINE


def launch(page: gr.Blocks, running: Models, look: Look, host: str, port: int, proxies: str = OWN_MACHINE) -> None:
    """Begin to serve a page, and return: visitors' sessions and files have their bounds, and events are private.

    What comes in is not looked at: only the size of files is bounded. `look`: arguments for the look of the page;
    `proxies`: whose word for a visitor's address is taken.
    """
    page.api_open = False
    around = [Middleware(Forwarded, proxies=proxies), Middleware(running.desk.listeners.around)]  # the outer one first
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size=f"{running.limits.file_mb}mb",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        ssr_mode=False,
        prevent_thread_lock=True,
        app_kwargs={"middleware": around},
        **look,
    )
    Sessions(running.limits, page.GRADIO_CACHE, running.desk.listeners.address).install(page)
