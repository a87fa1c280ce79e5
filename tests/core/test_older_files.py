"""Files that the first version wrote, kept as it wrote them, still open and mean what they meant.

Under tests/data: a model, a picture and an edit of it with their recipes, and the state of a training after two steps.
The trace of a first version is opened in the tests of traces.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.tasks import SETTINGS, curve, token_data
from support.tiny import NAMES, SIDES, networks

from var_core.config import ON_CPU, ModelSpec, Sampling, TokenizerConfig, TransformerConfig
from var_core.editing.edit import run_edit
from var_core.editing.edit_settings import EditSettings
from var_core.engine.pipeline import Pipeline
from var_core.recipe import Recipe
from var_core.training.data import Dataset
from var_core.training.trainer import load_state
from var_core.training.transformer_task import TransformerSettings, TransformerTask

DATA = Path(__file__).parent.parent / "data"
SPEC = ModelSpec(
    "older",
    TokenizerConfig(
        SIDES, vocabulary=16, code_width=4, channels=4, multipliers=(1, 2), residual_blocks=1, norm_groups=4, stem=4
    ),
    TransformerConfig(SIDES, classes=len(NAMES), depth=1, width=16, heads=2, vocabulary=16, code_width=4),
    NAMES,
    ("flower",) * 4 + ("scene",) * 3,
    default_sampling=Sampling(guidance=3.0, ramp=0.5, top_k=0),
    showcase="Sunflower",
)
CURVE = [2.733520984649658, 1.3416125774383545, 2.7131431102752686, 1.182547688484192]  # what steps 3 and 4 measured


@pytest.fixture(scope="module")
def older() -> Pipeline:
    return Pipeline.load(str(DATA / "model_version_1.safetensors"), ON_CPU)


def pixels(name: str) -> np.ndarray:
    with Image.open(DATA / name) as picture:
        return np.asarray(picture)


def assert_alike(found: object, wanted: np.ndarray) -> None:
    """Equal but for two levels, which another processor's rounding may make."""
    np.testing.assert_allclose(np.asarray(found, np.int16), wanted.astype(np.int16), atol=2, rtol=0)


def painted() -> np.ndarray:
    """What the edits of the first versions repainted, bool (32, 32)."""
    mask = np.zeros((32, 32), bool)
    mask[8:20, 8:20] = True
    return mask


def test_a_model_of_the_first_version_opens_with_its_own_sampling_and_a_class_to_show_first(older):
    assert older.spec == SPEC


def test_a_picture_of_the_first_version_is_made_again_from_its_recipe(older):
    recipe = Recipe.read(DATA / "picture_version_1.png")
    assert (recipe.model, recipe.class_name, recipe.seed) == ("older", "Rose", 12)
    assert recipe.sampling == SPEC.default_sampling
    assert_alike(older.run(recipe.request(older)).images[0], pixels("picture_version_1.png"))


def test_an_edit_of_the_first_version_is_made_again_from_its_recipe(older):
    recipe = Recipe.read(DATA / "edit_version_1.png")
    assert recipe.edited.settings == EditSettings(dilate=1, min_coverage=0.5, feather=3, shown=False, candidates=1)
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_1.png"))


def test_an_edit_of_the_second_version_is_made_again_without_the_masked_path(older):
    recipe = Recipe.read(DATA / "edit_version_2.png")
    assert recipe.edited.settings == EditSettings(shown=False, candidates=1)
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_2.png"))


def test_an_edit_of_the_third_version_is_made_again_without_candidates(older):
    recipe = Recipe.read(DATA / "edit_version_3.png")
    assert recipe.edited.settings == EditSettings(dilate=1, min_coverage=0.5, feather=3, shown=False, candidates=1)
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_3.png"))


def test_an_edit_of_the_fourth_version_is_made_again_with_its_mask_cut_at_half(older):
    recipe = Recipe.read(DATA / "edit_version_4.png")
    assert recipe.edited.settings == EditSettings(dilate=1, feather=3, shown=False, candidates=3, soft=False)
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_4.png"))


def test_an_edit_of_the_fifth_version_is_made_again_without_a_likeness(older):
    recipe = Recipe.read(DATA / "edit_version_5.png")
    assert recipe.edited.settings == EditSettings(dilate=1, feather=3, shown=False, candidates=3, likeness=0)
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_5.png"))


def test_an_edit_of_the_seventh_version_is_made_again_in_a_square_as_wide_as_what_is_encoded(older):
    recipe = Recipe.read(DATA / "edit_version_7.png")
    settings = EditSettings(dilate=1, feather=3, shown=False, context=1.25, likeness=2, smallest_square=1)
    assert recipe.edited.settings == settings
    (found,) = run_edit(older, recipe.edit(older, pixels("picture_version_1.png"), painted()))
    assert_alike(found, pixels("edit_version_7.png"))


def test_a_training_of_the_first_version_goes_on_as_it_would_have(folder: Dataset, tmp_path: Path):
    shutil.copy(DATA / "state_version_1.pt", tmp_path / "state.pt")
    assert load_state(tmp_path, "transformer")["step"] == 2
    tokenizer = networks(0, SPEC)[0]
    data = token_data(folder, tokenizer)
    config = TransformerConfig(SIDES, 3, 1, 16, 2, vocabulary=16, code_width=4)
    task = TransformerTask(config, tokenizer, data, TransformerSettings(), SETTINGS)
    assert curve(task, tmp_path, steps=2, resume=True) == pytest.approx(CURVE, rel=1e-3)
