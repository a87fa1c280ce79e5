"""The way from a picture to a pyramid of token maps, as pictures to look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..engine.pipeline import Pipeline
from ..images import square
from . import render
from .codebook import colours


@dataclass(frozen=True, eq=False)
class Level:
    """One scale of a picture; its pictures are of side S, but for `decoded`: as large as model or look makes it."""

    side: int
    tokens: int  # of this scale and all coarser ones
    averaged: Image.Image  # the picture itself, averaged over side * side squares
    map: Image.Image  # the tokens of this scale, in their codes' colours
    decoded: Image.Image  # from the tokens of this scale and all coarser ones


@torch.inference_mode()
def levels(pipe: Pipeline, photo: Image.Image, look: Callable[[Tensor], list[Image.Image]]) -> Iterator[Level]:
    """The scales of a photo's centre square, coarse to fine, as the tokenizer finds them; no transformer is needed.

    `look` makes pictures of f_hat (1, C, s_K, s_K) after all scales but the last, which is decoded.
    """
    side, quantizer = pipe.spec.tokenizer.image_side, pipe.tokenizer.quantizer
    whole = Image.fromarray(square(photo, side))
    palette = colours(quantizer.codebook).numpy()
    f_hat, count = quantizer.empty(1), 0
    for scale, tokens in enumerate(pipe.encode(whole)):
        f_hat, count = quantizer.add(f_hat, quantizer.codes(tokens), scale), count + tokens.shape[1]
        cells = pipe.schedule.sides[scale]
        small = whole.resize((cells, cells), Image.Resampling.BOX)
        yield Level(
            cells,
            count,
            render.magnified(np.asarray(small).reshape(-1, 3), side),
            render.magnified(palette[tokens[0].cpu().numpy()], side),
            (pipe.decode if scale == len(pipe.schedule) - 1 else look)(f_hat)[0],
        )
