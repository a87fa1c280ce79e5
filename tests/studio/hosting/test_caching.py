"""What browsers are told to keep."""

import pytest
from starlette.responses import Response
from support.door import ask

from var_studio.hosting.caching import FOR_A_YEAR, Caching


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/assets/Index-CsUOoOcz.js", 200, FOR_A_YEAR),
        ("/assets/index.legacy-Ab_d-f12.css", 304, FOR_A_YEAR),
        ("/assets/Index-CsUOoOcz.js", 404, None),
        ("/assets/logo.svg", 200, None),
        ("/assets/../secret-CsUOoOcz.js", 200, None),
        ("/theme.css", 200, None),
        ("/", 200, None),
    ],
)
def test_only_files_that_are_named_by_what_they_hold_are_kept(path: str, status: int, told: str | None):
    assert ask(Caching(Response(b"", status)), path).headers.get("cache-control") == told
