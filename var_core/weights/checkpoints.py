"""Weights on disk: strict loading, our safetensors files with their sizes inside, the published names."""

import hashlib
import json
import mmap
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..config import ModelSpec
from ..files import PACKAGE, header_bytes, model_folders, replacing, user_models
from ..nn.linear import Linear
from ..nn.masked import MaskedVAR
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR
from ..schema import parse_fields
from .registry import MODELS, size_in_words

Held = TypeVar("Held")
DEFAULT = "flowers-scenes-128"
SUFFIX = ".safetensors"
MOST_HEADER = 2**24  # bytes of a file's list of weights, with the sizes and classes of the model
MOST_DIGEST = 100  # letters; ours have 12
LARGE = 2**20  # bytes from which on a tensor is worth a mapping of its own
PARTS = ("tokenizer.", "preview.", "transformer.")  # what the names of the tensors in a file begin with
MASKED = "masked."  # of the masked path, which not every model has
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # of the tensors in a file
# What `load` puts into the type asked for: most of the weights, and all products that official code runs in float16.
HALVED = re.compile(r"^(transformer|masked)\.(blocks|block_modulations|shared_modulation)\..*(weight|bias)$")
# Linear layers whose large weights are read once a picture, and can stay in the file; a quarter of a published model.
SELDOM = re.compile(r"^(block_modulations\.\d+|shared_modulation)$")

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
    mapped: dict[str, Tensor] = {}
    shared: dict[int, Tensor] = {}
    for name, value in state.items():
        if DERIVED.search(name):
            continue
        if found := re.match(r"^blocks\.(\d+)\.ada_gss$", name):
            shared[int(found[1])] = value
            continue
        ours = name
        for pattern, replacement in rules:
            ours = re.sub(pattern, replacement, ours)
        mapped[ours] = value[0] if ours.endswith(".log_scale") else value
    if shared:
        mapped["block_modulations"] = torch.cat([shared[number] for number in sorted(shared)])
    return mapped


def load_strict(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Make `state` the weights of a module, also of one on the meta device.

    A missing, extra or misshapen one raises ValueError that names it.
    """
    check_shapes(module, {name: tuple(value.shape) for name, value in state.items()})
    module.load_state_dict(state, assign=True)


def check_shapes(module: nn.Module, found: Mapping[str, tuple[int, ...]]) -> None:
    """ValueError that names the first unless these are the names and shapes of a module's weights."""
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    kind = type(module).__name__
    if missing := sorted(wanted.keys() - found.keys()):
        raise ValueError(f"{kind}: the weights lack {_some(missing)}. The file is damaged or of another model.")
    if extra := sorted(found.keys() - wanted.keys()):
        raise ValueError(f"{kind}: the weights hold unknown {_some(extra)}. The file is of another model.")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ValueError(f"{kind}: {name} has shape {found[name]}, but this model's is {shape}.")


def _some(names: list[str], most: int = 3) -> str:
    """Name the first few of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True)
class LoadedModel:
    """A model as read from a file."""

    spec: ModelSpec
    tokenizer: Tokenizer
    preview: Preview
    var: VAR
    digest: str  # 12 hex digits of a SHA-256 over the weights: that in the file's metadata, or else over the file
    path: Path | None = None  # of the file; None: made in memory
    masked: MaskedVAR | None = None  # the masked path; None: this model has none
    masked_digest: str = ""  # 12 hex digits of a SHA-256 over its weights in the file, where there is one


def save(
    path: Path,
    spec: ModelSpec,
    tokenizer: Tokenizer,
    preview: Preview,
    var: VAR,
    masked: MaskedVAR | None = None,
    digest: str | None = None,
) -> None:
    """Write all networks as float16 into one safetensors file, with the sizes in its metadata.

    A `digest` says that the file draws what the model with that digest draws; None: that of the file itself.

    A file that is there is replaced, not written over: a program that uses its weights goes on with the old ones.
    """
    modules: tuple[nn.Module, ...] = tokenizer, preview, var
    parts = dict(zip(PARTS, modules, strict=True)) | ({MASKED: masked} if masked is not None else {})
    tensors = {
        f"{prefix}{name}": value.detach().to("cpu", torch.float16).contiguous()
        for prefix, module in parts.items()
        for name, value in module.state_dict().items()
    }
    with replacing(path) as part:
        told = {"spec": json.dumps(spec.to_dict())} | ({"digest": digest} if digest is not None else {})
        save_file(tensors, part, told)


@contextmanager
def opened_model(path: Path) -> Iterator[safe_open]:
    """A model file, open; ValueError if it is damaged, also when that shows while it is read."""
    try:
        if header_bytes(path) > MOST_HEADER:
            raise SafetensorError(f"its list of tensors has more than {MOST_HEADER} bytes")
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: this file is damaged ({error}). Get it again.") from error


def read_spec(path: Path) -> ModelSpec:
    """Read the sizes and classes of the model in a file, without its weights; ValueError as in `load`."""
    with opened_model(path) as file:
        metadata = file.metadata() or {}
    try:
        return ModelSpec.from_dict(parse_fields(metadata["spec"], MOST_HEADER))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a model of this program (its sizes are missing or odd: {error}).") from error
    except ValueError as error:  # of a later version, or sizes that cannot be: says so itself
        raise ValueError(f"{path}: {error}") from error


def load(
    name: str, folder: Path | None = None, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> LoadedModel:
    """Load a model by name (see `find`) or by path, straight to where it will be: float32 on the CPU, or other.

    With `dtype` float16 or bfloat16 the linear layers of the transformer's blocks are of that type; its head and
    embeddings, and the tokenizer, stay float32. What the CPU can use as it is in the file is not read but mapped into
    memory: such a file may be replaced or removed while the model is in use, but never cut short.
    Raises ValueError, with what to do, if the file is not there, damaged, or not one of ours.
    """
    path = find(name, folder)
    spec = read_spec(path)
    with opened_model(path), open(path, "rb") as raw:
        shapes = {name: tuple(entry["shape"]) for name, entry in _header(raw)[1].items()}
    if extra := sorted(name for name in shapes if not name.startswith((*PARTS, MASKED))):
        raise ValueError(f"{path}: the weights hold unknown {_some(extra)}. The file is of another model.")
    with torch.device("meta"):
        tokenizer, preview, var = Tokenizer(spec.tokenizer), Preview(spec.tokenizer), VAR(spec.transformer)
        masked = MaskedVAR(spec.transformer) if any(name.startswith(MASKED) for name in shapes) else None
    modules: dict[str, nn.Module] = dict(zip(PARTS, (tokenizer, preview, var), strict=True))
    if masked is not None:
        modules[MASKED] = masked
    for prefix, module in modules.items():
        check_shapes(module, _part(shapes, prefix))  # before anything is read: so the sizes are those of the file
    tensors, files = _tensors(path, dtype, torch.device(device))
    for prefix, module in modules.items():
        load_strict(module.eval(), _part(tensors, prefix))
    for name, layer in var.named_modules():
        if isinstance(layer, Linear) and SELDOM.match(name) and hasattr(mmap.mmap, "madvise"):  # not on Windows
            layer.file = files.get(f"transformer.{name}.weight")
    told = masked_digest(path) if masked is not None else ""
    return LoadedModel(spec, tokenizer, preview, var, file_digest(path), path, masked, told)


def _tensors(path: Path, dtype: torch.dtype, device: torch.device) -> tuple[dict[str, Tensor], dict[str, mmap.mmap]]:
    """All tensors of a file, in the types and on the device that they are to have; and the mappings of large ones.

    What has to change is read into a buffer, always the same one, and not mapped: mapped pages, or many buffers, would
    stay in memory beside the result.
    """
    loaded, files = {}, {}
    with opened_model(path) as mapped, open(path, "rb") as raw:
        start, header = _header(raw)
        sizes = [end - begin for begin, end in (header[name]["data_offsets"] for name in mapped.keys())]
        buffer = torch.empty(max(sizes, default=0), dtype=torch.uint8)
        for name in mapped.keys():
            stored = TYPES.get(header[name]["dtype"])
            if stored is None:
                raise ValueError(f"{path}: {name} is of type {header[name]['dtype']}. The file is of another model.")
            wanted = dtype if HALVED.match(name) else torch.float32
            (begin, end), shape = header[name]["data_offsets"], header[name]["shape"]
            if device.type != "cpu" or stored != wanted:
                values = _read(raw, start + begin, buffer[: end - begin]).view(stored)
                loaded[name] = values.view(shape).to(device, wanted)
            elif end - begin < LARGE:
                loaded[name] = mapped.get_tensor(name)
            else:
                files[name], values = _mapped_alone(raw, start + begin, end - begin)
                loaded[name] = values.view(stored).view(shape)
    return loaded, files


def _header(file: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Return where the weights begin in a safetensors file that was opened before, and type, shape and place of each.

    Offsets are those from there on.
    """
    length = int.from_bytes(file.read(8), "little")
    entries = json.loads(file.read(length))
    entries.pop("__metadata__", None)
    return 8 + length, entries


def _mapped_alone(file: BinaryIO, begin: int, count: int) -> tuple[mmap.mmap, Tensor]:
    """So many bytes of a file in a mapping of their own, uint8 (count,).

    When it is dropped, what was read of the file for it leaves the memory.
    """
    before = begin % mmap.ALLOCATIONGRANULARITY
    mapping = mmap.mmap(file.fileno(), before + count, access=mmap.ACCESS_COPY, offset=begin - before)
    return mapping, torch.frombuffer(mapping, dtype=torch.uint8, count=count, offset=before)


def _read(file: BufferedReader, begin: int, buffer: Tensor) -> Tensor:
    """Fill a buffer, uint8 (n,), with what a file holds from byte `begin` on."""
    file.seek(begin)
    if file.readinto(buffer.numpy().data) != len(buffer):
        raise OSError("it was cut short while it was read")
    return buffer


def masked_digest(path: Path) -> str:
    """Return 12 hex digits of a SHA-256 over the names and weights of a file's masked path."""
    computed = hashlib.sha256()
    with opened_model(path) as mapped, open(path, "rb") as raw:
        start, header = _header(raw)
        for name in sorted(name for name in mapped.keys() if name.startswith(MASKED)):
            begin, end = header[name]["data_offsets"]
            raw.seek(start + begin)
            computed.update(name.encode())
            computed.update(raw.read(end - begin))
    return computed.hexdigest()[:12]


def file_digest(path: Path) -> str:
    """Return what `LoadedModel.digest` is for a file, without its weights: from its metadata, or computed."""
    with opened_model(path) as file:
        written = (file.metadata() or {}).get("digest")
    if written is not None:
        if len(written) > MOST_DIGEST:
            raise ValueError(f"{path}: this file is damaged (its digest has {len(written)} letters). Get it again.")
        return written
    computed = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**22):
            computed.update(block)
    return computed.hexdigest()[:12]


def find(name: str, folder: Path | None = None) -> Path:
    """Return the file of a model given by path or by name; ValueError says how to get it, or what there is.

    A name is looked for in `folder`, or else where models lie: `files.model_folders`.
    """
    model = MODELS.get(name.strip().casefold())
    for path in (Path(name), file_for(name, folder), file_for(model.name if model else name, folder)):
        if os.path.isfile(path) and path.suffix != ".pth":  # unlike Path.is_file, also answers for impossible names
            return path
    if model is not None:
        raise ValueError(
            f"{model.title} is not here yet. Get it ({size_in_words(model.download_bytes)}): "
            f"python -m var_core download {model.name}"
        )
    for path in (Path(name), *(place / name for place in places(folder))):
        if os.path.isfile(path) or (os.path.isdir(path) and any(path.glob("*.pth"))):
            raise ValueError(
                f"{path} is as its authors published it, and has to be converted once: "
                f"python -m var_core convert --transformer {path}"
            )
    known = ", ".join(available(folder)) or "none"
    raise ValueError(f"There is no model '{name}'. Give the path of a .safetensors file, or one of: {known}.")


def places(folder: Path | None = None) -> tuple[Path, ...]:
    """Return the folders to look in for a model, first to last: the one given, or `files.model_folders`."""
    return model_folders() if folder is None else (folder,)


def file_for(name: str, folder: Path | None = None) -> Path:
    """Return where a model of this name lies, or would: in the first of the `places` that has it, or else the last."""
    paths = [place / f"{name}{SUFFIX}" for place in places(folder)]
    return next((path for path in paths if os.path.isfile(path)), paths[-1])


def new_file(name: str) -> Path:
    """Return where to write a model of this name, in the user's folder.

    ValueError if a model of this name lies in a folder that is looked in before that one.
    """
    path = file_for(name)
    if path.parent != user_models():
        raise ValueError(f"{path.parent}, which is looked in first, has a model {name}: give another --name, or --out.")
    return path


def refuse_shipped(path: Path) -> None:
    """ValueError if a file would be written among those of an installed package."""
    if PACKAGE in path.resolve().parents:
        raise ValueError(f"{path} belongs to the installed package: copy the model elsewhere, and give its path.")


def available(folder: Path | None = None) -> list[str]:
    """Return the names of the models in a folder, or else in all `places`."""
    return sorted({path.stem for place in places(folder) for path in place.glob(f"*{SUFFIX}")})


def _part(tensors: Mapping[str, Held], prefix: str) -> dict[str, Held]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
