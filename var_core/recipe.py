"""How a picture was made, as a value that travels inside its PNG file."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import __version__
from .pipeline import Pipeline, Request
from .sampling import Sampling

CHUNK = "var-studio"
Value = TypeVar("Value")


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

    @classmethod
    def of(cls, pipe: Pipeline, request: Request, place: int) -> "Recipe":
        """The recipe of the picture at `place` of a request without a plan."""
        label = request.labels[place]
        name = pipe.spec.class_name(label)
        return cls(pipe.spec.name, pipe.digest, label, name, request.seeds[place], request.sampling)

    @property
    def stem(self) -> str:
        """A name for the picture's file that every file system takes."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.class_name.lower()).strip("-") or f"class-{self.label}"
        return f"{slug}-seed-{self.seed}"

    def request(self, pipe: Pipeline) -> Request:
        """The request that repeats the picture; ValueError if another model made it."""
        if self.digest != pipe.digest:
            raise ValueError(
                f"This picture was made by the model {self.model} ({self.digest}); the model loaded now is "
                f"{pipe.spec.name} ({pipe.digest}). Load that one to make the same picture again."
            )
        return Request((self.label,), (self.seed,), self.sampling)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The inverse of `to_json`; ValueError if the text is not a recipe."""
        try:
            values = json.loads(text)
            return _typed(cls(**{**values, "sampling": _typed(Sampling(**values["sampling"]))}))
        except (TypeError, KeyError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError("The recipe in this picture is damaged, so it cannot be restored.") from error

    def save(self, picture: Image.Image, path: Path) -> None:
        """Write a PNG that carries this recipe."""
        info = PngInfo()
        info.add_text(CHUNK, self.to_json())
        picture.save(path, format="PNG", pnginfo=info)

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """The recipe inside a PNG; ValueError, with the reason, if there is none."""
        try:
            with Image.open(path) as picture:
                text = getattr(picture, "text", {}).get(CHUNK)
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such file.") from error
        except Exception as error:  # Pillow answers damage with errors of many kinds
            raise ValueError(f"{Path(path).name} is not a picture that can be read.") from error
        if text is None:
            raise ValueError(
                f"{Path(path).name} carries no recipe: use a PNG downloaded here (other programs strip the recipe)."
            )
        return cls.from_json(text)


def _typed(value: Value) -> Value:
    """The frozen value itself; TypeError if a field holds another type than it says."""
    for field in fields(value):
        allowed = (float, int) if field.type is float else field.type
        if not isinstance(getattr(value, field.name), allowed):
            raise TypeError(f"{field.name} {getattr(value, field.name)!r} is not {field.type}")
    return value
