"""Folders of files: what travels with the project, and what the user downloads, converts or exports.

In a checkout `assets/` and `checkpoints/` are its top-level folders; an installed package carries them inside, and
nothing is written there.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "shipped" if (PACKAGE / "shipped").is_dir() else PACKAGE.parent
ASSETS = SHIPPED / "assets"
CHECKPOINTS = SHIPPED / "checkpoints"
HOME = "VAR_STUDIO_HOME"  # the environment variable that names the user's folder


def user_folder() -> Path:
    """Return the folder for the user's data: the one that VAR_STUDIO_HOME names, or else the system's place for it.

    ValueError if the variable names the home of somebody who has none.
    """
    if named := os.environ.get(HOME):
        try:
            return Path(named).expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(f"{HOME} is '{named}', of a user whose home is not known: name another folder.") from error
    return platformdirs.user_data_path("var-studio", appauthor=False)


def user_models() -> Path:
    """Return the folder for models that the user downloads, converts or exports."""
    return user_folder() / "models"


def model_folders() -> tuple[Path, ...]:
    """Return the folders in which models are looked for, first to last; new ones are written into the last."""
    return CHECKPOINTS, user_models()


def runs_folder() -> Path:
    """Return the folder for what is trained and measured where none is named: `runs/` of a checkout, or the user's."""
    return (PACKAGE.parent if SHIPPED == PACKAGE.parent else user_folder()) / "runs"


def where_models_go() -> str:
    """Say for a command's help where models are looked for and written."""
    return (
        f"Models are looked for in {CHECKPOINTS}, then in {user_models()}, where new ones are written. "
        f"The environment variable {HOME} names another folder than {user_folder()}."
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; what was written takes the place of `path` when the block ends well.

    A reader, or a crash, meets the old file or the new one, never half of one. Processes and threads that write it at
    once do not meet: what the last one wrote stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def header_bytes(path: Path) -> int:
    """Return how long the list of tensors is, in bytes, that a safetensors file says it begins with."""
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8), "little")
