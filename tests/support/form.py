"""The controls of the Create tab over the tiny model, as values."""

from support import tiny

from var_core.engine.request import Request
from var_studio.create.preparing import Asked
from var_studio.shared import controls

SPEC = tiny.SPEC
USUAL = controls.defaults(SPEC).by_name()


def asking(**changes: object) -> tuple:
    """The values that `controls.read` takes, as they open but for some."""
    values = {**USUAL, **changes}
    return values["class"], values["count"], values["seed"], values


def read(**changes: object) -> Request:
    return controls.read(SPEC, *asking(**changes))


def asked(request: Request) -> Asked:
    """A request to the tiny model."""
    return Asked(request, tiny.pipeline().digest)
