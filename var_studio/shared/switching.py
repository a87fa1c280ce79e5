"""The time for which a thread that computes in Python may keep other threads of this process waiting.

A picture is thousands of small operations, each of which lets other threads go on and then waits until Python is free
again. By default a thread that computes in Python has it for 5 ms at a time: beside a single one that writes JSON, a
picture of the bundled model took 6 s in place of 0.09.
"""

import sys

INTERVAL = 5e-5  # seconds


def switch_often() -> None:
    """Let all threads of this process take turns more often."""
    sys.setswitchinterval(INTERVAL)
