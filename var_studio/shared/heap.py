"""Memory that the C library holds for this process: few arenas, and what is free goes back to the system.

Where many threads answer visitors, glibc gives each an arena of its own and keeps what they have freed. Elsewhere
nothing is done.
"""

import ctypes
import sys
import threading

ARENA_MAX, ARENAS = -8, 2  # M_ARENA_MAX of mallopt
PERIOD = 20.0  # seconds between two times that it gives back, which hold up all threads for some milliseconds


def keep_small(period: float = PERIOD) -> threading.Event | None:
    """Let threads share few arenas, and give free memory back again and again, until the event is set.

    To be called before there are many threads. None where that cannot be done.
    """
    library = _library()
    if library is None:
        return None
    library.mallopt(ARENA_MAX, ARENAS)
    ended = threading.Event()

    def give_back() -> None:
        while not ended.wait(period):
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
