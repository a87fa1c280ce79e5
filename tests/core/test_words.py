"""Numbers have their nouns."""

import pytest

from var_core.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (1, "picture", "1 picture"),
        (0, "picture", "0 pictures"),
        (1200, "val picture", "1,200 val pictures"),
        (1, "class", "1 class"),
        (7, "class", "7 classes"),
    ],
)
def test_a_noun_is_plural_unless_there_is_one(number, noun, words):
    assert counted(number, noun) == words
