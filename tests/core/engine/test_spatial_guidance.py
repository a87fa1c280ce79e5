"""Laws of guidance between scales: the finest are led away from what the scale before them says."""

from dataclasses import replace

import pytest
import torch
from support.tiny import SIDES, pipeline

from var_core.config import Sampling
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.engine.sampling import Guidance
from var_core.inspection.recording import recorded
from var_core.schedule import Schedule

PLAIN = Sampling(guidance=2.0, top_k=0, top_p=1.0)


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("unguided", [0, 1, 2])
@pytest.mark.parametrize("strength", [0.0, 1.5])
def test_spatial_guidance_leads_the_finest_third_away_from_the_scale_before_enlarged(strength, unguided):
    sides = (1, 2, 3, 4, 5, 6)
    sampling = replace(PLAIN, guidance=3.0, spatial_guidance=strength, unguided_scales=unguided)
    schedule = Schedule(sides)
    plain, led = (Guidance(one, schedule, 2) for one in (replace(sampling, spatial_guidance=0.0), sampling))
    before = None
    for scale, side in enumerate(sides):
        read = torch.randn(4, schedule.lengths[scale], 8)
        mixed = plain.mix(read, scale)
        wanted = mixed
        if scale >= 4:
            like = before[0] if sampling.strength(scale, schedule) else before[1]  # guidance is not taken away
            cells = like.transpose(1, 2).unflatten(2, (sides[scale - 1],) * 2)
            large = torch.nn.functional.interpolate(cells, size=side, mode="bilinear").flatten(2).transpose(1, 2)
            wanted = mixed + strength * (mixed - large)
        torch.testing.assert_close(led.mix(read, scale), wanted)
        before = mixed, read[:2]


def test_spatial_guidance_changes_the_finest_scales_alone_and_is_the_same_with_a_memory_and_in_its_trace():
    request = Request((1,), (7,), replace(PLAIN, guidance=6.0))
    led = replace(request, sampling=replace(request.sampling, spatial_guidance=3.0))
    first = len(SIDES) - len(SIDES) // 3
    plain, found = ([step.entropy for step in pipeline().steps(one)] for one in (request, led))
    assert same(plain[:first], found[:first]) and not same(plain[first:], found[first:])
    alone, remembered = (list(pipeline().steps(led, memory)) for memory in (None, PrefixCache()))
    assert same([step.tokens for step in alone], [step.tokens for step in remembered])
    entropy = torch.cat([step.entropy for step in pipeline().steps(led)], 1)[0]
    torch.testing.assert_close(recorded(pipeline(), led).entropy, entropy, rtol=1e-3, atol=1e-3)


def test_what_a_trace_says_of_guidance_0_has_spatial_guidance_too():
    asked = Request((1,), (7,), replace(PLAIN, guidance=0.0, spatial_guidance=3.0))
    trace = recorded(pipeline(), asked)
    assert torch.equal(trace.unguided, trace.tokens)
