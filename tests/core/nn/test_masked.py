"""The masked path: what it is shown counts, what is not known does not."""

import dataclasses

import pytest
import torch
from support.tiny import SPEC, masked_path, networks

from var_core.nn.masked import MaskedVAR

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
CONFIG, SIDE = SPEC.transformer, SPEC.transformer.sides[-1]


@pytest.fixture(scope="module")
def masked() -> MaskedVAR:
    return masked_path()


def given(batch: int = 2) -> dict[str, torch.Tensor]:
    """Random inputs of `read_masked`, but for the labels; half of all is known."""
    generator = torch.Generator().manual_seed(1)
    schedule = masked_path().schedule
    features = torch.randn(batch, CONFIG.code_width, SIDE, SIDE, generator=generator)
    here = torch.rand(batch, SIDE, SIDE, generator=generator) < 0.5
    return {
        "surroundings": masked_path().surroundings(features, here),
        "teacher_input": torch.randn(batch, schedule.total - 1, CONFIG.code_width, generator=generator),
        "codes": torch.randn(batch, schedule.total, CONFIG.code_width, generator=generator),
        "known": torch.rand(batch, schedule.total, generator=generator) < 0.5,
    }


def read(masked: MaskedVAR, **changed: torch.Tensor) -> torch.Tensor:
    return masked.read_masked(masked.condition(torch.tensor([1, CONFIG.null_label])), **given() | changed)


def test_scale_by_scale_it_reads_what_it_reads_at_once(masked):
    values, condition = given(), masked.condition(torch.tensor([1, CONFIG.null_label]))
    cache, split = masked.new_cache(2), masked.schedule.split
    masked.begin(condition, values["surroundings"], cache)
    shown = torch.cat((torch.zeros(2, 1, CONFIG.code_width), values["teacher_input"]), 1)
    parts = [
        masked.step_masked(condition, *of_scale, scale, cache)
        for scale, of_scale in enumerate(
            zip(*(split(v) for v in (shown, values["codes"], values["known"])), strict=True)
        )
    ]
    torch.testing.assert_close(torch.cat(parts, 1), read(masked), **CLOSE)


def test_a_scale_that_is_asked_for_again_answers_as_if_for_the_first_time(masked):
    values, condition = given(), masked.condition(torch.tensor([1, CONFIG.null_label]))
    cache = masked.new_cache(2)
    masked.begin(condition, values["surroundings"], cache)
    codes, nothing = values["codes"][:, :1], torch.zeros(2, 1, dtype=torch.bool)
    first = masked.step_masked(condition, codes, codes, nothing, 0, cache)
    other = masked.step_masked(condition, codes, codes, ~nothing, 0, cache)
    assert (first - other).abs().max() > 1e-2
    torch.testing.assert_close(masked.step_masked(condition, codes, codes, nothing, 0, cache), first, **CLOSE)


def test_codes_of_tokens_that_are_not_known_are_not_read(masked):
    values = given()
    other = torch.where(values["known"][..., None], values["codes"], torch.full_like(values["codes"], 7.0))
    torch.testing.assert_close(read(masked, codes=other), read(masked), rtol=0, atol=0)


def test_a_known_token_is_seen_at_its_own_scale_and_later_and_at_none_before(masked):
    codes, spans = given()["codes"], masked.schedule.spans
    known = torch.ones_like(given()["known"])
    before = read(masked, known=known)
    codes[:, spans[2].start] += 3
    moved = (read(masked, known=known, codes=codes) - before).abs().amax((0, 2))
    assert (moved[spans[2].start :] > 1e-4).all()
    assert (moved[: spans[2].start] == 0).all()


def test_surroundings_that_are_not_known_are_not_read_and_known_ones_count_at_every_scale(masked):
    features, here = torch.randn(2, CONFIG.code_width, SIDE, SIDE), torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    here[:, 0, 0] = True
    hidden = torch.where(here[:, None], features, torch.full_like(features, torch.inf))
    torch.testing.assert_close(masked.surroundings(hidden, here), masked.surroundings(features, here), rtol=0, atol=0)
    moved = masked.surroundings(features + here[:, None], here)
    changed = read(masked, surroundings=moved) - read(masked, surroundings=masked.surroundings(features, here))
    assert (changed.abs().amax((0, 2)) > 1e-4).all()


def test_it_begins_with_the_weights_of_the_trained_transformer():
    start = networks()[2].state_dict()
    found = masked_path().state_dict()
    assert all(torch.equal(found[name], value) for name, value in start.items())
    assert set(found) - set(start) == {
        "unknown",
        "context_position",
        *(f"{layer}.{part}" for layer in ("known_embedding", "context_embedding") for part in ("weight", "bias")),
    }


@pytest.mark.parametrize("sides", [(1, 2, 3), (1, 5)])
def test_maps_of_an_odd_side_are_refused(sides):
    with pytest.raises(ValueError, match="choose scales, the last with an even side"):
        MaskedVAR(dataclasses.replace(CONFIG, sides=sides))


def test_a_single_map_is_refused():
    with pytest.raises(ValueError, match="order raster: choose scales"):
        MaskedVAR(dataclasses.replace(CONFIG, sides=(4,), order="raster"))
