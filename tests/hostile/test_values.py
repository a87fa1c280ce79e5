"""Plans, masks and settings of any kind are taken, or refused in words."""

from dataclasses import asdict

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import tiny
from support.lies import FEW, ODD, sentence

from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import Edit
from var_core.editing.edit_settings import EditSettings
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.schedule import Schedule
from var_core.settings import parsed

SPEC, PHOTO = tiny.SPEC, np.zeros((16, 41, 3), np.uint8)
LENGTHS = Schedule(tiny.SIDES).lengths


@FEW
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=5) | st.just(list(LENGTHS)),
    st.integers(-(2**62), 2**62) | st.integers(0, 63),
    st.integers(-3, 2**40) | st.integers(0, 7),
    st.integers(-3, 2**64) | st.integers(0, 9),
)
def test_any_plan_is_carried_out_or_refused_in_words(lengths, token, label, seed):
    def use() -> None:
        tokens = [torch.full((1, length), token) for length in lengths]
        plan = Plan(tokens, [torch.ones_like(t, dtype=torch.bool) for t in tokens])
        request = Request((label,), (seed,), Sampling(), plan)
        request.check(SPEC)
        assert tuple(lengths) == LENGTHS and 0 <= token < 64

    sentence(use)


@FEW
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([bool, np.uint8, np.float32]),
    st.lists(st.tuples(st.integers(-5, 45), st.integers(-5, 45), st.integers(-5, 60)), max_size=3),
    st.integers(-50, 50),
)
def test_any_mask_is_taken_or_refused_in_words(shape, kind, boxes, dilate):
    mask = np.zeros(shape, kind)
    mask[: shape[0] // 2] = 1

    def use() -> None:
        edit = Edit(PHOTO, mask, (1,), (2,), settings=EditSettings(dilate=dilate), boxes=tuple(Box(*b) for b in boxes))
        assert edit.hole_mask().shape == (16, 41) and kind is bool

    sentence(use)


@FEW
@given(st.dictionaries(st.sampled_from([*asdict(Sampling()), *asdict(EditSettings())]), ODD, max_size=4))
def test_any_settings_are_taken_or_refused_in_words(values):
    for usual in (Sampling(), EditSettings()):
        sentence(lambda usual=usual: parsed(usual, values))
