"""How a picture was made, as a value that travels inside its PNG file."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO, TypeVar, get_origin

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import __version__
from .editing.canvas import Box
from .editing.edit import Edit, Settings, onward
from .engine.pipeline import Pipeline, Request
from .engine.request import seed_at
from .engine.sampling import Sampling
from .images import read

CHUNK = "var-studio"
MOST_SLUG = 60  # characters
Value = TypeVar("Value")


def slug(text: str, otherwise: str) -> str:
    """A text as part of a file name: lower case, digits and hyphens, 60 at most; `otherwise` if nothing of it is left.

    The text may be anybody's: of any length and alphabet.
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MOST_SLUG].rstrip("-") or otherwise


def pixel_hash(pixels: np.ndarray) -> str:
    """What tells a photo or a mask from others: 16 hex digits over its shape and its values."""
    return hashlib.sha256(f"{pixels.shape} {pixels.dtype} ".encode() + pixels.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Edited:
    """What an edit started from: fingerprints of the photo and of what was painted on it, and how it was done."""

    photo: str
    mask: str
    settings: Settings
    extend: tuple[int, ...] = (0, 0, 0, 0)  # pixels to the left, top, right, bottom
    boxes: tuple[tuple[int, int, int], ...] = ()  # left, top, side of the squares that the user chose

    @classmethod
    def of(cls, edit: Edit) -> "Edited":
        """Of an edit, extended or not."""
        boxes = tuple((box.left, box.top, box.side) for box in edit.boxes or ())
        return cls(pixel_hash(edit.photo[edit.inner]), pixel_hash(edit.painted), edit.settings, edit.extend, boxes)

    @classmethod
    def from_values(cls, values: dict) -> "Edited":
        """The inverse of `asdict`, after a way through JSON; TypeError if it is not."""
        extend, boxes = tuple(values["extend"]), tuple(map(tuple, values["boxes"]))
        whole = [number for numbers in (extend, *boxes) for number in numbers]
        shapes = len(extend) == 4 and all(len(box) == 3 for box in boxes)
        if not shapes or not all(type(number) is int and abs(number) < 2**31 for number in whole):
            raise TypeError(f"extend {extend}, boxes {boxes}")
        return _typed(cls(**{**values, "settings": _settings(values["settings"]), "extend": extend, "boxes": boxes}))


@dataclass(frozen=True)
class Recipe:
    """All that is needed to make one picture again: pixel for pixel on the same kind of device."""

    model: str
    digest: str
    label: int
    class_name: str
    seed: int
    sampling: Sampling
    version: str = __version__
    edited: Edited | None = None  # None: made from nothing

    @classmethod
    def of(cls, pipe: Pipeline, request: Request, place: int) -> "Recipe":
        """The recipe of the picture at `place` of a request without a plan; ValueError if its scales' seeds differ."""
        label, (seed, *others) = (
            request.labels[place],
            {seed_at(request.seeds[place], k) for k in range(len(pipe.schedule))},
        )
        if others:
            raise ValueError("The scales of this picture were drawn with different seeds: a recipe can hold only one.")
        return cls(pipe.spec.name, pipe.digest, label, pipe.spec.class_name(label), seed, request.sampling)

    @classmethod
    def of_edit(cls, pipe: Pipeline, edit: Edit, place: int) -> "Recipe":
        """The recipe of the photo at `place` of an edit's results."""
        plain = cls.of(pipe, Request(edit.labels, edit.seeds, edit.sampling), place)
        return replace(plain, edited=Edited.of(edit))

    @property
    def stem(self) -> str:
        """A name for the picture's file that every file system takes."""
        name = slug(self.class_name, f"class-{self.label}")
        return f"{name}-{'edit-' if self.edited else ''}seed-{self.seed}"

    def request(self, pipe: Pipeline) -> Request:
        """The request that repeats the picture; ValueError if another model made it, or it is an edit."""
        self.check(pipe)
        if self.edited:
            raise ValueError("This picture is an edit of a photo: repeat it where photos are edited, with that photo.")
        return Request((self.label,), (self.seed,), self.sampling)

    def edit(self, pipe: Pipeline, photo: np.ndarray, painted: np.ndarray) -> Edit:
        """The edit that repeats the picture; ValueError if photo, mask or model are not those that it was made of."""
        self.check(pipe)
        if self.edited is None:
            raise ValueError("This picture is no edit: it was made from nothing, where pictures are created.")
        for name, pixels, wanted in (("photo", photo, self.edited.photo), ("mask", painted, self.edited.mask)):
            if pixel_hash(pixels) != wanted:
                raise ValueError(f"This is not the {name} that the picture was made of. Open that {name} to repeat it.")
        plain = Edit(photo, painted, (self.label,), (self.seed,), self.sampling, self.edited.settings)
        whole = onward(plain, *self.edited.extend) if any(self.edited.extend) else plain
        return replace(whole, boxes=tuple(Box(*box) for box in self.edited.boxes) or None)

    def check(self, pipe: Pipeline) -> None:
        """ValueError unless this model made the picture."""
        if self.digest != pipe.digest:
            raise ValueError(
                f"This picture was made by the model {self.model} ({self.digest}); the model loaded now is "
                f"{pipe.spec.name} ({pipe.digest}). Load that one to make the same picture again."
            )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The inverse of `to_json`; ValueError if the text is not a recipe."""
        try:
            values = json.loads(text)
            edited = Edited.from_values(values["edited"]) if values.get("edited") else None
            sampling = _typed(Sampling(**values["sampling"]))
            return _typed(cls(**{**values, "sampling": sampling, "edited": edited}))
        except (TypeError, KeyError, AttributeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError("The recipe in this picture is damaged, so it cannot be restored.") from error

    def save(self, picture: Image.Image, path: Path | BinaryIO) -> None:
        """Write a PNG that carries this recipe."""
        info = PngInfo()
        info.add_text(CHUNK, self.to_json())
        picture.save(path, format="PNG", pnginfo=info)

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """The recipe inside a PNG; ValueError, with the reason, if there is none."""
        try:
            with read(path) as picture:
                text = picture.info.get(CHUNK)
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such file.") from error
        except Exception as error:  # Pillow answers damage with errors of many kinds
            raise ValueError(f"{Path(path).name} is not a picture that can be read.") from error
        if text is None:
            raise ValueError(
                f"{Path(path).name} carries no recipe: use a PNG downloaded here (other programs strip the recipe)."
            )
        return cls.from_json(text)


def _settings(values: dict) -> Settings:
    """The settings of an edit from a recipe; TypeError unless all are there and of their types."""
    whole = {"detail": False, **values}  # edits made before detail could be borrowed do not name it
    if missing := {field.name for field in fields(Settings)} - whole.keys():
        raise TypeError(f"settings without {missing}")
    return _typed(Settings(**whole))


def _typed(value: Value) -> Value:
    """The frozen value itself; TypeError if a field holds another type than it says."""
    for field in fields(value):
        allowed = {float: (float, int)}.get(field.type, tuple if get_origin(field.type) is tuple else field.type)
        if not isinstance(getattr(value, field.name), allowed):
            raise TypeError(f"{field.name} {getattr(value, field.name)!r} is not {field.type}")
    return value
