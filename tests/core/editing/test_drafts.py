"""Drafts: of several coarse beginnings the one that fits its surroundings is finished."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny import SPEC, masked_pipeline, pipeline

from var_core.config import Sampling
from var_core.editing import drafts
from var_core.editing.drafts import DRAFT_STRIDE, draft_seeds, strangeness
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
        seeds = draft_seeds(pipeline(), request, (3, 4), count)
        found.append(strangeness(drafts._drafted(pipeline(), replace(request, seeds=seeds)), hole))
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


def test_drafts_of_the_masked_path_see_the_surroundings():
    pipe = masked_pipeline()
    assert all(len(stage.seeds) == 2 for stage in stages(pipe, edit(4)))


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
    draft_seeds(pipeline(), Request((NULL,) * 2, (3, 4), edit(1).sampling, plan), (3, 4), 3)
    assert drawn == [0, 1] * 3
