"""Acts of visitors: each is done as on the page, and what it has made is kept with what is needed to check it."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from .person import Person, Told

MIX = {"create": 6, "edit": 3, "explore": 2, "upload": 2, "stop": 1, "leave": 1}  # weights
SIDE = 300  # pixels of photos
MANY = 8  # pictures of a run that is not awaited
SCALE = re.compile(r"scale (\d+) of ")


@dataclass
class Made:
    """Things that an act has made, and how long that took."""

    act: str
    told: Told
    files: list[Path] = field(default_factory=list)
    photo: Path | None = None
    mask: Path | None = None
    name: str = ""  # of the class of a run that was stopped or left
    scales: int = 0  # of such a run, that were drawn as far as is known


class Visit:
    """A person who does one act after another, with files of his own in a folder."""

    def __init__(self, person: Person, folder: Path, seed: int):
        self.person, self.folder, self.chance, self.count = person, folder, random.Random(seed), 0
        folder.mkdir(parents=True, exist_ok=True)

    def do(self, act: str | None = None) -> Made:
        """Do an act, or one by chance."""
        act = act or self.chance.choices(list(MIX), list(MIX.values()))[0]
        self.count += 1
        acts: dict[str, Callable[[], Made]] = {
            "create": self.create,
            "edit": self.edit,
            "explore": self.explore,
            "upload": self.upload,
            "stop": self.stop,
            "leave": self.leave,
        }
        return acts[act]()

    def create(self) -> Made:
        """Draw some pictures of a class that chance chooses."""
        self._want(self.chance.choice((1, 2, 4)))
        told = self.person.press("run")
        return Made("create", told, self._saved(told))

    def stop(self) -> Made:
        """Stop a run of many pictures once it draws."""
        name = self._want(MANY)
        told = self.person.press("run", drawing=lambda: self.person.send("stop"))
        return Made("stop", told, name=name, scales=scales(told.words))

    def leave(self) -> Made:
        """Leave while something is drawn, and come back as somebody else."""
        name = self._want(MANY)
        words = self.person.leave_once_drawing("run")
        return Made("leave", Told(0.0), name=name, scales=scales([words]))

    def upload(self) -> Made:
        """Open a photo."""
        photo = self._photo()
        self.person.set(open=self.person.upload(photo))
        return Made("upload", self.person.press("open", "upload"), photo=photo)

    def edit(self) -> Made:
        """Open a photo, repaint a part of it that a mask says, and download the result."""
        opened = self.upload()
        if opened.told.error:
            return Made("edit", opened.told)
        mask = self._file("mask.png")
        painted = np.zeros((SIDE, SIDE), np.uint8)
        left, top = (self.chance.randrange(40, 160) for _ in range(2))
        painted[top : top + 90, left : left + 90] = 255
        Image.fromarray(painted).save(mask)
        self.person.set(load_mask=self.person.upload(mask))
        loaded = self.person.press("load_mask", "upload")
        if loaded.error:
            return Made("edit", loaded)
        self.person.set(edit_variations=2)
        told = self.person.press("edit_run")
        if told.error:
            return Made("edit", told)
        result = self._file("edited.png")
        given = self.person.press("edit_download")
        self._save(told, given, "edit_file", result)
        return Made("edit", told, [result], opened.photo, mask)

    def explore(self) -> Made:
        """Draw a picture to look into, and save its trace."""
        told = self.person.press("explore_run")
        saved = self.person.press("explore_trace")
        trace = self._file("trace.safetensors")
        self._save(told, saved, "explore_ready", trace)
        return Made("explore", told, [trace])

    def _save(self, told: Told, given: Told, name: str, file: Path) -> None:
        """Download what an event has given to a widget; that there was nothing is an error of what was told before."""
        told.error = told.error or given.error or ("" if name in given.values else f"nothing came to {name}")
        if not told.error:
            file.write_bytes(self.person.file(given.values[name]))

    def _want(self, pictures: int) -> str:
        """Turn the widgets of Create; the server rolls a seed. Return the name of the class."""
        name = str(self.chance.choice(self.person.page.classes))
        self.person.set(**{"class": name, "pictures": pictures})
        return name

    def _saved(self, told: Told) -> list[Path]:
        """Save the pictures of a gallery."""
        files = []
        for one in told.values.get("gallery") or ():
            files.append(self._file("picture.png"))
            files[-1].write_bytes(self.person.file(one["image"]))
        return files

    def _photo(self) -> Path:
        """Make a photo of its own, smooth with some noise."""
        rng = np.random.default_rng(self.chance.randrange(2**31))
        coarse = Image.fromarray(rng.integers(256, size=(6, 6, 3), dtype=np.uint8))
        file = self._file("photo.png")
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file)
        return file

    def _file(self, name: str) -> Path:
        return self.folder / f"{self.count:05d}-{len(list(self.folder.glob(f'{self.count:05d}-*')))}-{name}"


def scales(words: Sequence[str]) -> int:
    """Return the last scale that a run's bars have named; 0: none."""
    return max((int(number) for one in words for number in SCALE.findall(one)), default=0)
