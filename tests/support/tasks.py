"""Tasks small enough to be trained in a test, on the pictures that `pictures.write` makes."""

from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from support import pictures, tiny

from var_core.config import TransformerConfig
from var_core.measuring.reference import Measured
from var_core.nn.tokenizer import Tokenizer
from var_core.training.data import Classes, Dataset, PictureSet, load_split
from var_core.training.decoder_task import DecoderSettings, DecoderTask, refined
from var_core.training.enlarging_task import EnlargingTask
from var_core.training.sharp import Sharp, made_smaller
from var_core.training.tokenizer_task import TokenData, TokenizerSettings, TokenizerTask, tokenise
from var_core.training.trainer import Budget, Optimisation, Trainer, load_state
from var_core.training.transformer_task import TransformerSettings, TransformerTask

SETTINGS = Optimisation(batch=4, warmup=2, learning_rate=2e-3, ema_decay=0.9)


def last(values):
    *_, final = values
    return final


def read(root: Path) -> Dataset:
    """A data folder in memory."""
    classes = Classes.of(root)
    return Dataset(classes, *(last(load_split(root, split, classes, 32)) for split in ("train", "val")))


def tokenizer_task(folder: Dataset, settings: Optimisation = SETTINGS, **choices) -> TokenizerTask:
    torch.manual_seed(0)
    return TokenizerTask(tiny.SPEC.tokenizer, folder, TokenizerSettings(**choices), settings)


def token_data(folder: Dataset, tokenizer: Tokenizer) -> TokenData:
    """The pictures of a folder as tokens."""
    return TokenData(folder.classes, *(last(tokenise(tokenizer, split)) for split in (folder.train, folder.val)))


def transformer_task(folder: Dataset, settings: Optimisation = SETTINGS, **choices) -> TransformerTask:
    tokenizer = tiny.networks()[0]
    data = token_data(folder, tokenizer)
    torch.manual_seed(0)
    config = TransformerConfig(tiny.SIDES, 3, 2, 32, 2, vocabulary=64, code_width=8)
    return TransformerTask(config, tokenizer, data, TransformerSettings(**choices), settings)


def decoder_task(
    folder: Dataset,
    settings: Optimisation = SETTINGS,
    sizes: tuple[int, int] = (0, 0),
    drawing: bool = False,
    **choices,
) -> DecoderTask:
    """`sizes` are channels and blocks of the refinement; with `drawing` a transformer draws half of the last tokens."""
    tokenizer, _, var = tiny.networks()
    torch.manual_seed(0)
    tokens = last(tokenise(tokenizer, folder.train))
    losses = DecoderSettings(**{"alone": 1, **choices})
    return DecoderTask(refined(tokenizer, *sizes), folder, tokens, losses, settings, var=var if drawing else None)


@cache
def sharp_pictures() -> Sharp:
    """Pictures of the small data folder's kinds at 64 pixels a side, as `read` would have them of 32."""
    rng, sets = np.random.default_rng(5), []
    for count in (3, 2):
        labels = torch.arange(3).repeat(count)
        drawn = [np.asarray(pictures.picture(pictures.FOLDERS[label], rng, 64)) for label in labels]
        sets.append(PictureSet(torch.from_numpy(np.stack(drawn)), labels, ()))
    tokens = last(tokenise(tiny.networks()[0], made_smaller(sets[0], 32)))
    return Sharp(*sets, tokens)


def enlarging_task(
    folder: Dataset, settings: Optimisation = SETTINGS, drawing: bool = False, **choices
) -> EnlargingTask:
    """A decoder of a batch of four learns to enlarge: of one picture the first scales, one sharp, two of the data."""
    tokenizer, _, var = tiny.networks()
    torch.manual_seed(0)
    tokens = last(tokenise(tokenizer, folder.train))
    larger = refined(tokenizer, refine=8, enlarge=2, enlarge_channels=8, enlarge_blocks=1)
    losses = DecoderSettings(**{"alone": 1, "feature_adversarial": 0.01, "adversarial": 0.01, **choices})
    var = var if drawing else None
    return EnlargingTask(larger, folder, tokens, losses, settings, var=var, sharp=sharp_pictures())


def refining_task(folder) -> DecoderTask:
    return decoder_task(folder, sizes=(8, 1))


def judged_task(folder) -> DecoderTask:
    return decoder_task(folder, feature_adversarial=0.1)


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
