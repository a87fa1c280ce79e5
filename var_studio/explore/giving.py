"""Pictures that the Explore tab gives to those of the visit."""

from pathlib import Path

from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.recipe import Recipe, slug

from ..shared import html
from ..shared.handover import SavedTrace
from ..shared.visit_pictures import EXPLORE, VisitPicture
from . import messages
from .session import ExploreSession, is_live


def picture_of(pipe: Pipeline, session: ExploreSession, folder: Path) -> VisitPicture:
    """Write the picture that is looked at, and its trace, into a folder; ValueError if there is none.

    It carries a recipe if its class, seed and settings alone make it again with the model that is loaded.
    """
    trace, branch = session.seen, session.branch
    about, picture = trace.about, Image.fromarray(trace.pictures[-1].numpy())
    stem = f"{slug(branch.name, 'picture')}-{about.origin}-seed-{about.seed}"
    file, saved = folder / f"{stem}.png", folder / f"{stem}.safetensors"
    if is_live(pipe, trace) and about.origin == "drawn" and not trace.keep.any():
        Recipe.of(pipe, trace.request(), 0).save(picture, file)
    else:
        picture.save(file)
    trace.save(saved)
    facts = [fact for fact in messages.facts(trace) if fact != f"class {branch.name}"]
    words = " · ".join((branch.title, *facts))
    made = SavedTrace(str(saved), branch.name)
    return VisitPicture(EXPLORE, str(file), str(file), words, about.digest, made, html.small_uri(picture, html.TINY))
