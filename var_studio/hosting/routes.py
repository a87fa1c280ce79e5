"""Which addresses of the app are answered: those that its own page and its documented calls use, no others."""

import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from ..shared import setting_pictures
from .refusals import Refused

API = "/gradio_api"
ID = "[A-Za-z0-9_-]{1,64}"  # of a visitor, a run
READ = re.compile(
    "|".join(
        (
            r"/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d{1,4})?|logout)?/?",
            r"/(assets|static|svelte)/[^\\]+",
            rf"{setting_pictures.ADDRESS}/[a-z_]+\.webp",
            rf"{API}/(info|app_id|theme\.css|login_check|queue/data|upload_progress)/?",
            rf"{API}/heartbeat/{ID}",
            rf"{API}/file=.+",
        )
    ),
    re.DOTALL,
)
SENT = re.compile(rf"/login/?|{API}/(queue/join|cancel|reset|upload|component_server)/?")
CALLED = re.compile(rf"{API}/call/(v2/)?(?P<name>[^/]+)(?P<run>/{ID})?/?")
TOOLS = re.compile(rf"{API}/mcp(/.*)?")  # the endpoints as tools of language models
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+:/*[^/\\]|//|\\\\", re.IGNORECASE)  # not "C:\", a drive


def is_used(method: str, path: str, calls: Collection[str] = (), tools: bool = False) -> bool:
    """Say whether a request is one that the page makes, or a call of an event that is open to programs by name."""
    if tools and TOOLS.fullmatch(path):
        return method in ("GET", "POST", "DELETE")
    called = CALLED.fullmatch(path)
    if called:
        return called["name"] in calls and method == ("GET" if called["run"] else "POST")
    if method == "POST":
        return SENT.fullmatch(path) is not None
    if method not in ("GET", "HEAD") or READ.fullmatch(path) is None:
        return False
    prefix = f"{API}/file="
    return not (path.startswith(prefix) and is_elsewhere(path.removeprefix(prefix)))


def is_elsewhere(path: str) -> bool:
    """Say whether a path of a file is an address of another machine's."""
    return ELSEWHERE.match(path.strip()) is not None


class OnlyUsed:
    """Answers only what `is_used`: Gradio has many more routes, which would only be ways in."""

    def __init__(self, app: ASGIApp, calls: Collection[str] = (), tools: bool = False):
        """`calls`: names of the events that programs may call; `tools`: they are tools of language models, too."""
        self.app, self.calls, self.tools = app, calls, tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_used(scope["method"], scope["path"], self.calls, self.tools):
            raise Refused(404, "route", "There is nothing here.")
        await self.app(scope, receive, send)
