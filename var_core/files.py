"""Folders of files: what travels with the project, and what the user downloads, converts or exports.

In a checkout `assets/` and `checkpoints/` are its top-level folders; an installed package carries them inside, and
nothing is written there.
"""

import errno
import glob
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "shipped" if (PACKAGE / "shipped").is_dir() else PACKAGE.parent
ASSETS = SHIPPED / "assets"
CHECKPOINTS = SHIPPED / "checkpoints"
HOME = "VAR_STUDIO_HOME"  # the environment variable that names the user's folder
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a system answers that has no room for a file
FORGOTTEN = 24 * 3600.0  # seconds after which what was half written, or left behind, is nobody's any more
TRIED = 2**16  # bytes that are written to learn whether there is room


class Unwritten(OSError, ValueError):
    """A file could not be written; says in words why, and what to do. What was there before is as it was."""

    def __init__(self, path: Path, error: OSError):
        super().__init__(error.errno, error.strerror or str(error))
        self.path = path

    def __str__(self) -> str:
        """Name the file, but not the folder: visitors of a server read it, too."""
        remedy = "there is no room left for it. Once there is, try again."
        if self.errno not in FULL:
            remedy = f"{self.strerror}. Choose another folder."
        return f"{self.path.name} could not be written: {remedy}"


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
    """Yield a path near `path` to write to; what was written takes the place of `path` when the block ends well.

    A reader, or a crash, meets the old file or the new one, never half of one. Processes and threads that write it at
    once do not meet: what the last one wrote stays. Where a file is replaced, what crashes have left goes: `sweep`.
    Unwritten if there is no room for it, or it must not be written, whatever the writer makes of that.
    """
    bench = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # for writers' own files, too
    part = bench / path.name
    try:
        if path.exists():
            sweep(path.parent, glob.escape(path.name))
        bench.mkdir(exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        is_ours = error.filename is None or Path(os.fsdecode(error.filename)) in (part, bench)
        if error.errno is None or not is_ours or isinstance(error, Unwritten):
            raise
        raise Unwritten(path, error) from error
    except ValueError:
        raise
    except Exception as error:
        if trouble := _trouble(part):  # those that are no Python tell it in words of their own, or not at all
            raise Unwritten(path, trouble) from error
        raise
    finally:
        shutil.rmtree(bench, ignore_errors=True)


def sweep(folder: Path, names: str = "*") -> None:
    """Delete what crashes have left half written of files in a folder, a day ago or before; `names` is a pattern."""
    for left in folder.glob(f".{names}.*.part"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _trouble(part: Path) -> OSError | None:
    """Return what the system says when one goes on writing a file, begun or not; None: there is no trouble."""
    try:
        with open(part, "ab") as file:
            file.write(bytes(TRIED))
    except OSError as error:
        return error
    return None


def header_bytes(path: Path) -> int:
    """Return how long the list of tensors is, in bytes, that a safetensors file says it begins with."""
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8), "little")
