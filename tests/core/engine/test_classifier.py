"""A model as a classifier: Bayes' rule over its own likelihoods."""

import pytest
import torch
from PIL import Image
from support.tiny import NAMES, SPEC, in_order, pipeline

from var_core.config import Sampling
from var_core.engine import classifier
from var_core.engine.classifier import classify, token_losses
from var_core.engine.request import Request

CERTAIN = Sampling(guidance=6.0, top_k=1)


def ranked(tokens: list[torch.Tensor], counted: torch.Tensor | None = None):
    everything = torch.ones(pipeline().schedule.total, dtype=torch.bool)
    pipe = pipeline()
    return classify(pipe.var, pipe.tokenizer.quantizer, tokens, everything if counted is None else counted)


def test_the_shares_are_bayes_rule_over_the_models_own_likelihoods(monkeypatch):
    monkeypatch.setattr(classifier, "FURTHER", 10**6)
    monkeypatch.setattr(classifier, "SHARPNESS", 1.0)
    tokens = pipeline().run(Request((2,), (5,))).tokens
    null = SPEC.transformer.null_label
    losses = torch.cat(
        [
            token_losses(pipeline().var, pipeline().tokenizer.quantizer, tokens, torch.tensor([label]))
            for label in range(null + 1)
        ]
    ).sum(1)
    shares = (-losses[:null]).softmax(0)
    found = ranked(tokens)
    assert [one.label for one in found] == (-losses[:null]).argsort(descending=True).tolist()
    for one in found:
        assert one.share == pytest.approx(float(shares[one.label]), abs=1e-4)
        assert one.nats == pytest.approx(float(losses[null] - losses[one.label]), abs=1e-2)


def test_pictures_of_a_class_are_taken_for_it_more_often_than_by_chance():
    labels = tuple(range(len(NAMES)))
    made = pipeline().run(Request(labels * 2, tuple(range(2 * len(labels))), CERTAIN)).tokens
    right = [ranked([level[row : row + 1] for level in made])[0].label == row % len(labels) for row in range(14)]
    assert sum(right) > 7


def test_classes_that_are_unlikely_at_the_coarse_scales_are_not_tried_further(monkeypatch):
    monkeypatch.setattr(classifier, "BEST", 3)
    found = ranked(pipeline().run(Request((2,), (5,), CERTAIN)).tokens)
    assert len(found) == 3 and sum(one.share for one in found) == pytest.approx(1)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)


def test_tokens_that_are_not_counted_say_nothing():
    tokens = pipeline().run(Request((2,), (5,), CERTAIN)).tokens
    nothing = ranked(tokens, torch.zeros(pipeline().schedule.total, dtype=torch.bool))
    assert all(one.share == pytest.approx(1 / len(NAMES)) and one.nats == 0 for one in nothing)
    last = torch.zeros(pipeline().schedule.total, dtype=torch.bool)
    last[pipeline().schedule.spans[-1]] = True
    other = [*tokens[:-1], (tokens[-1] + 1) % 64]
    first = ~last
    assert ranked(tokens, first) == ranked(other, first)
    assert ranked(tokens, last) != ranked(other, last)


def test_classes_in_parts_are_classes_at_once(monkeypatch):
    tokens = pipeline().run(Request((2,), (5,), CERTAIN)).tokens
    at_once = ranked(tokens)
    monkeypatch.setattr(classifier, "ROWS", 2)
    for one, other in zip(at_once, ranked(tokens), strict=True):
        assert one.label == other.label and one.share == pytest.approx(other.share, abs=1e-5)


def test_a_picture_is_asked_about_whole_or_beside_a_hole():
    picture = Image.effect_noise((40, 40), 80).convert("RGB")
    coverage = torch.zeros(32, 32)
    coverage[:, 8:] = 1
    whole, part = pipeline().classify(picture), pipeline().classify(picture, coverage)
    assert {one.label for one in whole} == set(range(len(NAMES)))
    assert [one.nats for one in whole] != [one.nats for one in part]


def test_a_model_that_draws_cell_after_cell_is_refused():
    with pytest.raises(ValueError, match="draws cell after cell"):
        pipeline(in_order("raster")).classify(Image.new("RGB", (32, 32)))
