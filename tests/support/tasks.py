"""Tasks small enough to be trained in a test, on the pictures that `pictures.write` makes."""

from functools import partial
from pathlib import Path

import torch
from support import tiny

from var_core.config import TransformerConfig
from var_core.measuring.evaluate import Measured
from var_core.training.data import Classes, PictureSet, load_split
from var_core.training.decoder_task import DecoderTask, refined
from var_core.training.tokenizer_task import TokenizerTask, tokenise
from var_core.training.trainer import Budget, Optimisation, Trainer, load_state
from var_core.training.transformer_task import TransformerTask

SETTINGS = Optimisation(batch=4, warmup=2, learning_rate=2e-3, average=0.9)


def last(values):
    *_, final = values
    return final


def read(root: Path) -> tuple[Classes, PictureSet, PictureSet]:
    """Classes, train and val split of a data folder."""
    classes = Classes.of(root)
    return classes, *(last(load_split(root, split, classes, 32)) for split in ("train", "val"))


def tokenizer_task(folder, settings: Optimisation = SETTINGS, perceptual: float = 0.2) -> TokenizerTask:
    classes, train, val = folder
    torch.manual_seed(0)
    return TokenizerTask(tiny.SPEC.tokenizer, train, val, classes, settings, perceptual=perceptual)


def transformer_task(
    folder, settings: Optimisation = SETTINGS, class_dropout: float = 0.1, **choices
) -> TransformerTask:
    classes, train, val = folder
    tokenizer = tiny.networks()[0]
    sets = [last(tokenise(tokenizer, split)) for split in (train, val)]
    torch.manual_seed(0)
    config = TransformerConfig(tiny.SIDES, 3, 2, 32, 2, vocabulary=64, code_width=8)
    return TransformerTask(config, tokenizer, *sets, classes, settings, class_dropout=class_dropout, **choices)


def decoder_task(
    folder, settings: Optimisation = SETTINGS, sizes: tuple[int, int] = (0, 0), drawing: bool = False, **choices
) -> DecoderTask:
    """`sizes` are channels and blocks of the refinement; with `drawing` a transformer draws half of the last tokens."""
    classes, train, val = folder
    tokenizer, _, var = tiny.networks()
    torch.manual_seed(0)
    tokens = last(tokenise(tokenizer, train))
    shared = {"alone": 1, "var": var if drawing else None, **choices}
    return DecoderTask(refined(tokenizer, *sizes), train, val, tokens, classes, settings, **shared)


def refining_task(folder) -> DecoderTask:
    return decoder_task(folder, sizes=(8, 1))


# Without the perceptual loss: its network has kinks, where rounding becomes much more than rounding. The discriminator
# has some too. Classes are dropped so often that every few pictures lose theirs.
SMOOTH = {
    "tokenizer": partial(tokenizer_task, perceptual=0.0),
    "transformer": partial(transformer_task, class_dropout=0.5, self_correction=0.3),
    "decoder": partial(decoder_task, perceptual=0.0, drawing=True),
}
ROUNDING = {"tokenizer": 1e-3, "transformer": 1e-5, "decoder": 1e-2}  # relative, of some steps of each


def curve(task, out: Path, steps: int, resume: bool = False) -> list[float]:
    """The loss and the gradient's norm at every step of a training, one after the other."""
    out.mkdir(exist_ok=True)
    trainer = Trainer(task, out)
    if resume:
        trainer.load()
    return [row[figure] for row in trainer.run(Budget(steps=steps)) for figure in ("loss", "norm")]


def trained(task, out, steps: int, resume: bool = False) -> dict:
    """The state after a training."""
    curve(task, out, steps, resume)
    return load_state(out, task.KIND)


def assert_same(first, second, path: str = "") -> None:
    """Equal to the last bit, but for the seconds that it took."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            if key != "seconds":
                assert_same(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, (list, tuple)):
        for place, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{path}[{place}]")
    else:
        assert first == second, path


def seen(count: int, seed: int) -> Measured:
    """Features of made-up pictures, apart by class."""
    labels = torch.arange(count) % len(tiny.NAMES)
    noise = torch.randn((count, 1280), generator=torch.Generator().manual_seed(seed))
    return Measured(noise + 3 * torch.eye(1280)[labels], labels)
