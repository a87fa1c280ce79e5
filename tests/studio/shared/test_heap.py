"""Memory that is free goes back to the system, in a process of its own."""

import gc
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
import torch

from var_studio.shared import heap

ROOT = Path(__file__).resolve().parents[3]
# Blocks too small to be mapped one by one, of which every hundredth stays: the rest cannot leave from the end alone.
WORK = """
import resource, sys, time
from var_studio.shared import heap
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
ended = heap.keep_small(period=0.05)
blocks = [bytearray(50_000) for _ in range(4000)]
full = resident()
blocks = blocks[::100]
until = time.monotonic() + 30
while resident() > full - 100_000_000 and time.monotonic() < until:
    time.sleep(0.05)
ended.set()
print(full - resident())
"""


@pytest.mark.skipif(heap._library() is None, reason="there is no glibc here")
def test_what_was_freed_among_what_stays_goes_back():
    done = subprocess.run([sys.executable, "-c", WORK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 100_000_000


# As many operations as are kept at most, each prepared once; then the first of them again.
PREPARED = """
import sys, torch
from var_studio.shared import heap
if sys.argv[1] == "few":
    heap.prepare_few()
weights = torch.zeros(8, 64, 3, 3)
for side in (*range(8, 9 + int(heap.PREPARED["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])), 8):
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON_CREATION if side == 8 else 0):
        torch.conv2d(torch.zeros(2, 64, side, 32), weights)
"""


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here")
@pytest.mark.parametrize(("kept", "found"), [("few", "create:cache_miss"), ("many", "create:cache_hit")])
def test_of_many_prepared_operations_few_are_kept(kept, found):
    around = {name: value for name, value in os.environ.items() if name not in heap.PREPARED}
    command = [sys.executable, "-c", PREPARED, kept]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=around)
    first, again = [line for line in done.stdout.splitlines() if "create:" in line and ",convolution," in line]
    assert "create:cache_miss" in first
    assert found in again


def test_what_the_environment_says_of_prepared_operations_stays():
    environment = {"LRU_CACHE_CAPACITY": "7"}
    heap.prepare_few(environment)
    assert environment == {**heap.PREPARED, "LRU_CACHE_CAPACITY": "7"}


class Holding:
    """Holds itself, as a frame does whose error is kept in it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_holds_but_itself_goes_without_glibc_too(monkeypatch):
    monkeypatch.setattr(heap, "_library", lambda: None)
    gc.disable()
    ended = heap.keep_small(period=0.01)
    try:
        gone, until = weakref.ref(Holding()), time.monotonic() + 30
        while gone() and time.monotonic() < until:
            time.sleep(0.01)
        assert gone() is None
    finally:
        ended.set()
        gc.enable()
        gc.unfreeze()
