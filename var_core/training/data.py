"""Folders of pictures for training: DIR/{train,val}/<class>/*.{jpg,jpeg,png,webp}, perhaps with a DIR/classes.json."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..images import read, square, to_float

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class Classes:
    """The classes of a data folder: a class's id is its index in these lists."""

    folders: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, root: Path) -> "Classes":
        """Read root/classes.json (a list of {id, folder, name, group}) if it is there, else take train's folders."""
        listing = root / "classes.json"
        if listing.is_file():
            return cls._listed(listing)
        folders = tuple(sorted(path.name for path in split_folder(root, "train").iterdir() if path.is_dir()))
        if not folders:
            raise ValueError(f"{root}: no class folders in train/; put pictures into train/<class>/.")
        return cls(folders, tuple(name.replace("-", " ").title() for name in folders), ("all",) * len(folders))

    @classmethod
    def _listed(cls, listing: Path) -> "Classes":
        try:
            rows = sorted(json.loads(listing.read_text(encoding="utf-8")), key=lambda row: row["id"])
            if not rows or [row["id"] for row in rows] != list(range(len(rows))):
                raise ValueError("ids must count up from 0")
            return cls(*(tuple(row[field] for row in rows) for field in ("folder", "name", "group")))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(
                f'{listing}: write a list of {{"id": 0, "folder": ..., "name": ..., "group": ...}}, '
                "with ids that count up from 0."
            ) from error


@dataclass(frozen=True)
class PictureSet:
    """A split held in memory (3 * S * S bytes a picture)."""

    pixels: Tensor  # uint8 (N, S, S, 3)
    labels: Tensor  # int64 (N,)
    unreadable: tuple[str, ...]  # files that were skipped

    def __len__(self) -> int:
        return len(self.pixels)

    def spread(self, most: int) -> "PictureSet":
        """Return at most so many of the pictures, evenly spread over the set; ValueError unless that is 2 or more."""
        if most < 2:
            raise ValueError(f"{most} pictures are too few: choose 2 or more.")
        rows = torch.linspace(0, len(self) - 1, min(most, len(self))).long()
        return PictureSet(self.pixels[rows], self.labels[rows], self.unreadable)

    def images(self, index: Tensor, flips: Tensor | None = None) -> Tensor:
        """Return pictures as floats (B, 3, S, S) in [-1, 1]; `flips` bool (B,) mirrors left and right."""
        batch = to_float(self.pixels[index])
        return batch if flips is None else torch.where(flips[:, None, None, None], batch.flip(-1), batch)


@dataclass(frozen=True)
class Dataset:
    """A data folder in memory: its classes and both splits."""

    classes: Classes
    train: PictureSet
    val: PictureSet


def split_folder(root: Path, split: str) -> Path:
    """Return root/split, or raise a ValueError that says what to do."""
    folder = root / split
    if not folder.is_dir():
        raise ValueError(f"{root}: there is no folder '{split}'. Pictures belong in train/<class>/ and val/<class>/.")
    return folder


def listing(root: Path, split: str, classes: Classes) -> list[tuple[Path, int]]:
    """List every picture file of a split with its label; a class without pictures raises ValueError."""
    folder = split_folder(root, split)
    rows = []
    for label, name in enumerate(classes.folders):
        found = folder / name
        files = sorted(path for path in found.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        if not files:
            kinds = ", ".join(sorted(PICTURE_SUFFIXES))
            raise ValueError(f"{found}: class without pictures. Add some ({kinds}) or drop it.")
        rows += [(path, label) for path in files]
    return rows


def data_digest(root: Path, classes: Classes) -> str:
    """Return the SHA-256, in hex, of what a data folder holds: every file's path, label and content."""
    whole = hashlib.sha256()
    for split in ("train", "val"):
        for path, label in listing(root, split, classes):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{split} {path.relative_to(root)} {label} {content}\n".encode())
    return whole.hexdigest()


def read_picture(
    path: Path, side: int, cut: Callable[[Image.Image, int], np.ndarray | None] = square
) -> np.ndarray | None:
    """Return what is `cut` of a picture, by default its centre, as uint8 (side, side, 3); None if it cannot be read."""
    try:
        with read(path) as opened:
            return cut(opened, side)
    except Exception:  # Pillow answers damage with errors of many kinds; one bad file must not end the reading
        return None


def load_split(root: Path, split: str, classes: Classes, side: int) -> Iterator[float | PictureSet]:
    """Read a split into memory: yields the fraction done now and then, and the `PictureSet` last.

    Unreadable pictures are skipped and listed; a split in which none can be read raises ValueError.
    """
    rows = listing(root, split, classes)
    pixels = torch.empty((len(rows), side, side, 3), dtype=torch.uint8)
    labels: list[int] = []
    unreadable: list[str] = []
    with ThreadPoolExecutor() as pool:
        for done, ((path, label), picture) in enumerate(
            zip(rows, pool.map(lambda row: read_picture(row[0], side), rows), strict=True)
        ):
            if picture is None:
                unreadable.append(str(path))
            else:
                pixels[len(labels)] = torch.from_numpy(picture)
                labels.append(label)
            if done % 200 == 0:
                yield done / len(rows)
    if not labels:
        raise ValueError(f"{root / split}: none of its {len(rows)} pictures could be read.")
    yield PictureSet(pixels[: len(labels)], torch.tensor(labels), tuple(unreadable))


@dataclass(frozen=True)
class BatchSampler:
    """Chooses the pictures of training step t: a function of (seed, t) alone, so that a resumed run repeats itself.

    Every group is drawn with equal weight, and every picture within its group; with `mirror` half of them mirrored.
    """

    groups: tuple[Tensor, ...]  # row numbers of each group
    seed: int
    mirror: bool = True

    @classmethod
    def over(cls, labels: Tensor, classes: Classes, seed: int, mirror: bool = True) -> "BatchSampler":
        """Return a sampler of pictures with these labels, int64 (N,)."""
        names = sorted({classes.groups[label] for label in labels.tolist()})
        of_label = torch.tensor([names.index(group) if group in names else -1 for group in classes.groups])
        return cls(tuple((of_label[labels] == i).nonzero()[:, 0] for i in range(len(names))), seed, mirror)

    def rng(self, step: int) -> np.random.Generator:
        """Return the random numbers of one step."""
        return np.random.Generator(np.random.Philox(key=[self.seed, step]))

    def batch(self, rng: np.random.Generator, size: int) -> Tensor:
        """Draw row numbers, int64 (size,)."""
        chosen = rng.integers(len(self.groups), size=size)
        fractions = rng.random(size)
        rows = [int(self.groups[g][int(p * len(self.groups[g]))]) for g, p in zip(chosen, fractions, strict=True)]
        return torch.tensor(rows)

    def mirrored(self, rng: np.random.Generator, size: int) -> Tensor:
        """Draw which pictures of a batch are mirrored, bool (size,)."""
        return torch.from_numpy((rng.random(size) < 0.5) & self.mirror)
