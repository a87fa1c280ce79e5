"""The menu of models: what it says, and that another model takes the place of the one that is loaded."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import pytest
from gradio.components import Component
from support import tiny

from var_core.config import ON_CPU, Sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.inspection.atlas import atlas_path
from var_core.weights import checkpoints
from var_core.weights.convert import FileProgress
from var_core.weights.registry import MODELS
from var_studio import main as app
from var_studio.shared import html, models_menu
from var_studio.shared import models as models_module
from var_studio.shared.models import Models
from var_studio.shared.models_menu import MenuHandlers, MenuUpdate
from var_studio.shared.run import StopFlag


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Two models of other weights in a folder; the first is loaded."""
    for name, seed in (("first", 0), ("second", 1)):
        tiny.write(tmp_path, seed).rename(tmp_path / f"{name}.safetensors")
    return Models(Pipeline.load("first", ON_CPU, tmp_path), ON_CPU, tmp_path)


@pytest.fixture
def handlers(models: Models) -> MenuHandlers:
    return MenuHandlers(models)


def test_those_that_are_here_come_first(models: Models):
    assert models.names == ["first", "second", *MODELS]
    assert models.here("second") and not models.here("var-d16")


def test_another_model_takes_the_place_and_the_old_one_is_freed(models: Models):
    old, var, slot = models.pipe.digest, weakref.ref(models.pipe.var), models.slot
    models.change("second")
    gc.collect()
    assert models.pipe.digest != old and var() is None and models.slot is not slot


@pytest.mark.parametrize("name", ["missing", "broken", "var-d16"])
def test_the_loaded_model_stays_if_another_one_fails(models: Models, name: str):
    (models.folder / "broken.safetensors").write_bytes(b"nothing")
    old = models.pipe.digest
    with pytest.raises(ValueError):
        models.change(name)
    assert models.pipe.digest == old


def test_the_loaded_model_comes_back_if_another_one_fails_half_way(models: Models):
    path = models.folder / "second.safetensors"
    loaded = checkpoints.load(str(path))
    checkpoints.save(path, loaded.spec, loaded.tokenizer, loaded.preview, loaded.var.blocks[0])  # lacks the rest
    old = models.pipe.digest
    with pytest.raises(ValueError, match="lack"):
        models.change("second")
    assert models.pipe.digest == old


def test_the_loaded_model_comes_back_if_memory_is_short_for_another_one(models: Models, monkeypatch):
    old, load = models.pipe.digest, Pipeline.load

    def short(name, *how):
        if name == "second":
            raise RuntimeError("out of memory\nand so on")
        return load(name, *how)

    monkeypatch.setattr(Pipeline, "load", short)
    with pytest.raises(ValueError, match=r"second could not be loaded \(out of memory\)"):
        models.change("second")
    assert models.pipe.digest == old


def test_a_model_with_a_damaged_atlas_is_not_taken(models: Models):
    atlas_path(models.folder / "second.safetensors").write_bytes(b"nothing")
    old, slot = models.pipe.digest, models.slot
    with pytest.raises(ValueError, match="atlas"):
        models.change("second")
    assert models.pipe.digest == old and models.atlas is None and models.slot is not slot


def test_who_needs_the_model_waits_for_one_that_is_being_loaded(models: Models, monkeypatch: pytest.MonkeyPatch):
    begun, go_on, load = threading.Event(), threading.Event(), Pipeline.load

    def slow(name, *how):
        begun.set()
        assert go_on.wait(30)
        return load(name, *how)

    monkeypatch.setattr(Pipeline, "load", slow)
    with ThreadPoolExecutor() as threads:
        changing = threads.submit(models.change, "second")
        assert begun.wait(30)
        monkeypatch.setattr(models_module, "PATIENCE", 0.0)
        with pytest.raises(gr.Error, match="being loaded"):
            models.default_sampling  # noqa: B018
        monkeypatch.setattr(models_module, "PATIENCE", 30.0)
        waiting = threads.submit(lambda: models.name)
        go_on.set()
        changing.result()
        assert waiting.result() == "second"


def test_no_model_at_all_is_said(models: Models):
    (models.folder / "first.safetensors").unlink()
    path = models.folder / "second.safetensors"
    loaded = checkpoints.load(str(path))
    checkpoints.save(path, loaded.spec, loaded.tokenizer, loaded.preview, loaded.var.blocks[0])  # lacks the rest
    with pytest.raises(ValueError, match="lack"):
        models.change("second")
    with pytest.raises(gr.Error, match="start the app again"):
        models.pipe  # noqa: B018


def test_what_is_not_here_is_described_before_anything_starts(handlers: MenuHandlers):
    view = handlers.choose("var-d30")
    assert "2.01 billion parameters" in view.about and "To download: 8." in view.about and "FID 1.92" in view.about
    assert view.get.visible and not view.load.visible


def test_a_tokenizer_that_is_here_need_not_be_downloaded_and_this_is_said(handlers: MenuHandlers, monkeypatch):
    monkeypatch.setattr("var_core.weights.download.lender_of", lambda *_: "var-d16")
    about = handlers.choose("var-d20").about
    assert "To download: 2.4 GB (the tokenizer is that of var-d16, which is here); on disk afterwards: 2.8 GB." in about


def test_what_does_not_fit_is_said(handlers: MenuHandlers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("var_core.weights.registry.free_memory", lambda _device: 1_000_000_000)
    assert "memory" in handlers.choose("var-d16").about and "It fits" not in handlers.choose("var-d16").about


def test_what_is_here_can_be_loaded(handlers: MenuHandlers):
    view = handlers.choose("second")
    assert view.load.visible and view.load.interactive and not view.get.visible
    *_, (header, *menu) = handlers.load("second")
    assert "tiny" in header and MenuUpdate(*menu).bar == html.bar("second is loaded.", 1.0)


def test_a_model_with_the_same_tokenizer_finishes_what_the_loaded_one_begins(models: Models, handlers: MenuHandlers):
    tokenizer, preview, _ = tiny.networks()
    checkpoints.save(models.folder / "small.safetensors", tiny.SPEC, tokenizer, preview, tiny.networks(5)[2])
    assert models.finishers == ["second", "small"]
    plain, request = models.pipe, Request((1,), (4,))
    *_, (header, *menu) = handlers.finish("small", 3)
    assert "--finish" in header and "small finishes from scale 3 on" in MenuUpdate(*menu).bar
    both = [step.tokens for step in models.pipe.steps(request)]
    ours = [step.tokens for step in plain.steps(request)]
    assert all((one == other).all() for one, other in zip(both[:2], ours[:2], strict=True))
    assert any((one != other).any() for one, other in zip(both[2:], ours[2:], strict=True))
    assert models.pipe.digest != plain.digest
    list(handlers.finish("", 3))
    assert models.pipe is plain


def test_the_menu_has_no_widget_without_a_name():
    page = app.build(tiny.pipeline())
    (panel,) = (block for block in page.blocks.values() if block.elem_id == "models")
    names, inside = [], list(panel.children)
    while inside:
        block = inside.pop()
        inside += getattr(block, "children", [])
        names += [block.elem_id] if isinstance(block, Component) else []
    assert {"model", "finisher", "finisher_scale", "finisher_use"} <= set(names) and None not in names


def test_a_model_of_another_tokenizer_finishes_nothing(models: Models, handlers: MenuHandlers):
    before = models.pipe
    with pytest.raises(gr.Error, match="choose a model with the same tokenizer"):
        list(handlers.finish("second", 3))
    assert models.pipe is before


def test_a_download_tells_how_far_it_is_and_can_be_stopped(handlers: MenuHandlers, monkeypatch: pytest.MonkeyPatch):
    closed, stop_flag = [], StopFlag()

    def fetch(model, folder):
        try:
            for done in range(5):
                yield FileProgress("download", model.file, done * 10**6, 5 * 10**6, 1.0 + done)
        finally:
            closed.append(folder)

    monkeypatch.setattr(models_menu, "fetch", fetch)
    running = handlers.get("var-d16", stop_flag)
    assert "Connecting" in next(running).bar
    next(running)
    assert "downloading var_d16.pth: 1.0 MB of 5.0 MB" in next(running).bar
    stop_flag.set()
    (last,) = running
    assert "goes on from here" in last.bar and closed == [handlers.models.folder] and last.get.visible


def test_a_failed_download_is_answered(handlers: MenuHandlers, monkeypatch: pytest.MonkeyPatch):
    def fetch(*_):
        raise ValueError("no network: try later")
        yield

    monkeypatch.setattr(models_menu, "fetch", fetch)
    with pytest.raises(gr.Error, match="no network"):
        list(handlers.get("var-d16", StopFlag()))
    assert handlers.failed("var-d16").get.visible


def test_the_published_models_draw_as_their_authors_say(models: Models):
    assert models.default_sampling == Sampling()  # the tiny one says nothing of it
    assert MODELS["var-d16"].spec.default_sampling.top_k == 900


def test_the_page_has_a_menu_only_where_visitors_may_choose():
    for choose in (True, False):
        page = app.build(tiny.pipeline(), choose=choose)
        names = {block.elem_id for block in page.blocks.values()}
        assert ("model" in names) is choose
        assert "visit" in {fn.name for fn in page.fns.values()}


@pytest.mark.parametrize(
    ("flags", "choose"),
    [
        ([], True),
        (["--host", "0.0.0.0"], False),
        (["--share"], False),
        (["--share", "--allow-models"], True),
    ],
)
def test_models_can_be_chosen_by_those_who_started_the_app(flags, choose, monkeypatch: pytest.MonkeyPatch):
    told = []
    monkeypatch.setattr(app, "load", lambda *_, **__: None)
    monkeypatch.setattr(app, "run", lambda _pipe, _device, may, *_: told.append(may))
    assert app.main(flags) == 0 and told == [choose]
