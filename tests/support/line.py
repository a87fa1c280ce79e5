"""The fixture of tests of downloads: a hub on this machine."""

import os

import huggingface_hub
import pytest
from huggingface_hub import constants
from PIL import Image
from support import hub
from support.hub import Hub, serving

from var_core.weights import convert, hub_file


@pytest.fixture
def line(monkeypatch, tmp_path):
    """A hub that serves both tiny models, an empty cache, and no patience."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(convert, "PICTURES", tmp_path / "pictures")
    (tmp_path / "pictures").mkdir()
    Image.linear_gradient("L").save(tmp_path / "pictures" / "one.png")
    monkeypatch.setattr(hub_file, "PAUSE", 0.01)
    monkeypatch.setattr(hub_file, "TICK", 0.02)
    monkeypatch.setattr(hub_file, "PATIENCE", 0.3)
    huggingface_hub.close_session()
    with serving(Hub(hub.contents("plain") | hub.contents("shared_adaln"))) as served:
        hub.at(monkeypatch, served.address)
        yield served
    huggingface_hub.close_session()
