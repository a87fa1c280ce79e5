"""The endpoints that edit give what the Edit tab gives, and refuse in one sentence what it refuses."""

import gradio as gr
import pytest
from support import tiny
from support.called import last, pixels
from support.opened import FILES

from var_studio.api.edits import EditEndpoints
from var_studio.shared.models import Models


@pytest.fixture
def api(tmp_path) -> EditEndpoints:
    return EditEndpoints(Models(tiny.pipeline()), str(tmp_path), FILES)


def test_an_edit_changes_only_what_is_painted(api, photo, mask):
    status, files = last(api.edit(photo, mask, "change", "2", count=2, seed=3, settings={"feather": 0, "dilate": 0}))
    assert sorted(status["seeds"]) == [3, 4] and len(files) == 2
    painted, before = pixels(mask)[..., 0] > 0, pixels(photo)
    for file in files:
        assert (pixels(file)[~painted] == before[~painted]).all()
    assert any((pixels(file) != before).any() for file in files)


def test_an_extension_keeps_the_photo(api, photo):
    _, (file,) = last(api.extend(photo, left=10, bottom=8, settings={"feather": 0}))
    assert pixels(file).shape == (48, 70, 3) and (pixels(file)[:40, 10:] == pixels(photo)).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda api, photo, mask: api.edit(photo, mask, "paint"), "task 'paint': choose one of inpaint, remove"),
        (lambda api, photo, mask: api.edit(photo, mask, "change"), "Choose a class"),
        (lambda api, photo, _: api.edit(photo, photo + ".no"), "photo.png.no"),
        (lambda api, photo, _: api.extend(photo), "Say how far to extend"),
        (lambda api, photo, _: api.extend(photo, left=-3), "left -3: choose 0 or more"),
    ],
)
def test_an_edit_that_cannot_be_done_is_said_in_a_sentence(api, photo, mask, call, sentence):
    with pytest.raises(gr.Error) as told:
        list(call(api, photo, mask))
    assert sentence in str(told.value.message)
