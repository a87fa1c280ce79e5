"""Weights on disk: strict loading, our safetensors files with their sizes inside, the published names."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .config import ModelSpec
from .transformer import VAR
from .vqvae import Preview, Tokenizer

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
DEFAULT = "flowers-scenes-128"
SUFFIX = ".safetensors"

# Published name -> ours; applied in this order.
TOKENIZER_RULES = (
    (r"^quantize\.embedding\.weight$", "quantizer.codebook"),
    (r"^quantize\.quant_resi\.qresi_ls\.", "quantizer.phis."),
    (r"^quant_conv\.", "before_quantizer."),
    (r"^post_quant_conv\.", "after_quantizer."),
    (r"\.mid\.block_1\.", ".middle.0."),
    (r"\.mid\.attn_1\.", ".middle.1."),
    (r"\.mid\.block_2\.", ".middle.2."),
    (r"\.(down|up)\.(\d+)\.block\.", r".levels.\2.blocks."),
    (r"\.(down|up)\.(\d+)\.attn\.", r".levels.\2.attentions."),
    (r"\.(down|up)\.(\d+)\.(downsample|upsample)\.", r".levels.\2.resample."),
    (r"\.nin_shortcut\.", ".shortcut."),
    (r"\.proj_out\.", ".project."),
)
TRANSFORMER_RULES = (
    (r"^pos_start$", "start"),
    (r"^pos_1LC$", "position_embedding"),
    (r"^word_embed\.", "code_embedding."),
    (r"^class_emb\.", "class_embedding."),
    (r"^lvl_embed\.", "level_embedding."),
    (r"^shared_ada_lin\.1\.", "shared_modulation."),
    (r"^head_nm\.ada_lin\.1\.", "head_modulation."),
    (r"^blocks\.(\d+)\.ada_lin\.1\.", r"block_modulations.\1."),
    (r"\.attn\.mat_qkv\.", ".attention.qkv."),
    (r"\.attn\.proj\.", ".attention.project."),
    (r"\.attn\.(q_bias|v_bias)$", r".attention.\1"),
    (r"\.attn\.scale_mul_1H11$", ".attention.log_scale"),
    (r"\.ffn\.", ".feed_forward."),
)
# Constants that the published files hold besides the parameters; ours are derived.
DERIVED = re.compile(r"^(lvl_1L|attn_bias_for_masking|quantize\.ema_vocab_hit_SV)$|\.zero_k_bias$")


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict (of the tokenizer or of a transformer) under our names and shapes."""
    rules = TOKENIZER_RULES if any(name.startswith("encoder.") for name in state) else TRANSFORMER_RULES
    mapped, shares = {}, {}
    for name, value in state.items():
        if DERIVED.search(name):
            continue
        if found := re.match(r"^blocks\.(\d+)\.ada_gss$", name):
            shares[int(found[1])] = value
            continue
        ours = name
        for pattern, replacement in rules:
            ours = re.sub(pattern, replacement, ours)
        mapped[ours] = value[0] if ours.endswith(".log_scale") else value
    if shares:
        mapped["block_modulations"] = torch.cat([shares[number] for number in sorted(shares)])
    return mapped


def load_strict(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Make `state` the weights of a module, also of one on the meta device.

    A missing, extra or misshapen one raises ValueError that names it.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    kind = type(module).__name__
    if missing := sorted(wanted.keys() - found.keys()):
        raise ValueError(f"{kind}: the weights lack {_some(missing)}. The file is damaged or of another model.")
    if extra := sorted(found.keys() - wanted.keys()):
        raise ValueError(f"{kind}: the weights hold unknown {_some(extra)}. The file is of another model.")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ValueError(f"{kind}: {name} has shape {found[name]}, but this model's is {shape}.")
    module.load_state_dict(state, assign=True)


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True)
class Loaded:
    """A model as read from a file."""

    spec: ModelSpec
    tokenizer: Tokenizer
    preview: Preview
    var: VAR
    digest: str  # first 12 hex digits of the file's SHA-256
    path: Path | None = None  # of the file; None: made in memory


def save(path: Path, spec: ModelSpec, tokenizer: Tokenizer, preview: Preview, var: VAR) -> None:
    """Write all networks as float16 into one safetensors file, with the sizes in its metadata."""
    tensors = {
        f"{part}.{name}": value.detach().to("cpu", torch.float16).contiguous()
        for part, module in (("tokenizer", tokenizer), ("preview", preview), ("transformer", var))
        for name, value in module.state_dict().items()
    }
    save_file(tensors, path, {"spec": json.dumps(spec.to_dict())})


@contextmanager
def _reading(path: Path) -> Iterator[safe_open]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: this file is damaged ({error}). Get it again.") from error


def read_spec(path: Path) -> ModelSpec:
    """The sizes and classes of the model in a file, without its weights; ValueError as in `load`."""
    with _reading(path) as file:
        metadata = file.metadata() or {}
    try:
        return ModelSpec.from_dict(json.loads(metadata["spec"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a model of this program (its sizes are missing from the file).") from error


def load(name: str, folder: Path = FOLDER) -> Loaded:
    """Load a model by name (a file in `folder`) or by path, in float32 on the CPU.

    Raises ValueError, with what to do, if it is not there, damaged, or not one of ours.
    """
    path = find(name, folder)
    spec = read_spec(path)
    with _reading(path) as file:
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}
    prefixes = ("tokenizer.", "preview.", "transformer.")
    if extra := sorted(name for name in tensors if not name.startswith(prefixes)):
        raise ValueError(f"{path}: the weights hold unknown {_some(extra)}. The file is of another model.")
    with torch.device("meta"):
        modules = Tokenizer(spec.tokenizer), Preview(spec.tokenizer), VAR(spec.transformer)
    filled = []
    for prefix, module in zip(prefixes, modules, strict=True):
        load_strict(module, _part(tensors, prefix))
        filled.append(module.eval())
    return Loaded(spec, *filled, hashlib.sha256(path.read_bytes()).hexdigest()[:12], path)


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file of a model given by path or by name."""
    for path in (Path(name), folder / f"{name}{SUFFIX}"):
        if os.path.isfile(path):  # unlike Path.is_file, also answers for names that no file system takes
            return path
    known = ", ".join(available(folder)) or "none"
    raise ValueError(f"There is no model '{name}'. Give the path of a .safetensors file, or one of: {known}.")


def available(folder: Path = FOLDER) -> list[str]:
    """Names of the models in the folder."""
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
