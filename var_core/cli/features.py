"""Features of pictures for the commands that measure, kept in a folder so that no picture is seen twice."""

import argparse
import hashlib
from pathlib import Path

from torch import Tensor

from ..files import runs_folder
from ..measuring.reference import Measured, Reference, features_of
from ..training.data import Dataset
from ..training.features import ImageFeatures
from ..training.trainer import read_whole, write_whole
from ..words import counted
from .shared import drain


def cache_option(made: argparse.ArgumentParser) -> None:
    """Add --cache: where features are kept."""
    made.add_argument("--cache", type=Path, default=runs_folder() / "features", help="folder that keeps features")


def kept_features(network: ImageFeatures, pixels: Tensor, folder: Path, name: str) -> Tensor:
    """Return features (N, d) of pictures uint8 (N, S, S, 3), from the folder if these pictures were seen before."""
    path = folder / f"{network.name}-{hashlib.sha256(pixels.numpy().data).hexdigest()[:16]}.pt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(drain(features_of(network, pixels), f"{network.name} features of {name}"), path)
    found = read_whole(path, "delete it, and it is made again")
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(pixels):
        raise ValueError(f"{path} does not hold the features of {counted(len(pixels), 'picture')}: delete it.")
    return found


def seen_pictures(options: argparse.Namespace, network: ImageFeatures, data: Dataset) -> tuple[Measured, Measured]:
    """Return train and val as a network sees them, kept in --cache."""
    train, val = (
        Measured(kept_features(network, split.pixels, options.cache, name), split.labels)
        for name, split in (("train", data.train), ("val", data.val))
    )
    return train, val


def reference_of(options: argparse.Namespace, data: Dataset) -> tuple[Reference, Measured]:
    """Return what pictures are measured with, the train pictures, and val as the same network sees it."""
    network = ImageFeatures()
    train, val = seen_pictures(options, network, data)
    return Reference.of(network, train, len(data.classes.names)), val
