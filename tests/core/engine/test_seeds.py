"""Seeds as text, and pictures that share the coarse scales of another one."""

import pytest
import torch
from support.tiny import pipeline

from var_core.engine.plan import Plan
from var_core.engine.request import Request
from var_core.engine.seeds import branched, counted_on, from_parts, parts_of, read_seed, seed_text


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        (5, "5"),
        ((5, 5, 5, 5), "5"),
        ((5, 5, 5, 9), "5, 9 from scale 4"),
        ((5, 9, 9, 2**62 + 1), f"5, 9 from scale 2, {2**62 + 1} from scale 4"),
    ],
)
def test_what_is_written_is_read_again(seed, text):
    assert seed_text(seed) == text
    assert parts_of(read_seed(text, 4)) == parts_of(seed)


def test_a_number_is_read_as_it_is():
    assert read_seed(7, 4) == read_seed("7", 4) == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lucky", "seed 'lucky' is not a number"),
        ("5, 9", "write a whole number, or two as in '5, 9 from scale 4'"),
        ("5, x from scale 2", "seed 'x' is not a number"),
        ("5, 9 from scale 1", "begin at scale 1, and go on upwards to 4"),
        ("5, 9 from scale 0", "begin at scale 1, and go on upwards to 4"),
        ("5, 9 from scale 5", "begin at scale 1, and go on upwards to 4"),
        ("5, 9 from scale 3, 8 from scale 2", "begin at scale 1, and go on upwards to 4"),
        ("", "seed is empty"),
    ],
)
def test_what_is_no_seed_is_answered_with_what_to_write(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_seed(text, 4)


def test_the_next_picture_goes_on_from_the_seed_of_the_finest_scales():
    assert counted_on(5, 2) == 7
    assert counted_on((5, 5, 9, 9), 2) == (5, 5, 11, 11)


def test_a_branch_keeps_the_coarse_scales_of_a_seed():
    assert branched(5, 2, 9, 4) == (5, 5, 9, 9)
    assert branched((5, 5, 9, 9), 3, 1, 4) == (5, 5, 9, 1)
    assert branched((5, 5, 9, 9), 1, 1, 4) == (5, 1, 1, 1)
    assert branched(5, 0, 9, 4) == 9 and branched(5, 4, 9, 4) == 5
    with pytest.raises(ValueError, match="kept scales 5: choose 0"):
        branched(5, 5, 9, 4)


def test_parts_that_all_have_one_seed_are_that_seed():
    assert from_parts([(0, 5), (2, 5)], 4) == 5


@pytest.mark.parametrize("kept", range(5))
def test_a_branch_is_the_picture_resumed_from_the_kept_tokens(kept: int):
    """Said with seeds alone, or with the tokens of the scales that are kept: the pictures are the same."""
    pipe = pipeline()
    parent = pipe.run(Request((1,), (5,)))
    by_seeds = pipe.run(Request((1,), (branched(5, kept, 9, 4),)))
    by_tokens = pipe.run(Request((1,), (9,), plan=Plan.resume(parent.tokens, kept)))
    for scale, (ours, theirs, before) in enumerate(zip(by_seeds.tokens, by_tokens.tokens, parent.tokens, strict=True)):
        assert torch.equal(ours, theirs)
        assert torch.equal(ours, before) or scale >= kept
    assert by_seeds.images[0].tobytes() == by_tokens.images[0].tobytes()
