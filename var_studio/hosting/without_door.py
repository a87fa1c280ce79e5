"""Serve the app by Gradio's own server, where a host demands that: with what of the door can be had there."""

import gradio as gr
from starlette.middleware import Middleware

from ..page.theme import Look
from ..shared.models import Models
from ..shared.sessions import Sessions


def launch(page: gr.Blocks, running: Models, look: Look, host: str, port: int) -> None:
    """Begin to serve a page, and return: visitors' sessions and files have their bounds, and events are private.

    What comes in is not looked at: only the size of files is bounded. Nor is it known where it comes from, but for the
    host's own proxy. `look`: arguments for the look of the page.
    """
    page.api_open = False
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
        app_kwargs={"middleware": [Middleware(running.desk.listeners.around)]},
        **look,
    )
    Sessions(running.limits, page.GRADIO_CACHE).install(page)
