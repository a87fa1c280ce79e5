"""Editing: what is painted changes, by what lies around it; nothing else does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.masks import MASKS, painted, photo
from support.tiny import SPEC, pipeline

from var_core.config import Sampling
from var_core.device_memory import picture_bytes
from var_core.editing import edit as edit_module
from var_core.editing.canvas import FILLS, MOST_SIDE, Box, dilated
from var_core.editing.edit import MOST_SQUARES, Edit, guess, run_edit, squares, stages
from var_core.editing.edit_settings import REPAINTING, EditSettings
from var_core.editing.square import second_pass
from var_core.engine.inpainting import inpainting
from var_core.engine.request import Request

SIDE = SPEC.tokenizer.image_side  # 32
NULL = SPEC.transformer.null_label
WAYS = [
    EditSettings(),
    EditSettings(follow=False, detail=False),
    EditSettings(match=False, fill="telea", first_free_scale=2, min_coverage=0.0),
    EditSettings(harmonise=4),
]


@pytest.mark.parametrize("settings", WAYS)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_every_pixel_outside_the_grown_and_feathered_mask_stays(mask, settings):
    results = run_edit(pipeline(), Edit(photo(), mask, (1, NULL), (3, 4), settings=settings))
    reached = dilated(dilated(mask, settings.dilate), settings.feather)
    assert len(results) == 2
    for result in results:
        assert result.shape == photo().shape and result.dtype == np.uint8
        assert np.array_equal(result[~reached], photo()[~reached])
        assert not np.array_equal(result[mask], photo()[mask])


def test_growing_lets_more_pixels_change():
    settings = EditSettings(dilate=5, feather=0)
    (result,) = run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=settings))
    changed, reached = (result != photo()).any(-1), dilated(MASKS["box"], 5)
    assert (changed & ~MASKS["box"]).any() and not (changed & ~reached).any()


@pytest.mark.parametrize("settings", [*WAYS, *(EditSettings(fill=kind) for kind in FILLS)])
def test_pixels_under_the_mask_never_reach_the_result(settings):
    mask = MASKS["islands"] | MASKS["box"]
    other = photo().copy()
    other[mask] = 255 - other[mask]
    edits = [Edit(pixels, mask, (2, NULL), (3, 4), settings=settings) for pixels in (photo(), other)]
    first, second = ([*stages(pipeline(), edit)] for edit in edits)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.step.tokens, b.step.tokens)
        assert all(torch.equal(x, y) for x, y in zip(a.work.plan.tokens, b.work.plan.tokens, strict=True))
    reached = dilated(mask, settings.feather)
    for a, b in zip(first[-1].photos, second[-1].photos, strict=True):
        assert np.array_equal(a[mask], b[mask]) and np.array_equal(a[~reached], b[~reached])
        assert np.array_equal(a, b)


def test_an_empty_mask_gives_the_photo_itself_without_work():
    edit = Edit(photo(), np.zeros((40, 56), bool), (1, 2), (3, 4))
    assert not [*stages(pipeline(), edit)]
    assert all(np.array_equal(result, photo()) for result in run_edit(pipeline(), edit))


@pytest.mark.parametrize("settings", WAYS)
def test_a_full_mask_is_generation(settings):
    square = photo(SIDE, SIDE)
    edit = Edit(square, np.ones((SIDE, SIDE), bool), (1, NULL), (3, 4), settings=settings)
    wanted = pipeline().run(Request((1, NULL), (3, 4)))
    for result, image in zip(run_edit(pipeline(), edit), wanted.images, strict=True):
        assert np.array_equal(result, np.array(image))


@pytest.mark.parametrize("follow", [True, False])
def test_a_variation_does_not_depend_on_its_neighbours_nor_no_class_on_the_second_branch(follow):
    settings = EditSettings(follow=follow)
    (alone,) = run_edit(pipeline(), Edit(photo(), MASKS["box"], (NULL,), (7,), settings=settings))  # one branch
    beside = run_edit(pipeline(), Edit(photo(), MASKS["box"], (1, NULL), (5, 7), settings=settings))  # two branches
    assert np.array_equal(alone, beside[1])


def test_seed_and_class_change_what_is_painted():
    results = run_edit(pipeline(), Edit(photo(), MASKS["box"], (1, 1, 4), (5, 8, 5)))
    assert len({result.tobytes() for result in results}) == 3


def test_kept_tokens_are_the_photo_s_where_they_are_fixed():
    settings = EditSettings(follow=False)
    for stage in stages(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=settings)):
        keep = stage.step.keep
        assert torch.equal(stage.step.tokens[keep], stage.work.plan.tokens[stage.step.scale][keep])


@torch.no_grad()
def test_following_with_everything_kept_is_encoding():
    views = torch.from_numpy(np.stack([photo(SIDE, SIDE, seed) for seed in (0, 1)]))
    plan = inpainting(pipeline(), views, torch.zeros(SIDE, SIDE), 0.0, 0, True)
    for step in pipeline().steps(Request((1, NULL), (3, 4), plan=plan)):
        assert step.keep.all() and torch.equal(step.tokens, plan.tokens[step.scale])


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_however_small_what_is_painted_two_seeds_draw_it_differently(mask):
    edit = Edit(photo(), mask, (1,) * 4, (3, 4, 5, 6))
    drawn = [stage.drawn for stage in stages(pipeline(), edit) if stage.photos]
    assert len({picture.tobytes() for picture in drawn[-1]}) > 1


def test_a_variation_alone_is_what_it_is_among_others():
    together = run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,) * 4, (3, 4, 5, 6)))
    assert np.array_equal(together[2], run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (5,)))[0])


def test_where_memory_is_short_variations_come_in_parts_and_are_the_same(monkeypatch):
    edit = Edit(photo(), MASKS["box"], (1, 2, NULL), (3, 4, 5), settings=EditSettings(harmonise=2, candidates=1))
    together = run_edit(pipeline(), edit)
    each = picture_bytes(SPEC, pipeline().schedule.lengths)
    monkeypatch.setattr("var_core.engine.pipeline.free_memory", lambda _: int(2.5 * each / 0.9))
    found = [*stages(pipeline(), edit)]
    assert [stage.progress.begun for stage in found] == [2, 2, 2, 2, 3, 3, 3, 3] * 2
    assert [len(stage.photos) for stage in found] == [*[0] * 7, 3] * 2
    for ours, theirs in zip(found[-1].photos, together, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_what_takes_too_large_a_square_is_refused_before_any_work():
    stroke = painted(30, MOST_SIDE + 100, (slice(10, 12), slice(None)))
    edit = Edit(np.zeros((*stroke.shape, 3), np.uint8), stroke, (1,), (3,))
    with pytest.raises(ValueError, match=rf"a square of {MOST_SIDE + 100} pixels: at most {MOST_SIDE}\. Paint less"):
        next(stages(pipeline(), edit))


@pytest.mark.parametrize("feather", [0, 6, 25])
@pytest.mark.parametrize("context", [1.0, 2.0])
def test_the_square_holds_the_feather(feather, context):
    mask = painted(90, 110, (slice(20, 60), slice(30, 70)))
    edit = Edit(photo(90, 110), mask, (1,), (3,), settings=EditSettings(context=context, feather=feather))
    (box,) = squares(pipeline(), edit, edit.hole_mask())
    assert box.cut(dilated(mask, feather)).sum() == dilated(mask, feather).sum()
    assert box.side == max(40 * context, 40 + 2 * feather)


def test_what_a_change_looks_at_leaves_what_is_guessed_as_it_is():
    """A guess needs what is around, of which a change looks at little."""
    mask = painted(90, 110, (slice(20, 60), slice(30, 70)))
    wanted = guess(pipeline(), photo(90, 110), mask, REPAINTING)
    assert guess(pipeline(), photo(90, 110), mask, replace(REPAINTING, context=1.15, smallest_square=0.25)) == wanted
    assert guess(pipeline(), photo(90, 110), mask, replace(REPAINTING, context=4.0)) != wanted


def test_a_small_part_is_enlarged_where_the_square_may_be_smaller_than_what_is_encoded():
    mask = painted(90, 110, (slice(20, 30), slice(30, 40)))
    for smallest, side in ((1.0, SIDE), (0.55, 18), (0.05, 15)):
        settings = EditSettings(context=1.5, feather=0, smallest_square=smallest)
        edit = Edit(photo(90, 110), mask, (1,), (3,), settings=settings)
        (box,) = squares(pipeline(), edit, edit.hole_mask())
        assert box.side == side
        (result,) = run_edit(pipeline(), edit)
        assert np.array_equal(result[~mask], edit.photo[~mask]) and (result != edit.photo)[mask].any()


def test_a_feather_around_all_there_is_to_see_fades_everywhere():
    mask = painted(90, 110, (slice(20, 60), slice(30, 70)))
    (result,) = run_edit(
        pipeline(), Edit(photo(90, 110), mask, (1,), (3,), settings=EditSettings(context=1.0, feather=9))
    )
    changed = (result != photo(90, 110)).any(-1)
    assert changed[:20].any() and changed[60:].any() and changed[:, :30].any() and changed[:, 70:].any()


def test_following_comes_nearer_to_the_kept_features_than_fixed_tokens():
    mask = painted(SIDE, SIDE, (slice(8, 20), slice(8, 20)))
    missed = {}
    for follow in (True, False):
        edit = Edit(
            photo(SIDE, SIDE), mask, (1,) * 8, tuple(range(8)), settings=EditSettings(follow=follow, context=9.0)
        )
        *_, last = stages(pipeline(), edit)
        f = inpainting(
            pipeline(), torch.from_numpy(last.work.views), torch.from_numpy(last.work.hole.coverage), 0, 0, True
        )
        keep = last.step.keep[:, None].unflatten(-1, last.step.f_hat.shape[-2:]).expand_as(last.step.f_hat)
        missed[follow] = (last.step.f_hat - f.target)[keep].square().mean()
    assert missed[True] < missed[False]


def test_stages_come_scale_by_scale_and_only_the_last_holds_the_photos():
    found = [*stages(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,)))]
    assert [stage.step.scale for stage in found] == [0, 1, 2, 3]
    assert [len(stage.photos) for stage in found] == [0, 0, 0, 1]
    assert found[-1].drawn.shape == (1, SIDE, SIDE, 3)


def test_a_second_pass_draws_anew_along_the_seam_alone():
    settings = EditSettings(harmonise=2, feather=0)
    found = [*stages(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=settings))]
    assert [stage.turn for stage in found] == [0] * 4 + [1] * 4 and found[0].turns == 2
    first, second = found[3], found[7]
    free = ~second.work.plan.keep[3][0]
    assert all(keep.all() for keep in second.work.plan.keep[:2]) and 0 < free.sum() < 16
    assert not np.array_equal(first.photos[0], second.photos[0])
    bare = EditSettings(feather=0, detail=False)  # what is borrowed comes last
    assert np.array_equal(
        first.photos[0], run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=bare))[0]
    )
    bare = replace(settings, detail=False)
    (second_bare,) = run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=bare))
    assert not np.array_equal(second.photos[0], second_bare)


def test_only_a_pass_that_follows_is_prepared(monkeypatch):
    prepared = []
    monkeypatch.setattr(edit_module, "second_pass", lambda *given: prepared.append(given) or second_pass(*given))
    run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=EditSettings(harmonise=2)))
    assert len(prepared) == 1


def test_a_box_of_one_s_own_is_worked_on_and_nothing_outside_it():
    box = Box(20, 5, 12)
    (result,) = run_edit(
        pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), settings=EditSettings(feather=0), boxes=(box,))
    )
    changed = (result != photo()).any(-1)
    changed[box.inside(changed.shape)] = False
    assert not changed.any()


def test_the_photo_and_the_mask_are_left_alone():
    pixels, mask = photo().copy(), MASKS["islands"].copy()
    run_edit(pipeline(), Edit(pixels, mask, (1,), (3,)))
    assert np.array_equal(pixels, photo()) and np.array_equal(mask, MASKS["islands"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fill": "magic"}, "fill 'magic': choose one of spread"),
        ({"min_coverage": 1.5}, "min_coverage 1.5 is out of range: choose 0 to 1"),
        ({"context": 0.5}, "context 0.5 is out of range: choose 1 to 10"),
        ({"feather": -1}, "feather -1 is out of range: choose 0 to 4096"),
        ({"harmonise": 33}, "harmonise 33 is out of range: choose 0 to 32"),
        ({"dilate": 5000}, "dilate 5000 is out of range: choose -4096 to 4096"),
        ({"first_free_scale": -1}, "first_free_scale -1 is out of range: choose 0 to 10000"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_range(wrong, words):
    with pytest.raises(ValueError, match=words):
        EditSettings(**wrong)


def test_boxes_that_cannot_be_worked_on_are_refused():
    for box, words in ((Box(56, 0, 9), "misses the photo of 56 x 40"), (Box(0, 0, 113), "more than twice as large")):
        with pytest.raises(ValueError, match=words):
            Edit(photo(), MASKS["box"], (1,), (3,), boxes=(Box(0, 0, 9), box))
    many = (Box(0, 0, 9),) * (MOST_SQUARES + 1)
    with pytest.raises(ValueError, match=f"{MOST_SQUARES + 1} boxes: choose {MOST_SQUARES} at most"):
        Edit(photo(), MASKS["box"], (1,), (3,), boxes=many)


def test_what_does_not_fit_together_is_refused():
    mask = MASKS["box"]
    with pytest.raises(ValueError, match=r"give uint8 \(H, W, 3\)"):
        Edit(photo()[..., 0], mask, (1,), (1,))
    with pytest.raises(ValueError, match="give bool of the same height and width"):
        Edit(photo(), mask[:-1], (1,), (1,))
    with pytest.raises(ValueError, match="give one seed to each label"):
        Edit(photo(), mask, (1,), (1, 2))
    with pytest.raises(ValueError, match="choose a coverage of 0 to 1 and a scale of 0 to 4"):
        run_edit(pipeline(), Edit(photo(), mask, (1,), (1,), settings=EditSettings(first_free_scale=5)))


def test_guidance_and_smooth_reach_the_model():
    plain, guided, smooth = (
        run_edit(pipeline(), Edit(photo(), MASKS["box"], (1,), (3,), sampling))[0]
        for sampling in (Sampling(), Sampling(guidance=8), Sampling(smooth=True))
    )
    assert not np.array_equal(plain, guided) and not np.array_equal(plain, smooth)
