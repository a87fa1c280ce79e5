"""What a trace says of a picture: where its tokens look, how near its scales come, which request makes it again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SPEC, pipeline
from support.traces import KINDS, REQUESTS, SCHEDULE, branches, tensors_of, traced

from var_core.inspection import trace as traces
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot, Trace


def weights(trace: Trace) -> torch.Tensor:
    """Attention of each block and head in one full pass, (depth, H, L, L), worked out beside the model's own."""
    pipe, found = pipeline(), []

    def look(block, inputs):
        x, modulation, mask = inputs
        q, k, _ = block.attention.queries_keys_values(block.attention_input(x, modulation))
        found.append((q @ k.transpose(-1, -2)).masked_fill(~mask, -torch.inf).softmax(-1)[0])

    hooks = [block.register_forward_pre_hook(look) for block in pipe.var.blocks]
    branches(trace)
    for hook in hooks:
        hook.remove()
    return torch.stack(found[: len(hooks)])  # the first pass is that with the class


SPOTS = [Spot(scale, place) for scale, length in enumerate(SCHEDULE.lengths) for place in range(length)]


def test_spots_are_counted_through_the_sequence():
    assert [spot.within(traced("drawn")) for spot in SPOTS] == list(range(SCHEDULE.total))


@pytest.mark.parametrize("kind", [*KINDS, "no class"])
@torch.no_grad()
def test_attention_is_that_of_a_full_pass_and_sees_no_finer_scale(kind):
    trace = traced(kind)
    wanted, levels = weights(trace), SCHEDULE.levels()
    for place, spot in enumerate(SPOTS):
        seen = trace.attention(spot)
        assert seen.shape == (SPEC.transformer.depth, SPEC.transformer.heads, SCHEDULE.total)
        torch.testing.assert_close(seen.sum(-1), torch.ones(seen.shape[:2]))
        assert not seen[..., levels > levels[place]].any() and (seen[..., levels <= levels[place]] > 0).all()
        torch.testing.assert_close(seen, wanted[:, :, place], rtol=0, atol=2e-3)


@torch.no_grad()
def test_masses_are_the_means_of_the_rows():
    trace = traced("drawn")
    wanted = means_of_rows(trace, SCHEDULE.spans)
    torch.testing.assert_close(trace.masses, wanted)
    torch.testing.assert_close(trace.masses.sum(-1), torch.ones(wanted.shape[:3]))
    assert trace.masses is trace.masses and trace.nearness is trace.nearness  # worked out once


def means_of_rows(trace: Trace, places: list) -> torch.Tensor:
    """How much the tokens at some places of each scale look at each scale in the mean: (depth, H, K, K)."""
    rows = torch.stack([trace.attention(spot) for spot in SPOTS], 2)  # (depth, H, L, L)
    means = torch.stack([rows[:, :, some].mean(2) for some in places], 2)  # (depth, H, K, L)
    return torch.stack([means[..., span].sum(-1) for span in SCHEDULE.spans], -1)


@pytest.mark.parametrize("heads_at_once", [1, 3, 2**21])
def test_masses_do_not_depend_on_how_many_heads_are_done_at_once(heads_at_once, monkeypatch):
    trace = traced("drawn")
    monkeypatch.setattr(traces, "AT_ONCE", heads_at_once * 16 * 30)
    torch.testing.assert_close(replace(trace).masses, trace.masses)


@torch.no_grad()
def test_where_all_tokens_would_be_too_much_masses_are_the_means_of_some(monkeypatch):
    trace, (depth, heads, _, width) = replace(traced("drawn")), traced("drawn").queries.shape
    one = depth * heads * (width + traces.SOFTMAX)  # products for a token that looks at one other
    monkeypatch.setattr(traces, "MOST_PRODUCTS", one * (1 + 4 * 5 + 2 * 5 * 30 + 2))
    places = trace._asked()
    assert [len(some) for some in places] == [1, 4, 9, 5]  # 126 of 302 for the third scale, all; 155 are left
    assert all(
        span.start <= some.min() and some.max() < span.stop for some, span in zip(places, SCHEDULE.spans, strict=True)
    )
    torch.testing.assert_close(trace.masses, means_of_rows(trace, places))
    monkeypatch.setattr(traces, "MOST_PRODUCTS", 0)
    assert [len(some) for some in trace._asked()] == [1] * 4


@pytest.mark.parametrize("kind", [*KINDS, "smooth"])
def test_pictures_are_those_of_the_steps_and_nearness_ends_at_infinity(kind):
    trace = traced(kind)
    for step, shown in zip(pipeline().steps(REQUESTS[kind]()), trace.pictures, strict=True):
        assert np.array_equal(pipeline().pixels(step.f_hat)[0], shown)
    *earlier, last = trace.nearness
    assert last == float("inf") and all(0 < near < 100 for near in earlier)


@pytest.mark.parametrize("kind", [*KINDS, "no class", "no guidance", "filtered", "smooth"])
def test_the_request_of_a_trace_makes_its_picture_again(kind):
    trace = traced(kind)
    again = recorded(pipeline(), trace.request(), origin=kind if kind in KINDS else "drawn")
    assert again.about == trace.about
    for name in tensors_of(trace).keys() - {"seconds"}:
        assert torch.equal(getattr(again, name), getattr(trace, name))
