"""The Explore tab over the tiny model: pictures drawn there, and what its page is told."""

from types import SimpleNamespace

import torch
from support import tiny

from var_core.config import Sampling
from var_core.inspection.trace import Trace
from var_core.settings import named
from var_studio.explore.layout import ViewUpdate
from var_studio.explore.page_acts import PageActs
from var_studio.explore.session import ExploreSession
from var_studio.explore.sources import Sources

PIPE = tiny.pipeline()
KNOBS = named(Sampling())
SCALES = len(tiny.SIDES)


def final(views) -> ViewUpdate:
    *_, view = views
    return view


def drawn(
    handlers: Sources, start: ExploreSession | None = None, seed: str = "5", name: str = "Rose"
) -> ExploreSession:
    return final(handlers.draw(start or ExploreSession(), name, seed, True, KNOBS)).session


def acts_of(sources: Sources) -> PageActs:
    return PageActs(sources.models, sources.cache, sources.files)


def acted(handlers: Sources, here: ExploreSession, **wish: object) -> list[ViewUpdate]:
    return list(acts_of(handlers).act(here, SimpleNamespace(_data=wish)))


def equal(one: Trace, other: Trace) -> bool:
    return torch.equal(one.tokens, other.tokens) and torch.equal(one.pictures, other.pictures)
