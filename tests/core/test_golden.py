"""Exact agreement with the published algorithm, on weights made by rule."""

import pytest
import torch
from support.published import CLOSE, NAMES, golden, networks, tokens_of

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.engine.sampling import steps


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_encoder_features_tokens_and_reconstruction_match(name):
    tokenizer, _ = networks(name)
    _, expected = golden(name)
    torch.testing.assert_close(tokenizer.features(expected["image"]), expected["features"], **CLOSE)
    tokens = tokenizer.encode(expected["image"])
    wanted = tokens_of(expected, "tokens_")
    assert len(wanted) == len(tokenizer.config.sides)
    for found, want in zip(tokens, wanted, strict=True):
        assert torch.equal(found, want)
    f_hat = tokenizer.quantizer.features(tokens)
    torch.testing.assert_close(f_hat, expected["f_hat"], **CLOSE)
    torch.testing.assert_close(tokenizer.decode(f_hat), expected["reconstruction"], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_teacher_inputs_and_logits_match(name):
    tokenizer, var = networks(name)
    description, expected = golden(name)
    teacher_input = tokenizer.quantizer.teacher_input(tokens_of(expected, "tokens_"))
    torch.testing.assert_close(teacher_input, expected["teacher_input"], **CLOSE)
    logits = var(torch.tensor(description["labels"]), teacher_input)
    torch.testing.assert_close(logits, expected["logits"], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_greedy_guided_generation_matches(name):
    tokenizer, var = networks(name)
    description, expected = golden(name)
    labels = tuple(description["labels"])
    sampling = Sampling(guidance=description["cfg"], top_k=1, top_p=1.0)
    done = list(steps(var, tokenizer.quantizer, Request(labels, (0,) * len(labels), sampling)))
    for step, want in zip(done, tokens_of(expected, "greedy_tokens_"), strict=True):
        assert torch.equal(step.tokens, want)
    image = (tokenizer.decode(done[-1].f_hat) + 1) / 2
    torch.testing.assert_close(image, expected["greedy_image"], **CLOSE)
