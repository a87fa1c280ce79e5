"""Acts of a crowd in a plain loop, without a server, timed; each result is made again from its own recipe."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing.edit import run_edit
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Trace
from var_core.picture_reading import open_levels, open_photo
from var_core.recipe import Recipe
from var_studio.shared import run as runs

from .acts import MANY, Made

NEAR = 2  # levels by which pixels may differ: sums of numbers in another order


def again(pipe: Pipeline, made: Made, folder: Path) -> tuple[float, list[str]]:
    """Make it again; return the seconds that it takes, and by how much each is not what its recipe says that is not."""
    kinds: dict[str, Callable[[Pipeline, Made, Path], list[str]]] = {
        "create": _created,
        "edit": _edited,
        "explore": _explored,
        "upload": _opened,
        "stop": _begun,
        "leave": _begun,
    }
    began = time.perf_counter()
    wrong = [told for told in kinds[made.act](pipe, made, folder) if told]
    return time.perf_counter() - began, wrong


def _created(pipe: Pipeline, made: Made, folder: Path) -> list[str]:
    recipes = [Recipe.read(file) for file in made.files]
    asked = [recipe.request(pipe) for recipe in recipes]
    labels, seeds = (tuple(getattr(one, name)[0] for one in asked) for name in ("labels", "seeds"))
    for going in runs.after_each_scale(pipe, Request(labels, seeds, asked[0].sampling)):
        runs.pictures(pipe, going)
    done = runs.finish(pipe, going, folder)
    pairs = zip(made.files, done.files, strict=True)
    return [difference(open_photo(file), open_photo(other)) for file, other in pairs]


def _edited(pipe: Pipeline, made: Made, folder: Path) -> list[str]:
    assert made.photo and made.mask, "an edit has both"
    (file,), photo = made.files, open_photo(made.photo)
    levels, _ = open_levels(made.mask, photo.shape[1::-1])
    edit = Recipe.read(file).edit(pipe, photo, levels)
    drawn = run_edit(pipe, replace(edit, labels=edit.labels * 2, seeds=(edit.seeds[0], edit.seeds[0] + 1)))
    Image.fromarray(drawn[0]).save(folder / "edited.png")
    return [difference(open_photo(file), drawn[0])]


def _explored(pipe: Pipeline, made: Made, folder: Path) -> list[str]:
    (file,) = made.files
    trace = Trace.load(file)
    other = recorded(pipe, trace.request())
    other.save(folder / "trace.safetensors")
    first = 1 + int((other.tokens != trace.tokens).flatten().int().argmax())
    tokens = "" if other.tokens.equal(trace.tokens) else f"other tokens from the {first}. of {other.tokens.numel()} on"
    return [tokens or difference(trace.pictures.numpy(), other.pictures.numpy())]


def _opened(_pipe: Pipeline, made: Made, _folder: Path) -> list[str]:
    assert made.photo, "it was opened"
    open_photo(made.photo)
    return []


def _begun(pipe: Pipeline, made: Made, folder: Path) -> list[str]:
    """Make as much of a run as was made of it before it was stopped, or had been when its visitor left."""
    request = Request((pipe.spec.label(made.name),) * MANY, tuple(range(MANY)), pipe.spec.default_sampling)
    for going in islice(runs.after_each_scale(pipe, request), made.scales):
        runs.pictures(pipe, going)
    if made.act == "stop" and made.scales:
        runs.finish(pipe, going, folder)
    return []


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """Say by how much a picture is not another; nothing if it is the same one."""
    if one.shape != other.shape:
        return f"{one.shape} for {other.shape}"
    apart = np.abs(one.astype(int) - other.astype(int))
    return "" if apart.max() <= NEAR else f"{100 * (apart > NEAR).mean():.1f} % of it differ, by at most {apart.max()}"
