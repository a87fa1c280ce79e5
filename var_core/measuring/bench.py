"""Speed, side by side in one run: scales against large matrix products of as many operations, edits, traces."""

import math
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ..clock import matrix_speed, timed
from ..config import Sampling
from ..editing.edit import Edit, run_edit
from ..editing.edit_settings import EditSettings
from ..engine.pipeline import Pipeline
from ..engine.request import Request
from ..inspection.recording import recorded
from ..tables import markdown

# (work, device) -> floating-point operations, seconds
Gauge = Callable[[Callable[[], object], torch.device], tuple[float, float]]


def packed_flops(x: torch.Size, weight: torch.Size, *_: object, **__: object) -> int:
    """Count operations of a packed product of shapes x (..., in) and weight (out, in), unknown to torch's counter."""
    return 2 * math.prod(x) * weight[0]


def cpu_attention_flops(q: torch.Size, k: torch.Size, *_: object, **__: object) -> int:
    """Count operations of attention on a CPU, unknown to torch's counter too; q (B, H, n, d), k (B, H, m, d)."""
    return 4 * math.prod(q) * k[-2]


PACKED = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # not every build of torch has it
ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
COUNTED: dict[object, Callable[..., int]] = {
    ATTENTION: cpu_attention_flops,
    **({PACKED: packed_flops} if PACKED else {}),
}


@dataclass(frozen=True)
class BenchRow:
    """One part of making a picture."""

    name: str
    flops: float  # floating-point operations
    seconds: float  # median


def scales(pipe: Pipeline, request: Request, gauge: Gauge) -> list[BenchRow]:
    """Return a row for each scale (step and preview), and one for the last decode, of one run of the request."""
    rows: list[BenchRow] = []
    running, seen = pipe.steps(request), []

    def advance() -> None:
        seen.append(next(running).f_hat)
        pipe.preview(seen[-1])

    for number, length in enumerate(pipe.schedule.lengths, 1):
        rows.append(BenchRow(f"scale {number}, {length} tokens", *gauge(advance, pipe.device)))
    return [*rows, BenchRow("decode", *gauge(lambda: pipe.decode(seen[-1]), pipe.device))]


def counted_flops(work: Callable[[], object]) -> tuple[float, float]:
    """Count operations of a call while it runs: all of them, and those of attention."""
    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        work()
    found = counter.get_flop_counts()["Global"]
    return sum(found.values()), sum(number for kind, number in found.items() if "attention" in str(kind))


def flop_gauge(work: Callable[[], object], _device: torch.device) -> tuple[float, float]:
    """Count operations of a call; its time is not told, since counting slows it."""
    return counted_flops(work)[0], 0.0


def time_gauge(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Measure the seconds of a call; its operations are not counted."""
    return 0.0, timed(work, device)


def measure(pipe: Pipeline, request: Request, repeats: int = 7) -> tuple[list[BenchRow], float]:
    """Return rows with the median time over `repeats` runs, and the speed of matrix products between those runs.

    A first run counts the operations, and warms up.
    """
    counts = scales(pipe, request, flop_gauge)
    runs, speeds = [], []
    for _ in range(repeats):
        speeds.append(matrix_speed(pipe.device))
        runs.append(scales(pipe, request, time_gauge))
    rows = [
        BenchRow(count.name, count.flops, statistics.median(row.seconds for row in same))
        for count, *same in zip(counts, *runs, strict=True)
    ]
    return rows, statistics.median(speeds)


def edits(pipe: Pipeline, sampling: Sampling, repeats: int = 7, count: int = 4) -> tuple[float, float]:
    """Return median seconds of a class edit and of a candidate with no class, in turns; `count` variations of noise."""
    side = pipe.spec.tokenizer.image_side
    photo = np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : -side // 4, side // 4 : -side // 4] = True
    seeds, times = tuple(range(count)), []
    for _ in range(repeats + 1):  # the first round warms up
        asked = [
            Edit(photo, mask, (label,) * count, seeds, sampling, EditSettings(candidates=1))
            for label in (0, pipe.spec.transformer.null_label)
        ]
        times.append([timed(partial(run_edit, pipe, edit), pipe.device) for edit in asked])
    guided, plain = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return guided, plain


def traces(pipe: Pipeline, sampling: Sampling, repeats: int = 20) -> tuple[float, float]:
    """Return median seconds of a picture, shown after every scale, and of the same with all recorded, in turns."""
    request, times = Request((0,), (0,), sampling), []

    def shown() -> None:
        for step in pipe.steps(request):
            pipe.decode(step.f_hat)

    for _ in range(repeats + 1):  # the first round warms up
        times.append([timed(work, pipe.device) for work in (shown, partial(recorded, pipe, request))])
    plain, traced = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return plain, traced


def report(rows: list[BenchRow], speed: float) -> str:
    """Return the table as Markdown: time of every part, of as many operations in large matrix products, the ratio."""
    total = BenchRow("whole picture", sum(row.flops for row in rows), sum(row.seconds for row in rows))
    cells = []
    for row in (*rows, total):
        ideal = row.flops / speed
        times = (f"{1e3 * row.seconds:.1f}", f"{1e3 * ideal:.1f}", f"{row.seconds / ideal:.2f}")
        cells.append((row.name, f"{row.flops / 1e9:.3f}", *times))
    table = markdown(("part", "GFLOP", "ms", "ms as matrix products", "ratio"), cells)
    return f"{table}\n\nmatrix products: {speed / 1e9:.0f} GFLOP/s; peak memory of the process: {peak_memory()}"


def peak_memory() -> str:
    """Say the most memory that this process held, in MiB."""
    if sys.platform == "win32":
        return "not measured on Windows"
    return f"{peak_bytes() / 2**20:.0f} MiB"


def peak_bytes() -> int:
    """Return the most bytes that this process held; not on Windows."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage tells of a child begins at what its parent held
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return 2**10 * int(kilobytes)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
