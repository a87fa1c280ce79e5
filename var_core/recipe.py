"""The recipe of a picture: how it was made, as a value that travels inside its file."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from msgspec import Meta
from PIL import Image

from . import __version__
from .config import Sampling
from .editing.canvas import Box
from .editing.edit import Edit, onward
from .editing.edit_settings import EditSettings
from .engine.pipeline import Pipeline
from .engine.request import Request, Seed
from .engine.seeds import SeedParts, from_parts, parts_of
from .formats import (
    ADDED_EDIT_SETTINGS,
    ADDED_SEEDS,
    FORMAT,
    FORMAT_KEY,
    left_out,
    sampling_of_format,
    split_format,
)
from .picture_files import PNG, recipe_text, save_picture
from .schema import Fields, entry, exact, parse_fields

MOST_SLUG = 60  # characters
OTHER_VERSION = "Another version of this model made it: Run makes a picture like it, not the same."
MOST_TEXT = 100_000  # characters
Pixels = Annotated[int, Meta(gt=-(2**31), lt=2**31)]


def slug(text: str, otherwise: str) -> str:
    """Make a text part of a file name: lower case, digits, hyphens, 60 at most; `otherwise` if nothing of it is left.

    The text may be anybody's: of any length and alphabet.
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MOST_SLUG].rstrip("-") or otherwise


def pixel_hash(pixels: np.ndarray) -> str:
    """Return 16 hex digits over the shape and the values of a photo or a mask, which tell it from others."""
    return hashlib.sha256(f"{pixels.shape} {pixels.dtype} ".encode() + pixels.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class EditOrigin:
    """Start of an edit: hashes of the photo and of what was painted on it, and how it was done."""

    photo: str
    mask: str
    settings: EditSettings
    extend: tuple[Pixels, Pixels, Pixels, Pixels] = (0, 0, 0, 0)  # to the left, top, right, bottom
    boxes: tuple[tuple[Pixels, Pixels, Pixels], ...] = ()  # left, top, side of the squares that the user chose
    masked: str = ""  # digest of the masked path that drew it; empty: none did, or it is not known which

    @classmethod
    def of(cls, edit: Edit) -> "EditOrigin":
        """Return the origin of an edit, extended or not."""
        boxes = tuple((box.left, box.top, box.side) for box in edit.boxes or ())
        return cls(pixel_hash(edit.photo[edit.inner]), pixel_hash(edit.told_mask), edit.settings, edit.extend, boxes)


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
    edited: EditOrigin | None = None  # None: made from nothing
    later: SeedParts = ()  # (scale, seed): finer scales that go on with other seeds than the first

    @classmethod
    def of(cls, pipe: Pipeline, request: Request, index: int) -> "Recipe":
        """The recipe of the picture at `index` of a request without a plan."""
        label, ((_, seed), *later) = request.labels[index], parts_of(request.seeds[index])
        name = pipe.spec.class_name(label)
        return cls(pipe.spec.name, pipe.digest, label, name, seed, request.sampling, later=tuple(later))

    @classmethod
    def of_edit(cls, pipe: Pipeline, edit: Edit, index: int) -> "Recipe":
        """The recipe of the photo at `index` of an edit's results."""
        plain = cls.of(pipe, Request(edit.labels, edit.seeds, edit.sampling), index)
        if plain.later:
            raise ValueError("The scales of this edit were drawn with different seeds: its recipe can hold only one.")
        shown, soft = edit.settings.shown and pipe.masked is not None, edit.settings.soft and edit.levels is not None
        settings = replace(edit.settings, shown=shown, soft=soft)
        origin = EditOrigin.of(replace(edit, settings=settings))
        return replace(plain, edited=replace(origin, masked=pipe.masked_digest if settings.shown else ""))

    @property
    def stem(self) -> str:
        """A name for the picture's file that every file system takes."""
        name = slug(self.class_name, f"class-{self.label}")
        then = f"-then-{self.later[-1][1]}" if self.later else ""
        return f"{name}-{'edit-' if self.edited else ''}seed-{self.seed}{then}"

    def request(self, pipe: Pipeline) -> Request:
        """The request that repeats the picture; ValueError if another model made it, or it is an edit."""
        self.check(pipe)
        if self.edited:
            raise ValueError("This picture is an edit of a photo: repeat it where photos are edited, with that photo.")
        return Request((self.label,), (self.full_seed(pipe),), self.sampling)

    def full_seed(self, pipe: Pipeline) -> Seed:
        """The seed of all scales, or one for each; ValueError if the model has not the scales that it names."""
        try:
            return from_parts(((0, self.seed), *self.later), len(pipe.schedule))
        except ValueError as error:
            raise ValueError(f"The recipe in this picture is damaged ({error}), so it cannot be made again.") from error

    def edit(self, pipe: Pipeline, photo: np.ndarray, levels: np.ndarray) -> Edit:
        """The edit that repeats the picture, of a photo uint8 (H, W, 3) and a mask's levels, uint8 (H, W) or bool.

        ValueError if photo, mask or model are not those that it was made of.
        """
        self.check(pipe)
        if self.edited is None:
            raise ValueError("This picture is no edit: it was made from nothing, where pictures are created.")
        if self.edited.settings.shown and pipe.masked is None:
            raise ValueError(
                f"This edit was drawn by the masked path of {self.model}; the file of the model that is loaded now has "
                "none: load one that has."
            )
        if self.edited.settings.shown and self.edited.masked not in ("", pipe.masked_digest):
            raise ValueError(
                f"This edit was drawn by another masked path of {self.model} ({self.edited.masked}); the file that is "
                f"loaded now holds {pipe.masked_digest}. Load that file to make the same picture again."
            )
        levels = levels.astype(np.uint8) * 255 if levels.dtype == bool else levels
        plain = Edit.with_levels(photo, levels, (self.label,), (self.seed,), self.sampling, self.edited.settings)
        for name, pixels, wanted in (("photo", photo, self.edited.photo), ("mask", plain.told_mask, self.edited.mask)):
            if pixel_hash(pixels) != wanted:
                raise ValueError(f"This is not the {name} that the picture was made of. Open that {name} to repeat it.")
        whole = onward(plain, *self.edited.extend) if any(self.edited.extend) else plain
        return replace(whole, boxes=tuple(Box(*box) for box in self.edited.boxes) or None)

    def check(self, pipe: Pipeline) -> None:
        """ValueError unless this model made the picture, of one of its classes."""
        if self.digest != pipe.digest and self.model == pipe.spec.name:
            raise ValueError(
                f"This picture was made by another version of {self.model} ({self.digest}) than is loaded now "
                f"({pipe.digest}). Load that version to make the same picture again, or add --anyway: the same "
                "settings with this one, for a picture like it."
            )
        if self.digest != pipe.digest:
            raise ValueError(
                f"This picture was made by the model {self.model} ({self.digest}); the model loaded now is "
                f"{pipe.spec.name} ({pipe.digest}). Load that one to make the same picture again."
            )
        null = pipe.spec.transformer.null_label
        if not 0 <= self.label <= null:
            raise ValueError(
                "The recipe asks for a class that is not there, so the picture cannot be made again: this model has "
                f"classes 0 to {null - 1} and {null} for no class."
            )

    def adopted(self, pipe: Pipeline) -> "Recipe":
        """Return the same settings for the model that is loaded, if that is another version of the one that they name.

        Where it is the same, or not of that name, the recipe itself. ValueError if it lacks the class.
        """
        masked = self.edited is None or self.edited.masked in ("", pipe.masked_digest)
        if self.model != pipe.spec.name or (self.digest == pipe.digest and masked):
            return self
        edited = self.edited
        if edited:
            shown = edited.settings.shown and pipe.masked is not None
            edited = replace(edited, masked="", settings=replace(edited.settings, shown=shown))
        return replace(self, digest=pipe.digest, label=pipe.spec.label(self.class_name), edited=edited)

    def to_json(self) -> str:
        """Return the recipe as text, with the version of its format."""
        return json.dumps({FORMAT_KEY: FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what `to_json` wrote, now or in an earlier version; ValueError if the text is not a recipe."""
        try:
            return exact(cls, upgrade(parse_fields(text, MOST_TEXT)))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("The recipe in this picture is damaged, so it cannot be restored.") from error

    def save(
        self,
        picture: Image.Image,
        path: Path | BinaryIO,
        kind: str = PNG,
        exif: bytes = b"",
        icc: bytes = b"",
        xmp: str = "",
    ) -> None:
        """Write a picture that carries this recipe; see `save_picture`."""
        save_picture(picture, path, kind, self.to_json(), exif, icc, xmp)

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """The recipe inside a picture's file; ValueError, with the reason, if there is none."""
        return cls.from_json(recipe_text(path))


def upgrade(values: Mapping[str, object]) -> Fields:
    """Return the fields of a `Recipe` as they are today, from values of this or any earlier format.

    ValueError if a later version of this program wrote them.
    """
    version, told = split_format("This recipe", values)
    told["sampling"] = sampling_of_format(version, entry(told, "sampling", dict))
    if told.get("edited"):  # nothing told which masked path drew an edit before there were several
        edited = {"masked": "", **entry(told, "edited", dict)}
        told["edited"] = {**edited, "settings": edit_settings_of_format(version, edited["settings"])}
    return {"edited": None, **ADDED_SEEDS, **told}


def edit_settings_of_format(version: int, values: Mapping[str, object]) -> Fields:
    """Return the settings of an edit that a recipe of a format holds under today's names, with what it left out."""
    settings = dict(values)
    if version == 1:
        settings.setdefault("detail", False)  # at first no detail could be borrowed
        for before, now in (("grow", "dilate"), ("min_cover", "min_coverage")):
            if before in settings:
                settings[now] = settings.pop(before)
    if version < 4 and settings.pop("drafts", 1) != 1:
        raise ValueError("This edit was chosen from drafts, which are no longer drawn: it cannot be made again.")
    return {**left_out(ADDED_EDIT_SETTINGS, version), **settings}
