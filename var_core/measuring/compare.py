"""Training runs side by side: the orders of tokens, or what is left out of a network, each measured alike."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..clock import timed
from ..config import ModelSpec, Sampling, TransformerConfig
from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..findings.run_summary import RunSummary
from ..findings.scaling import seen
from ..flops import training_flops
from ..nn.tokenizer import Preview, Tokenizer
from ..nn.transformer import VAR
from ..schema import Fields, entry
from ..tables import markdown
from ..training.data import Classes, PictureSet
from ..training.export import load_transformer
from ..training.tokenizer_task import tokenizer_hash
from ..training.trainer import config_in, load_state
from ..training.transformer_task import TransformerTask
from ..weights import checkpoints
from .evaluate import Reconstruction, generated, reconstructed
from .reference import Measured, QualityCost, Reference


def pipeline_of(run: Path, tokenizers: Sequence[Tokenizer], classes: Classes) -> tuple[Pipeline, Fields]:
    """Return a transformer's run, ready to draw, and its state; ValueError if its tokenizer is not given."""
    state = load_state(run, TransformerTask.KIND)
    extra = entry(state, "extra", dict)
    config = config_in(extra, TransformerConfig)
    fitting = [one for one in tokenizers if tokenizer_hash(one) == extra["tokenizer"]]
    if not fitting:
        raise ValueError(f"{run}: none of the tokenizers given is the one that it was trained with.")
    tokenizer = fitting[0].reordered(config.order)
    spec = ModelSpec(run.name, tokenizer.config, config, classes.names, classes.groups)
    var = load_transformer(run, tokenizer)
    return Pipeline(checkpoints.LoadedModel(spec, tokenizer, Preview(tokenizer.config), var, digest=run.name)), state


@dataclass(frozen=True)
class Comparison:
    """Measures for all runs: the val pictures, how a network sees them, and strengths of guidance to try."""

    classes: Classes
    val: PictureSet
    reference: Reference
    real: Measured  # val as the reference's network sees it
    strengths: Sequence[float]


def measure(run: Path, tokenizers: Sequence[Tokenizer], by: Comparison) -> Iterator[float | RunSummary]:
    """Measure a run; yields the fraction done, and its `RunSummary` last."""
    pipe, state = pipeline_of(run, tokenizers, by.classes)
    parts = 1 + len(by.strengths)
    for known in reconstructed(pipe, by.val):
        if isinstance(known, float):
            yield known / parts
    costs = {}
    for number, guidance in enumerate(by.strengths, 1):
        for made in generated(pipe, by.val.labels, Sampling(guidance=guidance)):
            if isinstance(made, float):
                yield (number + made) / parts
            else:
                costs[guidance] = by.reference.quality_cost(by.reference.features(made), by.real)
    assert isinstance(known, Reconstruction)
    yield _summary(pipe, state, known, by, costs)


def _summary(
    pipe: Pipeline, state: dict[str, Any], known: Reconstruction, by: Comparison, costs: dict[float, QualityCost]
) -> RunSummary:
    """Return the row of a run, with the strength of guidance that came nearest to real pictures."""
    schedule, config, extra = pipe.schedule, pipe.spec.transformer, state["extra"]
    best = min(costs, key=lambda guidance: costs[guidance].distance)
    asked, pictures = Request((0,), (0,), Sampling(guidance=best)), state["step"] * extra["batch"]
    with torch.device("meta"):  # what is loaded is packed for its products
        weights = sum(value.numel() for value in VAR(config).parameters())
    rebuilt = by.reference.features(known.pixels)
    return RunSummary(
        name=pipe.spec.name,
        order=schedule.order,
        parameters=weights,
        tokens=schedule.total,
        steps=len(schedule),
        pictures=pictures,
        flops=float(pictures * training_flops(config, seen(schedule, extra["most_per_scale"]))),
        loss=sum(loss * side**2 for loss, side in zip(known.losses, schedule.sides, strict=True)),
        psnr=known.decibels.mean().item(),
        reconstructions=by.reference.quality_cost(rebuilt, by.real).distance,
        guidance=best,
        distance=costs[best].distance,
        accuracy=costs[best].accuracy,
        milliseconds=1e3 * statistics.median(timed(lambda: pipe.run(asked), pipe.device) for _ in range(3)),
    )


def report(runs: Sequence[RunSummary]) -> str:
    """Return the runs as a table in Markdown."""
    heads = ["", "tokens", "steps", "pictures seen", "TFLOP", "nats a picture", "reconstructions", "guidance"]
    rows = []
    for run in runs:
        work = [f"{run.pictures:,}", f"{run.flops / 1e12:.0f}", f"{run.loss:.0f}"]
        quality = [f"{run.reconstructions:.2f}", f"{run.guidance:g}", f"{run.distance:.2f}", f"{run.accuracy:.2f}"]
        rows.append([run.name, run.tokens, run.steps, *work, *quality, f"{run.milliseconds:.0f}"])
    return markdown([*heads, "Fréchet", "accuracy", "ms"], rows)
