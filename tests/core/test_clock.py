"""Clocks."""

import torch

from var_core.clock import matrix_speed


def test_matrix_speed_is_a_plausible_number():
    assert 1e8 < matrix_speed(torch.device("cpu"), side=256, repeats=2) < 1e15
