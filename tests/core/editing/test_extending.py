"""Extending: the photo goes on at its sides, strip by strip and square by square, and stays as it is."""

import numpy as np
import pytest
from support.masks import MASKS, photo
from support.tiny import SPEC, pipeline

from var_core.editing.canvas import extended
from var_core.editing.edit import MOST_SQUARES, Edit, cut_to, onward, run_edit, squares, stages
from var_core.editing.edit_settings import EditSettings

SIDE = SPEC.tokenizer.image_side  # 32
NULL = SPEC.transformer.null_label


@pytest.mark.parametrize("sides", [(4, 4, 4, 4), (70, 0, 0, 0), (0, 0, 3, 0)])
@pytest.mark.parametrize("growth", [0, 3])
def test_extending_never_sees_what_is_painted_and_redraws_all_of_it(sides, growth):
    mask = MASKS["islands"]
    other = photo().copy()
    other[mask] = 255 - other[mask]
    settings = EditSettings(dilate=growth)
    edits = [onward(Edit(pixels, mask, (1,), (3,), settings=settings), *sides) for pixels in (photo(), other)]
    first, second = (run_edit(pipeline(), edit)[0] for edit in edits)
    assert np.array_equal(first, second)
    reached = np.zeros(edits[0].mask.shape, bool)
    for box in squares(pipeline(), edits[0], edits[0].hole_mask()):
        reached[box.inside(reached.shape)] = True
    assert reached[edits[0].hole_mask()].all()


def test_shrinking_leaves_the_new_border_as_it_is_and_is_refused_where_nothing_remains():
    edit = onward(Edit(photo(), MASKS["box"], (1,), (3,), settings=EditSettings(dilate=-4)), 0, 0, 9, 0)
    assert edit.hole_mask()[:, 56:].all() and edit.hole_mask()[:, :56].sum() < MASKS["box"].sum()
    with pytest.raises(ValueError, match="dilate -20 leaves nothing of the mask: shrink it by less"):
        run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=EditSettings(dilate=-20)))


def test_an_extension_of_too_many_squares_is_refused_with_the_remedy():
    edit = onward(Edit(photo(), MASKS["box"], (1,), (3,)), 3000, 0, 0, 3000)
    with pytest.raises(ValueError, match=rf"more than {MOST_SQUARES} squares\. Extend by less at once\.$"):
        run_edit(pipeline(), edit)
    long = Edit(photo(10, 8000), np.zeros((10, 8000), bool), (1,), (3,))
    with pytest.raises(ValueError, match=r"squares.* by less at once, or cut so long a photo into shorter pieces"):
        run_edit(pipeline(), onward(long, 0, 5, 0, 0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("share", [0.01, 0.5, 1])
def test_photos_of_ordinary_shape_can_be_extended_by_their_own_size_on_every_side(shape, share):
    height, width = (40 * length for length in shape)
    sides = [round(share * length) or 1 for length in (width, height) * 2]
    edit = onward(Edit(photo(height, width), np.zeros((height, width), bool), (1,), (3,)), *sides)
    assert len(squares(pipeline(), edit, edit.hole_mask())) < 0.85 * MOST_SQUARES


@pytest.mark.parametrize("sides", [(4, 4, 4, 4), (70, 0, 0, 0), (0, 33, 10, 0)])
def test_extending_paints_the_new_part_alone(sides):
    canvas, mask = extended(photo(), *sides)
    edit = Edit(canvas, mask, (NULL,), (1,), settings=EditSettings(feather=0), extend=sides)
    found = [*stages(pipeline(), edit)]
    (result,) = found[-1].photos
    assert np.array_equal(result[~mask].reshape(40, 56, 3), photo())
    assert found[-1].turn + 1 == found[-1].turns == len(squares(pipeline(), edit, edit.hole_mask()))
    assert (result[mask].reshape(-1, 3).std(0) > 0).all()


def test_neighbouring_squares_draw_from_different_seeds():
    canvas, mask = extended(np.full((SIDE, SIDE, 3), 128, np.uint8), 0, 0, SIDE, 0)
    edit = Edit(canvas, mask, (1,), (1,), extend=(0, 0, SIDE, 0))
    halves = [stage.drawn for stage in stages(pipeline(), edit) if stage.photos]
    assert len(halves) == 2 and not np.array_equal(*halves)


@pytest.mark.parametrize("sides", [(0, 0, 70, 0), (30, 0, 60, 0), (0, 40, 0, 50)])
@pytest.mark.parametrize("harmonise", [0, 2])
def test_the_strips_that_are_done_make_an_edit_of_their_own(sides, harmonise):
    edit = onward(Edit(photo(), MASKS["box"], (1, 2), (3, 4), settings=EditSettings(harmonise=harmonise)), *sides)
    finished, parts = [stage for stage in stages(pipeline(), edit) if stage.done], []
    boxes = squares(pipeline(), edit, edit.hole_mask())
    assert [stage.done for stage in finished] == list(range(1, len(boxes) + 1))
    for stage in finished:
        if found := cut_to(edit, boxes, stage.photos, stage.done):
            part, photos = found
            parts.append(part)
            for ours, theirs in zip(run_edit(pipeline(), part), photos, strict=True):
                assert np.array_equal(ours, theirs)
            assert np.array_equal(part.photo[part.inner], edit.photo[edit.inner])
    assert parts[0].extend == (0, 0, 0, 0) and parts[-1].extend == edit.extend
    assert len({part.extend for part in parts}) == len(parts) > 2  # each has a strip more than the one before


def test_a_photo_of_which_a_part_is_not_drawn_yet_is_no_edit():
    edit = Edit(photo(), MASKS["box"], (1,), (3,))
    assert cut_to(edit, squares(pipeline(), edit, edit.hole_mask()), (edit.photo,), 0) is None
