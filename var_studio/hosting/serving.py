"""The way in which the app is to be served, and the folder of visitors' files meanwhile."""

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .accounts import Accounts
from .logs import PLAIN
from .origins import LOCAL

OWN_MACHINE = "127.0.0.1,::1"
CACHE = "GRADIO_TEMP_DIR"  # where Gradio keeps visitors' files


@dataclass(frozen=True)
class Hosting:
    """The way in which the app is served: where, to whom, and what is told of it."""

    host: str = "127.0.0.1"
    port: int = 7860
    accounts: Accounts | None = None
    root: str = ""  # public address, or path, behind a proxy
    keyfile: str | None = None  # for TLS, with `certfile`
    certfile: str | None = None
    proxies: str = OWN_MACHINE  # whose word for a visitor's address is taken
    embed: bool = False  # other sites may show it in a frame
    share: bool = False
    metrics: str | None = None  # where figures are served: PORT or ADDRESS:PORT
    log: str = PLAIN
    tools: bool = False  # endpoints are tools of language models (MCP), too

    def __post_init__(self) -> None:
        """ValueError if what is asked for does not go together, or a file is not there."""
        if (self.keyfile is None) != (self.certfile is None):
            raise ValueError("--ssl-keyfile and --ssl-certfile go together: give both.")
        for path in (self.keyfile, self.certfile):
            if path is not None and not Path(path).is_file():
                raise ValueError(f"There is no file {path}: give the path of a key and of its certificate.")
        if self.share and (self.root or self.certfile):
            raise ValueError("--share makes a link of its own: leave out --root-path and --ssl-certfile.")
        if self.root and not self.root.startswith(("/", "http://", "https://")):
            raise ValueError(f"--root-path must be a path such as /studio, or a whole address: {self.root} is neither.")
        if self.tools and importlib.util.find_spec("mcp") is None:
            raise ValueError("--mcp needs the package mcp: pip install 'var-studio[mcp]'.")

    @property
    def is_local(self) -> bool:
        """Say whether only this machine is to reach it, and no proxy stands in front."""
        return self.host in LOCAL and not self.share and not self.root

    @property
    def address(self) -> str:
        """Return the address on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certfile else 'http'}://{host}:{self.port}/"


@contextmanager
def own_cache() -> Iterator[None]:
    """Keep visitors' files in a folder that others on this machine cannot read, until the app ends.

    The page must be built within: Gradio asks once where they go. A folder that its variable names is used instead.
    ValueError if nothing can be written there.
    """
    named = os.environ.get(CACHE)
    _find_room(named)
    if named:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="var-studio-", ignore_cleanup_errors=True) as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            del os.environ[CACHE]


def _find_room(named: str | None) -> None:
    """See to it that files can be written for a while; ValueError if not even in a folder that is named."""
    try:
        if named:
            os.makedirs(named, exist_ok=True)
            tempfile.TemporaryFile(dir=named).close()
        tempfile.gettempdir()
    except FileNotFoundError as error:
        if not named:
            raise ValueError(
                "No folder for files that are needed for a while can be written to, neither the system's nor this "
                f"one: name one in {CACHE}."
            ) from error
        tempfile.tempdir = named
    except OSError as error:
        raise ValueError(f"{named} cannot be written to ({error.strerror}): name another folder in {CACHE}.") from error
