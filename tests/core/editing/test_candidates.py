"""Candidates: of several drawings of a square the one that fits its surroundings is taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SPEC, in_order, masked_pipeline, pipeline

from var_core.config import Sampling
from var_core.editing import candidates
from var_core.editing.candidates import CANDIDATE_STRIDE, colours_apart, features_apart, misfit
from var_core.editing.edit import Edit, EditStage, run_edit, stages
from var_core.editing.edit_settings import EditSettings

NULL = SPEC.transformer.null_label
PHOTO = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
MASK = np.zeros((32, 32), bool)
MASK[8:24, 4:24] = True


def edit(count: int, label: int = NULL, seeds: tuple[int, ...] = (3, 4)) -> Edit:
    settings = EditSettings(candidates=count, min_coverage=0.1, first_free_scale=0)
    return Edit(PHOTO, MASK, (label,) * len(seeds), seeds, Sampling(top_k=0, top_p=1.0), settings)


def finished(asked: Edit) -> list[EditStage]:
    return [stage for stage in stages(pipeline(), asked) if stage.photos]


def seeds_of(asked: Edit) -> list[tuple[int, ...]]:
    return [stage.seeds for stage in finished(asked)]


def test_cells_are_as_far_as_the_nearest_known_cell():
    f_hat = torch.zeros(2, 1, 2, 2)
    f_hat[0, 0] = torch.tensor([[0.0, 5.0], [9.0, 7.0]])
    hole = torch.tensor([[False, False], [True, True]])
    assert features_apart(f_hat, hole).tolist() == [3.0, 0.0]


def test_colour_and_grain_that_are_nowhere_around_are_far():
    grass = np.random.default_rng(0).normal((60, 120, 40), 12, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    hole = np.zeros((64, 64), bool)
    hole[20:44, 20:44] = True
    white, flat = grass.copy(), grass.copy()
    white[hole] = 240
    flat[hole] = (60, 120, 40)
    same, smooth, blob = (colours_apart(picture, hole) for picture in (grass, flat, white))
    assert same < smooth < blob
    assert blob > 40


@pytest.mark.parametrize("hole", ["all but one pixel", "one pixel"])
def test_there_is_always_a_place_to_compare(hole: str):
    mask = np.full((64, 64), hole == "all but one pixel")
    mask[0, 0] = not mask[0, 0]
    assert np.isfinite(colours_apart(np.zeros((64, 64, 3), np.uint8), mask))


def test_the_best_of_the_candidates_is_taken(monkeypatch):
    wanted = iter([[5.0, 1.0], [2.0, 9.0], [4.0, 3.0]])
    monkeypatch.setattr(candidates, "misfit", lambda *_: np.array(next(wanted)))
    (stage,) = finished(edit(3))
    assert stage.seeds == (3 + CANDIDATE_STRIDE, 4)
    assert stage.misfit == (2.0, 1.0)


def test_what_is_taken_is_what_its_seed_draws():
    (stage,) = finished(edit(6, seeds=(8, 9)))
    assert stage.seeds != (8, 9)
    for row, seed in enumerate(stage.seeds):
        (alone,) = finished(edit(1, seeds=(seed,)))
        assert np.array_equal(alone.photos[0], stage.photos[row])
        assert np.array_equal(alone.drawn[0], stage.drawn[row])
        for one, both in zip(alone.progress.steps, stage.progress.steps, strict=True):
            assert torch.equal(one.tokens[0], both.tokens[row])


def test_more_candidates_never_fit_worse_than_fewer():
    found = [np.array(finished(edit(count, seeds=(8, 9)))[0].misfit) for count in (1, 2, 6)]
    assert (found[1] <= found[0]).all() and (found[2] <= found[1]).all()
    assert (found[2] < found[0]).any()


def test_the_misfit_is_that_of_what_is_shown():
    (stage,) = finished(edit(2))
    assert misfit(stage.work, stage.progress.f_hat, stage.drawn).tolist() == pytest.approx(stage.misfit)


def test_one_candidate_is_the_edit_as_it_was_and_seeds_repeat():
    assert seeds_of(edit(1)) == [(3, 4)]
    assert seeds_of(edit(5)) == seeds_of(edit(5))
    first, again = (run_edit(pipeline(), edit(5, seeds=(7,)))[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_a_variation_does_not_depend_on_the_others():
    both, alone = seeds_of(edit(6)), seeds_of(edit(6, seeds=(4,)))
    assert both[0][1] == alone[0][0]


def test_with_a_class_there_is_one_candidate(monkeypatch):
    monkeypatch.setattr(candidates, "misfit", lambda *_: pytest.fail("it was judged"))
    (stage,) = finished(edit(4, label=2))
    assert (stage.seeds, stage.candidates, stage.misfit) == ((3, 4), 1, (0.0, 0.0))


def test_a_hole_without_surroundings_has_one_candidate():
    whole = replace(edit(4), mask=np.ones((32, 32), bool))
    assert seeds_of(whole) == [(3, 4)]


def test_candidates_are_drawn_by_the_masked_path(monkeypatch):
    pipe, judged = masked_pipeline(), []
    monkeypatch.setattr(candidates, "misfit", lambda _work, f_hat, _: judged.append(f_hat) or np.zeros(len(f_hat)))
    (stage,) = [stage for stage in stages(pipe, edit(2)) if stage.photos]
    assert stage.work.plan.shown and torch.equal(judged[0], stage.progress.f_hat)


def test_of_variations_with_and_without_a_class_those_without_are_chosen(monkeypatch):
    monkeypatch.setattr(candidates, "misfit", lambda *_: -np.ones(2) * next(numbers))
    numbers = iter(range(9))
    assert seeds_of(replace(edit(3), labels=(NULL, 2))) == [(3 + 2 * CANDIDATE_STRIDE, 4)]


def test_candidates_are_told_scale_by_scale_and_can_be_stopped():
    scales, work = len(pipeline().schedule), stages(pipeline(), edit(3))
    told = [next(work) for _ in range(scales)]
    assert [(stage.candidate, stage.candidates) for stage in told] == [(0, 3)] * (scales - 1) + [(1, 3)]
    assert not any(stage.photos for stage in told)
    work.close()


def test_candidates_are_made_in_parts_where_memory_is_short(monkeypatch):
    whole = seeds_of(edit(4))
    monkeypatch.setattr(type(pipeline()), "at_once", lambda *_: 1)
    assert seeds_of(edit(4)) == whole


@pytest.mark.parametrize("order", ["raster", "spiral", "z-curve"])
def test_a_model_that_draws_cell_after_cell_has_one_candidate(order):
    pipe = pipeline(in_order(order))
    (stage,) = [stage for stage in stages(pipe, edit(3, seeds=(3,))) if stage.photos]
    assert stage.candidates == 1 and not np.array_equal(stage.photos[0][MASK], PHOTO[MASK])
