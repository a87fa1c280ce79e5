"""The last pictures of each visitor, which a page that was loaded again offers to bring back."""

import secrets
from collections import OrderedDict
from threading import Lock

import gradio as gr

from ..create.preparing import Asked
from ..shared.events import AT_ONCE, refusal
from ..shared.handover import CreateHandover
from ..shared.models import Models
from ..shared.run import Run
from .memory import SECRET

KEY = "var-studio-last"
MOST = 30  # visitors whose last run is kept
GONE = "The server has not kept your last pictures: press Run."


class LastPictures:
    """The last run of some visitors, by a token that only the visitor's browser holds.

    Of a run that was cut off, as when its visitor's connection was, it is what was asked for: its seeds make the same
    pictures once the visitor is there again. Where the run went on to its end, it is that.
    """

    def __init__(self, models: Models):
        self.models = models
        self._runs: OrderedDict[str, object] = OrderedDict()  # runs, or what was asked for
        self._lock = Lock()

    def keep(self, run: Run | None, token: object) -> tuple[object, gr.Button]:
        """Keep a run that has ended; the token under which it is kept, and the button that is of no use now."""
        if run is None:
            return token, gr.Button(visible=False)
        if run.complete(0) and run.digest == self.models.pipe.digest:
            self.models.pace.took(self.models.name, run.seconds, len(run.files))
        return self._kept(run, token), gr.Button(visible=False)

    def expect(self, asked: object, token: object) -> object:
        """Keep what was asked for until it is made; return the token under which it is kept."""
        return token if asked is None else self._kept(asked, token)

    def went_on(self, run: Run) -> None:
        """Keep a run whose visitor had left in the place of what was asked for."""
        with self._lock:
            for name, work in self._runs.items():
                if isinstance(work, Asked) and (
                    work.request is run.request if run.sweep is None else work.sweep is run.sweep
                ):
                    self._runs[name] = run

    def _kept(self, work: object, token: object) -> str:
        with self._lock:
            name = token if isinstance(token, str) and token in self._runs else secrets.token_urlsafe(16)
            self._runs[name] = work
            self._runs.move_to_end(name)
            while len(self._runs) > MOST:
                self._runs.popitem(last=False)
        return name

    def offer(self, token: object) -> gr.Button:
        """Show the button that brings pictures back where there are any."""
        with self._lock:
            return gr.Button(visible=isinstance(token, str) and token in self._runs)

    def back(self, token: object) -> object:
        """Return the last run of a visitor, or what was asked for; an error that the page tells if it is gone."""
        with self._lock:
            run = self._runs.get(token) if isinstance(token, str) else None
        if run is None:
            raise refusal(GONE)
        return run

    def wire(self, page: gr.Blocks, button: gr.Button, made: CreateHandover) -> None:
        """Keep what is made on a page, and offer it to the same browser when it opens the page again."""
        token = gr.BrowserState(None, storage_key=KEY, secret=SECRET)
        made.asked.change(self.expect, [made.asked, token], token, **AT_ONCE)
        made.run.change(self.keep, [made.run, token], [token, button], **AT_ONCE)
        made.shows(button.click, self.back, token)
        made.left.keepers.append(lambda _name, run: self.went_on(run))
        page.load(self.offer, token, button, **AT_ONCE)
