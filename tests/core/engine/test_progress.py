"""Pictures that are made in parts, since memory is short, are those that are made at once; and how far they are."""

import pytest
import torch
from support.tiny import SPEC, pipeline

from var_core.config import Sampling
from var_core.device_memory import picture_bytes
from var_core.engine.plan import Plan
from var_core.engine.request import Request

NULL = SPEC.transformer.null_label
LENGTHS = pipeline().schedule.lengths


def room(count: int) -> int:
    """Free bytes into which so many guided pictures fit, and no more."""
    return int((count + 0.5) * picture_bytes(SPEC, LENGTHS) / 0.9)


def edit() -> Request:
    """Six pictures of which the coarse half is given, and followed in the rest."""
    f = torch.randn(6, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    tokens = pipeline().tokenizer.quantizer.quantize(f)
    plan = Plan.resume([found.tokens for found in tokens], 2)
    return Request((1, 2, NULL, 4, 5, 6), tuple(range(6)), plan=Plan(plan.tokens, plan.keep, f))


REQUESTS = {
    "classes": lambda: Request((1, 2, 3, 4, 5, 6), tuple(range(6))),
    "with and without a class": lambda: Request((NULL, NULL, 3, NULL, 5, 6), tuple(range(6))),
    "smooth": lambda: Request((1,) * 6, tuple(range(6)), Sampling(smooth=True)),
    "a seed for each scale": lambda: Request((1,) * 6, tuple((n, 7, n, 9) for n in range(6))),
    "an edit": edit,
}


@pytest.mark.parametrize("count", [1, 2, 4, 5])
@pytest.mark.parametrize("kind", REQUESTS)
@torch.no_grad()
def test_parts_give_the_tokens_that_one_pass_gives(kind, count):
    request = REQUESTS[kind]()
    whole, parted = pipeline().run(request, room(10)), pipeline().run(request, room(count))
    assert len(parted.images) == 6
    for ours, theirs in zip(parted.steps, whole.steps, strict=True):
        assert torch.equal(ours.tokens, theirs.tokens) and torch.equal(ours.keep, theirs.keep)
        torch.testing.assert_close(ours.f_hat, theirs.f_hat, rtol=0, atol=1e-4)


@torch.no_grad()
def test_one_pass_gives_the_steps_of_the_loop_one_after_the_other():
    request = Request((1, 2), (3, 4))
    steps = list(pipeline().steps(request))
    *_, grown = pipeline().stream(request, room(2))
    assert [progress.last.scale for progress in pipeline().stream(request, room(2))] == [0, 1, 2, 3]
    for ours, theirs in zip(grown.steps, steps, strict=True):
        assert torch.equal(ours.tokens, theirs.tokens) and torch.equal(ours.f_hat, theirs.f_hat)


def test_a_request_that_is_parted_tells_of_every_step():
    seen = list(pipeline().stream(Request((1,) * 5, tuple(range(5))), room(2)))
    assert [(progress.under_way, progress.last.scale) for progress in seen] == [
        *((range(0, 2), scale) for scale in range(4)),
        *((range(2, 4), scale) for scale in range(4)),
        *((range(4, 5), scale) for scale in range(4)),
    ]
    assert {(progress.at_once, progress.count, progress.scales) for progress in seen} == {(2, 5, 4)}
    shares = [progress.fraction for progress in seen]
    assert shares == sorted(set(shares)) and shares[-1] == 1
    assert [progress.complete for progress in seen] == [False] * 11 + [True]


@torch.no_grad()
def test_every_picture_that_has_begun_has_its_own_last_step():
    seen = list(pipeline().stream(Request((1,) * 5, tuple(range(5))), room(2)))
    half = seen[5]  # the second part after its second scale
    assert half.begun == 4 and [len(half.of(place)) for place in range(4)] == [4, 4, 2, 2]
    assert len(half.steps) == 2 and half.steps[1].tokens.shape == (4, 4)
    assert torch.equal(half.f_hat[:2], seen[3].last.f_hat) and torch.equal(half.f_hat[2:], half.last.f_hat)
    alone = half.of(1)[-1]
    assert torch.equal(alone.tokens, seen[3].last.tokens[1:]) and torch.equal(alone.f_hat, seen[3].last.f_hat[1:])


def test_what_cannot_be_done_is_refused_before_any_part_of_it():
    with pytest.raises(ValueError, match=r"labels \(1, 2, 99\): this model has classes 0 to 6"):
        next(pipeline().stream(Request((1, 2, 99), (1, 2, 3)), room(1)))


def test_as_many_pictures_share_a_pass_as_fit_and_twice_as_many_without_guidance():
    def at_once(label: int, sampling: Sampling, free: int) -> int:
        return pipeline().at_once(Request((label,) * 16, tuple(range(16)), sampling), free)

    assert [at_once(1, Sampling(), room(count)) for count in (0, 1, 3, 20)] == [1, 1, 3, 16]
    for label, sampling in ((NULL, Sampling()), (1, Sampling(guidance=0))):
        assert 5 <= at_once(label, sampling, room(3)) <= 7


def test_what_is_free_here_counts_unless_it_is_said(monkeypatch):
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda device: room(2) if device == "cpu" else 0)
    assert pipeline().at_once(Request((1,) * 5, tuple(range(5)))) == 2
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: None)
    assert pipeline().at_once(Request((1,) * 5, tuple(range(5)))) == 5
