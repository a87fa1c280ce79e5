"""What an address may send in an hour."""

import pytest

from var_studio.hosting import budgets
from var_studio.hosting.budgets import Budgets
from var_studio.hosting.refusals import Refused
from var_studio.shared.limits import MEGABYTE


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_more_files_than_an_hour_s_are_refused_until_the_hour_is_over():
    clock = Clock()
    counted = Budgets(files=3, megabytes=100, clock=clock)
    for _ in range(3):
        counted.spend("a", files=1)
    with pytest.raises(Refused, match="3 files within an hour") as refused:
        counted.spend("a", files=1)
    assert refused.value.status == 429 and 3000 < refused.value.wait <= 3600
    counted.spend("b", files=3)
    clock.now += 3661
    counted.spend("a", files=3)


def test_bytes_are_counted_as_they_come():
    counted = Budgets(files=10, megabytes=2, clock=Clock())
    for _ in range(20):
        counted.spend("a", size=MEGABYTE // 10)
    with pytest.raises(Refused, match="2 MB within an hour"):
        counted.spend("a", size=1)


def test_the_hour_slides():
    clock = Clock()
    counted = Budgets(files=4, megabytes=1, clock=clock)
    counted.spend("a", files=3)
    clock.now += 1800
    counted.spend("a", files=1)
    clock.now += 1861
    counted.spend("a", files=3)
    with pytest.raises(Refused):
        counted.spend("a", files=1)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(budgets, "MOST_ADDRESSES", 5)
    counted = Budgets(files=1, megabytes=1, clock=Clock())
    for number in range(50):
        counted.spend(str(number), files=1)
    assert len(counted.sent) == 5
