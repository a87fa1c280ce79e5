"""What ships with the project: the bundled model, its card, and a README whose words are true."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from var_core.cli import parser
from var_core.config import ON_CPU
from var_core.editing.canvas import dilated
from var_core.editing.edit import Edit, run_edit
from var_core.editing.edit_settings import REPAINTING, usual_sampling
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request
from var_core.engine.sampling import guide
from var_core.files import ASSETS, CHECKPOINTS
from var_core.picture_reading import open_mask, open_photo
from var_core.training.enlarging_task import finest
from var_core.weights import checkpoints, registry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FAST = f"{checkpoints.DEFAULT}-fast"
MODELS = [name for name in checkpoints.available(CHECKPOINTS) if name not in registry.MODELS]  # those may lie there too


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def pipe(bundled: Pipeline) -> Pipeline:
    return bundled


def test_the_default_model_ships():
    assert checkpoints.DEFAULT in MODELS


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_card_and_is_small_enough(name):
    assert checkpoints.find(name).stat().st_size <= 40 * 2**20
    card = (CHECKPOINTS / f"{name}.md").read_text(encoding="utf-8")
    assert checkpoints.load(name).digest in card


def test_the_bundled_model_tells_classes_apart(pipe):
    """A strong law of a trained model: given a picture's own class, its tokens are likelier than given another."""
    lotus, sea = pipe.spec.label("lotus"), pipe.spec.label("sea")
    with torch.no_grad():
        for own, other in ((lotus, sea), (sea, lotus)):
            tokens = pipe.run(Request((own,), (1,))).tokens
            teacher_input = pipe.tokenizer.quantizer.teacher_input(tokens)
            log_likelihood = [
                pipe.var(torch.tensor([label]), teacher_input)
                .log_softmax(-1)
                .gather(-1, torch.cat(tokens, 1)[..., None])
                .sum()
                for label in (own, other)
            ]
            assert log_likelihood[0] > log_likelihood[1] + 10


@torch.inference_mode()
def test_the_fast_model_says_at_once_nearly_what_guidance_makes_of_two_answers(pipe):
    """In nats a token, on pictures of the guided one; its own answer with the class alone is several times as far."""
    fast, asked = Pipeline.load(FAST, ON_CPU), pipe.spec.default_sampling
    assert asked.guidance and not fast.spec.default_sampling.guidance
    assert replace(fast.spec.default_sampling, guidance=asked.guidance, ramp=asked.ramp) == asked
    labels = tuple(pipe.spec.label(name) for name in ("lotus", "sea", "forest", "sunflower"))
    tokens = pipe.run(Request(labels, (1, 2, 3, 4))).tokens
    teacher_input, given = pipe.tokenizer.quantizer.teacher_input(tokens), torch.tensor(labels)
    nothing = torch.full_like(given, pipe.spec.transformer.null_label)
    own, none = (pipe.var(rows, teacher_input) for rows in (given, nothing))
    strengths = [
        torch.full((length,), asked.strength(k, pipe.schedule)) for k, length in enumerate(pipe.schedule.lengths)
    ]
    guided = guide(own, none, torch.cat(strengths)[:, None]).log_softmax(-1)
    answers = fast.var(given, teacher_input), own
    apart, before = ((guided.exp() * (guided - one.log_softmax(-1))).sum(-1).mean().item() for one in answers)
    assert apart < before / 2, (apart, before)


def test_the_fast_model_has_the_same_tokens_decoder_and_masked_path(pipe):
    fast = Pipeline.load(FAST, ON_CPU)
    assert fast.masked_digest == pipe.masked_digest
    for name, weight in pipe.tokenizer.state_dict().items():
        assert torch.equal(fast.tokenizer.state_dict()[name], weight), name


def test_a_picture_of_the_bundled_model_does_not_depend_on_its_batch_by_one_pixel(pipe):
    together = pipe.run(Request((1, 2, 3), (0, 50, 90)))
    for place, (label, seed) in enumerate(((1, 0), (2, 50), (3, 90))):
        alone = pipe.run(Request((label,), (seed,))).images[0]
        assert np.array_equal(np.asarray(alone), np.asarray(together.images[place]))


@torch.inference_mode()
def test_pictures_of_the_first_scales_alone_have_no_dots(pipe):
    """Detail as fine as a pixel comes with the last scale."""
    labels = pipe.spec.label("lotus"), pipe.spec.label("mountain")
    *before, whole = (pipe.tokenizer.decode_small(step.f_hat) for step in pipe.steps(Request(labels, (7, 8))))
    *found, last = (finest(pictures)[..., 8:-8, 8:-8].square().mean().sqrt() for pictures in (*before, whole))
    assert max(found) < 0.02 < last


def test_previews_look_like_the_decoded_picture(pipe):
    step = list(pipe.steps(Request((pipe.spec.label("sunflower"),), (0,))))[-1]
    small, full = pipe.preview(step.f_hat)[0], pipe.decode(step.f_hat)[0]
    a, b = (torch.tensor(list(p.resize((32, 32)).get_flattened_data())).float() for p in (small, full))
    assert torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1] > 0.9


@pytest.mark.usefixtures("bundled")
def test_the_python_in_the_readme_runs(tmp_path, monkeypatch):
    blocks = code_blocks("python")
    assert blocks
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"print": lambda *_: None})
    assert (tmp_path / "lotus.png").is_file()


def test_the_commands_in_the_readme_are_commands():
    lines = re.findall(r"^python -m var_core (.*)$", README, re.MULTILINE)
    assert len(lines) >= 7
    for line in lines:
        parser().parse_args(shlex.split(line, comments=True))


def test_the_pictures_in_the_readme_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file()


@pytest.mark.parametrize("name", ["dandelion.jpg", "hilltop.jpg"])
def test_a_hole_is_filled_as_bright_as_its_surroundings_and_stays_so_when_fed_back(pipe, name):
    path = ASSETS / "examples" / name
    photo = open_photo(path)
    mask, _ = open_mask(path.with_name(f"{path.stem}-mask.png"), photo.shape[1::-1])
    around = photo[dilated(mask, min(mask.shape) // 40) & ~mask].mean()
    sampling = usual_sampling(pipe.spec.default_sampling, with_class=False)
    for seed in range(3):
        asked = Edit(photo, mask, (pipe.spec.transformer.null_label,), (seed,), sampling, REPAINTING)
        (photo,) = run_edit(pipe, asked)
        assert abs(photo[mask].mean() - around) < 12
