"""Cards of models: what they say is what stands in the file, and their example runs."""

import re
import shutil
from dataclasses import replace

import yaml
from PIL import Image
from support import tiny

from var_core.weights.checkpoints import file_digest
from var_core.weights.model_card import card
from var_core.weights.pretrained import CARD, save


def front(text: str) -> dict:
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])


def test_the_front_matter_says_what_the_hub_asks(model):
    told = front(card(model, "someone/tiny", "mit"))
    assert (told["library_name"], told["license"]) == ("var-studio", "mit")
    assert "next-scale-prediction" in told["tags"]
    assert "license" not in front(card(model, "someone/tiny"))


def test_the_card_has_the_sizes_classes_and_digest_of_the_file(model):
    text, parts = card(model, "someone/tiny"), tiny.networks()
    tokenizer, _, transformer = (sum(value.numel() for value in part.state_dict().values()) for part in parts)
    assert f"tokenizer {tokenizer:,}" in text
    assert f"transformer {transformer:,}" in text
    assert "masked path" not in text
    assert "32 x 32 pixels" in text
    assert ", ".join(tiny.NAMES) in text
    assert file_digest(model) in text
    assert "names no licence" in text


def test_a_model_without_names_of_classes_has_a_card_too(tmp_path):
    spec = replace(tiny.SPEC, class_names=(), class_groups=(), showcase="")
    assert 'label("0")' in card(tiny.write(tmp_path, spec=spec), "a/b")


def test_the_example_of_a_saved_card_runs(model, tmp_path, monkeypatch):
    folder = save(model, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (folder / CARD).read_text(encoding="utf-8"), re.DOTALL)[1]
    exec(compile(code, CARD, "exec"), {})
    assert Image.open("picture.png").size == (32, 32)


def test_notes_beside_the_file_are_taken_over_without_what_lies_elsewhere(model, tmp_path):
    path = shutil.copy(model, tmp_path / "tiny.safetensors")
    notes = "# tiny\n\nFor research. [More](../more.md), [paper](https://example.org).\n\n![All](../a.png)\n\n"
    path.with_suffix(".md").write_text(f"{notes}## Data\n\nNone.\n", encoding="utf-8")
    text = card(path, "a/b")
    assert "For research. More, [paper](https://example.org).\n\n### Data\n\nNone." in text
    assert "a.png" not in text
    assert "names no licence" not in text
