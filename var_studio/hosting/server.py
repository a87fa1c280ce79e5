"""The app behind its door, and the server that serves it."""

import asyncio
import contextlib
import functools
import io
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastapi
import gradio as gr
import uvicorn
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ..page.theme import Look
from ..shared import setting_pictures
from ..shared.limits import HOME, Limits
from ..shared.models import Models
from ..shared.sessions import Sessions
from .addresses import Forwarded, OpenRequests
from .bodies import Bodies
from .caching import Caching
from .connections import KEPT, PatientProtocol
from .figures import Figures
from .health import Health
from .joins import Joins
from .links import link_in_words, public_link
from .login import Attempts, SlowLogin
from .logs import logged
from .origins import OwnPages
from .page_links import BesidePage
from .protecting_headers import Protecting
from .refusals import Answering
from .routes import OnlyUsed
from .serving import Hosting
from .watching import watch

# Connections of a page: a browser opens six to a host, and two are to spare. How many pages there are is a limit.
STREAMS = 8
GRACE = 3  # seconds that answers under way have when the server ends


def behind_door(page: gr.Blocks, running: Models, hosting: Hosting, look: Look, figures: Figures) -> ASGIApp:
    """Return the app: Gradio's routes with all that stands before them. `look`: arguments for the look of the page."""
    limits = running.limits
    page.api_open = False
    app: Any = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount(setting_pictures.ADDRESS, StaticFiles(directory=setting_pictures.FOLDER))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=hosting.host,
        server_port=hosting.port,
        footer_links=[],
        run_history=False,
        auth=hosting.accounts.check if hosting.accounts else None,
        root_path=hosting.root.rstrip("/") or None,
        allowed_paths=[],
        show_error=False,
        max_file_size=f"{limits.file_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=hosting.tools,
        **look,
    )
    page.app = app.routes[-1].app
    Sessions(limits, page.GRADIO_CACHE, running.desk.listeners.address).install(page)
    app = running.desk.listeners.around(app)
    public = [event for event in page.fns.values() if event.fn and event.api_visibility == "public"]
    calls = {event.api_name for event in public if event.api_name}
    if hosting.accounts:
        app = SlowLogin(app, Attempts(limits.passwords, limits.locked_minutes))
    app = Bodies(app, limits, Path(page.GRADIO_CACHE), hosting.root)
    app = Joins(app, limits, page._queue)
    app = OnlyUsed(app, calls, hosting.tools)
    app = OwnPages(app, hosting.root, hosting.is_local)
    app = OpenRequests(app, limits.connections)
    app = Answering(app, figures.refused)
    app = BesidePage(app)
    app = Caching(app)
    app = Protecting(app, hosting.embed)
    app = Health(app, lambda: running.is_loaded)
    return Forwarded(app, hosting.proxies)


def configured(app: ASGIApp, hosting: Hosting, limits: Limits = HOME) -> uvicorn.Config:
    """Return the settings of the server for an app: bounds of connections and times, and nothing told of itself."""
    return uvicorn.Config(
        app,
        host=hosting.host,
        port=hosting.port,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # `Forwarded` reads them
        server_header=False,
        limit_concurrency=STREAMS * limits.visitors,
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=GRACE,
        ssl_keyfile=hosting.keyfile,
        ssl_certfile=hosting.certfile,
    )


class Server(uvicorn.Server):
    """Serves, and calls `announce` in a thread of its own once it does."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None] = lambda: None):
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            self.announcing = asyncio.create_task(asyncio.to_thread(self.announce))


def serve(
    page: gr.Blocks,
    running: Models,
    hosting: Hosting,
    look: Look,
    begun: Callable[[], object] = lambda: None,
    taken: socket.socket | None = None,
) -> None:
    """Serve the page until interrupted; ValueError if a port cannot be had.

    `begun` is called once the page is there. `taken` listens on the port already; None: it is taken now.
    """
    figures = Figures()
    watch(page, figures)
    figures.watch("queue", "Runs that wait for their turn", lambda: running.desk.turns.busy().waiting)
    figures.watch("visitors", "Visitors whose work is kept", lambda: len(page.state_holder.session_data))
    app = behind_door(page, running, hosting, look, figures)
    announce = functools.partial(_announce, page, hosting, begun)
    server = Server(configured(app, hosting, running.limits), announce)
    if hosting.metrics is not None:
        figures.serve(hosting.metrics)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as by Ctrl-C, with what is left cleaned up
    with logged(hosting.log), contextlib.suppress(KeyboardInterrupt):
        server.run([taken] if taken else None)


def _announce(page: gr.Blocks, hosting: Hosting, begun: Callable[[], object]) -> None:
    """Say where the app is, and make the public link that was asked for."""
    _say(f"VAR Studio is at {hosting.address}\n")
    begun()
    if not hosting.share:
        return
    host = "127.0.0.1" if hosting.host in ("0.0.0.0", "::") else hosting.host
    is_terminal = sys.stdout.isatty()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Gradio explains a failed link in a paragraph
            link = public_link(page, host, hosting.port)
    except ValueError as error:
        _say(f"{error}\n")
        return
    _say(link_in_words(link, is_terminal))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
