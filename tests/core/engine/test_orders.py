"""Drawing cell by cell: the laws of drawing by scales hold for every order of a single map."""

import json
from argparse import Namespace
from itertools import pairwise

import pytest
import torch
from PIL import Image
from support import tiny
from support.command import fails, run
from support.tasks import last, read

from var_core.cli.training_run import read_tokens
from var_core.config import ON_CPU, Sampling
from var_core.engine.inpainting import inpainting
from var_core.engine.pipeline import Pipeline
from var_core.engine.plan import Plan
from var_core.engine.prefix_cache import PrefixCache
from var_core.engine.request import Request
from var_core.schedule import PATHS
from var_core.training.export import load_tokenizer
from var_core.training.tokenizer_task import tokenise
from var_core.training.trainer import load_state
from var_core.weights import checkpoints

FAITHFUL = Sampling(guidance=2.0, top_k=0, top_p=1.0)


@pytest.fixture(params=PATHS)
def pipe(request) -> Pipeline:
    return tiny.pipeline(tiny.in_order(request.param))


def photo() -> Image.Image:
    return Image.radial_gradient("L").resize((32, 32)).convert("RGB")


def drawn(pipe: Pipeline, request: Request) -> torch.Tensor:
    """Tokens (B, L), in the order of the steps."""
    return torch.cat([step.tokens for step in pipe.steps(request)], 1)


def by_cell(pipe: Pipeline, values: torch.Tensor) -> torch.Tensor:
    """What is said of each step (B, L) as maps (B, s, s)."""
    steps = torch.tensor(pipe.schedule.cells).argsort()
    return values[:, steps].unflatten(1, (4, 4))


def test_every_step_draws_one_cell(pipe):
    steps = list(pipe.steps(Request((1, 5), (3, 4), FAITHFUL)))
    assert [(step.scale, step.side, step.tokens.shape) for step in steps] == [(k, 1, (2, 1)) for k in range(16)]
    filled = [int((step.f_hat != 0).any(1).sum()) for step in steps]
    assert filled == [2 * k for k in range(1, 17)]


@torch.inference_mode()
def test_step_by_step_is_the_full_forward_pass(pipe):
    labels, tokens = torch.tensor([1, 6]), torch.randint(64, (2, 16), generator=torch.Generator().manual_seed(0))
    given, quantizer, var = pipe.schedule.split(tokens), pipe.tokenizer.quantizer, pipe.var
    whole = var(labels, quantizer.teacher_input(given))
    condition, cache, f_hat = var.condition(labels), var.new_cache(2), quantizer.empty(2)
    for step, token in enumerate(given):
        one = var.logits(var.step(condition, quantizer.next_input(f_hat, step), step, cache))
        torch.testing.assert_close(one, whole[:, step : step + 1], rtol=0, atol=1e-4)
        f_hat = quantizer.add(f_hat, quantizer.codes(token), step)


@torch.inference_mode()
def test_a_prefix_is_read_as_a_part_of_the_whole(pipe):
    given = torch.randn(1, 15, 8, generator=torch.Generator().manual_seed(0))
    condition = pipe.var.condition(torch.tensor([2]))
    whole, part = pipe.var.read(condition, given), pipe.var.read(condition, given[:, :6])
    torch.testing.assert_close(part, whole[:, :7], rtol=0, atol=1e-5)


def test_a_picture_is_drawn_alike_alone_and_among_others(pipe):
    together = drawn(pipe, Request((1, 4, 7), (3, 4, 5), FAITHFUL))
    assert torch.equal(together[1:2], drawn(pipe, Request((4,), (4,), FAITHFUL)))


@pytest.mark.parametrize("step", [0, 1, 7, 15])
def test_going_on_from_what_was_drawn_gives_the_same_picture(pipe, step):
    whole = drawn(pipe, Request((2,), (9,), FAITHFUL))
    plan = Plan.resume(pipe.schedule.split(whole), step)
    assert torch.equal(drawn(pipe, Request((2,), (9,), FAITHFUL, plan)), whole)
    other = drawn(pipe, Request((2,), (10,), FAITHFUL, plan))
    assert torch.equal(other[:, :step], whole[:, :step]) and not torch.equal(other, whole)


def test_keeping_all_is_the_reconstruction(pipe):
    tokens = pipe.encode(photo())
    kept = pipe.run(Request((7,), (0,), plan=Plan.resume(tokens, 16)))
    assert kept.images[0].tobytes() == tiny.reconstruct(pipe, tokens)[0].tobytes()


def test_orders_give_a_picture_the_same_tokens_in_its_cells():
    pipes = [tiny.pipeline(tiny.in_order(order)) for order in PATHS]
    maps = [by_cell(one, torch.cat(one.encode(photo()), 1)) for one in pipes]
    assert torch.equal(maps[0], maps[1]) and torch.equal(maps[0], maps[2])


def test_a_reordered_tokenizer_shares_the_weights():
    first = tiny.pipeline(tiny.in_order("raster")).tokenizer
    second = first.reordered("spiral")
    assert (second.config.order, second.training) == ("spiral", first.training)
    assert second.quantizer.codebook.data_ptr() == first.quantizer.codebook.data_ptr()
    with pytest.raises(ValueError, match="the order spiral takes a single map"):
        tiny.pipeline().tokenizer.reordered("spiral")


@pytest.mark.parametrize("follow", [False, True])
def test_half_a_picture_is_repainted_and_the_other_half_kept(pipe, follow):
    pixels = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    cover = torch.zeros(32, 32)
    cover[:, 16:] = 1
    plan = inpainting(pipe, pixels, cover, min_coverage=0.5, first_free_scale=2, follow=follow)
    wanted = torch.tensor([[True, True, False, False]] * 4)
    assert torch.equal(by_cell(pipe, plan.kept)[0], wanted)
    found = drawn(pipe, Request((3,), (1,), FAITHFUL, plan))
    assert torch.equal(found[plan.kept], torch.cat(plan.tokens, 1)[plan.kept])
    assert not torch.equal(found, torch.cat(plan.tokens, 1))


def test_a_thin_mask_frees_the_cells_that_it_covers_most(pipe):
    cover = torch.zeros(32, 32)
    cover[9, :] = 1  # a row of pixels in the second row of cells
    tokens = pipe.encode(photo())
    plan = Plan.inpaint(tokens, cover, pipe.schedule, min_coverage=0.5, first_free_scale=0)
    assert (~by_cell(pipe, plan.kept)[0]).nonzero()[:, 0].tolist() == [1] * 4


def test_what_a_memory_knows_is_not_computed_again(pipe):
    memory, request = PrefixCache(), Request((2,), (9,), FAITHFUL)
    first = torch.cat([step.tokens for step in pipe.steps(request, memory)], 1)
    plan = Plan.resume(pipe.schedule.split(first), 10)
    again = Request((2,), (11,), FAITHFUL, plan)
    second = torch.cat([step.tokens for step in pipe.steps(again, memory)], 1)
    assert memory.reads == 16 + 5  # the eleventh step is shown what it was: only its own token may differ
    assert torch.equal(second, drawn(pipe, again))


@torch.inference_mode()
def test_a_step_is_shown_the_codes_before_it_as_they_were_mixed(pipe):
    request = Request((2,), (9,), Sampling(guidance=0.0, temperature=5.0, smooth=True, top_k=0, top_p=1.0))
    for earlier, later in pairwise(pipe.steps(request)):
        row, column = divmod(pipe.schedule.cells[earlier.scale], 4)
        shown = pipe.tokenizer.quantizer.next_input(earlier.f_hat, later.scale)
        assert torch.equal(shown[0, 0], later.f_hat[0, :, row, column])


def test_what_shows_scales_refuses_cells_in_words(pipe):
    from var_core.inspection.atlas import build_atlas
    from var_core.inspection.recording import recorded

    with pytest.raises(ValueError, match=r"tiny draws cell after cell.* and a trace shows scale after scale"):
        recorded(pipe, Request((1,), (1,)))
    with pytest.raises(ValueError, match="and an atlas shows scale after scale"):
        build_atlas(pipe, [photo()])


def test_the_app_refuses_a_model_of_cells_before_it_gives_up_another(tmp_path):
    from var_studio import main as app
    from var_studio.shared.models import Models

    path = tiny.write(tmp_path, spec=tiny.in_order("spiral"))
    with pytest.raises(ValueError, match="tiny draws cell after cell, in spiral order, and the app shows scale"):
        app.load(str(path), ON_CPU)
    models = Models(tiny.pipeline(), folder=tmp_path)
    with pytest.raises(ValueError, match="and the app shows scale after scale: choose a model that predicts scales"):
        models.change("tiny")
    assert models.pipe is tiny.pipeline()


def test_one_tokenizer_serves_transformers_of_every_order_on_the_command_line(data, tmp_path, capsys):
    sizes = "--sides 4 --vocabulary 32 --code-width 8 --channels 16 --multipliers 1,2 --norm-groups 4 --stem 4"
    shared, tokenizer = ("--data", data, "--batch", 4, "--steps", 2), tmp_path / "tokenizer"
    assert "needs another order" in fails(capsys, "train", "tokenizer", *shared, *sizes.split(), "--out", tokenizer)
    assert run("train", "tokenizer", *shared, *sizes.split(), "--order", "raster", "--out", tokenizer) == 0
    small = (*shared, "--depth", 2, "--width", 32, "--heads", 2, "--tokenizer", tokenizer)
    for order in ("raster", "z-curve"):
        assert run("train", "transformer", *small, "--order", order, "--out", tmp_path / order) == 0
    assert {path.name for path in tokenizer.glob("tokens*")} == {"tokens-raster.pt"}  # one file serves all
    asked, known = Namespace(tokenizer=tokenizer, out=None, data=data), load_tokenizer(tokenizer)
    pictures = read(data)
    for order in PATHS:
        found = read_tokens(asked, known.reordered(order), "cpu", None)
        for kept, split in ((found.train, pictures.train), (found.val, pictures.val)):
            assert torch.equal(kept.tokens, last(tokenise(known.reordered(order), split)).tokens)
    assert run("train", "transformer", *small, "--resume", "--out", tmp_path / "z-curve") == 0  # its order is its own
    assert load_state(tmp_path / "z-curve", "transformer")["extra"]["config"]["order"] == "z-curve"
    assert run("plot", tmp_path / "z-curve") == 0 and run("plot", tokenizer) == 0
    out, parts = tmp_path / "z.safetensors", ("--tokenizer", tokenizer, "--transformer", tmp_path / "z-curve")
    assert run("export", "--data", data, *parts, "--name", "z", "--out", out.parent) == 0
    assert {checkpoints.read_spec(out).tokenizer.order, checkpoints.read_spec(out).transformer.order} == {"z-curve"}
    drawing = ("generate", "--model", out, "--class", "stripes", "--out", tmp_path)
    assert run(*drawing) == 0 and (tmp_path / "stripes-seed-0.png").is_file()
    assert "and --scales shows scale after scale" in fails(capsys, *drawing, "--scales")
    measured = ("evaluate", "--model", out, "--data", data, "--cache", tmp_path)
    assert run(*measured, "--out", tmp_path / "figures") == 0
    names = [figure["name"] for figure in json.loads((tmp_path / "figures" / "evaluation.json").read_text())["figures"]]
    assert names.count("loss, scale 1, nats per token") == 1 and "loss, scale 2, nats per token" not in names
    edits = ("--edit", "--rows", "^ours$|notebook", "--count", 2, "--out", tmp_path / "edits.json")
    assert run(*measured, *edits) == 0


def test_scales_and_cells_do_not_mix_on_the_command_line(data, model, tmp_path, capsys):
    asked = ("train", "transformer", "--data", data, "--tokenizer", model, "--steps", 1, "--out", tmp_path / "no")
    assert "the order raster takes a single map" in fails(capsys, *asked, "--order", "raster")
    spiral = tmp_path / "spiral" / "tiny.safetensors"
    spiral.parent.mkdir()
    tiny.write(spiral.parent, spec=tiny.in_order("spiral"))
    assert "and a trace shows" in fails(
        capsys, "trace", "--class", "rose", "--model", spiral, "--out", tmp_path / "t.safetensors"
    )
    assert "and --previews shows" in fails(capsys, "bench", "--previews", "--model", spiral)
    assert run("bench", "--model", spiral, "--repeats", 1) == 0
