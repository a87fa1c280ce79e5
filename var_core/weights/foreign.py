"""Weights out of a checkpoint file of others, wherever in it they lie; no code in it is ever run."""

import argparse
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

# A name that only weights of this network have, as they are published.
TRANSFORMER, TOKENIZER = "pos_1LC", "encoder.conv_in.weight"
KINDS = {TRANSFORMER: "transformer", TOKENIZER: "tokenizer"}
# What DDP, torch.compile, FSDP and checkpointing put into the names of what they wrap.
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
AVERAGED = re.compile(r"(?i:(^|[^a-z])ema([^a-z]|$))|EMA")
DEEPEST = 6  # dictionaries within one another that are looked into
ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # how files begin


@dataclass(frozen=True)
class Weights:
    """The weights of one network in a file, by their published names."""

    tensors: dict[str, Tensor]
    where: str = ""  # they lay inside the file; empty: at its top
    averaged: bool = False  # over the training, and taken before others that were not
    unwrapped: tuple[str, ...] = ()  # what was taken out of their names

    @property
    def told(self) -> str:
        """Say where the weights were found and how their names were changed; empty if there is nothing to say."""
        average = ", averaged over the training (EMA)" if self.averaged else ""
        parts = [f"the weights in {self.where}{average}"] if self.where else []
        parts += [f"{', '.join(f'{name}.' for name in self.unwrapped)} left out of names"] if self.unwrapped else []
        return "; ".join(parts)


def weights_in(path: Path, kind: str) -> Weights:
    """Return the weights of a network (`TRANSFORMER` or `TOKENIZER`) in a .pth file, mapped from it.

    They may lie in dictionaries, beside others, and carry the names of wrappers; of several, averaged ones (EMA) are
    taken. A plain dictionary of tensors is taken for that network, whatever it holds. ValueError, with what to do, if
    there are none, or several to choose from.
    """
    content = opened(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds no weights by name: give a file as published, for example var_d16.pth.")
    found = list(candidates(content, kind))
    if not found and content and all(isinstance(name, str) and isinstance(content[name], Tensor) for name in content):
        return _weights(content, "")
    if not found:
        names = ", ".join(map(str, list(content)[:5])) or "nothing"
        raise ValueError(
            f"{path} holds more than weights, and no {KINDS[kind]} is among it ({names}): give a file as published, "
            "for example var_d16.pth."
        )
    best = [one for one in found if one.averaged] or found
    if len(best) > 1:
        places = " and ".join(one.where or "its top" for one in best)
        raise ValueError(
            f"{path} holds a {KINDS[kind]} in each of {places}: save the one that you want in a file of its own."
        )
    return best[0]


def holds_both(path: Path) -> bool:
    """Say whether a .pth file holds a transformer and a tokenizer, as the authors' trainer saves them."""
    content = opened(path)
    return isinstance(content, Mapping) and all(any(candidates(content, kind)) for kind in KINDS)


def candidates(content: Mapping[str, object], kind: str, where: tuple[str, ...] = ()) -> Iterator[Weights]:
    """Yield the weights of all networks of a kind in a dictionary and those inside it."""
    names = [name for name in content if isinstance(name, str)]
    for marker in (name for name in names if f".{name}".endswith(f".{kind}")):
        if isinstance(content[marker], Tensor):
            prefix = marker.removesuffix(kind)
            yield _weights({name: content[name] for name in names if name.startswith(prefix)}, prefix, where)
    if len(where) < DEEPEST:
        for name in names:
            if isinstance(inner := content[name], Mapping):
                yield from candidates(inner, kind, (*where, name))


def _weights(content: Mapping[str, object], prefix: str, where: tuple[str, ...] = ()) -> Weights:
    """Return the tensors of a dictionary whose names all begin alike, without that and without wrappers."""
    tensors, unwrapped = {}, set()
    for name, value in content.items():
        if isinstance(value, Tensor):
            parts = name.removeprefix(prefix).split(".")
            unwrapped |= WRAPPERS.intersection(parts)
            tensors[".".join(part for part in parts if part not in WRAPPERS)] = value
    before = [part for part in prefix.split(".") if part]
    unwrapped |= WRAPPERS.intersection(before)
    place = (*where, *(part for part in before if part not in WRAPPERS))
    averaged = any(AVERAGED.search(part) for part in place)
    return Weights(tensors, ".".join(place), averaged, tuple(sorted(unwrapped)))


def opened(path: Path) -> object:
    """Return what a .pth file holds, its tensors mapped from it where its kind allows that; no code is run.

    ValueError, with what to do, if it holds code, is damaged, or is none.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(ZIP))
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error}).") from error
    old = head.startswith(PICKLE)  # from before torch 1.6
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # options that lie beside weights; plain values
            return torch.load(path, map_location="cpu", weights_only=True, mmap=head == ZIP)
    except Exception as error:  # torch answers damage with errors of many kinds
        if old:
            raise ValueError(
                f"{path} is of the kind that torch wrote before version 1.6, and holds more than weights or is "
                "damaged; it was not opened. Where you trust it, save its weights anew: "
                "torch.save(model.state_dict(), FILE)."
            ) from error
        if isinstance(error, pickle.UnpicklingError):
            raise ValueError(
                f"{path} holds code or is no checkpoint, and was not opened: get it from its authors."
            ) from error
        raise ValueError(f"{path}: this file is damaged or not a .pth checkpoint. Get it again.") from error
