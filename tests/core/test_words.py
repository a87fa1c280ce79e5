"""Numbers have their nouns, and lists of texts come back."""

import pytest

from var_core.words import comma_separated, counted, from_commas, printable


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


@pytest.mark.parametrize("texts", [["Rose", "Sea"], ["a, b", 'say "c"'], ["one"], []])
def test_texts_with_commas_between_them_are_read_again(texts):
    assert from_commas(comma_separated(texts)) == texts


def test_spaces_and_empty_places_are_left_out():
    assert from_commas(" 1, 2 ,,  4 ") == ["1", "2", "4"]


def test_a_text_that_is_no_list_is_answered():
    with pytest.raises(ValueError, match="put commas between"):
        from_commas("a\nb\rc")
