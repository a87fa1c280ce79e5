"""What the Edit tab gives to the pictures of the visit."""

from support.edits import SAMPLING, asked, watched

from var_core.settings import named
from var_studio.edit.form import CHANGE
from var_studio.edit.giving import pictures_of
from var_studio.shared.visit_pictures import EDIT


def test_every_result_is_a_picture_that_says_what_was_asked_for_and_how_long_it_took(handlers):
    result = watched(handlers, asked(handlers, CHANGE, "Rose")[0]).result
    one, two = pictures_of(result)
    assert (one.tab, one.file, one.shown) == (EDIT, result.files[0], result.shown_files[0])
    assert one.words.startswith("garden · Change into Rose · seeds 5 to 6") and one.words.endswith(" s")
    assert f"seed {result.requests[1].seeds[0]} of these 2 variations" in two.words
    assert two.made == (result, 1) and one.small != two.small and one.folder == two.folder
    assert named(result.form.sampling) == SAMPLING and one.nbytes == result.painted.nbytes > 0


def test_before_an_edit_there_is_none():
    assert pictures_of(None) == []
