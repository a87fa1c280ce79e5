"""Measured curves as SVG that takes the colour of the text around it, so that it reads on light and on dark."""

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from . import costs, scaling
from .costs import WAYS, Cost
from .scaling import PAPER, ScalingPoint

INK = "#010203"  # becomes the colour of the text around
TEAL, AMBER, PINK = "#0d9488", "#e0861a", "#c2588f"  # dark enough on white, bright enough on black
COLOURS = (TEAL, AMBER, TEAL, AMBER)  # of `WAYS`
STYLES = ("-", "-", ":", ":")
OURS, THEIRS = TEAL, PINK
STYLE = {
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{"axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK},
    **{"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "axes.titlesize": 10.5},
    **{"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 9},
    **{"axes.grid": True, "grid.color": INK, "grid.alpha": 0.15},
}
COST_TITLES = {"seconds": "Time of a picture, seconds", "flops": "Operations of a picture"}
LOSS_TITLES = {
    "loss_mean": "Loss, all scales",
    "loss_last": "Loss, last scale",
    "error_mean": "Wrong tokens, all scales",
    "error_last": "Wrong tokens, last scale",
}
PAPER_SIZES = (18e6, 2e9)  # parameters, from the smallest to the largest of the paper's models


def svg(paint: Callable[[Axes], None], label: str) -> str:
    """Draw a panel as SVG text to set into a page, which it leaves as it is; `label` says what it shows."""
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        paint(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue().replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>", "", text[text.index("<svg") :], flags=re.S)
    referred = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in referred else "", text)
    lines = "stroke-linejoin:round;stroke-linecap:butt"  # what the style that was cut out says of all pages' elements
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" style="{lines}" ', 1)


def of_costs(rows: Sequence[Cost], measure: str) -> str:
    """Draw "seconds" or "flops" of every way against the side of the map, on logarithmic axes."""

    def paint(axes: Axes) -> None:
        for way, colour, style in zip(WAYS, COLOURS, STYLES, strict=True):
            known = [(row.side, getattr(row, measure)) for row in rows if row.way == way.name]
            known = [pair for pair in known if not math.isnan(pair[1])]
            power = costs.exponent(rows, way.name, measure)
            label = way.name if math.isnan(power) else f"{way.name}: $n^{{{power:.1f}}}$"
            axes.plot(*zip(*known, strict=True), style, color=colour, marker="o", markersize=3.5, label=label)
        axes.set(xscale="log", yscale="log", title=COST_TITLES[measure], xlabel="side n of the token map")
        sides = sorted({row.side for row in rows})
        axes.set_xticks(sides, labels=map(str, sides), minor=False)
        axes.set_xticks([], minor=True)
        axes.legend()

    return svg(paint, f"{COST_TITLES[measure]}, against the side of the token map, for each order")


def of_scaling(points: Sequence[ScalingPoint], measure: str) -> str:
    """Draw a measure against parameters: what was trained here, its fit, and the paper's law over its own sizes."""
    last = scaling.trained(points)
    sizes = [point.parameters for point in last]
    ours, theirs = scaling.laws(points)[measure], PAPER[measure]

    def paint(axes: Axes) -> None:
        told = f"$N^{{{ours.exponent:.2g}}}$" if ours.lawful else "no law"
        label = f"here (correlation {ours.correlation:.3f}): {told}"
        axes.plot(sizes, [getattr(point, measure) for point in last], "o", color=OURS, markersize=5, label=label)
        if ours.lawful:
            axes.plot(sizes, [ours(size / 1e9) for size in sizes], color=OURS)
        values = [theirs(size / 1e9) for size in PAPER_SIZES]
        axes.plot(PAPER_SIZES, values, "--", color=THEIRS, label=f"the paper: $N^{{{theirs.exponent:.2g}}}$")
        axes.set(title=LOSS_TITLES[measure], xlabel="parameters N")
        _logarithmic(axes)

    return svg(paint, f"{LOSS_TITLES[measure]}, against parameters, here and in the paper")


def of_training(points: Sequence[ScalingPoint]) -> str:
    """Draw the mean loss against operations of the training, a line for each size, and the law of the best."""
    front, law = scaling.frontier(points, "loss_mean"), scaling.compute_law(points, "loss_mean")

    def paint(axes: Axes) -> None:
        for size, line in _lines(points):
            at = [point.flops for point in line]
            axes.plot(at, [point.loss_mean for point in line], color=OURS, alpha=0.6, linewidth=1)
            axes.annotate(_size(size), (at[-1], line[-1].loss_mean), fontsize=8, color=INK)
        ends = front[0].flops, front[-1].flops
        label = f"the best of all: $C^{{{law.exponent:.2g}}}$"
        if law.lawful:
            axes.plot(ends, [law(flops) for flops in ends], color=THEIRS, linewidth=2, label=label)
        axes.set(title=LOSS_TITLES["loss_mean"], xlabel="operations of the training, C")
        axes.margins(x=0.12)
        _logarithmic(axes)

    return svg(paint, "Loss against the operations of the training, for each size")


def _logarithmic(axes: Axes) -> None:
    """Set logarithmic axes with plain numbers beside the upright one, and a legend."""
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_minor_formatter(FuncFormatter(_plain))
    axes.tick_params(axis="y", which="minor", labelsize=8)
    axes.legend()


def _lines(points: Sequence[ScalingPoint]) -> Iterator[tuple[int, list[ScalingPoint]]]:
    """Yield the points of each size, in the order of the training."""
    for size in sorted({point.parameters for point in points}):
        yield size, sorted((point for point in points if point.parameters == size), key=lambda point: point.step)


def _plain(value: float, _place: int) -> str:
    return f"{value:.3g}"


def _size(parameters: int) -> str:
    return f"{parameters / 1e6:.2g} M"
