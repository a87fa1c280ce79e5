"""Traces of the tiny model: of pictures drawn, edited, opened, and of other kinds."""

from collections.abc import Iterable
from dataclasses import fields, replace
from functools import cache

import numpy as np
import torch
from support.tiny import SIDES, SPEC, pipeline

from var_core.config import Sampling
from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.inspection.alternatives import Batch
from var_core.inspection.changes import given_request
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot, Trace
from var_core.schedule import Schedule

SCHEDULE, NULL = Schedule(SIDES), SPEC.transformer.null_label
PLAIN = Sampling(guidance=2.0, ramp=0.7, temperature=0.8, cooling=0.3, top_k=0, top_p=1.0)
REQUEST = Request((2,), (5,), PLAIN)


def edited_request() -> Request:
    """Two scales of another picture, one of their tokens free, and one token of the last scale set by hand."""
    tokens = pipeline().run(Request((4,), (9,), PLAIN)).tokens
    plan = Plan.resume(tokens, 2).replace(3, torch.tensor([6]), torch.tensor([11]))
    keep = [k.clone() for k in plan.keep]
    keep[1][0, 2] = False
    return replace(REQUEST, plan=Plan(plan.tokens, keep))


def opened_request() -> Request:
    tokens = [torch.randint(64, (1, n), generator=torch.Generator().manual_seed(n)) for n in SCHEDULE.lengths]
    return given_request(tokens, 3, PLAIN)


KINDS = ("drawn", "edited", "opened")
REQUESTS = {
    "drawn": lambda: REQUEST,
    "edited": edited_request,
    "opened": opened_request,
    "no class": lambda: replace(REQUEST, labels=(NULL,)),
    "no guidance": lambda: replace(REQUEST, sampling=replace(PLAIN, guidance=0.0)),
    "filtered": lambda: replace(REQUEST, sampling=Sampling(guidance=3.0, temperature=1.3, top_k=9, top_p=0.8)),
    "smooth": lambda: replace(REQUEST, sampling=replace(PLAIN, smooth=True)),
}


@cache
def traced(kind: str) -> Trace:
    return recorded(pipeline(), REQUESTS[kind](), origin=kind if kind in KINDS else "drawn")


def made_alike(shown: np.ndarray, request: Request) -> bool:
    """A request makes what was shown, but for the rounding of sums in another batch."""
    made = np.asarray(pipeline().run(request).images[0], int)
    return np.abs(made - shown).max() <= 1


def branches(trace: Trace) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of both branches of guidance for all tokens of a trace, from one full pass: (L, V) each."""
    pipe = pipeline()
    teacher = pipe.tokenizer.quantizer.teacher_input(trace.pyramid())
    return tuple(pipe.var(torch.tensor([label]), teacher)[0].double() for label in (trace.about.label, NULL))


def tensors_of(trace: Trace) -> dict[str, torch.Tensor]:
    return {field.name: getattr(trace, field.name) for field in fields(trace) if field.name != "about"}


def finished(batches: Iterable[Batch], count: int) -> list[np.ndarray]:
    """All pictures of a series, once all its batches have kept their promises."""
    found, before = list(batches), Batch(0.0, ())
    for batch in found:
        assert before.fraction < batch.fraction <= 1 and len(batch.pictures) <= count
        assert all(ours is theirs for ours, theirs in zip(before.pictures, batch.pictures, strict=False))
        before = batch
    assert before.fraction == 1 and len(before.pictures) == count
    assert all(picture.shape == (32, 32, 3) and picture.dtype == np.uint8 for picture in before.pictures)
    return list(before.pictures)


ROOT = Spot(0, 0)
