"""Edits over the tiny model: a photo, what is painted on it, the form, and what a run yields."""

from types import SimpleNamespace

import numpy as np
from PIL import Image
from support import tiny

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.settings import named
from var_studio.edit import workspace as workspaces
from var_studio.edit.form import INPAINT, EditForm
from var_studio.edit.layout import Choice, SheetUpdate
from var_studio.edit.results import EditJob, EditResult
from var_studio.edit.run_handlers import EditRunHandlers
from var_studio.edit.workspace import Workspace
from var_studio.shared.run import StopFlag

SPEC = tiny.SPEC
FORM = EditForm(INPAINT, "no class", 1, "5", Sampling(), EditSettings(), (0, 0, 0, 0))
NUMBERS = ("pixels", 0, 0, 0, 0)
REDRAWS = True  # what is painted, also while extending
SETTINGS, SAMPLING = named(EditSettings()), named(Sampling())


def photo(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)


WORKSPACE = workspaces.fresh_workspace("garden", photo())


def painted(now: Workspace = WORKSPACE) -> np.ndarray:
    mask = np.zeros_like(now.mask)
    mask[10:20, 15:30] = True
    return mask


def drawn_on(now: Workspace, mask: np.ndarray) -> dict:
    """What the image editor sends back when it shows the desk with a mask painted on it."""
    return sent(workspaces.on_canvas(now.masked(mask)))


def sent(value: dict) -> dict:
    """What the image editor sends back for what `on_canvas` showed it."""
    background = np.asarray(value["background"].convert("RGBA"))
    return {"layers": [np.asarray(layer) for layer in value["layers"]], "background": background, "composite": None}


def watched(handlers: EditRunHandlers, job: EditJob) -> SheetUpdate:
    """The sheet at the end of a job that nobody stops."""
    *_, last = handlers.watch(job, StopFlag(), None)
    return last


def results(result: EditResult) -> list[np.ndarray]:
    return [np.asarray(Image.open(file)) for file in result.files]


def at(*index: int) -> SimpleNamespace:
    return SimpleNamespace(index=index if len(index) > 1 else index[0])


def asked(
    handlers: EditRunHandlers,
    task: str = INPAINT,
    name: str = "no class",
    sides: tuple = NUMBERS,
    count: int = 2,
    box: str = "",
) -> tuple:
    canvas = drawn_on(WORKSPACE, painted())
    choice = dict(zip(Choice._fields, (task, box, name, REDRAWS, *sides), strict=True))
    return handlers.ready(WORKSPACE, canvas, True, choice, SETTINGS, SAMPLING, count, "5")


def asked_of(handlers: EditRunHandlers, now: Workspace, mask: np.ndarray) -> EditJob:
    """The job of inpainting a photo."""
    choice = dict(zip(Choice._fields, (INPAINT, "", "no class", REDRAWS, *NUMBERS), strict=True))
    return handlers.ready(now, drawn_on(now, mask), True, choice, SETTINGS, SAMPLING, 2, "5")[0]
