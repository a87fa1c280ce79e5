"""A clock for work on whatever device it runs."""

import time
from collections.abc import Callable

import torch


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that a call takes, a GPU's queue included."""
    began = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - began


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def matrix_speed(device: torch.device, side: int = 2048, repeats: int = 5) -> float:
    """Return operations per second of float32 matrix products (side x side), the best of some."""
    a, b = torch.randn(2, side, side, device=device)
    return 2 * side**3 / min(timed(lambda: a @ b, device) for _ in range(repeats))
