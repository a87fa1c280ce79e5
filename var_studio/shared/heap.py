"""Memory that libraries hold for this process: few arenas, few prepared operations, and what is free goes back.

Where many threads answer visitors, glibc gives each an arena of its own and keeps what they have freed. And Python
looks for what nobody needs any more only now and then: a run that was dropped would keep its 64 MB for minutes. And
oneDNN keeps what it has prepared for each number of tokens, on each number of threads, and torch once more for each
thread: visitors ask for all of them in time.
"""

import ctypes
import gc
import os
import sys
import threading
from collections.abc import MutableMapping

ARENA_MAX, ARENAS = -8, 2  # M_ARENA_MAX of mallopt
# How many prepared operations oneDNN keeps, about three times those of one picture, and torch for each thread.
PREPARED = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "16"}
PERIOD = 20.0  # seconds between two times that it gives back, which hold up all threads for some milliseconds


def prepare_few(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let few prepared operations be kept, unless the environment says how many; no use once one was prepared."""
    for name, count in PREPARED.items():
        environment.setdefault(name, count)


def keep_small(period: float = PERIOD) -> threading.Event:
    """Let threads share few arenas, and give free memory back again and again, until the event is set.

    To be called when all is there that stays, which is not looked through any more, and before there are many threads.
    """
    library = _library()
    if library is not None:
        library.mallopt(ARENA_MAX, ARENAS)
    gc.collect()
    gc.freeze()
    ended = threading.Event()

    def give_back() -> None:
        while not ended.wait(period):
            gc.collect()
            if library is not None:
                library.malloc_trim(0)

    threading.Thread(target=give_back, daemon=True, name="gives memory back").start()
    return ended


def _library() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
