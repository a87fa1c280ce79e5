"""A process that opens picture files for the app, one after another, and may be ended at any moment.

It reads questions from its standard input, a JSON object a line, and answers in the same way. Pixels do not travel with
the answer: they lie in the file that the question names as its `target`.
"""

import base64
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from var_core.editing.photo_file import open_photo_file
from var_core.files import FULL
from var_core.picture_files import recipe_text
from var_core.picture_reading import UnusablePicture, check_size, open_file, open_image, open_levels, open_photo

SMALL = 1024  # pixels of the longer side of what is kept of a photo to be shown
MOST_TEXT = 2**20  # characters of a recipe
CANVAS_FORMATS = ("PNG", "WEBP")  # what the page sends: neither takes longer than its pixels ask for
Answer = dict[str, object]


def main() -> None:
    """Answer questions until there are no more; the arguments are megabytes of memory, megapixels and seconds."""
    memory, megapixels, seconds = map(int, sys.argv[1:])
    _limit(memory)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a decoder prints is no answer
    _tell(answers, {})  # ready
    for line in sys.stdin:
        _allow(seconds)
        _tell(answers, _answer(json.loads(line), megapixels, memory))


def _limit(megabytes: int) -> None:
    """Bound the memory of this process, where the system can, and leave its turn to whoever answers visitors."""
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)


def _allow(seconds: int) -> None:
    """Let this process compute for so long from now on, where the system can; then it ends."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + seconds, most))


def _tell(answers: Any, answer: Answer) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _answer(question: Mapping[str, Any], megapixels: int, memory: int) -> Answer:
    """Return what a task found, or the sentence with which it refuses as `refused`."""
    path, name = Path(question["path"]), Path(question["path"]).name
    too_much = f"{name} needs more than {memory} megabytes of memory to open. Make it smaller first, or save it anew."
    try:
        _check_size(path, megapixels)
        return TASKS[question["task"]](question, path)
    except MemoryError:
        return {"refused": too_much}
    except ValueError as error:
        return {"refused": too_much if isinstance(error.__cause__, MemoryError) else str(error)}
    except OSError as error:
        if error.errno in FULL:
            return {"refused": "This machine has no room left on its disk: tell whoever runs the app."}
        return {"broken": repr(error)}
    except Exception as error:  # nobody has foreseen it: the server's log gets it
        return {"broken": repr(error)}


def _check_size(path: Path, megapixels: int) -> None:
    """ValueError for a picture of too many pixels; what cannot be read at all is told by whoever opens it."""
    size = (0, 0)
    with contextlib.suppress(Exception), open_file(path) as picture:
        size = picture.size
    check_size(path.name, *size, megapixels)


def _photo(question: Mapping[str, Any], path: Path) -> Answer:
    """Write a photo's pixels, those with their transparency if there are, and what the page shows of it."""
    pixels, extras = open_photo_file(path)
    small = np.asarray(extras.shown(pixels, SMALL))
    _write(question, pixels, *([] if extras.rgba is None else [extras.rgba]), small)
    return {
        "shape": pixels.shape,
        "transparent": extras.rgba is not None,
        "small": small.shape,
        "exif": base64.b64encode(extras.exif).decode(),
        "icc": base64.b64encode(extras.icc).decode(),
        "xmp": extras.xmp,
    }


def _picture(question: Mapping[str, Any], path: Path) -> Answer:
    """Write a picture's pixels, transparency over white."""
    pixels = open_photo(path)
    _write(question, pixels)
    return {"shape": pixels.shape}


def _mask(question: Mapping[str, Any], path: Path) -> Answer:
    """Write a mask's levels for a photo of the width and height that the question gives."""
    width, height = question["size"]
    levels, found = open_levels(path, (width, height))
    _write(question, levels)
    return {"found": found}


def _text(_question: Mapping[str, Any], path: Path) -> Answer:
    """Return the text of a picture's recipe."""
    text = recipe_text(path)
    if len(text) > MOST_TEXT:
        raise ValueError("The recipe in this picture is damaged, so it cannot be restored.")
    return {"text": text}


def _canvas(question: Mapping[str, Any], path: Path) -> Answer:
    """Write a picture that the page's canvas has sent, with its transparency."""
    with open_image(path, "picture") as picture:
        if picture.format not in CANVAS_FORMATS or picture.width * picture.height > question["most"]:
            raise UnusablePicture("The page has sent a canvas that is not one of its own: reload it.")
        pixels = np.asarray(picture.convert("RGBA"))
    _write(question, pixels)
    return {"shape": pixels.shape}


def _write(question: Mapping[str, Any], *parts: np.ndarray) -> None:
    with open(question["target"], "wb") as file:
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


TASKS: dict[str, Callable[[Mapping[str, Any], Path], Answer]] = {
    "photo": _photo,
    "picture": _picture,
    "mask": _mask,
    "text": _text,
    "canvas": _canvas,
}

if __name__ == "__main__":
    Image.init()
    main()
