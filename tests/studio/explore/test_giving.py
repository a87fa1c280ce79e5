"""What the Explore tab gives to the pictures of the visit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.explored import PIPE, acted, drawn, equal

from var_core.inspection.trace import Trace
from var_core.recipe import Recipe
from var_studio.explore.giving import picture_of
from var_studio.explore.session import ExploreSession
from var_studio.explore.sources import Sources
from var_studio.shared.visit_pictures import EXPLORE


def test_a_picture_is_kept_with_its_trace_and_with_its_recipe_if_that_makes_it_again(handlers: Sources, tmp_path: Path):
    here = drawn(handlers)
    kept = picture_of(PIPE, here, tmp_path)
    assert kept.tab == EXPLORE and kept.words.startswith("Rose, seed 5 · ") and kept.digest == PIPE.digest
    assert np.array_equal(np.asarray(Image.open(kept.file)), here.seen.pictures[-1].numpy())
    assert equal(Trace.load(Path(kept.made.file)), here.seen) and kept.made.title == "Rose"
    recipe = Recipe.read(Path(kept.file))
    assert (recipe.class_name, recipe.seed) == ("Rose", 5)


def test_what_a_recipe_could_not_make_again_has_none(handlers: Sources, tmp_path: Path):
    *_, view = acted(handlers, drawn(handlers), does="swap", scale=1, index=0, value=2, later="keep")
    kept = picture_of(PIPE, view.session, tmp_path)
    with pytest.raises(ValueError, match="carries no recipe"):
        Recipe.read(Path(kept.file))


def test_without_a_picture_there_is_nothing_to_keep(tmp_path: Path):
    with pytest.raises(ValueError, match="no picture yet"):
        picture_of(PIPE, ExploreSession(), tmp_path)
