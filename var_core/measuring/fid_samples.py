"""Many pictures, for those who measure a model: shared out over processes, gone on with after a stop, always the same.

Picture i has the i-th label in turn and the seed + i, whatever the number of processes and the size of a batch.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..config import Sampling
from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..files import replacing, sweep
from ..formats import FORMAT, FORMAT_KEY, sampling_of_format, split_format
from ..schema import Fields, entry, parse_fields
from ..words import counted

NOTE = "job.json"  # in the folder: says what its pictures are of
MOST_NOTE = 2**24  # characters of it


@dataclass(frozen=True)
class FidJob:
    """`count` pictures into files of a folder, 000000.png and so on."""

    count: int
    labels: tuple[int, ...]  # taken in turn
    out: Path
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    batch: int = 16  # pictures side by side, or as many as memory holds

    def __post_init__(self) -> None:
        if not (self.count >= 1 and self.batch >= 1 and self.labels):
            raise ValueError(
                f"count {self.count}, batch {self.batch}, {len(self.labels)} classes: choose 1 or more of each."
            )

    def path(self, number: int) -> Path:
        """Return the file of a picture."""
        return self.out / f"{number:06d}.png"

    def request(self, numbers: Sequence[int]) -> Request:
        """Return the request that makes some of the pictures, side by side."""
        labels = tuple(self.labels[number % len(self.labels)] for number in numbers)
        return Request(labels, tuple(self.seed + number for number in numbers), self.sampling)

    def left(self, rank: int, world: int) -> list[int]:
        """Return the numbers of the pictures that process `rank` of `world` has yet to make."""
        return [number for number in range(rank, self.count, world) if not self.path(number).is_file()]


def claim(pipe: Pipeline, job: FidJob) -> None:
    """Note in the folder what its pictures are of; ValueError if it holds those of another job.

    More pictures of the same are no other job.
    """
    job.out.mkdir(parents=True, exist_ok=True)
    sweep(job.out)
    asked = {"model": pipe.digest, "labels": list(job.labels), "seed": job.seed, "sampling": asdict(job.sampling)}
    note = job.out / NOTE
    if note.is_file():
        try:
            noted = upgrade(parse_fields(note.read_text(encoding="utf-8"), MOST_NOTE))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{note} is damaged ({error}): choose another folder.") from error
        if noted != asked:
            raise ValueError(
                f"{job.out} holds pictures of another model, class, seed or setting: choose another folder."
            )
        return
    with replacing(note) as part:
        part.write_text(json.dumps({FORMAT_KEY: FORMAT, **asked}), encoding="utf-8")


def upgrade(values: Mapping[str, object]) -> Fields:
    """Return what a note says as it is said today, from values of this or any earlier format.

    ValueError if a later version of this program wrote them.
    """
    version, noted = split_format("The folder's " + NOTE, values)
    noted["sampling"] = sampling_of_format(version, entry(noted, "sampling", dict))
    return noted


def make_samples(pipe: Pipeline, job: FidJob, rank: int = 0, world: int = 1) -> Iterator[int]:
    """Make this process's part of the pictures that are not there yet; yields how many were made, batch by batch.

    A file appears only when it is whole, so that a run which was killed can be gone on with.
    """
    claim(pipe, job)
    left = job.left(rank, world)
    for start in range(0, len(left), job.batch):
        numbers = left[start : start + job.batch]
        made = pipe.run(job.request(numbers)).images
        for number, picture in zip(numbers, made, strict=True):
            with replacing(job.path(number)) as part:
                picture.save(part, "PNG")
        yield len(numbers)


def write_npz(job: FidJob, path: Path) -> None:
    """Write all pictures as the .npz that evaluators of FID read: `arr_0`, uint8 (count, D, D, 3).

    They are taken one by one, so that memory need not hold all.

    ValueError if one is missing.
    """
    if missing := job.left(0, 1):
        lacking = f"{len(missing)} of {counted(job.count, 'picture')}"
        raise ValueError(f"{lacking} missing in {job.out}: run the command again.")
    first = np.asarray(Image.open(job.path(0)))
    header = {"descr": "|u1", "fortran_order": False, "shape": (job.count, *first.shape)}
    with (
        replacing(path) as part,
        zipfile.ZipFile(part, "w", allowZip64=True) as packed,
        packed.open("arr_0.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for number in range(job.count):
            with Image.open(job.path(number)) as picture:
                file.write(np.asarray(picture).tobytes())
