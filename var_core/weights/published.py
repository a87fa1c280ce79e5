"""Files as the authors of a model published them: read without running code, and the sizes that their shapes say."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..config import (
    OFFICIAL_SIDES_256,
    OFFICIAL_SIDES_512,
    SCALES,
    ModelSpec,
    TokenizerConfig,
    TransformerConfig,
)
from ..published_specs import PUBLISHED_SAMPLING
from ..schema import exact
from .checkpoints import DERIVED, SUFFIX, from_published, places, read_spec
from .foreign import TOKENIZER, TRANSFORMER, holds_both, weights_in
from .imagenet import classes
from .registry import MODELS, TOKENIZER_FILE

SIDES = {sum(side**2 for side in sides): sides for sides in (OFFICIAL_SIDES_256, OFFICIAL_SIDES_512)}
MOST_SCALES = 64
Kind = TypeVar("Kind")


def read_network(path: Path, kind: str = TRANSFORMER) -> dict[str, Tensor]:
    """The tensors of a network of a kind in a published file, mapped from it; see `foreign.weights_in`."""
    state = weights_in(path, kind).tensors
    if odd := next(
        (name for name, value in state.items() if value.layout != torch.strided or value.is_quantized), None
    ):
        raise ValueError(f"{path}: {odd} is not stored as plain numbers. Get it again.")
    size = sum(value.numel() * value.element_size() for value in state.values() if not value.is_meta)
    if size > path.stat().st_size:
        raise ValueError(f"{path}: its weights are said to have {size} bytes, and the file has fewer. Get it again.")
    return state


def weights(path: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a network of a kind in a published file, under our names, float32."""
    state = {name: value for name, value in read_network(path, kind).items() if not DERIVED.search(name)}
    if any(value.is_meta for value in state.values()):
        raise ValueError(f"{path} says sizes, and holds no numbers: get it again.")
    check_numbers(path, state)
    try:
        return {key: value.float() for key, value in from_published(state).items()}
    except (IndexError, RuntimeError) as error:  # some have other dimensions than in published files
        raise ValueError(f"{path}: its weights do not fit together ({error}). Get it again.") from error


def check_numbers(path: Path, state: Mapping[str, Tensor]) -> None:
    """ValueError that names the first of these weights in which a number is missing (NaN) or infinite."""
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(
                f"{path}: {name} holds numbers that are none (NaN) or infinite, as after a training that failed. "
                "Take an earlier checkpoint."
            )


def pair(transformer: Path, tokenizer: Path | None, folder: Path | None = None) -> tuple[Path, Path]:
    """The two published files that are meant: a transformer's, or a folder that holds it, and the tokenizer's.

    Both are also looked for in `folder`, or where models lie; without a tokenizer it is the one beside the transformer,
    or in the same file. ValueError if a file is not there, or if there are several to choose from.
    """
    found = _there(transformer, folder)
    if found.is_dir():
        found = _only(found, "var*.pth", "transformer")
    if tokenizer:
        return found, _there(tokenizer, folder)
    if not any(found.parent.glob("vae*.pth")) and holds_both(found):
        return found, found
    return found, _only(found.parent, "vae*.pth", "tokenizer")


def _there(path: Path, folder: Path | None) -> Path:
    for place in (path, *(home / path for home in places(folder))):
        if place.exists():
            return place
    others = " or in ".join(map(str, places(folder)))
    raise ValueError(f"{path}: there is no such file or folder, here or in {others}.")


def _only(folder: Path, pattern: str, kind: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(f"{folder} should hold one {pattern}, and has {names}: say which file with --{kind}.")
    return found[0]


# ------------------------------------------------------------------------------------------------ sizes


def recognise(transformer: Path, tokenizer: Path, name: str | None = None) -> ModelSpec:
    """The sizes of the model in two published files; `name` None is that of the published model that has them.

    A model like none of the published ones is called by its file; one of 1000 classes is taken to have ImageNet's.
    ValueError names what is missing.
    """
    try:
        sizes = _transformer_sizes(read_network(transformer))
        spec = ModelSpec(
            name or transformer.stem,
            tokenizer_sizes(tokenizer, sizes.sides),
            sizes,
            default_sampling=PUBLISHED_SAMPLING,
        )
    except KeyError as error:
        raise ValueError(
            f"{error.args[0]} is missing: give the transformer's file (for example var_d16.pth) and the tokenizer's "
            f"({TOKENIZER_FILE}), in this order."
        ) from error
    except ValueError as error:
        raise ValueError(f"{transformer} and {tokenizer}: {error}") from error
    if name is None:
        same = (known.name for known in MODELS.values() if _sizes(known.spec) == _sizes(spec))
        spec = replace(spec, name=next(same, spec.name))
    known = classes()
    if sizes.classes != len(known.names):
        return spec
    return replace(
        spec, class_names=known.names, class_groups=known.groups, class_synonyms=known.synonyms, showcase="macaw"
    )


def check_sizes(found: ModelSpec, expected: ModelSpec, path: Path) -> None:
    """ValueError, naming the first size that differs, unless a file is of the model expected."""
    for mine, theirs in zip(_sizes(found), _sizes(expected), strict=True):
        for field, wanted in vars(theirs).items():
            if (value := getattr(mine, field)) != wanted:
                raise ValueError(
                    f"{path} is not of {expected.name}: {field} is {value}, but should be {wanted}. Get it again."
                )


def _sizes(spec: ModelSpec) -> tuple[TokenizerConfig, TransformerConfig]:
    return spec.tokenizer, spec.transformer


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Return the shape of a published weight; ValueError unless it has so many dimensions, none of them empty."""
    shape = tuple(state[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(
            f"{name} has shape {shape}, and {dimensions} dimensions of 1 or more are needed. Get it again."
        )
    return shape


def _transformer_sizes(state: Mapping[str, Tensor]) -> TransformerConfig:
    _, tokens, width = _shape(state, "pos_1LC", 3)
    sizes = {
        "sides": _sides(state, tokens),
        "classes": _shape(state, "class_emb.weight", 2)[0] - 1,
        "depth": _count(state, r"blocks\.(\d+)\."),
        "width": width,
        "heads": _shape(state, "blocks.0.attn.scale_mul_1H11", 4)[1],
        "vocabulary": _shape(state, "head.weight", 2)[0],
        "code_width": _shape(state, "word_embed.weight", 2)[1],
        "mlp_ratio": _shape(state, "blocks.0.ffn.fc1.weight", 2)[0] // width,
        "shared_adaln": "shared_ada_lin.1.weight" in state,
        "order": SCALES,
    }
    return _of_sizes(TransformerConfig, sizes)


def _of_sizes(kind: type[Kind], sizes: Mapping[str, object]) -> Kind:
    """Make a configuration of sizes found in shapes; ValueError, with the first, if they are beyond all models."""
    try:
        return exact(kind, sizes)
    except TypeError as error:
        raise ValueError(f"its sizes are those of no model ({error}).") from error


def _sides(state: Mapping[str, Tensor], tokens: int) -> tuple[int, ...]:
    """Find the sides by the number of tokens, or for models trained otherwise by the scale that is noted of each."""
    if tokens in SIDES:
        return SIDES[tokens]
    levels = state["lvl_1L"].flatten()
    whole = not (levels.is_floating_point() or levels.is_complex() or levels.is_meta) and len(levels) == tokens
    if whole and 0 <= levels.min() <= levels.max() < MOST_SCALES:
        lengths = torch.bincount(levels.long()).tolist()
        sides = tuple(math.isqrt(length) for length in lengths)
        if len(sides) > 1 and [side**2 for side in sides] == lengths:
            return sides
    known = " or ".join(f"{count} ({sides[-1] * 16} px)" for count, sides in SIDES.items())
    raise ValueError(f"pos_1LC has {tokens} tokens, and lvl_1L does not say in which scales: known are {known}.")


def tokenizer_sizes(path: Path, sides: tuple[int, ...]) -> TokenizerConfig:
    """The sizes of a published tokenizer, or of that in a model file of ours, for a transformer of such sides."""
    if path.suffix == SUFFIX:
        return replace(read_spec(path).tokenizer, sides=sides)
    return _tokenizer_sizes(read_network(path, TOKENIZER), sides)


def _tokenizer_sizes(state: Mapping[str, Tensor], sides: tuple[int, ...]) -> TokenizerConfig:
    vocabulary, code_width = _shape(state, "quantize.embedding.weight", 2)
    channels = _shape(state, "encoder.conv_in.weight", 4)[0]
    levels = range(_count(state, r"encoder\.down\.(\d+)\."))
    widths = [_shape(state, f"encoder.down.{level}.block.0.conv1.weight", 4)[0] for level in levels]
    published = asdict(TokenizerConfig())
    sizes = {
        "sides": sides,
        "vocabulary": vocabulary,
        "code_width": code_width,
        "channels": channels,
        "multipliers": tuple(width // channels for width in widths),
        "residual_blocks": _count(state, r"encoder\.down\.0\.block\.(\d+)\."),
        "phis": _count(state, r"quantize\.quant_resi\.qresi_ls\.(\d+)\."),
    }
    return _of_sizes(TokenizerConfig, published | sizes)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Count the different numbers that names have where the pattern does."""
    return len({found[1] for name in state if (found := re.match(pattern, name))})
