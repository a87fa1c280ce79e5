"""Values that the endpoints take and tell: settings by name, how far a run is, tables of settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Seed
from var_core.schema import Fields
from var_core.settings import Declared, Setting, rows

from ..shared.models import Models
from ..shared.visitor_files import VisitorFiles

Status = Fields  # how far a run is
Pictures = Sequence[Image.Image | str]  # pictures under way, then the paths of their files


@dataclass(frozen=True)
class Served:
    """Things that endpoints work with."""

    running: Models
    cache: str  # where Gradio serves files from
    files: VisitorFiles

    @property
    def pipe(self) -> Pipeline:
        return self.running.pipe


def known(kind: type[Declared], values: Mapping[str, object] | None) -> Mapping[str, object]:
    """Return settings by name; ValueError if that is no table of names, or a name is of none."""
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"settings {str(values)[:40]!r}: give an object of names and values.")
    names = [row.name for row in rows(kind)]
    if unknown := [str(name) for name in values or () if name not in names]:
        raise ValueError(f"There is no setting {unknown[0][:40]!r}: choose from {', '.join(names)}.")
    return values or {}


JSON_TYPES = {float: "number", int: "integer", bool: "boolean", str: "string"}


def schema(kind: type[Declared]) -> Fields:
    """Return the JSON schema of settings by name, of which any may be left out."""

    def property_of(row: Setting) -> Fields:
        told: Fields = {"type": JSON_TYPES[row.kind], "title": row.label, "description": row.help}
        if row.choices:
            return {**told, "enum": list(row.choices)}
        return told if row.kind is bool else {**told, "minimum": row.low, "maximum": row.high}

    return {"type": "object", "properties": {row.name: property_of(row) for row in rows(kind)}}


def status_of(fraction: float, seconds: float, seeds: Sequence[Seed]) -> Status:
    """Say how far a run is, and which seeds it draws."""
    return {"done": False, "fraction": round(fraction, 3), "seconds": round(seconds, 2), "seeds": list(seeds)}


def table_of(kind: type[Declared]) -> list[Fields]:
    """Return the table of a dataclass of settings, a plain value each."""

    def plain(row: Setting) -> Fields:
        return {"name": row.name, "default": row.default, "takes": row.bounds or "true or false", "is": row.help}

    return [plain(row) for row in rows(kind)]
