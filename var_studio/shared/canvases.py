"""Pictures of canvases that pages have sent, and that wait for the event that names them: bounded, of each visitor."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from gradio.components.image_editor import EditorDataBlobs

from .limits import HOME, Limits

PART = re.compile(r"(background|composite|layer_\d{1,2})\.png")  # the names of the files that a page's canvas sends
MEGABYTE = 1_000_000
AT_WORK = 60.0  # seconds after a picture within which nobody takes its place: on slow lines its event takes so long
BESIDES = 1000  # bytes that any picture takes besides its own: so empty ones are bounded, too


class NoRoom(ValueError):
    """There is no room for one more canvas; says in words why, and what to do."""


@dataclass(eq=False)
class Waiting:
    """The canvases of one visitor by the names that the page gave them, those changed last at the end."""

    address: str
    used: float = 0.0
    size: int = 0  # bytes of them all
    sizes: dict[str, int] = field(default_factory=dict)
    canvases: dict[str, EditorDataBlobs] = field(default_factory=dict)

    def forget(self) -> None:
        """Let go of all canvases."""
        self.size = 0
        self.sizes.clear()
        self.canvases.clear()

    def drop(self, name: str) -> EditorDataBlobs:
        """Take a canvas out; an empty one if it is not here."""
        self.size -= self.sizes.pop(name, 0)
        return self.canvases.pop(name, EditorDataBlobs(background=None, layers=[], composite=None))


class Canvases:
    """The canvases of all visitors: of each the last ones, of all those that were at work last.

    Whose they are is told by any object that lives as long as its visitor's session: they go with it.
    """

    def __init__(self, limits: Limits = HOME, clock: Callable[[], float] = time.monotonic):
        self.limits, self.clock = limits, clock
        self._waiting: WeakKeyDictionary[object, Waiting] = WeakKeyDictionary()
        self._changing = threading.Lock()

    def put(self, whose: object, address: str, name: str, layer: int | None, picture: bytes) -> None:
        """Keep a layer of a canvas, or its background (`layer` None); NoRoom if all is taken by visitors at work."""
        with self._changing:
            own = self._waiting.setdefault(whose, Waiting(address))
            more = len(picture) + BESIDES
            self._make_room(own, name, more)
            size, canvas = own.sizes.get(name, 0), own.drop(name)
            if layer is None:
                before, canvas.background = canvas.background, picture
            else:
                canvas.layers += [None] * (layer + 1 - len(canvas.layers))
                before, canvas.layers[layer] = canvas.layers[layer], picture
            own.canvases[name] = canvas  # the last one
            own.sizes[name] = size + more - (0 if before is None else len(before) + BESIDES)
            own.size += own.sizes[name]
            own.used = self.clock()

    def take(self, whose: object, name: str) -> EditorDataBlobs:
        """Return a canvas of a visitor, which is forgotten; an empty one if there is none of this name."""
        with self._changing:
            own = self._waiting.get(whose)
            return (own or Waiting("")).drop(name)

    @property
    def size(self) -> int:
        """Bytes of all canvases together."""
        with self._changing:
            return sum(each.size for each in self._waiting.values())

    def _make_room(self, own: Waiting, name: str, more: int) -> None:
        """Drop the visitor's own canvases that came first, then those of whoever has been idle for longest."""
        limits = self.limits
        while own.size + more > limits.canvas_mb * MEGABYTE:
            first = next((other for other in own.canvases if other != name), None)
            if first is None:
                raise NoRoom(f"This canvas has more than {limits.canvas_mb} MB: make it smaller, or reload the page.")
            own.drop(first)
        most = limits.all_canvas_mb * MEGABYTE
        of_address = max(most * limits.address_percent // 100, limits.canvas_mb * MEGABYTE)
        everybody = list(self._waiting.values())
        near = [each for each in everybody if each.address == own.address] if own.address else []
        for several, bound in ((near, of_address), (everybody, most)):
            for other in sorted(several, key=lambda each: each.used):
                if sum(each.size for each in several) + more <= bound:
                    break
                if other is not own and self.clock() - other.used > AT_WORK:
                    other.forget()
            if sum(each.size for each in several) + more > bound:
                raise NoRoom("Too many people are painting at this moment: wait a little, then paint on.")
