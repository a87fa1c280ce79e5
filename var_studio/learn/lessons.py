"""Make the HTML of the Learn tab: the pyramid of a picture, the race, and what was measured. No widgets here."""

import base64
import math
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from string import Template

from PIL import Image

from var_core.config import SCALES
from var_core.files import ASSETS
from var_core.findings import costs, records
from var_core.findings.costs import Cost
from var_core.findings.halves import Halves
from var_core.findings.run_summary import RunSummary
from var_core.findings.scaling import ScalingPoint, best_by_compute
from var_core.inspection.levels import Level
from var_core.inspection.race import Lane
from var_core.words import counted

from ..shared import html
from ..shared.static import FOLDER

DATA = ASSETS / "learn"
MEASURED = '<span class="ln-mark ln-here">measured here</span>'
DRAWN = {"top half": "the top, given the bottom", "bottom half": "the bottom, given the top"}
LOSSES = ("loss_mean", "loss_last", "error_mean", "error_last")
PANELS = (
    ("averaged", "As coarse as this map", "the picture, averaged in a grid of {side} × {side} squares"),  # noqa: RUF001
    ("map", "What is written", "the tokens of this scale, in the colours of their codes"),
    ("decoded", "What can be read", "the picture decoded from all tokens so far"),
)


def pyramid(levels: Sequence[Level], vocabulary: int) -> str:
    """The scales of a picture, one at a time under a slider, and all of them in a strip."""
    panels = "".join(_panel(levels, *panel) for panel in PANELS)
    last, bits = len(levels) - 1, (vocabulary - 1).bit_length()
    strip = "".join(_thumbnail(level, scale, scale == last) for scale, level in enumerate(levels))
    told = "".join(_cost_of_scale(level, scale, len(levels), bits, scale == last) for scale, level in enumerate(levels))
    words = f'aria-label="Scale" aria-valuetext="scale {last + 1}"'
    knob = f'<input type="range" min="0" max="{last}" value="{last}" step="1" {words}>'
    return (
        '<div class="ln ln-pyramid"><div class="ln-knob"><button type="button" class="ln-play">Play</button>'
        f"{knob}</div>"
        f'<div aria-live="polite">{told}</div><div class="ln-panels">{panels}</div>'
        f'<div class="ln-strip">{strip}</div></div>'
    )


def _panel(levels: Sequence[Level], name: str, title: str, says: str) -> str:
    """One of the large pictures, at every scale; only one of them shows."""
    shown = ""
    for scale, level in enumerate(levels):
        text = says.format(side=level.side)
        picture = html.data_uri(html.shrunk(getattr(level, name)))
        hidden = "" if level is levels[-1] else " hidden"
        shown += f'<div data-scale="{scale}"{hidden}><img src="{picture}" alt=""><p>{text}</p></div>'
    return f"<figure><figcaption>{title}</figcaption>{shown}</figure>"


def _thumbnail(level: Level, scale: int, chosen: bool) -> str:
    picture, text = html.data_uri(html.shrunk(level.decoded, 96)), f"{level.side}×{level.side}"  # noqa: RUF001
    pressed = str(chosen).lower()
    inner = f'<img src="{picture}" alt=""><span>{text}</span>'
    return f'<button type="button" data-go="{scale}" aria-pressed="{pressed}">{inner}</button>'


def _cost_of_scale(level: Level, scale: int, scales: int, bits: int, now: bool) -> str:
    """Say in a line what a scale costs."""
    size, pixels = counted(math.ceil(level.tokens * bits / 8), "byte"), 3 * level.map.width**2
    hidden = "" if now else " hidden"
    return (
        f'<p class="ln-told" data-scale="{scale}"{hidden}>Scale {scale + 1} of {scales}: '
        f"<b>{counted(level.tokens, 'token')}</b> so far, of {bits} bits each: {size}. "
        f"The pixels are {counted(pixels, 'byte')}.</p>"
    )


def track(runners: Sequence[tuple[str, str]], lanes: Sequence[Lane] = (), pictures: Sequence[Image.Image] = ()) -> str:
    """A race under way, or before it; each of its runners has a name and a way."""
    shown = "".join(
        _lane(runner, lanes[index] if lanes else None, pictures[index] if pictures else None)
        for index, runner in enumerate(runners)
    )
    return f'<div class="ln ln-track">{shown}</div>'


def _lane(runner: tuple[str, str], lane: Lane | None, picture: Image.Image | None) -> str:
    name, way = runner
    seconds, fraction, told, done = 0.0, 0.0, "&nbsp;", ""
    if lane is not None:
        seconds, fraction = lane.seconds, lane.steps / len(lane.schedule)
        told = f"step {lane.steps} of {len(lane.schedule)} · {lane.tokens} of {lane.schedule.total} tokens"
        done = " ln-done" if lane.done else ""
    image = f'<img src="{html.data_uri(picture)}" alt="{name}, so far">' if picture else ""
    return (
        f'<section class="ln-lane{done}"><h3>{name} <span>{way}</span></h3><div class="ln-canvas">{image}</div>'
        f'<p class="ln-clock">{seconds:.2f} s</p><p>{told}</p>'
        f'<div class="track"><div class="fill" style="width:{fraction:.1%}"></div></div></section>'
    )


def result(lanes: Sequence[Lane]) -> str:
    """Say who won, and by how much."""
    first, second = lanes
    told = [f"{counted(len(lane.schedule), 'step')} in {lane.seconds:.2f} s" for lane in lanes]
    ratio = second.seconds / first.seconds
    return f"VAR: {told[0]}. Raster order: {told[1]}, {ratio:.{0 if ratio >= 2 else 2}f} times as long."


@cache
def measured() -> str:
    """Draw all that was measured or published, at the first look; what has no data here is left out."""
    lessons = {"costs.csv": _costs, "halves.csv": _halves, "orders.csv": _orders, "scaling.csv": _scaling}
    there = (draw() for name, draw in lessons.items() if (DATA / name).is_file())
    return "".join((*there, lesson("published")))


def _costs() -> str:
    from var_core.findings import svg  # here, not above: matplotlib would hold up the start of the app

    known = records.read_rows(DATA / "costs.csv", Cost)
    figures = "".join(svg.of_costs(known, measure) for measure in ("seconds", "flops"))
    exponents = (
        (way.name, *(f"{costs.exponent(known, way.name, name):.2f}" for name in costs.MEASURES), way.exponent or "")
        for way in costs.WAYS
    )
    at = {row.way: row.seconds for row in known if row.side == 16}
    ratios = {"ratio": at["raster"] / at["scales"], "bare": at["raster, no cache"] / at["scales, no cache"]}
    told = {name: f"{value:.0f}" for name, value in ratios.items()}
    return lesson("costs", figures=figures, exponents=_lines(exponents), **told)


def _halves() -> str:
    path = DATA / "halves.jpg"
    with Image.open(path) as picture:
        width, height = picture.size
    cells = "{0.scales_distance:.0f} {0.raster_distance:.0f} {0.scales_seam:.2f} {0.raster_seam:.2f}"
    known = records.read_rows(DATA / "halves.csv", Halves)
    lines = ((DRAWN[row.kind], *cells.format(row).split()) for row in known)
    address = f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return lesson("halves", picture=address, width=width, height=height, lines=_lines(lines))


def _orders() -> str:
    trials = records.read_rows(DATA / "orders.csv", RunSummary)
    lines = ((row.name, row.tokens, row.steps, f"{row.pictures:,}", *_measures(row)) for row in trials)
    cells = next(row.tokens for row in trials if row.order != SCALES)
    told = {"parameters": f"{trials[0].parameters / 1e6:.1f}", "operations": f"{trials[0].flops / 1e12:.0f}"}
    return lesson("orders", trials=_lines(lines), side=math.isqrt(cells), **told)


def _measures(row: RunSummary) -> tuple[str, ...]:
    """Return what a run came to, in the order of the table."""
    measures = (row.reconstructions, row.guidance, row.distance, row.accuracy)
    return tuple(
        f"{value:.{digits}f}" for value, digits in zip((*measures, row.milliseconds), (2, 1, 2, 2, 0), strict=True)
    )


def _lines(table: Iterable[Sequence[object]]) -> str:
    """The body of a table; the first of each line says what it is about."""
    return "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>{"".join(f"<td>{escape(str(cell))}</td>" for cell in rest)}</tr>'
        for first, *rest in table
    )


def _scaling() -> str:
    from var_core.findings import svg

    points = records.read_rows(DATA / "scaling.csv", ScalingPoint)
    figures = "".join(svg.of_scaling(points, measure) for measure in LOSSES)
    best = "; ".join(f"{size / 1e6:.2g} M up to {_power(most)}" for size, most in best_by_compute(points, LOSSES[0]))
    return lesson("scaling", figures=figures, training=svg.of_training(points), best=best)


def _power(value: float) -> str:
    """1.2 · 10<sup>13</sup>."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits} · 10<sup>{int(exponent)}</sup>"


def lesson(name: str, **values: object) -> str:
    """The text of a lesson with values in their places."""
    text = Template((FOLDER / "lessons" / f"{name}.html").read_text(encoding="utf-8"))
    return f'<div class="ln" lang="en" translate="no">{text.substitute(values, measured=MEASURED)}</div>'
