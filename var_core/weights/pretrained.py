"""Models as the Hugging Face hub has them: a folder with `model.safetensors` and a card, and repositories of such."""

import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

from .. import __version__
from ..files import replacing, user_models
from .checkpoints import SUFFIX, find, read_spec, refuse_shipped
from .convert import FileProgress
from .download import downloads
from .hub_file import cached, fetch_file, folder_lock
from .model_card import card
from .registry import MODELS

FILE, CARD = f"model{SUFFIX}", "README.md"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # of a repository


def locate(source: str | Path) -> Path:
    """Return the file of a model: that file, the one in that folder, a model's name, or "owner/name" on the hub.

    `fetch_repository` downloads one of the hub the first time, and does not ask for it again while its file is here.
    ValueError if there is none, with what to do.
    """
    path, name = Path(source), str(source)
    if path.is_dir() and not any(path.glob("*.pth")):
        return _inside(path)
    if path.is_file() or not NAME.fullmatch(name):
        return find(name)
    for _ in fetch_repository(name):
        pass
    return here(name) or local_folder(name)


def _inside(folder: Path) -> Path:
    found = [folder / FILE] if (folder / FILE).is_file() else sorted(folder.glob(f"*{SUFFIX}"))
    if len(found) != 1:
        raise ValueError(
            f"{folder} holds {len(found)} models: give the path of a .safetensors file, or name it {FILE}."
        )
    return found[0]


def local_folder(repository: str, folder: Path | None = None) -> Path:
    """Return where the model of a repository of the hub is downloaded to: in a folder of models, or in the user's."""
    return (folder or user_models()) / f"{repository}{SUFFIX}"


def here(repository: str, folder: Path | None = None) -> Path | None:
    """Return the file of a repository's model that was downloaded, also by other programs into the hub's cache."""
    path = local_folder(repository, folder)
    return path if path.is_file() else cached(repository, FILE)


def fetch_repository(repository: str, folder: Path | None = None) -> Generator[FileProgress, None, None]:
    """Download the model of a repository of the hub; what was cut off goes on where it stopped, as in `download.fetch`.

    Nothing is done if it is here already, or in the hub's own cache. ValueError, with what to do, if the repository is
    not there or has no model of this program, or when anything is amiss with the network or the disk.
    """
    _check(repository)
    if published := [model.name for model in MODELS.values() if model.repository == repository]:
        raise ValueError(f"{repository} holds models as published: get one by its name, {', '.join(published)}.")
    store, path = downloads(folder) / repository.replace("/", "--"), local_folder(repository, folder)
    with folder_lock(repository, store):
        if here(repository, folder) is not None:
            return
        yield from fetch_file(repository, FILE, store, by_hand="give its path as the model")
        try:
            read_spec(store / FILE)
        except ValueError as error:
            (store / FILE).unlink()
            raise ValueError(f"{FILE} of {repository} is not a model of this program: choose another one.") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(store / FILE, path)


def save(model: Path, folder: Path, license: str | None = None) -> Path:
    """Copy a model's file to `folder`, which is made, as `model.safetensors`; with its card, `README.md`; -> `folder`.

    A card that is there is left as it is. For `license` see `model_card.card`. ValueError if it cannot be written.
    """
    refuse_shipped(folder / FILE)
    told = _card(model, folder.resolve().name, license)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if model.resolve() != (folder / FILE).resolve():
            with replacing(folder / FILE) as part:
                shutil.copyfile(model, part)
        if not (folder / CARD).exists():
            with replacing(folder / CARD) as part:
                part.write_text(told, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to ({error.strerror}): choose another folder.") from error
    return folder


def _card(model: Path, source: str, license: str | None) -> str:
    """Return the card of a model; where its file lies in a folder that `save` made, the one that stands there."""
    beside = model.with_name(CARD)
    if model.name == FILE and beside.is_file():
        return beside.read_text(encoding="utf-8")
    return card(model, source, license)


def push(model: Path, repository: str, license: str | None = None, private: bool = False) -> str:
    """Upload a model's file and its card to a repository of the hub, which is made if need be; return its address.

    A card that is there is left as it is. The token is that of HF_TOKEN, or of a login on this machine;
    `huggingface_hub` shows its own bars. ValueError, with what to do, if the token is missing or may not write there,
    and when the hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HTTPError

    _check(repository)
    told = _card(model, repository, license)
    api = HfApi(library_name="var-studio", library_version=__version__)
    if get_token() is None:
        raise ValueError(
            f"There is no token for {api.endpoint}: make one that may write at {api.endpoint}/settings/tokens, and set "
            "HF_TOKEN to it."
        )
    files = {FILE: CommitOperationAdd(FILE, model)}
    try:
        api.create_repo(repository, exist_ok=True, private=private or None)
        if not api.file_exists(repository, CARD):
            files[CARD] = CommitOperationAdd(CARD, told.encode())
        api.create_commit(repository, list(files.values()), commit_message="Upload a model of VAR Studio")
    except (HTTPError, OSError) as error:
        raise _explained(error, repository, api.endpoint) from error
    return f"{api.endpoint}/{repository}"


def _check(repository: str) -> None:
    if not NAME.fullmatch(repository):
        raise ValueError(f"'{repository}' is no repository of the hub: give OWNER/NAME.")


def _explained(error: Exception, repository: str, endpoint: str) -> ValueError:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return ValueError(f"{repository} cannot be uploaded to: HF_HUB_OFFLINE is set. Unset it.")
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return ValueError(f"The hub refuses {repository} ({status}): set HF_TOKEN to a token that may write there.")
        return ValueError(f"The hub does not take {repository} at present ({status}): try again later.")
    return ValueError(
        f"{repository} could not be uploaded to {endpoint} ({error or type(error).__name__}): "
        "check the network, or the mirror in HF_ENDPOINT, and try again."
    )
