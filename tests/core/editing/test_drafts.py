"""Drafts: of several coarse beginnings the one that fits its surroundings is finished."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SPEC, in_order, masked_pipeline, pipeline

from var_core.config import Sampling
from var_core.editing import drafts
from var_core.editing.drafts import DRAFT_STRIDE, drafted, strangeness
from var_core.editing.edit import Edit, EditSettings, run, stages
from var_core.engine.request import Request

NULL = SPEC.transformer.null_label
PHOTO = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
MASK = np.zeros((32, 32), bool)
MASK[8:24, 4:24] = True


def edit(count: int, label: int = NULL, seeds: tuple[int, ...] = (3, 4)) -> Edit:
    settings = EditSettings(drafts=count, min_coverage=0.1, first_free_scale=0)
    return Edit(PHOTO, MASK, (label,) * len(seeds), seeds, Sampling(top_k=0, top_p=1.0), settings)


def seeds_of(asked: Edit) -> list[tuple[int, ...]]:
    return [stage.seeds for stage in stages(pipeline(), asked) if stage.photos]


def test_cells_are_as_strange_as_they_are_far_from_the_nearest_known_cell():
    f_hat = torch.zeros(2, 1, 2, 2)
    f_hat[0, 0] = torch.tensor([[0.0, 5.0], [9.0, 7.0]])
    hole = torch.tensor([[False, False], [True, True]])
    assert strangeness(f_hat, hole).tolist() == [3.0, 0.0]


def test_the_best_of_the_drafts_is_finished(monkeypatch):
    wanted = iter([[5.0, 1.0], [2.0, 9.0], [4.0, 3.0]])
    monkeypatch.setattr(drafts, "strangeness", lambda *_: torch.tensor(next(wanted)))
    assert seeds_of(edit(3)) == [(3 + DRAFT_STRIDE, 4)]


def test_more_drafts_are_never_stranger_than_fewer():
    (stage,) = [stage for stage in stages(pipeline(), edit(1)) if stage.photos]
    request = Request((NULL,) * 2, (3, 4), edit(1).sampling, stage.work.plan)
    hole = ~request.plan.keep[-1][0].view(4, 4)
    found = []
    for count in (1, 2, 6):
        *_, seeds = drafted(pipeline(), request, (3, 4), count)
        *_, last = drafts._coarse_steps(pipeline(), replace(request, seeds=seeds), 2)
        found.append(strangeness(last.f_hat, hole))
    assert (found[1] <= found[0]).all() and (found[2] <= found[1]).all()


def test_one_draft_is_the_edit_as_it_was_and_seeds_repeat():
    assert seeds_of(edit(1)) == [(3, 4)]
    assert seeds_of(edit(5)) == seeds_of(edit(5))
    first, again = (run(pipeline(), edit(5, seeds=(7,)))[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_a_variation_does_not_depend_on_the_others():
    both, alone = seeds_of(edit(6)), seeds_of(edit(6, seeds=(4,)))
    assert both[0][1] == alone[0][0]


def test_with_a_class_nothing_is_drafted(monkeypatch):
    monkeypatch.setattr(drafts, "strangeness", lambda *_: pytest.fail("it was drafted"))
    assert seeds_of(edit(4, label=2)) == [(3, 4)]


def test_a_hole_without_surroundings_is_not_drafted():
    whole = replace(edit(4), mask=np.ones((32, 32), bool))
    assert seeds_of(whole) == [(3, 4)]


def test_drafts_of_the_masked_path_are_those_that_it_finishes(monkeypatch):
    pipe, judged = masked_pipeline(), []
    monkeypatch.setattr(drafts, "strangeness", lambda f_hat, _hole: judged.append(f_hat) or torch.zeros(len(f_hat)))
    monkeypatch.setattr(drafts, "COARSE", 1.0)
    (stage,) = [stage for stage in stages(pipe, edit(2)) if stage.photos]
    assert stage.work.plan.shown and torch.equal(judged[0], stage.progress.f_hat)


def test_of_variations_with_and_without_a_class_those_without_are_drafted(monkeypatch):
    monkeypatch.setattr(drafts, "strangeness", lambda f_hat, _hole: -torch.ones(len(f_hat)) * next(numbers))
    numbers = iter(range(9))
    assert seeds_of(replace(edit(3), labels=(NULL, 2))) == [(3 + 2 * DRAFT_STRIDE, 4)]


def test_drafts_are_told_scale_by_scale_and_can_be_stopped():
    work = stages(pipeline(), edit(3))
    told = [next(work) for _ in range(2)]
    assert all(stage.drafting and not stage.photos for stage in told)
    work.close()


def test_drafts_are_made_in_parts_where_memory_is_short(monkeypatch):
    whole = seeds_of(edit(4))
    monkeypatch.setattr(type(pipeline()), "at_once", lambda *_: 1)
    assert seeds_of(edit(4)) == whole


@pytest.mark.parametrize("order", ["raster", "spiral", "z-curve"])
def test_a_model_that_draws_cell_after_cell_edits_without_drafts(order):
    (result,) = run(pipeline(in_order(order)), edit(3, seeds=(3,)))
    assert not np.array_equal(result[MASK], PHOTO[MASK])


def test_only_coarse_scales_are_drawn_for_a_draft(monkeypatch):
    drawn = []
    steps = type(pipeline()).steps

    def counted(pipe, request, cache=None):
        for step in steps(pipe, request, cache):
            drawn.append(step.scale)
            yield step

    monkeypatch.setattr(type(pipeline()), "steps", counted)
    monkeypatch.setattr(drafts, "COARSE", 0.5)  # of four cells a side: scales of one and two
    plan = next(stages(pipeline(), edit(1))).work.plan
    drawn.clear()
    list(drafted(pipeline(), Request((NULL,) * 2, (3, 4), edit(1).sampling, plan), (3, 4), 3))
    assert drawn == [0, 1] * 3
