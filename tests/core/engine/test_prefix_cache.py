"""A memory changes nothing but the work that a run takes."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from support.tiny import SIDES, SPEC, networks, pipeline

from var_core.config import Sampling
from var_core.engine.inpainting import inpainting
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.engine.sampling import Step
from var_core.inspection.recording import recorded
from var_core.nn.cache import KVCache
from var_core.nn.transformer import VAR
from var_core.weights import checkpoints

PLAIN = Sampling(guidance=2.0, top_k=0, top_p=1.0)
NULL = SPEC.transformer.null_label
K = len(SIDES)


def made(request: Request, memory: PrefixCache | None = None) -> list[Step]:
    return list(pipeline().steps(request, memory))


def alike(first: list[Step], second: list[Step]) -> bool:
    """Bit by bit, in all that a step says."""
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for a, b in zip(first, second, strict=True)
        for name in ("tokens", "keep", "confidence", "entropy", "f_hat")
    )


def pyramid(label: int = 4, seed: int = 9) -> list[torch.Tensor]:
    return [step.tokens for step in made(Request((label,), (seed,), PLAIN))]


def following() -> Plan:
    """A plan whose given tokens follow the features of a picture."""
    picture = torch.randint(256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    cover = torch.zeros(32, 32)
    cover[8:24, 8:24] = 1
    return inpainting(pipeline(), picture, cover, 0.5, 1, follow=True)


REQUESTS = {
    "guided": lambda: Request((1,), (7,), PLAIN),
    "filtered": lambda: Request((1,), (7,), Sampling()),
    "guidance 0": lambda: Request((1,), (7,), replace(PLAIN, guidance=0.0)),
    "no class": lambda: Request((NULL,), (7,), PLAIN),
    "smooth": lambda: Request((1,), (7,), replace(PLAIN, smooth=True)),
    "two": lambda: Request((1, 4), (7, 8), PLAIN),
    "a class and none": lambda: Request((NULL, 4), (7, 8), PLAIN),
    "resumed": lambda: Request((1,), (7,), PLAIN, Plan.resume(pyramid(), 2)),
    "all given": lambda: Request((1,), (7,), PLAIN, Plan.resume(pyramid(), K)),
    "one token": lambda: Request((1,), (7,), PLAIN, Plan.resample(pyramid(), 2, torch.tensor([3]), "keep")),
    "following": lambda: Request((1,), (7,), PLAIN, following()),
}
CHANGES = {
    "guidance": lambda request: replace(request, sampling=replace(PLAIN, guidance=5.0)),
    "no guidance": lambda request: replace(request, sampling=replace(PLAIN, guidance=0.0)),
    "temperature": lambda request: replace(request, sampling=replace(PLAIN, temperature=3.0)),
    "filters": lambda request: replace(request, sampling=replace(PLAIN, top_k=2)),
    "smooth": lambda request: replace(request, sampling=replace(PLAIN, smooth=True)),
    "seed": lambda request: replace(request, seeds=(8,)),
    "coarse given": lambda request: replace(request, plan=Plan.resume(pyramid(), 1)),
    "fine given": lambda request: replace(request, plan=Plan.free(pipeline().schedule, 1).replace(*last_token())),
    "target": lambda request: replace(request, plan=following()),
}


def last_token() -> tuple[int, torch.Tensor, torch.Tensor]:
    return K - 1, torch.tensor([5]), torch.tensor([17])


def shown(steps: list[Step]) -> list[torch.Tensor]:
    """What the transformer was shown before each scale."""
    quantizer = pipeline().tokenizer.quantizer
    before = [quantizer.empty(len(steps[0].tokens)), *(step.f_hat for step in steps[:-1])]
    return [quantizer.next_input(f_hat, scale) for scale, f_hat in enumerate(before)]


@pytest.mark.parametrize("kind", REQUESTS)
@torch.inference_mode()
def test_a_run_with_a_memory_makes_what_one_without_makes(kind):
    request = REQUESTS[kind]()
    plain, remembered = made(request), made(request, PrefixCache())
    for a, b in zip(plain, remembered, strict=True):
        assert torch.equal(a.tokens, b.tokens) and torch.equal(a.f_hat, b.f_hat)


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_same_run_again_reads_nothing_and_gives_the_same_steps(kind):
    request, memory = REQUESTS[kind](), PrefixCache()
    first = made(request, memory)
    assert memory.reads == K
    assert alike(made(request, memory), first) and memory.reads == K


@pytest.mark.parametrize("change", CHANGES)
@torch.inference_mode()
def test_a_changed_run_equals_a_fresh_one_and_reads_only_from_the_first_scale_that_is_shown_something_else(change):
    request, memory = REQUESTS["guided"](), PrefixCache()
    before = made(request, memory)
    changed = CHANGES[change](request)
    after, fresh = made(changed, memory), made(changed, PrefixCache())
    assert alike(after, fresh)
    equal = [torch.equal(a, b) for a, b in zip(shown(before), shown(after), strict=True)]
    first = equal.index(False) if False in equal else K
    assert memory.reads == K + K - first
    assert alike(made(request, memory), before)  # and back


def test_settings_cost_no_reads_where_only_the_finest_scale_is_drawn():
    memory, whole = PrefixCache(), pyramid()
    given = Request((1,), (7,), PLAIN, Plan.resume(whole, K - 1))
    made(given, memory)
    for change in CHANGES.values():
        if change(given).plan is given.plan:
            made(change(given), memory)
    assert memory.reads == K


@pytest.mark.parametrize("labels", [(2,), (NULL,), (1, 1)])
def test_another_label_is_read_anew(labels):
    memory = PrefixCache()
    made(Request((1,), (7,), PLAIN), memory)
    other = Request(labels, (7,) * len(labels), PLAIN)
    assert alike(made(other, memory), made(other, PrefixCache()))
    assert memory.reads == 2 * K


def test_another_model_is_read_anew_and_its_pictures_are_decoded_anew():
    other = Pipeline(checkpoints.LoadedModel(SPEC, *networks(seed=1), digest="another"))
    request, memory = Request((1,), (7,), PLAIN), PrefixCache()
    recorded(pipeline(), request, memory)
    found, fresh = recorded(other, request, memory), recorded(other, request)
    assert memory.reads == 2 * K
    assert torch.equal(found.tokens, fresh.tokens) and torch.equal(found.pictures, fresh.pictures)


@pytest.mark.parametrize("stop", range(1, K))
@pytest.mark.parametrize("before", [False, True])
def test_a_run_that_is_dropped_half_way_leaves_a_memory_of_what_it_read(stop, before):
    request, memory = Request((1,), (7,), PLAIN), PrefixCache()
    if before:
        made(replace(request, seeds=(8,)), memory)
    running = pipeline().steps(request, memory)
    for _ in range(stop):
        next(running)
    running.close()
    reads = memory.reads
    assert alike(made(request, memory), made(request, PrefixCache()))
    assert memory.reads - reads <= K - stop


def test_steps_of_a_remembered_run_do_not_change_later():
    request, memory = Request((1,), (7,), PLAIN), PrefixCache()
    steps = made(request, memory)
    copies = [(step.tokens.clone(), step.f_hat.clone(), step.confidence.clone()) for step in steps]
    for change in CHANGES.values():
        made(change(request), memory)
    for step, (tokens, f_hat, confidence) in zip(steps, copies, strict=True):
        assert torch.equal(step.tokens, tokens) and torch.equal(step.f_hat, f_hat)
        assert torch.equal(step.confidence, confidence)


def joined(requests: list[Request]) -> Request:
    labels, seeds = zip(*((request.labels[0], request.seeds[0]) for request in requests), strict=True)
    return Request(labels, seeds, requests[0].sampling, Plan.joined([request.plan for request in requests]))


@pytest.mark.parametrize("label", [1, NULL])
@pytest.mark.parametrize("guidance", [0.0, 2.0])
@pytest.mark.parametrize("scale", range(K))
def test_runs_side_by_side_from_a_spread_memory_draw_what_each_draws_alone(label, guidance, scale):
    base, memory = Request((label,), (7,), replace(PLAIN, guidance=guidance)), PrefixCache()
    tokens = [step.tokens for step in made(base, memory)]
    plans = [Plan.resume(tokens, scale + 1).replace(scale, torch.tensor([0]), torch.tensor([v])) for v in (3, 40, 63)]
    apart = [replace(base, seeds=(seed,), plan=plan) for seed, plan in zip((7, 8, 9), plans, strict=True)]
    many = memory.spread(3, scale + 1)
    together = made(joined(apart), many)
    assert many.reads == K - 1 - scale  # each new token changes what the finer scales are shown
    for place, request in enumerate(apart):
        for step, wanted in zip(together, made(request), strict=True):
            assert torch.equal(step.tokens[place : place + 1], wanted.tokens)
    assert memory.reads == K and alike(made(base, memory), made(base, PrefixCache())) and memory.reads == K


def test_a_memory_can_be_spread_again_and_again():
    memory = PrefixCache()
    base = Request((1,), (7,), PLAIN)
    steps = made(base, memory)
    twice = memory.spread(2, K).spread(3, K)
    six = made(Request((1,) * 6, (7,) * 6, PLAIN), twice)
    assert twice.reads == 0
    assert all(torch.equal(a.tokens.expand(6, -1), b.tokens) for a, b in zip(steps, six, strict=True))


@pytest.mark.parametrize("scales", [0, 2, K, 99])
def test_a_spread_memory_serves_a_trace_like_any_other(scales):
    request, memory = Request((1,), (7,), PLAIN), PrefixCache()
    wanted = recorded(pipeline(), request, memory)
    spread = memory.spread(1, scales)
    found = recorded(pipeline(), request, spread)
    assert spread.reads == max(0, K - scales)
    for name in ("tokens", "queries", "keys", "entropy", "probability", "pictures"):
        assert torch.equal(getattr(found, name), getattr(wanted, name))


def test_a_memory_does_not_keep_a_network_alive():
    pipe, memory = Pipeline(checkpoints.LoadedModel(SPEC, *networks(seed=1), digest="another")), PrefixCache()
    request, gone = Request((1,), (7,), PLAIN), weakref.ref(pipe.var)
    recorded(pipe, request, memory)
    del pipe
    gc.collect()
    assert gone() is None
    for again in (memory, memory.spread(1, K)):
        assert alike(made(request, again), made(request, PrefixCache()))


def test_a_memory_says_how_many_bytes_it_holds():
    memory, config = PrefixCache(), SPEC.transformer
    assert memory.nbytes == 0
    made(Request((1,), (7,), PLAIN), memory)
    tokens = 2 * pipeline().schedule.total  # of both branches
    numbers = 3 * config.depth * config.width + config.width  # keys, values, queries; what the head read
    shown = pipeline().schedule.total * config.code_width
    assert memory.nbytes == 4 * (tokens * numbers + shown)
    assert memory.spread(3, K).nbytes == 3 * memory.nbytes


def test_a_memory_of_nothing_can_be_spread():
    spread, request = PrefixCache().spread(2, 3), Request((1, 1), (7, 8), PLAIN)
    assert alike(made(request, spread), made(request, PrefixCache()))


def test_a_spread_memory_of_another_picture_is_not_taken_for_this_one():
    memory = PrefixCache()
    made(Request((1,), (7,), PLAIN), memory)
    request = Request((1, 1), (8, 9), PLAIN)
    found, fresh = made(request, memory.spread(2, K)), made(request)
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(found, fresh, strict=True))


@pytest.mark.parametrize(("guidance", "rows"), [(2.0, 2), (0.0, 1)])
def test_a_run_without_a_memory_keeps_no_queries_and_reads_no_branch_that_it_does_not_need(monkeypatch, guidance, rows):
    caches, new_cache = [], VAR.new_cache
    monkeypatch.setattr(VAR, "new_cache", lambda *given: caches.append(new_cache(*given)) or caches[-1])
    made(Request((1,), (7,), replace(PLAIN, guidance=guidance)))
    (cache,) = caches
    assert type(cache) is KVCache and cache.store.shape[2] == rows
