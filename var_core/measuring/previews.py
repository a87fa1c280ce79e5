"""Looks at a picture while it is being made: how near each comes to decoding what there is, and what it costs."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clock import timed
from ..config import Sampling
from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..images import from_pil
from ..nn.tokenizer import Preview, Tokenizer
from ..tables import markdown
from ..weights.convert import crops, fitted

LEVELS = 255 / 2  # grey levels in a unit of pictures in [-1, 1]
JUDGED = range(1000, 1016)  # seeds of the pictures that methods are judged on
OWN = range(8)  # seeds of the model's own pictures that a map is fitted to

Pairs = list[tuple[Tensor, Tensor]]  # f_hat (1, C, s_K, s_K), and pictures (1, 3, S, S) that it stands for


@dataclass(frozen=True)
class PreviewMethod:
    """A method to preview: f_hat (1, C, s_K, s_K) -> pictures (1, 3, s, s) in [-1, 1], for an s of its own."""

    name: str
    preview: Callable[[Tensor], Tensor]


def preview_methods(pipe: Pipeline) -> list[PreviewMethod]:
    """Return the cheap methods, and decoding itself, last."""
    parts = {"decoded at a quarter of the side": 4, "decoded at half the side": 2, "decoded": 1}
    decoders = [
        PreviewMethod(name, partial(decoded_coarsely, pipe.tokenizer, parts=count)) for name, count in parts.items()
    ]
    return [PreviewMethod("linear map", pipe.preview_map), *decoders]


def decoded_coarsely(tokenizer: Tokenizer, f_hat: Tensor, parts: int) -> Tensor:
    """Decode pictures (B, 3, S / parts, S / parts) from f_hat averaged over `parts` by `parts` cells."""
    side = max(1, f_hat.shape[-1] // parts)
    return tokenizer.decode(F.interpolate(f_hat, size=(side, side), mode="area"))


def at_side(pictures: Tensor, side: int) -> Tensor:
    """Resize pictures (B, 3, s, s) to another side: averaged down, or enlarged bilinearly."""
    if pictures.shape[-1] >= side:
        return F.interpolate(pictures, size=(side, side), mode="area")
    return F.interpolate(pictures, size=(side, side), mode="bilinear")


def drawn_f_hats(pipe: Pipeline, seeds: Sequence[int], sampling: Sampling) -> list[list[Tensor]]:
    """Return f_hat (1, C, s_K, s_K) after every scale of one picture for each seed, of classes spread over all."""
    classes = pipe.spec.transformer.classes
    requests = [Request((number * classes // len(seeds),), (seed,), sampling) for number, seed in enumerate(seeds)]
    return [[step.f_hat for step in pipe.steps(request)] for request in requests]


# ------------------------------------------------------------------------------------------------ distances


@torch.inference_mode()
def distances(
    tokenizer: Tokenizer, judged: Sequence[PreviewMethod], pictures: Sequence[Sequence[Tensor]]
) -> list[list[float]]:
    """Measure how far each method is from decoding, after each of K scales: RMSE in grey levels over all `pictures`.

    Both are compared at the side of the linear map's pictures, to which larger ones are averaged down.
    """
    side = Preview.CELL * tokenizer.config.sides[-1]
    found = []
    for same_scale in zip(*pictures, strict=True):
        truth = [at_side(tokenizer.decode(f_hat), side) for f_hat in same_scale]
        shown = [[at_side(method.preview(f_hat), side) for f_hat in same_scale] for method in judged]
        errors = [(torch.cat(previews) - torch.cat(truth)).square().mean().sqrt() for previews in shown]
        found.append([LEVELS * float(error) for error in errors])
    return [list(column) for column in zip(*found, strict=True)]


def maps(pipe: Pipeline, sampling: Sampling) -> list[PreviewMethod]:
    """Return linear maps that need no training pictures: fitted to the example pictures, the model's own, and both."""
    own, examples = own_pairs(pipe, sampling), example_pairs(pipe)
    return [
        PreviewMethod("linear map, as conversion fits it", as_converted(pipe)),
        PreviewMethod("linear map, fitted to examples at one scale each", fitted_to(pipe, examples)),
        PreviewMethod("linear map, fitted to the model's own pictures", fitted_to(pipe, own)),
        PreviewMethod("linear map, fitted to both", fitted_to(pipe, own + examples)),
    ]


def as_converted(pipe: Pipeline) -> Preview:
    """Return the map that a published model gets when its files are converted."""
    work = fitted(pipe.tokenizer, pipe.spec.name)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value.eval()


def fitted_to(pipe: Pipeline, pairs: Pairs) -> Preview:
    """Return a map fitted to what f_hat decodes to."""
    preview = Preview(pipe.spec.tokenizer)
    preview.fit(*map(torch.cat, zip(*pairs, strict=True)))
    return preview.eval()


@torch.inference_mode()
def own_pairs(pipe: Pipeline, sampling: Sampling) -> Pairs:
    """Return pictures that the model draws, after every scale."""
    return _decoded(pipe, (f_hat for picture in drawn_f_hats(pipe, OWN, sampling) for f_hat in picture))


@torch.inference_mode()
def example_pairs(pipe: Pipeline) -> Pairs:
    """Return parts of the example pictures, each after one scale, in turns."""
    side, scales = pipe.spec.tokenizer.image_side, len(pipe.schedule)
    partly = []
    for number, crop in enumerate(crops(4)):
        found = list(pipe.tokenizer.quantizer.quantize(pipe.features(from_pil([crop], side))))
        partly.append(found[number % scales].f_hat)
    return _decoded(pipe, partly)


def _decoded(pipe: Pipeline, features: Iterable[Tensor]) -> Pairs:
    return [(f_hat, pipe.tokenizer.decode(f_hat)) for f_hat in features]


# ------------------------------------------------------------------------------------------------ costs


@dataclass(frozen=True)
class Costs:
    """Median seconds of one preview by each method, and of a whole run: all scales, and one decode."""

    previews: list[float]
    run: float


@torch.inference_mode()
def costs(pipe: Pipeline, judged: Sequence[PreviewMethod], sampling: Sampling, repeats: int) -> Costs:
    """Measure a run, and previews of its last scale, in turns."""
    request, rounds = Request((0,), (0,), sampling), []
    f_hat = pipe.run(request).steps[-1].f_hat
    works: list[Callable[[], object]] = [
        *(partial(method.preview, f_hat) for method in judged),
        partial(pipe.run, request),
    ]
    for _ in range(repeats + 1):  # the first round warms up
        rounds.append([timed(work, pipe.device) for work in works])
    *previews, run = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    return Costs(previews, run)


def report_distances(judged: Sequence[PreviewMethod], found: Sequence[Sequence[float]], sides: Sequence[int]) -> str:
    """Return the table as Markdown: grey levels after each scale, and their mean."""
    heads = ["grey levels off after the scale of", *(f"{side} x {side}" for side in sides), "mean"]
    levels = ((*each, statistics.mean(each)) for each in found)
    rows = [[method.name, *(f"{level:.1f}" for level in row)] for method, row in zip(judged, levels, strict=True)]
    return markdown(heads, rows)


def report_costs(judged: Sequence[PreviewMethod], spent: Costs, scales: int) -> str:
    """Return the table as Markdown: time of one preview, and of all scales' as a part of a run without."""
    rows = []
    for method, seconds in zip(judged, spent.previews, strict=True):
        part = f"{100 * scales * seconds / spent.run:.1f} %"
        rows.append((method.name, f"{1e3 * seconds:.1f}", f"{1e3 * scales * seconds:.0f}", part))
    table = markdown(("preview", "ms", f"all {scales}, ms", "part of the run"), rows)
    return f"{table}\n\nthe run, with one decode: {1e3 * spent.run:.0f} ms"
