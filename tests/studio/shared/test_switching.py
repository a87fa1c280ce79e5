"""Threads take turns: often, once the app serves."""

import sys

import pytest

from var_studio.shared.switching import INTERVAL, switch_often


def test_threads_take_turns_a_hundred_times_as_often():
    before = sys.getswitchinterval()
    try:
        switch_often()
        assert sys.getswitchinterval() == pytest.approx(INTERVAL) and before >= 100 * INTERVAL
    finally:
        sys.setswitchinterval(before)
