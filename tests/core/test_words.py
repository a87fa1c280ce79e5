"""Numbers have their nouns."""

import pytest

from var_core.words import counted, printable


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


def test_a_text_for_a_terminal_keeps_words_lines_and_tabs_and_loses_what_moves_colours_or_rings():
    assert printable("Rose\x1b[2J\x1b]0;owned\x07\rgone\x9b31m\u202eesor") == "Rose[2J]0;ownedgone31mesor"
    assert printable("Größe 睡莲\t1\n2 🌷") == "Größe 睡莲\t1\n2 🌷"
