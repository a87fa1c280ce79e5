"""The endpoints give what the tabs and the library give, and refuse in one sentence what these refuse."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.called import last, pixels
from support.opened import FILES
from support.settings import another

from var_core.config import Sampling
from var_core.engine.request import Request
from var_core.inspection.trace import Trace
from var_core.recipe import Recipe
from var_core.settings import named, rows
from var_studio.api.endpoints import Endpoints
from var_studio.api.values import known
from var_studio.shared.limits import HOME, Limits
from var_studio.shared.models import Models


@pytest.fixture
def api(tmp_path) -> Endpoints:
    return Endpoints(Models(tiny.pipeline()), str(tmp_path), FILES)


def test_pictures_are_those_of_the_library_and_hold_their_recipes(api):
    status, files = last(api.generate("1", count=2, seed=5, sampling={"guidance": 1.5}))
    assert status["seeds"] == [5, 6] and status["scale"] == status["of"]
    recipe = Recipe.read(Path(files[1]))
    assert (recipe.label, recipe.seed, recipe.sampling.guidance) == (1, 6, 1.5)
    whole = api.pipe.run(Request((1,), (6,), recipe.sampling)).images[0]
    assert (pixels(files[1]) == np.asarray(whole)).all()


@pytest.mark.parametrize("row", rows(Sampling), ids=lambda row: row.name)
def test_each_setting_does_to_a_picture_what_it_does_in_the_library(api, row):
    turned = replace(api.pipe.spec.default_sampling, **{row.name: another(row)})
    _, files = last(api.generate("1", seed=5, sampling=named(turned)))
    assert (pixels(files[0]) == np.asarray(api.pipe.run(Request((1,), (5,), turned)).images[0])).all()
    assert Recipe.read(Path(files[0])).sampling == turned


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
        (lambda api: list(api.generate("no such")), "There is no class 'no such'"),
        (lambda api: list(api.generate("1", count=99)), "pictures 99 is out of range"),
        (
            lambda api: list(api.generate("1", sampling={"cfg": 2})),
            "There is no setting 'cfg': choose from guidance",
        ),
        (lambda api: list(api.generate("1", sampling={"top_k": "many"})), "'many' is not a number"),
        (lambda api: api.trace("no such"), "There is no class 'no such'"),
        (lambda api: api.encode(__file__), "test_endpoints.py"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(api, call, sentence):
    with pytest.raises(gr.Error) as told:
        call(api)
    assert sentence in str(told.value.message)


def test_settings_are_an_object_of_names():
    with pytest.raises(ValueError, match="give an object of names and values"):
        known(Limits, ["pictures"])
