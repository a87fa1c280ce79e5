"""Folders of pictures for training: DIR/{train,val}/<class>/, perhaps with a DIR/classes.json; or only DIR/<class>/."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..images import square, to_float
from ..picture_reading import open_file
from ..schema import exact, parse_json

MOST_LISTING = 2**24  # characters of a folder's classes.json
PICTURE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
NO_CLASSES = {"__MACOSX", "@eaDir"}  # what other programs leave in folders, besides what is hidden


@dataclass(frozen=True)
class Divided:
    """A folder with pictures of classes, and no val/ beside them, of which a share stands for val.

    Which pictures that are, so many of each class, depends on their names and the seed alone. ValueError unless some
    are left to train on.
    """

    root: Path
    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"split {self.share} is out of range: choose the share for val, more than 0 and below 1.")
        if (self.root / "val").is_dir():
            raise ValueError(f"{self.root} has a folder val/ already: leave out --split.")

    def __str__(self) -> str:
        return str(self.root)

    @property
    def folder(self) -> Path:
        """The folder of the classes: train/ if there is one."""
        return self.root / "train" if (self.root / "train").is_dir() else self.root

    def part(self, split: str, files: list[Path]) -> list[Path]:
        """Return those files of one class that belong to "train" or to "val", in their order; of a single one none."""

        def place(path: Path) -> bytes:
            return hashlib.sha256(f"{self.seed} {path.relative_to(self.folder).as_posix()}".encode()).digest()

        count = min(max(1, round(self.share * len(files))), len(files) - 1)
        val = set(sorted(files, key=place)[: max(0, count)])
        return [path for path in files if (path in val) == (split == "val")]


PictureFolder = Path | Divided  # where a training's pictures are


@dataclass(frozen=True)
class Classes:
    """The classes of a data folder: a class's id is its index in these lists."""

    folders: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, root: PictureFolder) -> "Classes":
        """Read classes.json (a list of {id, folder, name, group}) if it is there, else take train's folders.

        Hidden folders are left out, and those that other programs made.
        """
        listing = (root.root if isinstance(root, Divided) else root) / "classes.json"
        if listing.is_file():
            return cls._listed(listing)
        below = split_folder(root, "train").iterdir()
        folders = tuple(sorted(path.name for path in below if path.is_dir() and not _set_aside(path.name)))
        if not folders:
            raise ValueError(f"{root}: no class folders in train/; put pictures into train/<class>/.")
        return cls(folders, tuple(name.replace("-", " ").title() for name in folders), ("all",) * len(folders))

    @classmethod
    def _listed(cls, listing: Path) -> "Classes":
        try:
            found: Any = parse_json(listing.read_text(encoding="utf-8"), MOST_LISTING)
            rows = sorted(found, key=lambda row: row["id"])
            if not rows or [row["id"] for row in rows] != list(range(len(rows))):
                raise ValueError("ids must count up from 0")
            columns = {one.name: [row[one.name.removesuffix("s")] for row in rows] for one in fields(cls)}
            return exact(cls, columns)
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


def split_folder(root: PictureFolder, split: str) -> Path:
    """Return the folder that holds the classes of a split, or raise a ValueError that says what to do."""
    folder = root.folder if isinstance(root, Divided) else root / split
    if not folder.is_dir():
        raise ValueError(
            f"{root}: there is no folder '{split}'. Pictures belong in train/<class>/ and val/<class>/; of a folder "
            "that has only classes, --split 0.1 takes a tenth for val."
        )
    return folder


def _set_aside(name: str) -> bool:
    """Say whether a file or folder of this name is hidden, or was left by another program."""
    return name.startswith(".") or name in NO_CLASSES


def is_picture(path: Path) -> bool:
    """Say whether a file is one of pictures, by its name; hidden ones are none."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not _set_aside(path.name)


def files_in(folder: Path) -> list[Path]:
    """Return all files in a folder and in those below it, in order; hidden ones and what is in such folders not."""
    found = (path for path in folder.rglob("*") if not any(map(_set_aside, path.relative_to(folder).parts)))
    return sorted(path for path in found if path.is_file())


def pictures_in(folder: Path) -> list[Path]:
    """Return all pictures in a folder and in those below it, in order, by their names; see `files_in`."""
    return [path for path in files_in(folder) if is_picture(path)]


def split_pictures(root: PictureFolder, split: str) -> list[Path]:
    """Return all pictures of a split, in whatever folders; ValueError if there is no folder of it."""
    folder = split_folder(root, split)
    found = pictures_in(folder)
    if not isinstance(root, Divided):
        return found
    classes = groupby(found, lambda path: path.relative_to(folder).parts[0])
    return sorted(path for _, files in classes for path in root.part(split, list(files)))


def listing(root: PictureFolder, split: str, classes: Classes) -> list[tuple[Path, int]]:
    """List every picture file of a split with its label, also those in folders within a class's.

    ValueError if a class has none, or too few to be divided.
    """
    folder = split_folder(root, split)
    rows = []
    for label, name in enumerate(classes.folders):
        files = pictures_in(folder / name)
        if not files:
            raise ValueError(_without_pictures(folder / name))
        if isinstance(root, Divided):
            files = root.part(split, files)
            if not files:
                raise ValueError(f"{folder / name}: a single picture cannot be divided. Add some, or drop the class.")
        rows += [(path, label) for path in files]
    return rows


def _without_pictures(folder: Path) -> str:
    """Say that a class has no pictures, what is there instead, and what is read."""
    kinds = ", ".join(sorted(PICTURE_SUFFIXES))
    others = sorted({path.suffix.lower() or path.name for path in files_in(folder)})[:5]
    there = f" There are only {', '.join(others)}." if others else ""
    return f"{folder}: class without pictures. Add some ({kinds}) or drop it.{there}"


def data_digest(root: PictureFolder, classes: Classes) -> str:
    """Return the SHA-256, in hex, of what a data folder holds: every file's path, label and content."""
    whole, top = hashlib.sha256(), root.root if isinstance(root, Divided) else root
    for split in ("train", "val"):
        for path, label in listing(root, split, classes):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{split} {path.relative_to(top)} {label} {content}\n".encode())
    return whole.hexdigest()


def read_picture(
    path: Path, side: int, cut: Callable[[Image.Image, int], np.ndarray | None] = square
) -> np.ndarray | None:
    """Return what is `cut` of a picture, by default its centre, as uint8 (side, side, 3); None if it cannot be read."""
    try:
        with open_file(path) as opened:
            return cut(opened, side)
    except Exception:  # Pillow answers damage with errors of many kinds; one bad file must not end the reading
        return None


def load_split(root: PictureFolder, split: str, classes: Classes, side: int) -> Iterator[float | PictureSet]:
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
        raise ValueError(f"{split_folder(root, split)}: none of its {len(rows)} pictures could be read.")
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
