"""Widgets that take files of visitors: they open none themselves, take only what was uploaded, and leave no files."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import gradio as gr
import numpy as np
from fastapi import HTTPException
from gradio.components.image_editor import EditorData, EditorDataBlobs
from gradio.context import LocalContext
from gradio.data_classes import FileData, ListFiles
from gradio.utils import is_in_or_equal
from gradio_client.utils import is_valid_file

from .canvases import Canvases, NoRoom
from .events import in_words, refusal
from .guarded_events import STRANGE
from .visitor import household
from .visitor_files import VisitorFiles

Taking = TypeVar("Taking", gr.UploadButton, gr.File)
MOST_LAYERS = 4  # the page sends one
MOST_CANVAS_PIXELS = 2048 * 2048  # of each picture; the page sends half as many a side
MOST_BLOB_BYTES = 4 * MOST_CANVAS_PIXELS  # of one picture that the page sends before it says what it is for
MOST_NAME = 100  # characters of the name that the page gives to a canvas; it has about 10


def uploaded(path: str, cache: str) -> str:
    """Return the path of a file that was uploaded; refuse any other."""
    if not (is_in_or_equal(path, cache) and Path(path).is_file()):
        raise refusal("That file is not here any more: open it again.")
    return path


def upload_button(
    text: str,
    file_types: list[str],
    elem_id: str | None = None,
    size: Literal["sm", "md", "lg"] = "lg",
    min_width: int | None = None,
    variant: Literal["primary", "secondary", "stop"] = "secondary",
) -> gr.UploadButton:
    """Lay out a button that uploads one file. Its handler gets the path, or None."""
    made = gr.UploadButton(
        text, file_types=file_types, elem_id=elem_id, size=size, min_width=min_width, variant=variant
    )
    return takes_uploads(made)


def takes_uploads(widget: Taking) -> Taking:
    """Let a widget of one file take only what was uploaded, and hand on its path, or None."""

    def preprocess(payload: ListFiles | FileData | None) -> str | None:
        if payload is None:
            return None
        if not isinstance(payload, FileData):
            raise refusal(STRANGE)
        if widget.file_types and not is_valid_file(payload.path, widget.file_types):
            raise refusal(f"{Path(payload.path).name} is no file of the kind that opens here.")
        return uploaded(payload.path, widget.GRADIO_CACHE)

    vars(widget)["preprocess"] = preprocess
    return widget


def takes_canvases(editor: gr.ImageEditor, files: VisitorFiles) -> gr.ImageEditor:
    """Let a canvas hand on its background and layers as uint8 (h, w, 4), and no composite, or None."""
    canvases = Canvases(files.limits)

    def whose() -> object:
        """Return what lives as long as the session of the visitor who is answered."""
        return LocalContext.blocks_config.get(None) or editor

    def opened(given: FileData | bytes | None) -> np.ndarray | None:
        if given is None:
            return None
        known = given if isinstance(given, bytes) else uploaded(given.path, editor.GRADIO_CACHE)
        return files.canvas(known, MOST_CANVAS_PIXELS)

    def preprocess(payload: EditorData | None) -> dict[str, object] | None:
        if payload is None:
            return None
        sent: EditorData | EditorDataBlobs = payload
        if payload.id is not None:
            sent = canvases.take(whose(), payload.id)
        layers = [layer for layer in sent.layers if layer is not None]
        if len(layers) > MOST_LAYERS:
            raise refusal(STRANGE)
        with in_words():
            return {"background": opened(sent.background), "layers": [*map(opened, layers)], "composite": None}

    def accept_blobs(data: Any) -> None:
        """Take a picture of a canvas that an event will name later."""
        try:
            kind, index, name = data.data["type"], data.data.get("index"), str(data.data["id"])
            number = int(index) if index not in (None, "", "null") else None
            ((_, picture),) = data.files
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise refusal(STRANGE) from error
        if len(picture) > MOST_BLOB_BYTES or len(name) > MOST_NAME or not 0 <= (number or 0) < MOST_LAYERS:
            raise refusal(STRANGE)
        if not (kind == "background" or (kind == "layer" and number is not None)):
            return  # what the others make together
        client = getattr(LocalContext.request.get(None), "client", None)
        layer = number if kind == "layer" else None
        try:
            canvases.put(whose(), household(client.host) if client else "", name, layer, picture)
        except NoRoom as error:
            raise HTTPException(429, str(error)) from error

    def postprocess(value: Any) -> EditorData | None:
        if isinstance(value, dict):
            layers = [files.served(layer, editor.GRADIO_CACHE) for layer in value["layers"]]
            value = {**value, "background": files.served(value["background"], editor.GRADIO_CACHE), "layers": layers}
        return shown(value)

    shown = editor.postprocess
    vars(accept_blobs)["_is_server_fn"] = True
    vars(editor).update(
        preprocess=preprocess, postprocess=postprocess, accept_blobs=accept_blobs, blob_storage=canvases
    )
    return editor
