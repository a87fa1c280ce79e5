"""VAR Studio, the app: parse the flags, load a model, build the page, serve it."""

import argparse
import contextlib
import io
import os
import socket
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

from var_core.config import AUTO, LoadOptions
from var_core.files import where_models_go

if TYPE_CHECKING:
    import gradio as gr

    from var_core.engine.pipeline import Pipeline

FIRST_PORT, PORTS = 7860, 100
LOCAL = ("127.0.0.1", "localhost", "::1")
MOST_VISITORS = 100  # whose photos and results are kept in memory: the last ones


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message[0].upper()}{message[1:]}. See --help.")


def parser() -> argparse.ArgumentParser:
    text = "VAR Studio: play with, and look inside, next-scale prediction."
    flags = Parser(description=text, epilog=where_models_go())
    flags.add_argument("--host", default="127.0.0.1", help="address to serve on; 0.0.0.0 for the whole network")
    flags.add_argument("--port", type=int, help=f"port to serve on (default: the first free one from {FIRST_PORT})")
    flags.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    text = "type of the transformer's products: auto, float32, float16, bfloat16; int8 speeds up large models on a CPU"
    flags.add_argument("--dtype", default="auto", help=text)
    flags.add_argument("--compile", action="store_true", help="fuse the transformer with torch.compile: for a GPU")
    flags.add_argument("--model", help="name or path of a model (default: the one that comes with the app)")
    flags.add_argument("--threads", type=int, help="CPU threads to use (default: all cores)")
    flags.add_argument("--share", action="store_true", help="also make a public link")
    text = "let visitors download and load models, also when others than you can reach the app"
    flags.add_argument("--allow-models", action="store_true", help=text)
    flags.add_argument("--auth", metavar="USER:PASSWORD", help="ask visitors for this name and password")
    return flags


def main(arguments: list[str] | None = None) -> int:
    """Run the app until it is interrupted; the exit status, 2 when something is wrong with what was asked."""
    try:
        flags = parser().parse_args(arguments)
        login = credentials(flags.auth)
        host = flags.host.strip("[]")  # of an IPv6 address in an address
        port = free_port(host, flags.port)
        choose = flags.allow_models or (host in LOCAL and not flags.share)
        options = LoadOptions(flags.device, flags.dtype, flags.compile)
        page = build(load(flags.model, options, flags.threads), options, choose)
        serve(page, host, port, login, flags.share)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def credentials(text: str | None) -> tuple[str, str] | None:
    """ "user:password" as a pair; ValueError if it is not one."""
    if text is None:
        return None
    user, _, password = text.partition(":")
    if not user or not password:
        raise ValueError("--auth must be a user name and a password with a colon between them: USER:PASSWORD.")
    return user, password


def free_port(host: str, wanted: int | None) -> int:
    """The wanted port, or the first free one; ValueError if it cannot be had."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else (wanted,):
        try:
            with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
                return port
        except OverflowError as error:
            raise ValueError(f"Port {port} is out of range: choose 1 to 65535.") from error
        except OSError as error:
            number = error.errno or 0  # above 0 the system's own words have the address in them, once more
            reason = os.strerror(number) if number > 0 else error.strerror or str(error)
    where = f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}" if wanted is None else f"port {wanted}"
    raise ValueError(f"Cannot serve on {host}, {where} ({reason}): choose another --host or --port.")


def load(model: str | None, options: LoadOptions = AUTO, threads: int | None = None) -> "Pipeline":
    """Load the model; ValueError if it, the device, the type or the number of threads cannot be had."""
    from var_core.engine.pipeline import Pipeline, use_threads
    from var_core.weights import checkpoints  # here, not above: wrong flags and --help are answered at once

    if threads is not None:
        use_threads(threads)
    name = model or checkpoints.DEFAULT
    checkpoints.read_spec(checkpoints.find(name)).need_scales("the app")
    return Pipeline.load(name, options)


def build(pipe: "Pipeline", options: LoadOptions = AUTO, choose: bool = True) -> "gr.Blocks":
    """The page for a model: a header, the tabs, and, if visitors may `choose`, the menu that loads another model."""
    import gradio as gr

    from .create import tab as create
    from .edit import tab as edit
    from .explore import tab as explore
    from .learn import tab as learn
    from .shared import models, models_menu, served_files

    running = models.Models(pipe, options)
    with gr.Blocks(title="VAR Studio", analytics_enabled=False, delete_cache=(3600, served_files.KEPT)) as page:
        header = gr.HTML(models_menu.header_line(pipe), elem_id="header")
        menu = models_menu.menu(running) if choose else None
        with gr.Tabs() as tabs:
            with gr.Tab("Create", id="create"):
                made = create.tab(running)
            with gr.Tab("Edit", id="edit"):
                edited = edit.tab(running, tabs, made)
            with gr.Tab("Explore", id="explore") as inside:
                explored = explore.tab(running, tabs, inside, made, edited)
            with gr.Tab("Learn", id="learn") as lessons:
                learned = learn.tab(running, lessons, explored)
        renewals = (made.renewal, edited.renewal, explored.renewal, learned)
        models_menu.wire_menu(running, page, menu, header, renewals, made.visit)
    return page


def serve(page: "gr.Blocks", host: str, port: int, login: tuple[str, str] | None, share: bool) -> None:
    """Serve the page until interrupted."""
    from .page import theme

    guard()
    with contextlib.redirect_stdout(io.StringIO()):  # Gradio explains a failed link in a paragraph; we do below
        page.launch(
            server_name=f"[{host}]" if ":" in host else host,
            server_port=port,
            auth=login,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            run_history=False,
            footer_links=[],
            allowed_paths=[],
            max_file_size="200mb",
            state_session_capacity=MOST_VISITORS,
            **theme.dress(),
        )
    sys.stdout.write(f"VAR Studio is at {page.local_url}\n")
    if share:
        public = (
            f"Public link: {page.share_url}" if page.share_url else "No public link could be made; it runs here only."
        )
        sys.stdout.write(f"{public}\n")
    sys.stdout.flush()
    page.block_thread()


def guard() -> None:
    """Bound what Gradio itself opens of a visitor's, too, and let no program outside see it."""
    from PIL import EpsImagePlugin, Image

    from var_core.images import MOST_MEGAPIXELS

    Image.MAX_IMAGE_PIXELS = MOST_MEGAPIXELS * 10**6 // 2  # Pillow warns of more, and refuses twice as much
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    EpsImagePlugin.gs_binary = False
