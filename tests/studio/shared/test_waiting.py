"""What a run waits for: reckoned from those before it, and told in words."""

import pytest

from var_studio.shared.waiting import Ahead, Durations, Visitor, rounded, time_until_begun


def test_durations_follow_the_last_runs_and_no_run_is_ever_over():
    durations, anna = Durations(), Visitor("anna")
    durations.learn("edit", 4.0)
    durations.learn("edit", 14.0)
    assert durations.needed([(anna, "edit", 0.0)]) == [(anna, 7.0)]
    assert durations.needed([(anna, "edit", 6.0), (anna, "edit", 60.0)]) == [(anna, 1.0), (anna, pytest.approx(0.7))]
    assert durations.needed([(anna, "edit", 0.0), (anna, "draw", 0.0)]) is None


def test_time_until_a_run_begins_counts_those_that_share_the_model():
    anna, ben, cleo, dora = [Visitor(name) for name in ("anna", "ben", "cleo", "dora")]
    assert time_until_begun(dora, [(anna, 4.0), (ben, 10.0)], [], slots=3) == 0
    assert time_until_begun(dora, [(anna, 4.0), (ben, 10.0)], [], slots=2) == 8
    assert time_until_begun(dora, [(anna, 4.0), (ben, 10.0)], [(cleo, 3.0)], slots=2) == 14
    assert time_until_begun(anna, [(anna, 4.0), (ben, 10.0)], [], slots=4) == 8  # it is their own that they wait for
    assert time_until_begun(dora, [(anna, 4.0), (ben, 10.0)], [(cleo, 3.0)], slots=2, models=2) == 7


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (Ahead(0), "Waiting for the model …"),
        (Ahead(1), "Waiting: 1 run before yours"),
        (Ahead(2, 11.7), "Waiting: 2 runs before yours, about 12 s"),
        (Ahead(9, 0.1), "Waiting: 9 runs before yours, about 1 s"),
    ],
)
def test_who_waits_is_told_in_words(ahead: Ahead, words: str):
    assert str(ahead) == words


def test_times_are_told_as_nearly_as_they_are_known():
    assert [rounded(seconds) for seconds in (0.2, 11.4, 12.6, 58, 99, 130)] == [
        *("1 s", "11 s", "15 s", "60 s", "100 s", "2 min"),
    ]
