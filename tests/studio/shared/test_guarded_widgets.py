"""Widgets of files take only what was uploaded, in the form that the page sends it, and leave no files."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData
from PIL import Image
from support.opened import FILES

from var_studio.shared.guarded_events import STRANGE
from var_studio.shared.guarded_widgets import MOST_LAYERS, takes_canvases, upload_button


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def picture(folder: Path, size: tuple[int, int] = (6, 4)) -> FileData:
    file = folder / f"{size[0]}.png"
    Image.effect_noise(size, 60).convert("RGBA").save(file)
    return FileData(path=str(file))


def blob(data: bytes, kind: str = "layer", index: object = 0, name: object = "one") -> SimpleNamespace:
    return SimpleNamespace(data={"type": kind, "index": index, "id": name}, files=[("file", data)])


def test_an_uploaded_file_is_handed_on_by_its_path_and_leaves_nothing(cache):
    button, sent = upload_button("Open", file_types=["image"]), picture(cache)
    assert button.preprocess(sent) == sent.path and button.preprocess(None) is None
    assert [file.name for file in cache.rglob("*") if file.is_file()] == ["6.png"]


def test_other_files_and_other_kinds_are_refused(cache, tmp_path):
    button = upload_button("Open", file_types=["image"])
    (cache / "notes.txt").write_text("no picture")
    for path in (picture(tmp_path).path, str(cache / "gone.png"), "http:/somewhere/x.png"):
        with pytest.raises(gr.Error, match="not here any more"):
            button.preprocess(FileData(path=path))
    with pytest.raises(gr.Error, match="no file of the kind"):
        button.preprocess(FileData(path=str(cache / "notes.txt")))


def test_a_canvas_is_opened_in_files_and_in_blobs(cache):
    editor, sent = takes_canvases(gr.ImageEditor(), FILES), picture(cache)
    wanted = np.asarray(Image.open(sent.path))
    value = editor.preprocess(EditorData(background=sent, layers=[sent], composite=sent))
    assert np.array_equal(value["background"], wanted) and np.array_equal(value["layers"][0], wanted)
    assert value["composite"] is None and editor.preprocess(None) is None
    data = Path(sent.path).read_bytes()
    editor.accept_blobs(blob(data, "background", None))
    editor.accept_blobs(blob(data, "layer", 1))
    value = editor.preprocess(EditorData(id="one"))
    assert np.array_equal(value["background"], wanted) and len(value["layers"]) == 1 and not editor.blob_storage.size
    assert editor.preprocess(EditorData(id="gone")) == {"background": None, "layers": [], "composite": None}


def test_more_layers_than_the_page_sends_are_refused(cache):
    editor, sent = takes_canvases(gr.ImageEditor(), FILES), picture(cache)
    assert len(editor.preprocess(EditorData(layers=[sent] * MOST_LAYERS))["layers"]) == MOST_LAYERS
    with pytest.raises(gr.Error, match=STRANGE):
        editor.preprocess(EditorData(layers=[sent] * (MOST_LAYERS + 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        blob(b"", index=20_000_000),
        blob(b"", index=-1),
        blob(b"", index="many"),
        blob(bytes(20_000_000)),
        blob(b"", name="n" * 200),
        SimpleNamespace(data={}, files=[]),
        SimpleNamespace(data=None),
    ],
)
def test_blobs_that_no_page_sends_are_refused(wrong):
    editor = takes_canvases(gr.ImageEditor(), FILES)
    with pytest.raises(gr.Error, match=STRANGE):
        editor.accept_blobs(wrong)
    assert not editor.blob_storage.size


def test_only_what_an_event_opens_is_kept_of_a_canvas():
    editor = takes_canvases(gr.ImageEditor(), FILES)
    for kind, index in (("composite", None), ("layer", "null"), ("else", 0)):
        editor.accept_blobs(blob(b"", kind, index))
    assert not editor.blob_storage.size and editor.accept_blobs._is_server_fn


def test_what_the_canvas_shows_goes_to_files_that_are_counted(cache):
    editor = takes_canvases(gr.ImageEditor(), FILES)
    shown = editor.postprocess({"background": Image.new("RGB", (9, 9)), "layers": [], "composite": None})
    assert Path(shown.background.path).is_file() and Path(shown.background.path).is_relative_to(cache)
