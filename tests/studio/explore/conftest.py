"""Fixtures for the tests of the Explore tab."""

from pathlib import Path

import pytest
from support.explored import PIPE
from support.opened import FILES

from var_studio.explore.sources import Sources
from var_studio.shared.models import Models


@pytest.fixture
def handlers(tmp_path: Path) -> Sources:
    return Sources(Models(PIPE), str(tmp_path), FILES)
