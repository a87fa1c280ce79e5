"""Every rung of the ladder gives the same tokens, so that their times can be compared."""

import pytest
import tiny
import torch

from var_core.ladder import (
    EDIT,
    PICTURE,
    RUNGS,
    TASKS,
    climb,
    clocked,
    fitted,
    peaks,
    plain_filter,
    random_networks,
    report,
)
from var_core.sampling import Sampling, filter_logits
from var_core.schedule import Schedule

SAMPLING = Sampling(top_k=20, top_p=0.9)


@pytest.mark.parametrize(("top_k", "top_p"), [(5, 0.5), (64, 0.9), (20, 1.0), (1, 0.1), (900, 0.95)])
def test_the_plain_filter_keeps_what_the_engine_keeps(top_k, top_p):
    logits = torch.randn(2, 7, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain_filter(logits, top_k, top_p), filter_logits(logits, top_k, top_p))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", list(RUNGS))
def test_every_rung_draws_the_tokens_of_the_plain_one(task, name):
    plain = clocked(fitted(random_networks(tiny.SPEC), RUNGS["plain"]), task, RUNGS["plain"], SAMPLING)
    found = clocked(fitted(random_networks(tiny.SPEC), RUNGS[name]), task, RUNGS[name], SAMPLING)
    assert torch.equal(found.tokens, plain.tokens)
    assert len(found.seconds) == len(tiny.SIDES) + 1 and min(found.seconds) > 0


def test_the_two_tasks_differ():
    networks = random_networks(tiny.SPEC)
    picture, edit = (clocked(networks, task, RUNGS["plain"], SAMPLING).tokens for task in (PICTURE, EDIT))
    assert not torch.equal(picture, edit)


def test_the_ladder_is_told_as_a_table():
    rungs = climb(tiny.SPEC, 1, SAMPLING)
    assert [rung.name for rung in rungs] == list(RUNGS)
    assert all(count == 0 for rung in rungs for count in rung.differing.values())
    text = report(rungs, Schedule(tiny.SIDES))
    assert all(f"| {name} |" in text for name in RUNGS)
    assert text.splitlines()[2].split("|")[3].strip() == "1.00"


def test_memory_is_that_of_processes_of_their_own():
    held = bytearray(300_000_000)
    found = peaks(tiny.SPEC, SAMPLING)
    assert len(found) == 2
    assert all(50_000_000 < peak < 2_000_000_000 for peak in found.values())
    assert len(held) == 300_000_000
