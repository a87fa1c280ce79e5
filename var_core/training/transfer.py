"""Weights of a trained transformer carried over to other token maps, and to another tokenizer's codes."""

import copy
import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TransformerConfig
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..weights.checkpoints import load_strict
from .data import PictureSet

TRANSLATED = 256  # pictures that tell what another tokenizer's codes mean
SHARPNESS = 0.02  # variance of what a code is taken to stand for, in the units of features, squared


@torch.no_grad()
def adapted(start: VAR, config: TransformerConfig) -> VAR:
    """Copy `start`, or make one for other maps: each takes levels and positions from the map most like it in side.

    The last map, which alone has the finest detail, takes those of the last, and no other does. ValueError where
    sizes differ otherwise.
    """
    if replace(start.config, sides=config.sides) != config:
        raise ValueError(f"A transformer of {start.config} cannot begin one of {config}: only its maps can be others.")
    made, weights, old = VAR(config), copy.deepcopy(start.state_dict()), start.schedule
    if config.sides != start.config.sides:
        last = len(old) - 1
        alike = [
            min(range(max(last, 1)), key=lambda k: abs(math.log(side / old.sides[k]))) for side in config.sides[:-1]
        ]
        pairs = list(zip([*alike, last], config.sides, strict=True))
        positions = [resized(start.position_embedding[:, old.spans[scale]], side) for scale, side in pairs]
        weights["position_embedding"] = torch.cat(positions, 1)
        weights["level_embedding.weight"] = weights["level_embedding.weight"][[scale for scale, _ in pairs]]
    load_strict(made, weights)
    return made


def resized(sequence: Tensor, side: int) -> Tensor:
    """Interpolate what is said of a map (B, s * s, D) to one of another side, (B, side * side, D)."""
    square = sequence.transpose(1, 2).unflatten(-1, (math.isqrt(sequence.shape[1]),) * 2)
    return F.interpolate(square, size=(side, side), mode="bilinear").flatten(2).transpose(1, 2)


@torch.no_grad()
def translated(start: VAR, old: Tokenizer, new: Tokenizer, pictures: PictureSet) -> VAR:
    """Copy `start`, which speaks the codes of `old`, for those of `new`: not right, but much better than nothing.

    A linear map from the features of one to those of the other is fitted to the pictures. It says where a new code
    lies among the old ones; its row of the head is the mean of theirs, the nearer the heavier. Tokenizers whose cells
    are not the same places of a picture have nothing in common: then it is a copy as it is.
    """
    made = copy.deepcopy(start)
    if (old.config.patch, old.config.image_side) != (new.config.patch, new.config.image_side):
        return made
    parts = [pictures.images(rows) for rows in torch.arange(len(pictures)).split(32)]
    there, here = (
        torch.cat([each.features(part) for part in parts]).permute(0, 2, 3, 1).flatten(0, 2) for each in (new, old)
    )
    shifted = torch.cat([there, torch.ones_like(there[:, :1])], 1)
    way = torch.linalg.lstsq(shifted, here).solution[:-1]  # (C, C); codes are differences, which no shift changes
    apart = torch.cdist(new.quantizer.codebook @ way, old.quantizer.codebook).square()
    weights = (apart / (-2 * SHARPNESS)).softmax(1)
    made.head.weight.copy_(weights @ start.head.weight)
    made.head.bias.copy_(weights @ start.head.bias)
    made.code_embedding.weight.copy_(start.code_embedding.weight @ way.T)
    return made
