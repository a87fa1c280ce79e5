"""The endpoints give what the tabs and the library give, and refuse in one sentence what these refuse."""

from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.opened import FILES

from var_core.engine.request import Request
from var_core.inspection.trace import Trace
from var_core.recipe import Recipe
from var_core.settings import named, rows
from var_studio.api.endpoints import Endpoints, known
from var_studio.shared.limits import HOME, Limits
from var_studio.shared.models import Models


@pytest.fixture
def api(tmp_path) -> Endpoints:
    return Endpoints(Models(tiny.pipeline()), str(tmp_path), FILES)


@pytest.fixture
def photo(tmp_path) -> str:
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def mask(tmp_path) -> str:
    painted = np.zeros((40, 60), np.uint8)
    painted[10:30, 20:40] = 255
    Image.fromarray(painted).save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")


def pixels(file: str | Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"))


def last(updates):
    *before, final = updates
    assert before and not any(status["done"] for status, _ in before)
    assert final[0]["done"]
    return final


def test_pictures_are_those_of_the_library_and_hold_their_recipes(api):
    status, files = last(api.generate("1", count=2, seed=5, sampling={"guidance": 1.5}))
    assert status["seeds"] == [5, 6] and status["scale"] == status["of"]
    recipe = Recipe.read(Path(files[1]))
    assert (recipe.label, recipe.seed, recipe.sampling.guidance) == (1, 6, 1.5)
    whole = api.pipe.run(Request((1,), (6,), recipe.sampling)).images[0]
    assert (pixels(files[1]) == np.asarray(whole)).all()


def test_an_edit_changes_only_what_is_painted(api, photo, mask):
    status, files = last(api.edit(photo, mask, "change", "2", count=2, seed=3, settings={"feather": 0, "dilate": 0}))
    assert sorted(status["seeds"]) == [3, 4] and len(files) == 2
    painted, before = pixels(mask)[..., 0] > 0, pixels(photo)
    for file in files:
        assert (pixels(file)[~painted] == before[~painted]).all()
    assert any((pixels(file) != before).any() for file in files)


def test_an_extension_keeps_the_photo(api, photo):
    _, (file,) = last(api.extend(photo, left=10, bottom=8, settings={"feather": 0}))
    assert pixels(file).shape == (48, 70, 3) and (pixels(file)[:40, 10:] == pixels(photo)).all()


def test_token_maps_of_a_picture_are_those_of_the_library(api, photo):
    told, picture = api.encode(photo)
    square = Image.fromarray(pixels(photo)[:, 10:50])
    assert told["tokens"] == [level[0].tolist() for level in api.pipe.encode(square)]
    assert picture.size == (api.pipe.spec.tokenizer.drawn_side,) * 2 and told["digest"] == api.pipe.digest


def test_a_trace_ends_with_the_picture(api):
    file, picture = api.trace("0", seed=9)
    assert (np.asarray(picture) == Trace.load(Path(file)).pictures[-1].numpy()).all()


def test_classes_have_shares_that_fall(api, photo):
    shares = [row["share"] for row in api.classify(photo)]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.001


def test_classes_limits_and_the_model_are_told_as_they_are(api):
    spec = api.pipe.spec
    assert [row["name"] for row in api.classes()] == [spec.class_name(label) for label in range(len(api.classes()))]
    assert api.models()["sampling"] == named(spec.default_sampling) and api.models()["digest"] == api.pipe.digest
    told = api.limits()
    assert {row["name"]: row["value"] for row in told["limits"]} == named(HOME)
    assert [row["is"] for row in told["limits"]] == [row.help for row in rows(Limits)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda api, *_: list(api.generate("no such")), "There is no class 'no such'"),
        (lambda api, *_: list(api.generate("1", count=99)), "pictures 99 is out of range"),
        (
            lambda api, *_: list(api.generate("1", sampling={"cfg": 2})),
            "There is no setting 'cfg': choose from guidance",
        ),
        (lambda api, *_: list(api.generate("1", sampling={"top_k": "many"})), "'many' is not a number"),
        (lambda api, photo, mask: list(api.edit(photo, mask, "paint")), "task 'paint': choose one of inpaint, remove"),
        (lambda api, photo, mask: list(api.edit(photo, mask, "change")), "Choose a class"),
        (lambda api, photo, _: list(api.edit(photo, photo + ".no")), "photo.png.no"),
        (lambda api, photo, _: list(api.extend(photo)), "Say how far to extend"),
        (lambda api, photo, _: list(api.extend(photo, left=-3)), "left -3: choose 0 or more"),
        (lambda api, *_: api.trace("no such"), "There is no class 'no such'"),
        (lambda api, *_: api.encode(__file__), "test_endpoints.py"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(api, photo, mask, call, sentence):
    with pytest.raises(gr.Error) as told:
        call(api, photo, mask)
    assert sentence in str(told.value.message)


def test_settings_are_an_object_of_names():
    with pytest.raises(ValueError, match="give an object of names and values"):
        known(Limits, ["pictures"])
