"""Savings of next-scale prediction: the cost of a picture against the side n of its token map.

Drawn with random weights of one small size, scale by scale or cell by cell, with a cache of keys and values or without
one. The paper (section 3, appendix) counts attention without a cache: O(n^4) by scales, O(n^6) by cells.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from ..clock import timed
from ..config import SCALES, Sampling, TokenizerConfig, TransformerConfig
from ..engine.prefix_cache import PrefixCache
from ..engine.request import Request
from ..engine.sampling import steps
from ..findings.costs import COUNT, FORMULA, MEASURES, WAYS, Cost, DrawingWay, exponent
from ..flops import attention_flops, modulation_flops, read_flops
from ..nn.linear import pack
from ..nn.quantizer import Quantizer, quantizer_of
from ..nn.transformer import VAR, randomise
from ..schedule import Schedule
from ..tables import markdown
from .bench import counted_flops

SMALL = TransformerConfig((1,), classes=1, depth=4, width=256, heads=4)


class UncachedRun(PrefixCache):
    """Reads without a cache: all tokens so far pass through the blocks again at every step."""

    def read(self, scale_input: Tensor, scale: int, codes: Tensor, known: Tensor) -> Tensor:  # noqa: ARG002
        """Read a scale as `PrefixCache.read` does, with all before it."""
        self.shown = [*self.shown[:scale], scale_input]
        length = scale_input.shape[1]
        inputs = torch.cat(self.shown, 1)[:, self.var.schedule.lengths[0] :]
        return self.var.read(self.condition, inputs)[:, -length:]


def networks(config: TransformerConfig) -> tuple[VAR, Quantizer]:
    """Make random weights on the CPU, laid out as the engine has them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        var = randomise(VAR(config)).eval()
        codes = TokenizerConfig(config.sides, config.vocabulary, config.code_width, order=config.order)
        quantizer = quantizer_of(codes).eval()
    pack(var)
    return var, quantizer


def draw(var: VAR, quantizer: Quantizer, cached: bool) -> Tensor:
    """Draw the tokens of one picture of no class, (1, L)."""
    request = Request((var.config.null_label,), (0,), Sampling(guidance=0.0))
    done = steps(var, quantizer, request, None if cached else UncachedRun())
    return torch.cat([step.tokens for step in done], 1)


def computed(config: TransformerConfig, cached: bool) -> tuple[float, float]:
    """Compute what `counted_flops` finds of drawing a picture: all operations, and those of attention."""
    schedule = Schedule.of(config)
    every, attention = modulation_flops(config) + between(config), 0
    for span, length in zip(schedule.spans, schedule.lengths, strict=True):
        first = 0 if cached and span.start else schedule.lengths[0]  # these tokens are shown the class, not codes
        read = length if cached else span.stop
        every += read_flops(config, read, read - first, span.stop, length)
        attention += attention_flops(config, read, span.stop)
    return float(every), float(attention)


def between(config: TransformerConfig) -> int:
    """Count operations of the quantizer between the steps of a picture: smoothing, and averaging down."""
    if config.order != SCALES:
        return 0
    width, full = config.code_width, config.sides[-1]
    smoothing = len(config.sides) * 2 * 9 * width**2 * full**2
    return smoothing + sum(2 * width * side * full * (full + side) for side in config.sides[:-1])


def cost(way: DrawingWay, side: int, size: TransformerConfig, repeats: int, most: float) -> Cost:
    """Measure a way at a side; if that takes more than `most` operations, they are only computed."""
    config = way.config(size, side)
    schedule, (flops, attention) = Schedule.of(config), computed(config, way.cached)
    source, seconds = FORMULA, math.nan
    if flops <= most:
        work, source = partial(draw, *networks(config), way.cached), COUNT
        flops, attention = counted_flops(work)  # which warms up, too
        seconds = min(timed(work, torch.device("cpu")) for _ in range(repeats))
    return Cost(way.name, side, schedule.total, len(schedule), flops, attention, source, seconds)


def measure(sides: Sequence[int], size: TransformerConfig, repeats: int, most: float) -> Iterator[Cost]:
    """Measure every way at every side; ValueError unless exponents can be found."""
    if len(set(sides)) < 2 or min(sides) < 2 or repeats < 1:
        raise ValueError(f"sides {sides}, repeats {repeats}: choose two sides of 2 or more, and one repeat or more.")
    cost(WAYS[0], min(sides), size, repeats, most)  # the first of a process is slow
    for side in sides:
        for way in WAYS:
            yield cost(way, side, size, repeats, most)


def report(costs: Sequence[Cost]) -> str:
    """Return what was measured, the exponents beside the paper's, and what cells cost over scales, as Markdown."""
    return "\n\n".join((_measured(costs), _exponents(costs), _ratios(costs)))


def _measured(costs: Sequence[Cost]) -> str:
    rows = []
    for row in costs:
        mark = " (computed)" if row.source == FORMULA else ""
        counts = (f"{row.flops / 1e9:.3g}{mark}", f"{row.attention / 1e9:.3g}")
        rows.append((row.way, row.side, row.tokens, row.steps, *counts, _cell(1e3 * row.seconds, ".0f")))
    return markdown(("way", "side", "tokens", "steps", "GFLOP", "of attention", "ms"), rows)


def _exponents(costs: Sequence[Cost]) -> str:
    heads = ("grows with the side as n^", "operations", "attention alone", "time", "the paper's")
    found = ((way, [_cell(exponent(costs, way.name, name), ".2f") for name in MEASURES]) for way in WAYS)
    return markdown(heads, [(way.name, *cells, way.exponent or "") for way, cells in found])


def _ratios(costs: Sequence[Cost]) -> str:
    """Say how many times as much raster order costs as scales do, with a cache and without."""
    heads = ("raster over scales", "operations", "time", "operations, no cache", "time, no cache")
    found, rows = {(row.way, row.side): row for row in costs}, []
    for side in sorted({row.side for row in costs}):
        scales, cells, *bare = (found[way.name, side] for way in WAYS)
        pairs = [(cells, scales), (bare[1], bare[0])]
        ratios = [getattr(a, name) / getattr(b, name) for a, b in pairs for name in ("flops", "seconds")]
        rows.append((f"{side} x {side}", *(_cell(ratio, ".1f") for ratio in ratios)))
    return f"{markdown(heads, rows)}\n\nThe paper tells of about 20 times the time at 16 x 16."


def _cell(value: float, form: str) -> str:
    return "" if math.isnan(value) else f"{value:{form}}"
