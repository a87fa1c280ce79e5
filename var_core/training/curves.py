"""Plots of a training run's log."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..files import replacing
from ..findings.run_log import read_log

# key in log.jsonl -> title and unit of its panel
PANELS = {
    "loss": "training loss",
    "psnr": "val reconstruction, PSNR in dB",
    "codes_by_scale": "codes in use on val, per scale",
    "val_loss": "val loss, nats per token",
    "loss_by_scale": "val loss per scale, nats per token",
    "error_by_scale": "val token error per scale",
}


def smoothed(values: list[float], ema_decay: float = 0.9) -> list[float]:
    """Return the running mean, so that the trend shows through the noise of single batches."""
    out, mean = [], values[0]
    for value in values:
        mean = ema_decay * mean + (1 - ema_decay) * value
        out.append(mean)
    return out


def plot(run: Path) -> Path:
    """Draw a run's curves against hours of training into run/curves.png."""
    rows: list[dict[str, Any]] = [*read_log(run)]
    shown = {key: [row for row in rows if key in row] for key in PANELS}
    shown = {key: found for key, found in shown.items() if found}
    figure = Figure(figsize=(5 * min(3, len(shown)), 3.5 * -(-len(shown) // 3)), layout="constrained")
    for number, (key, found) in enumerate(shown.items(), 1):
        axes = figure.add_subplot(-(-len(shown) // 3), min(3, len(shown)), number)
        hours, values = [row["seconds"] / 3600 for row in found], [row[key] for row in found]
        if isinstance(values[0], list):
            for scale, series in enumerate(zip(*values, strict=True)):
                axes.plot(hours, series, label=f"scale {scale + 1}")
            axes.legend(fontsize=7)
        else:
            axes.plot(hours, smoothed(values) if key == "loss" else values)
        axes.set(title=PANELS[key], xlabel="hours of training")
        axes.grid(alpha=0.3)
    path = run / "curves.png"
    with replacing(path) as part:
        figure.savefig(part, dpi=110, format="png")
    return path
