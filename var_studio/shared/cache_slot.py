"""Keep beside the model the prefix cache of its last run and the atlas of its codes."""

import threading

from var_core.engine.pipeline import Pipeline
from var_core.engine.prefix_cache import PrefixCache
from var_core.inspection.atlas import Atlas, atlas_path

from .run import StopFlag


class CacheSlot:
    """The prefix cache of the last run, for the visitor who made it: one for all, since it may be large."""

    def __init__(self) -> None:
        self._owner: StopFlag | None = None
        self._prefix_cache, self._lock = PrefixCache(), threading.Lock()

    def of(self, owner: StopFlag) -> PrefixCache:
        """The prefix cache of a visitor; a fresh one if another visitor's run came between."""
        with self._lock:
            if owner is not self._owner:
                self._owner, self._prefix_cache = owner, PrefixCache()
            return self._prefix_cache


def atlas_of(pipe: Pipeline) -> Atlas | None:
    """Load what the codes of a model stand for, if such a file lies beside its own; ValueError if it is damaged."""
    path = atlas_path(pipe.path) if pipe.path else None
    return Atlas.load(path) if path and path.is_file() else None
