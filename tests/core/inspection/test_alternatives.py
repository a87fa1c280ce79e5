"""Pictures that could have been: alternatives of a token, and mixtures of two pictures."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SIDES, SPEC, pipeline
from support.traces import KINDS, PLAIN, REQUEST, ROOT, SCHEDULE, finished, made_alike, traced

from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.inspection import alternatives as series
from var_core.inspection.alternatives import alternatives, mixture_requests, mixtures
from var_core.inspection.changes import swapped
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Spot


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", ["all", "nothing", "another picture"])
@pytest.mark.parametrize("later", ["free", "keep"])
@pytest.mark.parametrize("spot", [Spot(0, 0), Spot(1, 2), Spot(3, 15)])
def test_alternatives_are_the_pictures_that_the_swapped_requests_make(kind, known, later, spot):
    trace, memory = traced(kind), PrefixCache()
    if known != "nothing":
        recorded(pipeline(), trace.request() if known == "all" else Request((2,), (6,), PLAIN), memory)
    found = finished(alternatives(pipeline(), trace, memory, spot, [0, 63, 7], later), 3)
    for value, shown in zip((0, 63, 7), found, strict=True):
        assert made_alike(shown, swapped(trace, spot, value, later))


def test_alternatives_compute_only_the_finer_scales_and_only_where_something_is_drawn():
    pipe, memory, calls = pipeline(), PrefixCache(), []
    trace = recorded(pipe, REQUEST, memory)
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(lambda _m, seen, _o: calls.append(seen[0].shape[:2]))
    finished(alternatives(pipe, trace, memory, Spot(1, 0), [3, 4, 5], "keep"), 3)
    finished(alternatives(pipe, trace, memory, Spot(3, 0), [3, 4, 5], "free"), 3)
    assert not calls
    finished(alternatives(pipe, trace, memory, Spot(1, 0), [3, 4, 5], "free"), 3)
    hook.remove()
    assert calls == [(6, 9), (6, 16)]  # three pictures, both branches
    reads = memory.reads
    recorded(pipe, REQUEST, memory)
    assert memory.reads == reads  # it was only read


@pytest.mark.parametrize("bytes_of_caches", [0, 200_000, 10**9])
def test_pictures_come_in_chunks_that_fit_with_the_likeliest_first(bytes_of_caches, monkeypatch):
    monkeypatch.setattr(series, "CHUNK_BYTES", bytes_of_caches)
    trace, pipe, rows = traced("drawn"), pipeline(), []
    # two blocks, queries, keys and values, both branches, 30 tokens of 32 numbers: 46080 bytes a picture
    chunk = {0: 1, 200_000: 4, 10**9: series.FIRST}[bytes_of_caches]
    hook = pipe.var.blocks[0].feed_forward.register_forward_hook(lambda _m, seen, _o: rows.append(len(seen[0])))
    batches = list(alternatives(pipe, trace, PrefixCache(), Spot(0, 0), list(range(7)), "free"))
    hook.remove()
    sizes = [chunk] * (7 // chunk) + [7 % chunk] * (7 % chunk > 0)
    assert rows == [2 * size for size in sizes for _ in SIDES]
    starts = range(0, 7, chunk)  # of a chunk first all scales but the last, then its pictures one by one
    done = [[start] * (len(SIDES) - 1) + list(range(start + 1, min(start + chunk, 7) + 1)) for start in starts]
    assert [len(batch.pictures) for batch in batches] == list(itertools.chain(*done))
    wanted = finished(batches, 7)
    mixed = finished(mixtures(pipe, mixture_requests(pipe, trace, 6)), 5)
    monkeypatch.undo()
    for few, many in zip(
        wanted + mixed,
        finished(alternatives(pipe, trace, PrefixCache(), Spot(0, 0), list(range(7)), "free"), 7)
        + finished(mixtures(pipe, mixture_requests(pipe, trace, 6)), 5),
        strict=True,
    ):
        assert np.abs(few.astype(int) - many).max() <= 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: alternatives(pipeline(), traced("drawn"), PrefixCache(), Spot(0, 0), [1, 2], "free"),
        lambda: mixtures(pipeline(), mixture_requests(pipeline(), traced("drawn"), 6)),
    ],
)
def test_a_series_that_is_closed_stops_within_a_scale(make):
    calls = []
    count = pipeline().var.blocks[0].feed_forward.register_forward_hook(lambda *_: calls.append(1))
    batches = make()
    assert not calls
    next(batches), next(batches)
    batches.close()
    count.remove()
    assert len(calls) == 2


@pytest.mark.parametrize("pinned", [None, 3])
def test_mixtures_with_a_class_are_the_pictures_that_their_requests_make(pinned):
    trace, marks = traced("drawn"), None if pinned is None else SCHEDULE.levels() == pinned
    requests = mixture_requests(pipeline(), trace, 6, marks)
    pictures = finished(mixtures(pipeline(), requests), 5)
    assert len(requests) == len(SIDES) + 1
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request) and request.labels == (6,)
        kept = [bool(k.all()) for k in request.plan.keep]
        assert kept == [scale < cut or scale == pinned for scale in range(len(SIDES))]
    if pinned is None:
        assert made_alike(pictures[0], Request((6,), (5,), PLAIN))
    assert made_alike(pictures[-1], REQUEST)


@pytest.mark.parametrize("pinned", [False, True])
def test_mixtures_of_two_pictures_go_from_the_one_to_the_other(pinned):
    first, second = traced("drawn"), traced("opened")
    marks = torch.arange(SCHEDULE.total) % 3 == 0 if pinned else torch.zeros(SCHEDULE.total, dtype=torch.bool)
    requests = mixture_requests(pipeline(), first, second, marks)
    pictures = finished(mixtures(pipeline(), requests), 5)
    assert made_alike(pictures[0], second.request()) is not pinned and made_alike(pictures[-1], first.request())
    for cut, (shown, request) in enumerate(zip(pictures, requests, strict=True)):
        assert made_alike(shown, request) and request.labels == (second.about.label,)
        found = recorded(pipeline(), request)
        start = SCHEDULE.spans[cut].start if cut < len(SIDES) else SCHEDULE.total
        wanted = torch.cat((first.tokens[:start], second.tokens[start:])).where(~marks, first.tokens)
        assert torch.equal(found.tokens, wanted)


@pytest.mark.parametrize("field", ["sides", "codebook"])
def test_pictures_of_another_model_are_refused(field):
    trace = traced("drawn")
    wrong = {"sides": {"sides": (1, 2, 3, 5)}, "codebook": {"codebook": "0" * 12}}[field]
    other = replace(trace, about=replace(trace.about, model="strange", **wrong))
    for ask in (
        lambda: alternatives(pipeline(), other, PrefixCache(), ROOT, [1], "keep"),
        lambda: mixture_requests(pipeline(), other, trace),
        lambda: mixture_requests(pipeline(), trace, other),
        lambda: mixture_requests(pipeline(), other, 1),
    ):
        with pytest.raises(ValueError, match=f"{SPEC.name} cannot read .* by strange: load the model"):
            ask()
