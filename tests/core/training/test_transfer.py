"""A transformer begins with what another has learned, of other maps or of other codes."""

import copy
from dataclasses import replace

import pytest
import torch
from support import pictures, tasks, tiny

from var_core.nn.tokenizer import Tokenizer
from var_core.training.transfer import adapted, translated

LABELS = torch.tensor([1, 5])


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A few pictures."""
    return tasks.read(pictures.write(tmp_path_factory.mktemp("data"))).train


def shown() -> torch.Tensor:
    """What a tiny transformer may be shown."""
    return torch.randn(2, 29, 8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_transformer_for_other_maps_knows_what_the_same_maps_knew():
    given = tiny.networks()[2]
    made = adapted(given, replace(given.config, sides=(1, 2, 3, 6)))
    assert made.schedule.total == 50
    for name, value in made.state_dict().items():
        if name not in ("position_embedding", "level_embedding.weight"):
            assert torch.equal(value, given.state_dict()[name])
    labels, shown = torch.tensor([1, 5]), torch.randn(2, 49, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(made(labels, shown)[:, :14], given(labels, shown[:, :29])[:, :14], atol=1e-5)
    assert torch.equal(made.level_embedding.weight[3], given.level_embedding.weight[3])
    corners = made.position_embedding[0, 14:].unflatten(0, (6, 6))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.allclose(
        corners, given.position_embedding[0, 14:].unflatten(0, (4, 4))[[0, 0, -1, -1], [0, -1, 0, -1]]
    )


@torch.no_grad()
@pytest.mark.parametrize("wrong", [{"depth": 3}, {"width": 64}, {"classes": 3}, {"vocabulary": 32}])
def test_a_transformer_of_other_sizes_cannot_be_begun_with(wrong):
    given = tiny.networks()[2]
    with pytest.raises(ValueError, match="only its maps can be others"):
        adapted(given, replace(given.config, **wrong))


def test_the_last_map_alone_takes_from_the_last():
    given = tiny.networks()[2]
    made = adapted(given, replace(given.config, sides=(1, 2, 3, 6, 7)))
    assert torch.equal(made.level_embedding.weight, given.level_embedding.weight[[0, 1, 2, 2, 3]])


@torch.no_grad()
def test_codes_in_another_order_are_translated(seen):
    """The same tokenizer with its codes shuffled and its features stretched: nothing is lost."""
    old, _, given = tiny.networks()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    new = copy.deepcopy(old)
    new.quantizer.codebook.copy_(2 * old.quantizer.codebook[order])
    project = next(part for part in reversed(list(new.encoder.modules())) if isinstance(part, torch.nn.Conv2d))
    for parameter in project.parameters():
        parameter.mul_(2)
    made = translated(given, old, new, seen)
    assert torch.allclose(made(LABELS, 2 * shown()), given(LABELS, shown())[..., order], atol=1e-3)
    assert not torch.allclose(given(LABELS, 2 * shown()), given(LABELS, shown())[..., order], atol=0.1)


@torch.no_grad()
def test_cells_of_other_places_have_nothing_to_translate(seen):
    old, _, given = tiny.networks()
    new = Tokenizer(replace(old.config, stem=2))
    made = translated(given, old, new, seen)
    assert torch.equal(made(LABELS, shown()), given(LABELS, shown()))
