"""The published files of a model, made into one file of ours."""

import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import torch
from PIL import Image
from torch import Tensor, nn

from ..config import (
    ModelSpec,
)
from ..files import ASSETS, replacing
from ..images import from_pil
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR
from .checkpoints import PARTS, SUFFIX, TYPES, load_strict, opened_model
from .foreign import TOKENIZER, TRANSFORMER
from .published import check_numbers, check_sizes, recognise, weights

PICTURES = ASSETS / "examples"
BLOCK = 2**24  # bytes that are written at a time
TICK = 0.2  # seconds between two reports
ALIGNED = 64  # bytes: what a processor reads at once


@dataclass(frozen=True)
class FileProgress:
    """Progress of one part of the work on one file."""

    doing: str  # "download", "check", "preview" (fitting the cheap map to pictures) or "write"
    file: str
    done: int  # of total: bytes, or for "preview" pictures
    total: int  # 0 while it is not known
    seconds: float  # since this part began
    begun: int = 0  # what was there already when it began

    @property
    def fraction(self) -> float:
        """Return the part that is done, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def rate(self) -> float:
        """Return units a second; 0 while nothing can be said."""
        return (self.done - self.begun) / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds left at the present rate; None while nothing can be said."""
        return (self.total - self.done) / self.rate if self.rate else None


def convert(
    transformer: Path,
    tokenizer: Path,
    out: Path,
    name: str | None = None,
    expected: ModelSpec | None = None,
    origin: str | None = None,
) -> Generator[FileProgress, None, None]:
    """Make the two published files into the model file `out`; it is there, whole, when the iterator ends.

    `tokenizer` may also be a model file of ours: then it is the one in there. `origin` says where it was published, if
    that is known for certain, so that other models can take it from `out`.
    `name` is that of the model; by default the one of the published model that has its sizes, or that of the
    transformer's file.
    Closing the iterator leaves nothing behind. ValueError, with what to do, if a file is damaged, holds code, or is of
    another model than `expected`.
    """
    spec, ours, var = assemble(transformer, tokenizer, name, expected)
    preview = yield from fitted(ours, out.name)
    networks: tuple[nn.Module, ...] = ours, preview, var
    tensors = {
        f"{part}{key}": value.detach()
        for part, network in zip(PARTS, networks, strict=True)
        for key, value in network.state_dict().items()
    }
    known = {"tokenizer_from": origin} if origin else {}
    yield from write_safetensors(out, tensors, {"spec": json.dumps(spec.to_dict())} | known)


def assemble(
    transformer: Path, tokenizer: Path, name: str | None = None, expected: ModelSpec | None = None
) -> tuple[ModelSpec, Tokenizer, VAR]:
    """Both networks with the weights of published files, mapped from them; see `convert`."""
    spec = recognise(transformer, tokenizer, name)
    if expected is not None:
        check_sizes(spec, expected, transformer)
        spec = replace(spec, name=name or expected.name, default_sampling=expected.default_sampling)
    with torch.device("meta"):
        ours, var = Tokenizer(spec.tokenizer), VAR(spec.transformer)
    load_strict(
        ours.eval(), tokenizer_inside(tokenizer) if tokenizer.suffix == SUFFIX else weights(tokenizer, TOKENIZER)
    )
    load_strict(var.eval(), weights(transformer, TRANSFORMER))
    return spec, ours, var


def tokenizer_inside(path: Path) -> dict[str, Tensor]:
    """The tokenizer's weights in a model file of ours, float32, mapped from it."""
    with opened_model(path) as file:
        state = {name: file.get_tensor(name) for name in file.keys() if name.startswith(PARTS[0])}
    check_numbers(path, state)
    return {name.removeprefix(PARTS[0]): value.float() for name, value in state.items()}


def origin_of(path: Path) -> str | None:
    """Return where the tokenizer in a model file of ours was published, if the file says so."""
    with opened_model(path) as file:
        return (file.metadata() or {}).get("tokenizer_from")


# ------------------------------------------------------------------------------------------------ preview


def fitted(tokenizer: Tokenizer, file: str) -> Generator[FileProgress, None, Preview]:
    """Fit a `Preview` to crops of the example pictures; yields a few times a second, and returns it."""
    side, start = tokenizer.config.image_side, time.monotonic()
    made = list(crops(max(1, min(4, 4 * 256**2 // side**2))))
    seen = []  # f_hat and picture of each crop
    pool = ThreadPoolExecutor(1)  # a large tokenizer takes seconds for a crop, and the caller may want to stop
    try:
        for number, crop in enumerate(made):
            encoding = pool.submit(_encoded, tokenizer, crop)
            while not encoding.done():
                yield FileProgress("preview", file, number, len(made), time.monotonic() - start)
                wait([encoding], TICK)
            seen.append(encoding.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    preview = Preview(tokenizer.config)
    preview.fit(*map(torch.cat, zip(*seen, strict=True)))
    yield FileProgress("preview", file, len(made), len(made), time.monotonic() - start)
    return preview


@torch.inference_mode()
def _encoded(tokenizer: Tokenizer, crop: Image.Image) -> tuple[Tensor, Tensor]:
    """f_hat (1, C, s_K, s_K) of a square picture, and the picture (1, 3, S, S)."""
    image = from_pil([crop], tokenizer.config.image_side)
    return tokenizer.quantizer.features(tokenizer.encode(image)), image


def crops(each: int) -> Iterator[Image.Image]:
    """Square parts of every example picture, at most four: the middle, both ends, and a detail."""
    paths = sorted(path for path in PICTURES.glob("*.[jp][pn]g") if not path.stem.endswith("-mask"))
    if not paths:
        raise ValueError(f"{PICTURES} holds no pictures to fit the preview to: get the whole program again.")
    for path in paths:
        with Image.open(path) as picture:
            width, height = picture.size
            whole = min(width, height)
            squares = [
                ((width - whole) // 2, (height - whole) // 2, whole),
                (0, 0, whole),
                (width - whole, height - whole, whole),
                (width // 4, height // 4, whole // 2),
            ]
            for left, top, extent in squares[:each]:
                yield picture.convert("RGB").crop((left, top, left + extent, top + extent))


# ------------------------------------------------------------------------------------------------ writing


def write_safetensors(out: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[FileProgress]:
    """Write a safetensors file, tensor by tensor; it appears under its name only when it is whole.

    Its metadata gains `digest`: 12 hex digits of a SHA-256 over names and weights of all but the preview, which depends
    on the machine that fitted it. ValueError if the disk is full.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(out) as part, open(part, "wb") as file:
            yield from _written(file, out.name, tensors, dict(metadata))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ValueError(
            f"{out} could not be written ({error.strerror or error}): make room, then try again."
        ) from error


def _written(
    file: BinaryIO, name: str, tensors: Mapping[str, Tensor], metadata: dict[str, str]
) -> Iterator[FileProgress]:
    # the sizes that keep what follows aligned come first, so that a processor reads mapped weights at full speed
    order = sorted(tensors, key=lambda key: (tensors[key].nbytes % ALIGNED != 0, key))
    total, start = sum(value.nbytes for value in tensors.values()), time.monotonic()
    header = _header(tensors, order, metadata | {"digest": "0" * 12})
    file.write(header)
    digest, done = hashlib.sha256(), 0
    for key in order:
        digested = not key.startswith("preview.")
        if digested:
            digest.update(f"{key} {tuple(tensors[key].shape)} ".encode())
        values = tensors[key].contiguous().flatten().view(torch.uint8)
        for block in values.split(BLOCK):
            content = memoryview(block.numpy())
            file.write(content)
            if digested:
                digest.update(content)
            done += len(content)
            yield FileProgress("write", name, done, total, time.monotonic() - start)
    file.seek(0)
    file.write(_header(tensors, order, metadata | {"digest": digest.hexdigest()[:12]}))


def _header(tensors: Mapping[str, Tensor], order: list[str], metadata: Mapping[str, str]) -> bytes:
    """Length and JSON, filled up so that the weights begin aligned."""
    letters = {dtype: letter for letter, dtype in TYPES.items()}
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    offset = 0
    for key in order:
        value = tensors[key]
        ends = [offset, offset + value.nbytes]
        entries[key] = {"dtype": letters[value.dtype], "shape": list(value.shape), "data_offsets": ends}
        offset += value.nbytes
    text = json.dumps(entries).encode()
    filled = text + b" " * (-(8 + len(text)) % ALIGNED)
    return len(filled).to_bytes(8, "little") + filled
