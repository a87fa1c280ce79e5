"""Keep what visitors leave with the server, and let it go: who is at work is never put out by who comes."""

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import gradio as gr
from fastapi import HTTPException
from gradio.state_holder import SessionState, StateHolder

from . import served_files
from .limits import Limits
from .served_files import NotedFiles

CLOSED = 60.0  # seconds for which nobody takes the place of a closed page: it may only have lost its connection
KEPT_CLOSED = 3600.0  # seconds that the work of a closed page is kept, for one that is opened again
LOOK_AGAIN = 60.0  # seconds until files that were held are looked at once more
THREADS = 40  # for all that does not wait for the model: Gradio's own number


class Session(SessionState):
    """The states of one visitor, without the description of the page that Gradio keeps for links to it."""

    def __init__(self, blocks: gr.Blocks):
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]
        # Else each update of a widget is described at length: a third of what the server does besides its runs.
        vars(self.blocks_config)["config_for_block"] = lambda *_: {}

    def __setitem__(self, key: int, value: object) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None: ...

    def _update_value_in_config(self, key: int, value: object) -> None: ...


class Sessions(StateHolder):
    """The sessions of all visitors, as many as the limits say.

    A new one takes the place of one that is idle. Where none is, it is refused: HTTPException says so to whoever comes.
    """

    def __init__(
        self,
        limits: Limits,
        files: str = "",
        address: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ):
        """`files`: the folder in which visitors' files lie: they stay as long as an idle session may.

        `address` says where the request comes from that is being answered; see `visitor.household`.
        """
        super().__init__()
        self.limits, self.address, self.files, self.clock = limits, address, files, clock
        self.capacity = limits.visitors
        self._used: dict[str, float] = {}
        self._left: dict[str, float] = {}  # those that are gone, but for their files; with when they were used last
        self._addresses: dict[str, str] = {}
        self._noted: NotedFiles | None = None

    def install(self, page: gr.Blocks) -> None:
        """Hold the sessions of a page that its `app` serves, and let as many of its runs and events wait as may."""
        self.set_blocks(page)
        self.capacity = self.limits.visitors
        page.app.state_holder = self
        self._noted = NotedFiles(page.temp_file_sets, self.clock)
        queue, page.max_threads = page._queue, THREADS + self.limits.queue
        if queue.active_jobs:  # it has begun
            queue.active_jobs += [None] * (page.max_threads - len(queue.active_jobs))
            page.create_limiter()
        queue.max_thread_count, queue.max_size = page.max_threads, self.limits.event_queue
        queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # else a table of 10,000 events is reckoned anew after each

    def __getitem__(self, session_id: str) -> SessionState:
        with self.lock:
            if session_id not in self.session_data:
                address = self.address()
                self._make_room(address)
                self.session_data[session_id] = Session(self.blocks)
                self._addresses[session_id] = address
                self._left.pop(session_id, None)  # who comes back has the files
            self._used[session_id] = self.clock()
            self.session_data.move_to_end(session_id)
            session = self.session_data[session_id]
        session.is_closed = False  # it is used
        return session

    def delete_all_expired_state(self) -> None:
        """Drop the sessions that have been idle for too long, and all files of that age; asked for every second."""
        now, most = self.clock(), 60.0 * self.limits.idle_minutes
        if self._noted:
            self._noted.sweep(most)
        with self.lock:
            for name, session in list(self.session_data.items()):
                if now - self._used[name] > (min(most, KEPT_CLOSED) if session.is_closed else most):
                    self._drop(name)
            for name in [name for name, used in self._left.items() if now - used > most]:
                if served_files.remove(self.files, name, most):
                    del self._left[name]
                else:  # pictures of a visit that goes on: look again later
                    self._left[name] = now - most + LOOK_AGAIN

    def _make_room(self, address: str) -> None:
        """Drop the session that has been idle for longest, if there are too many; refuse a new one if none is idle."""
        near = [name for name in self.session_data if self._addresses[name] == address] if address else []
        crowded = len(near) >= max(1, self.capacity * self.limits.address_percent // 100)
        if not crowded and len(self.session_data) < self.capacity:
            return
        idle = [name for name in (near if crowded else self.session_data) if self._is_idle(name)]
        if not idle:
            where = "of your network" if crowded else "at once"
            text = f"There are more visitors {where} than this server keeps the work of: try again in some minutes."
            raise HTTPException(429, text)
        self._drop(min(idle, key=self._used.__getitem__))

    def _is_idle(self, name: str) -> bool:
        rest = CLOSED if self.session_data[name].is_closed else 60.0 * self.limits.work_minutes
        return self.clock() - self._used[name] > rest

    def _drop(self, name: str) -> None:
        self.delete_state(name)
        del self.session_data[name], self._addresses[name]
        used = self._used.pop(name)
        if self.files:
            self._left[name] = used
