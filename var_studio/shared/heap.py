"""Memory that the C library holds for this process: few arenas, and what is free goes back to the system.

Where many threads answer visitors, glibc gives each an arena of its own and keeps what they have freed. And Python
looks for what nobody needs any more only now and then: a run that was dropped would keep its 64 MB for minutes.
"""

import ctypes
import gc
import sys
import threading

ARENA_MAX, ARENAS = -8, 2  # M_ARENA_MAX of mallopt
PERIOD = 20.0  # seconds between two times that it gives back, which hold up all threads for some milliseconds


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
