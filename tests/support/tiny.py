"""A model small enough for every test: random weights, 32-pixel pictures, four scales, seven classes."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from PIL import Image

from var_core.config import ModelSpec, TokenizerConfig, TransformerConfig
from var_core.engine.pipeline import Pipeline
from var_core.nn.enlargement import Enlargement
from var_core.nn.masked import MaskedVAR, masked_from
from var_core.nn.tokenizer import Preview, Tokenizer
from var_core.nn.transformer import VAR, randomise
from var_core.weights import checkpoints

SIDES = (1, 2, 3, 4)
NAMES = ("Lotus", "Rose", "Sunflower", "Tulip", "Forest", "Mountain", "Sea")
SPEC = ModelSpec(
    "tiny",
    TokenizerConfig(SIDES, vocabulary=64, code_width=8, channels=16, multipliers=(1, 2), norm_groups=4, stem=4),
    TransformerConfig(SIDES, classes=len(NAMES), depth=2, width=32, heads=2, vocabulary=64, code_width=8),
    NAMES,
    ("flower",) * 4 + ("scene",) * 3,
    showcase="Sunflower",
)
ENLARGING = replace(  # 32-pixel pictures become 64-pixel ones
    SPEC, tokenizer=replace(SPEC.tokenizer, refine=8, enlarge=2, enlarge_channels=8, enlarge_blocks=1)
)


def in_order(order: str) -> ModelSpec:
    """The sizes with a single map, cell by cell."""
    sizes = {"sides": SIDES[-1:], "order": order}
    return replace(SPEC, tokenizer=replace(SPEC.tokenizer, **sizes), transformer=replace(SPEC.transformer, **sizes))


def networks(seed: int = 0, spec: ModelSpec = SPEC) -> tuple[Tokenizer, Preview, VAR]:
    """The three networks, with logits far enough from uniform that guidance and filters matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tokenizer, preview, var = Tokenizer(spec.tokenizer), Preview(spec.tokenizer), randomise(VAR(spec.transformer))
        torch.nn.init.normal_(var.head.weight, std=0.5)
        torch.nn.init.normal_(var.class_embedding.weight, std=1.0)
        if isinstance(tokenizer.decoder.enlarge, Enlargement):  # silent until it is trained
            torch.nn.init.normal_(tokenizer.decoder.enlarge.conv_out.weight, std=0.1)
    return tokenizer.eval(), preview.eval(), var.eval()


def masked_path(seed: int = 0, spec: ModelSpec = SPEC) -> MaskedVAR:
    """A masked path in which all that it is shown matters."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        masked = masked_from(networks(seed, spec)[2])
        for parameter in (masked.known_embedding.weight, masked.context_embedding.weight, masked.unknown):
            torch.nn.init.normal_(parameter, std=1.0)
    return masked.eval().requires_grad_(False)


def write(folder: Path, seed: int = 0, spec: ModelSpec = SPEC) -> Path:
    """The model as a checkpoint file in `folder`."""
    path = folder / "tiny.safetensors"
    checkpoints.save(path, spec, *networks(seed, spec))
    return path


@cache
def pipeline(spec: ModelSpec = SPEC) -> Pipeline:
    return Pipeline(checkpoints.LoadedModel(spec, *networks(spec=spec), digest="0123456789ab"))


@cache
def masked_pipeline(spec: ModelSpec = SPEC) -> Pipeline:
    """The pipeline of the same networks with a masked path."""
    loaded = checkpoints.LoadedModel(spec, *networks(spec=spec), digest="0123456789ab", masked=masked_path(spec=spec))
    return Pipeline(loaded)


def reconstruct(pipe: Pipeline, tokens: list[torch.Tensor]) -> list[Image.Image]:
    """A whole pyramid, K maps (B, L_k) -> B pictures, without the transformer."""
    return pipe.decode(pipe.summed(tokens))
