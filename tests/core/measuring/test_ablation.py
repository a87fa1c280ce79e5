"""Every variant gives the same tokens, so that their times can be compared."""

import pytest
import torch
from support import tiny

from var_core.config import Sampling
from var_core.engine.sampling import filter_logits
from var_core.measuring.ablation import (
    EDIT,
    ON_GPU,
    PICTURE,
    TASKS,
    VARIANTS,
    Variant,
    clocked,
    peaks,
    plain_filter,
    random_networks,
    report,
    run_ablation,
    switched,
    throughput,
)
from var_core.schedule import Schedule

SAMPLING = Sampling(top_k=20, top_p=0.9)


@pytest.mark.parametrize(("top_k", "top_p"), [(5, 0.5), (64, 0.9), (20, 1.0), (1, 0.1), (900, 0.95)])
def test_the_plain_filter_keeps_what_the_engine_keeps(top_k, top_p):
    logits = torch.randn(2, 7, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain_filter(logits, top_k, top_p), filter_logits(logits, top_k, top_p))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variant_draws_the_tokens_of_the_plain_one(task, name):
    plain = clocked(switched(random_networks(tiny.SPEC), VARIANTS["plain"]), task, VARIANTS["plain"], SAMPLING)
    found = clocked(switched(random_networks(tiny.SPEC), VARIANTS[name]), task, VARIANTS[name], SAMPLING)
    assert torch.equal(found.tokens, plain.tokens)
    assert len(found.seconds) == len(tiny.SIDES) + 1 and min(found.seconds) > 0


def test_the_two_tasks_differ():
    networks = random_networks(tiny.SPEC)
    picture, edit = (clocked(networks, task, VARIANTS["plain"], SAMPLING).tokens for task in (PICTURE, EDIT))
    assert not torch.equal(picture, edit)


def test_the_variants_are_told_as_a_table():
    variants = run_ablation(tiny.SPEC, 1, SAMPLING)
    assert [variant.name for variant in variants] == list(VARIANTS)
    assert all(count == 0 for variant in variants for count in variant.differing.values())
    text = report(variants, Schedule(tiny.SIDES))
    assert all(f"| {name} |" in text for name in VARIANTS)
    assert text.splitlines()[2].split("|")[3].strip() == "1.00"


def test_what_a_gpu_would_run_runs_here():
    ways = {name: optimisations for name, optimisations in ON_GPU.items() if not optimisations.compiled}
    variants = run_ablation(tiny.SPEC, 1, SAMPLING, ways, batch=3)
    assert [variant.name for variant in variants] == list(ways)
    assert all(count == 0 for variant in variants[:-1] for count in variant.differing.values())
    halved = switched(random_networks(tiny.SPEC), ON_GPU["+ products in float16"]).var
    assert halved.blocks[0].attention.qkv.weight.dtype == torch.float16 and halved.head.weight.dtype == torch.float32
    assert throughput(
        [Variant("plain", {PICTURE: (1.0, 1.0)}, {}), Variant("+ all", {PICTURE: (0.5, 0.5)}, {})], 4
    ) == ("2.00 a second plain, 4.00 with all")


def test_every_picture_of_a_batch_is_drawn_as_alone():
    networks = random_networks(tiny.SPEC)
    both = clocked(networks, PICTURE, VARIANTS["plain"], SAMPLING, batch=2)
    assert torch.equal(both.tokens[:1], clocked(networks, PICTURE, VARIANTS["plain"], SAMPLING).tokens)


def test_memory_is_that_of_processes_of_their_own():
    held = bytearray(300_000_000)
    found = peaks(tiny.SPEC, SAMPLING)
    assert len(found) == 2
    assert all(50_000_000 < peak < 2_000_000_000 for peak in found.values())
    assert len(held) == 300_000_000
