"""VAR Studio, the app: parse the flags, load a model, build the page, serve it."""

import os
import socket
import sys
import warnings
from argparse import Namespace
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from var_core.config import AUTO, LoadOptions
from var_core.words import printable

from . import flags as options_of
from .flags import FIRST_PORT
from .hosting.accounts import Accounts
from .hosting.serving import Hosting, own_cache
from .quick_import import import_gradio
from .shared import heap
from .shared.limits import HOME, Limits, foot

if TYPE_CHECKING:
    import gradio as gr

    from var_core.engine.pipeline import Pipeline

    from .shared.models import Models
    from .shared.pace import Pace

PORTS = 100
AT_THE_END = (24 * 3600, 10**10)  # seconds: Gradio goes by a clock that may jump; until then `Sessions` deletes files
WAITING = 128  # connections that wait until the server takes them


def main(arguments: list[str] | None = None) -> int:
    """Run the app until it is interrupted; the exit status, 2 when something is wrong with what was asked."""
    try:
        flags = options_of.read_flags(sys.argv[1:] if arguments is None else arguments, os.environ)
        host = flags.host.strip("[]")  # of an IPv6 address in an address
        taken = take_port(host, flags.port)  # from here on nobody else can have it
        hosting = hosting_of(flags, host, taken.getsockname()[1])
        public = options_of.is_public(flags, host)
        limits = options_of.limits(flags, public)
        options = LoadOptions(flags.device, flags.dtype, flags.compile)
        heap.prepare_few()
        with taken, own_cache():
            replicas = flags.replicas if flags.backend == "ray" else None
            pipe = load(flags.model, options, flags.threads, replicas, flags.ray_address)
            run(pipe, options, flags.allow_models or not public, limits, public, hosting, taken)
    except ValueError as error:
        sys.stderr.write(printable(str(error)) + "\n")
        return 2
    return 0


def hosting_of(flags: Namespace, host: str, port: int) -> Hosting:
    """Return how the flags say that the app is served; ValueError if that cannot be done."""
    login = credentials(flags.auth)
    if login and flags.auth_file:
        raise ValueError("--auth and --auth-file are two ways to say who may log in: give one.")
    return Hosting(
        host,
        port,
        Accounts.of(*login) if login else Accounts.read(flags.auth_file) if flags.auth_file else None,
        flags.root_path,
        flags.ssl_keyfile,
        flags.ssl_certfile,
        flags.proxies,
        "SPACE_ID" in os.environ if flags.embed is None else flags.embed,
        flags.share,
        flags.metrics,
        flags.log,
        flags.mcp,
    )


def credentials(text: str | None) -> tuple[str, str] | None:
    """ "user:password" as a pair; ValueError if it is not one."""
    if text is None:
        return None
    user, _, password = text.partition(":")
    if not user or not password:
        raise ValueError("--auth must be a user name and a password with a colon between them: USER:PASSWORD.")
    return user, password


def take_port(host: str, wanted: int | None) -> socket.socket:
    """Listen on the wanted port, or on the first free one; ValueError if it cannot be had.

    Who comes before there is a server for it waits.
    """
    for port in range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else (wanted,):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family, backlog=WAITING)
        except OverflowError as error:
            raise ValueError(f"Port {port} is out of range: choose 1 to 65535.") from error
        except OSError as error:
            number = error.errno or 0  # above 0 the system's own words have the address in them, once more
            reason = os.strerror(number) if number > 0 else error.strerror or str(error)
    where = f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}" if wanted is None else f"port {wanted}"
    raise ValueError(f"Cannot serve on {host}, {where} ({reason}): choose another --host or --port.")


def load(
    model: str | None,
    options: LoadOptions = AUTO,
    threads: int | None = None,
    replicas: tuple[int, int] | None = None,
    address: str | None = None,
) -> "Pipeline":
    """Load the model; ValueError if it, the device, the type or the number of threads cannot be had.

    With `replicas`, the fewest and the most, these draw, in the cluster at an `address`.
    """
    from var_core.engine.pipeline import Pipeline, pick_device, use_threads
    from var_core.weights import checkpoints  # here, not above: wrong flags and --help are answered at once

    if threads is not None:
        use_threads(threads)
    name = model or checkpoints.DEFAULT
    checkpoints.read_spec(checkpoints.find(name)).need_scales("the app")
    if replicas is None:
        return Pipeline.load(name, options)
    from .cluster.pipeline import Cluster

    device = pick_device(options.device)
    return Cluster.start(replicas, replace(options, device=device), None, address, threads or 1).load(name, options)


def build(
    pipe: "Pipeline",
    options: LoadOptions = AUTO,
    choose: bool = True,
    limits: Limits = HOME,
    public: bool = False,
    pace: "Pace | None" = None,
) -> "gr.Blocks":
    """The page for a model by itself."""
    from .shared.models import Models

    return page_of(Models(pipe, options, limits=limits, pace=pace), choose, public)


def page_of(running: "Models", choose: bool = True, public: bool = False) -> "gr.Blocks":
    """The page: a header, the tabs, and, if visitors may `choose`, the menu that loads another model.

    A `public` one says its limits at the foot.
    """
    import gradio as gr

    from .api.page import endpoints
    from .create import tab as create
    from .edit import tab as edit
    from .explore import tab as explore
    from .learn import tab as learn
    from .page.last_pictures import LastPictures
    from .page.memory import Memory
    from .page.visit_panel import visit_panel
    from .shared import guarded_events, models_menu
    from .shared.events import AT_ONCE, Trigger
    from .shared.visitor_files import VisitorFiles
    from .shared.visits import Visits

    files = VisitorFiles(running.limits)
    with gr.Blocks(title="VAR Studio", analytics_enabled=False, delete_cache=AT_THE_END) as page:
        header = gr.HTML(models_menu.header_line(running.pipe), elem_id="header")
        menu = models_menu.menu(running) if choose else None
        with gr.Tabs() as tabs:
            with gr.Tab("Create", id="create"):
                _heading("Create a picture")
                back = gr.Button("Bring back your last pictures", visible=False, size="sm", elem_id="bring_back")
                made = create.tab(running, files)
            with gr.Tab("Edit", id="edit"):
                _heading("Edit a photo")
                edited = edit.tab(running, files, tabs, made)
            with gr.Tab("Explore", id="explore") as inside:
                _heading("Explore a picture from inside")
                explored = explore.tab(running, files, tabs, inside, made, edited)
            with gr.Tab("Learn", id="learn") as lessons:
                _heading("Learn how it works")
                learned = learn.tab(running, files, lessons, explored)
        visit_panel(Visits(running.limits), page, tabs, made, edited, explored)
        if public:
            told = gr.HTML(foot(running.limits), elem_id="limits")
            page.load(lambda: foot(running.limits, *running.desk.turns.busy()), None, told, **AT_ONCE)
        endpoints(running, files)
        renewals = (made.renewal, edited.renewal, explored.renewal, learned)
        memory, last = Memory(running, page), LastPictures(running)
        edited.dresses(memory.wire(gr.Button("Forget my settings", visible="hidden", elem_id="forget")))
        last.wire(page, back, made)

        def visit(trigger: Trigger) -> None:
            recalled = memory.after(trigger)
            edited.dresses(recalled)
            made.visit(recalled)

        models_menu.wire_menu(running, page, menu, header, renewals, visit)
    guarded_events.guard(page)
    return page


def _heading(text: str) -> None:
    """A tab's heading, for those who hear the page: others see the tab's name."""
    import gradio as gr

    gr.HTML(f"<h2>{text}</h2>", apply_default_css=False, elem_classes="unseen")


def run(
    pipe: "Pipeline",
    options: LoadOptions,
    choose: bool,
    limits: Limits,
    public: bool,
    hosting: Hosting,
    taken: socket.socket,
) -> None:
    """Serve the page for a model on a port that was `taken` until interrupted; ValueError if it cannot be served."""
    import_gradio()  # before all that imports it
    from .hosting.server import serve
    from .page import theme
    from .shared.models import Models
    from .shared.pace import Pace
    from .shared.switching import switch_often

    guard_gradio()
    switch_often()
    pace = Pace()
    running = Models(pipe, options, limits=limits, pace=pace)
    page = page_of(running, choose, public)
    heap.keep_small()
    serve(page, running, hosting, theme.dress(), partial(pace.begin, pipe), taken)


def guard_gradio() -> None:
    """Bound what Gradio itself opens of a visitor's, too, and let no program outside see it."""
    from PIL import EpsImagePlugin, Image

    from var_core.picture_reading import FORMATS, MOST_MEGAPIXELS

    Image.MAX_IMAGE_PIXELS = MOST_MEGAPIXELS * 10**6 // 2  # Pillow warns of more, and refuses twice as much
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    EpsImagePlugin.gs_binary = False
    Image.init()
    for name in set(Image.ID) - set(FORMATS):
        Image.ID.remove(name)  # of what is tried in turn to open a file
