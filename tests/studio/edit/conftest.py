"""Fixtures for the tests of the Edit tab."""

from pathlib import Path

import pytest
from support import tiny
from support.opened import FILES

from var_studio.edit.asking_handlers import AskingHandlers
from var_studio.edit.photo_handlers import PhotoHandlers
from var_studio.edit.result_handlers import ResultHandlers
from var_studio.edit.run_handlers import EditRunHandlers
from var_studio.shared.models import Models


@pytest.fixture
def handlers(tmp_path: Path) -> EditRunHandlers:
    return EditRunHandlers(Models(tiny.pipeline()), str(tmp_path), FILES)


@pytest.fixture
def asking() -> AskingHandlers:
    return AskingHandlers(Models(tiny.pipeline()))


@pytest.fixture
def photos(tmp_path: Path) -> PhotoHandlers:
    return PhotoHandlers(str(tmp_path), FILES)


@pytest.fixture
def kept() -> ResultHandlers:
    return ResultHandlers(Models(tiny.pipeline()))
