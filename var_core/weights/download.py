"""Published models from the Hugging Face hub: what of them is here, the rest downloaded, all of it converted."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..files import user_models
from ..nn.tokenizer import Tokenizer
from .checkpoints import file_for, load_strict, read_spec
from .convert import FileProgress, assemble, convert, origin_of, tokenizer_inside
from .hub_file import cached, fetch_file, folder_lock
from .registry import DOWNLOADS, MODELS, Published, left, place, short_of_disk


def fetch(model: Published, folder: Path | None = None) -> Generator[FileProgress, None, None]:
    """Download a published model and make it a file in `folder`, or in the user's: there when the iterator ends.

    A model that is there already is left as it is; files in the hub's own cache are used and stay there, and so is the
    tokenizer of another published model in the folder. Closing the iterator stops within about a second and leaves what
    has arrived, so that the next call goes on from there.
    ValueError, with what to do, when something is amiss: no network, no room, a file that is not there or is damaged,
    another download into the folder.
    """
    store = downloads(folder)
    with folder_lock(model.title, store):
        if _is_here(model, folder):
            return
        found = supply(model, folder)
        for problem in short_of_disk(model, folder, found.there):
            raise ValueError(problem)
        for file in model.files:
            if file not in found.files:
                yield from fetch_file(model.repository_of(file), file, store)
        transformer, tokenizer = (found.files.get(file, place(store, file)) for file in model.files)
        _try(model, transformer, tokenizer, store)
        out = file_for(model.name, folder)
        yield from convert(transformer, tokenizer, out, expected=model.spec, origin=model.origin)
        _forget(model, store)


@dataclass(frozen=True)
class Supply:
    """The parts of a published model that are here, so that they need not be downloaded, and what is left."""

    files: Mapping[str, Path]  # published file -> where it, or for the tokenizer a model of ours with it, lies whole
    there: int  # bytes of those that lie elsewhere than in the folder's downloads
    left: int  # bytes to download, to within a percent
    lender: str | None = None  # the model here that has the tokenizer

    @property
    def note(self) -> str:
        """The remark to make beside the bytes left."""
        return f" (the tokenizer is that of {self.lender}, which is here)" if self.lender else ""


def downloads(folder: Path | None) -> Path:
    """Return where files on their way into a folder, or else into the user's, are kept."""
    return (folder or user_models()) / DOWNLOADS


def supply(model: Published, folder: Path | None = None) -> Supply:
    """Look for a model's files in the hub's cache, in the folder's downloads, and for its tokenizer in other models."""
    kept = {file: path for file in model.files if (path := cached(model.repository_of(file), file)) is not None}
    whole = {file: path for file in model.files if (path := place(downloads(folder), file)).is_file()}
    there = sum(path.stat().st_size for path in kept.values())
    lender = None if model.tokenizer_file in whole | kept else lender_of(model, folder)
    if lender is None:
        return Supply(whole | kept, there, left(model, downloads(folder).parent, there))
    there += model.tokenizer_bytes
    lent = {model.tokenizer_file: file_for(lender, folder)}
    return Supply(whole | kept | lent, there, left(model, downloads(folder).parent, there), lender)


def lender_of(model: Published, folder: Path | None) -> str | None:
    """Find another published model in the folder with the very same tokenizer: its file says so, and holds it whole."""
    same = (other for other in MODELS.values() if other.origin == model.origin and other.name != model.name)
    return next((other.name for other in same if _lends(other, folder)), None)


def _lends(model: Published, folder: Path | None) -> bool:
    path = file_for(model.name, folder)
    if not (_is_here(model, folder) and origin_of(path) == model.origin):
        return False
    with torch.device("meta"):
        tokenizer = Tokenizer(model.spec.tokenizer)
    try:
        load_strict(tokenizer, tokenizer_inside(path))
    except ValueError:
        return False
    return True


def _is_here(model: Published, folder: Path | None) -> bool:
    try:
        found = read_spec(file_for(model.name, folder))
    except ValueError:  # not there, or damaged
        return False
    return (found.tokenizer, found.transformer) == (model.spec.tokenizer, model.spec.transformer)


def _try(model: Published, transformer: Path, tokenizer: Path, store: Path) -> None:
    """ValueError if the files are not the model; then what was downloaded is deleted: nothing may go on with it."""
    try:
        assemble(transformer, tokenizer, expected=model.spec)
    except ValueError:
        _forget(model, store)
        raise


def _forget(model: Published, store: Path) -> None:
    for file in model.files:
        place(store, file).unlink(missing_ok=True)
