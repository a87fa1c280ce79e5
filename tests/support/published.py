"""Weights under the published names, made by the rule that the golden numbers in tests/data were computed with."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

from var_core.config import ModelSpec, TokenizerConfig, TransformerConfig
from var_core.nn.tokenizer import Tokenizer
from var_core.nn.transformer import VAR
from var_core.published_specs import PUBLISHED_SAMPLING
from var_core.weights.checkpoints import from_published, load_strict

DATA = Path(__file__).parents[1] / "data"
OFFICIAL = json.loads((DATA / "official_state_dicts.json").read_text())
CLOSE = {"rtol": 0, "atol": 1e-4}
NAMES = ("plain", "shared_adaln")


def parameter(name: str, shape: list[int], prefix: str) -> torch.Tensor:
    """Pseudo-random weights of a parameter, seeded by its name and scaled by its kind."""
    noise = np.random.RandomState(zlib.crc32((prefix + name).encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("scale_mul_1H11"):
        values = np.log(4.0) + 0.1 * noise
    elif ".norm" in name and name.endswith("weight"):
        values = 1 + np.float32(0.1) * noise
    elif len(shape) < 2:
        values = noise * np.float32(0.1)
    elif "embedding" in name:
        values = noise * np.float32(0.5)
    elif "emb" in name or "pos" in name:
        values = noise * np.float32(0.3)
    else:
        values = noise / np.sqrt(int(np.prod(shape[1:])))
    return torch.from_numpy(values.astype(np.float32))


@cache
def golden(name: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """The description and the expected arrays of one golden configuration."""
    arrays = np.load(DATA / f"{name}.npz")
    return json.loads((DATA / f"{name}.json").read_text()), {k: torch.from_numpy(arrays[k]) for k in arrays.files}


def published_state(name: str, part: str) -> dict[str, torch.Tensor]:
    """The state dict of "vae" or "var" as a published file would hold it, derived constants included."""
    description, _ = golden(name)
    state = {key: parameter(key, shape, f"{part}.") for key, shape in description[f"{part}_shapes"].items()}
    return state | {key: torch.zeros(shape) for key, shape in description["buffers_in_official_files"][part].items()}


def spec(name: str) -> ModelSpec:
    """The sizes of a golden configuration, as its converted file tells them."""
    d, _ = golden(name)
    shared = {"sides": tuple(d["patch_nums"]), "vocabulary": d["V"], "code_width": d["Cvae"]}
    return ModelSpec(
        name,
        TokenizerConfig(**shared, channels=d["ch"]),
        TransformerConfig(
            **shared,
            classes=d["num_classes"],
            depth=d["depth"],
            width=64 * d["depth"],
            heads=d["depth"],
            shared_adaln=d["shared_aln"],
        ),
        default_sampling=PUBLISHED_SAMPLING,
    )


@cache
def networks(name: str) -> tuple[Tokenizer, VAR]:
    """Both networks of a golden configuration, loaded through the mapping of published names."""
    tokenizer, var = Tokenizer(spec(name).tokenizer), VAR(spec(name).transformer)
    load_strict(tokenizer, from_published(published_state(name, "vae")))
    load_strict(var, from_published(published_state(name, "var")))
    return tokenizer.eval(), var.eval()


def entries(file: str) -> dict[str, list[int]]:
    """Names and shapes in a published file; those of block 0 stand for every block."""
    about = OFFICIAL[file]
    if "keys" in about:
        return about["keys"]
    shapes = {}
    for name, shape in about["keys_outside_blocks_and_of_block_0"].items():
        copies = about["depth"] if name.startswith("blocks.0.") else 1
        shapes |= {name.replace("blocks.0.", f"blocks.{block}."): shape for block in range(copies)}
    return shapes


def tokens_of(expected: dict, prefix: str) -> list[torch.Tensor]:
    count = sum(key.startswith(prefix) and key.removeprefix(prefix).isdigit() for key in expected)
    return [expected[f"{prefix}{k}"].long() for k in range(count)]
