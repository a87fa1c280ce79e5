"""Training runs side by side: the orders of tokens, or what is left out of a network, each measured alike."""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..clock import timed
from ..config import ModelSpec, TransformerConfig
from ..engine.pipeline import Pipeline, Request
from ..engine.sampling import Sampling
from ..findings.scaling import operations, seen
from ..findings.trial import Trial
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR
from ..training.data import Classes, PictureSet
from ..training.export import load_transformer
from ..training.tokenizer_task import tokenizer_hash
from ..training.trainer import load_state
from ..training.transformer_task import TransformerTask
from ..weights import checkpoints
from .evaluate import Reconstruction, features_of, generated, reconstructed
from .fast_modes import Price, Ruler


def pipeline_of(run: Path, tokenizers: Sequence[Tokenizer], classes: Classes) -> tuple[Pipeline, dict]:
    """What a transformer's run has come to, ready to use, and its state; ValueError if its tokenizer is not given."""
    state = load_state(run, TransformerTask.KIND)
    extra = state["extra"]
    config = TransformerConfig(**extra["config"])
    fitting = [one for one in tokenizers if tokenizer_hash(one) == extra["tokenizer"]]
    if not fitting:
        raise ValueError(f"{run}: none of the tokenizers given is the one that it was trained with.")
    tokenizer = fitting[0].reordered(config.order)
    spec = ModelSpec(run.name, tokenizer.config, config, classes.names, classes.groups)
    var = load_transformer(run, tokenizer)
    return Pipeline(checkpoints.LoadedModel(spec, tokenizer, Preview(tokenizer.config), var, digest=run.name)), state


def measure(
    run: Path,
    tokenizers: Sequence[Tokenizer],
    classes: Classes,
    val: PictureSet,
    ruler: Ruler,
    strengths: Sequence[float],
) -> Iterator[float | Trial]:
    """Yields the fraction done, and last the run's `Trial`; pictures are drawn with each strength of guidance."""
    pipe, state = pipeline_of(run, tokenizers, classes)
    parts = 1 + len(strengths)
    for known in reconstructed(pipe, val):
        if isinstance(known, float):
            yield known / parts
    prices = {}
    for place, guidance in enumerate(strengths, 1):
        for made in generated(pipe, val.labels, Sampling(guidance=guidance)):
            if isinstance(made, float):
                yield (place + made) / parts
        prices[guidance] = ruler.price(_seen(ruler, made))
    yield _trial(pipe, state, known, ruler, prices)


def _seen(ruler: Ruler, pixels: Tensor) -> Tensor:
    """Features (N, d) of pictures uint8 (N, S, S, 3)."""
    *_, features = features_of(ruler.network, pixels)
    return features


def _trial(pipe: Pipeline, state: dict, known: Reconstruction, ruler: Ruler, prices: dict[float, Price]) -> Trial:
    """The row of a run, with the strength of guidance that came nearest to real pictures."""
    schedule, config, extra = pipe.schedule, pipe.spec.transformer, state["extra"]
    best = min(prices, key=lambda guidance: prices[guidance].distance)
    asked, pictures = Request((0,), (0,), Sampling(guidance=best)), state["step"] * extra["batch"]
    with torch.device("meta"):  # what is loaded is packed for its products
        weights = sum(value.numel() for value in VAR(config).parameters())
    each = operations(config, seen(schedule, extra.get("most_per_scale", 0)))
    return Trial(
        name=pipe.spec.name,
        order=schedule.order,
        parameters=weights,
        tokens=schedule.total,
        steps=len(schedule),
        pictures=pictures,
        operations=pictures * each,
        loss=sum(loss * side**2 for loss, side in zip(known.losses, schedule.sides, strict=True)),
        psnr=known.decibels.mean().item(),
        reconstructions=ruler.price(_seen(ruler, known.pixels)).distance,
        guidance=best,
        distance=prices[best].distance,
        hits=prices[best].hits,
        milliseconds=1e3 * statistics.median(timed(lambda: pipe.run(asked), pipe.device) for _ in range(3)),
    )


def report(trials: Sequence[Trial]) -> str:
    """The trials as a table in Markdown."""
    names = ["", "tokens", "steps", "pictures seen", "TFLOP", "nats a picture", "reconstructions", "guidance"]
    names += ["Fréchet", "hits", "ms"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in trials:
        cells = [
            row.name,
            row.tokens,
            row.steps,
            f"{row.pictures:,}",
            f"{row.operations / 1e12:.0f}",
            f"{row.loss:.0f}",
        ]
        cells += [f"{row.reconstructions:.2f}", f"{row.guidance:g}", f"{row.distance:.2f}", f"{row.hits:.2f}"]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row.milliseconds:.0f}"])) + " |")
    return "\n".join(lines)
