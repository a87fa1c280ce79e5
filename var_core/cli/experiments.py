"""Commands whose tables the documents and the app's lessons show: laws of size, runs side by side, costs, halves."""

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..config import TransformerConfig
from ..engine.pipeline import pick_device
from ..files import runs_folder
from ..findings import halves, records, scaling
from ..findings.run_summary import RunSummary
from ..measuring import compare, costs
from ..nn.tokenizer import Tokenizer
from ..schedule import Schedule
from ..schema import Fields, entry
from ..training.data import Dataset
from ..training.export import load_tokenizer
from ..training.tokenizer_task import TokenData
from ..training.trainer import Budget, Optimisation, load_state
from ..training.transformer_task import TransformerSettings, TransformerTask
from .evaluate import read_scores
from .features import cache_option, reference_of
from .shared import (
    TOKENIZER_HELP,
    Commands,
    command,
    data_options,
    device_option,
    drain,
    integers,
    numbers,
    read_pictures,
    say,
)
from .training_run import PRECISION_HELP, optimisation, read_tokens, run_training

DEPTHS = (1, 2, 3, 4, 5, 6)  # of the sizes whose laws are sought


def train_sizes(options: argparse.Namespace) -> None:
    """Train transformers of growing size alike; their losses and errors as a CSV, and the laws they follow.

    Each for the same time, or for as many steps. The first favours small ones until they have learned all they can.

    What an earlier call has trained of them in --out is taken up, and trained on if its time is not over.
    """
    settings, tokenizer = optimisation(options), load_tokenizer(options.tokenizer)
    device, data = pick_device(options.device), read_pictures(options, tokenizer.config.image_side)
    tokens, points = read_tokens(options, tokenizer.to(device), device, lambda: data), []
    for depth in options.depths:
        config, run = (
            TransformerConfig.of_depth(depth, tokenizer.config, len(data.classes.names)),
            options.out / f"depth-{depth}",
        )
        own = replace(settings, learning_rate=scaling.rate_of(config, options.rate))
        if not train_size(options, depth, tokenizer, tokens, own, device):
            return
        seen = scaling.seen(Schedule.of(config), options.most_per_scale)
        points += scaling.points_of(run, config, options.batch, seen)
    records.write_rows(options.csv, scaling.ScalingPoint, points)
    say(f"{scaling.report(points)}\n\nwritten to {options.csv}")


def train_size(
    options: argparse.Namespace,
    depth: int,
    tokenizer: Tokenizer,
    tokens: TokenData,
    settings: Optimisation,
    device: str,
) -> bool:
    """Train one size for what is left of its time or steps; return whether it came to its end."""
    run = options.out / f"depth-{depth}"
    begun = (run / "state.pt").is_file()
    spent: dict[str, Any] = load_state(run, TransformerTask.KIND) if begun else {"seconds": 0.0, "step": 0}
    minutes, steps = options.minutes - spent["seconds"] / 60, options.steps - spent["step"]
    if begun:
        refuse_other_steps(options, run, spent, settings)
    if min(minutes, steps) <= 0:
        return True
    torch.manual_seed(options.seed)
    config = TransformerConfig.of_depth(depth, tokenizer.config, len(tokens.classes.names))
    choices = TransformerSettings(most_per_scale=options.most_per_scale)
    task = TransformerTask(config, tokenizer, tokens, choices, settings, device)
    return run_training(task, run, Budget(minutes, steps), begun, options.report_minutes)


def refuse_other_steps(options: argparse.Namespace, run: Path, state: Fields, settings: Optimisation) -> None:
    """Raise ValueError if a run was trained on other steps than the command line asks for."""
    last_rate = entry(state, "optimizer", dict)["param_groups"][0]["lr"]
    if not math.isclose(last_rate, settings.rate_at(entry(state, "step", int) - 1), rel_tol=1e-6):
        raise ValueError(f"{run} was trained with another learning rate: give the same --rate, or another --out.")
    extra = entry(state, "extra", dict)
    if any(extra[name] != getattr(options, name) for name in ("batch", "most_per_scale")):
        raise ValueError(f"{run} was trained on other steps: give its --batch and --most-per-scale, or another --out.")


def compare_runs(options: argparse.Namespace) -> None:
    """Measure transformers' training runs side by side: losses, pictures and times, as a table and a CSV."""
    tokenizers = [load_tokenizer(one) for one in options.tokenizer]
    data: Dataset = read_pictures(options, tokenizers[0].config.image_side)
    data = replace(data, val=data.val.spread(options.count))
    by = compare.Comparison(data.classes, data.val, *reference_of(options, data), options.guidance)
    found = [drain(compare.measure(run, tokenizers, by), run.name) for run in options.runs]
    records.write_rows(options.csv, RunSummary, found)
    say(f"{compare.report(found)}\n\nwritten to {options.csv}")


def measure_costs(options: argparse.Namespace) -> None:
    """Measure a picture's cost by scales and cell by cell, cached and not, as its token map grows; as a CSV.

    With random weights of a small size, on the CPU.
    """
    found, total = [], len(options.sides) * len(costs.WAYS)
    asked = costs.measure(options.sides, costs.SMALL, options.repeats, options.most_tflop * 1e12)
    for row in tqdm(asked, total=total, unit="picture", disable=None):
        found.append(row)
    records.write_rows(options.csv, costs.Cost, found)
    say(f"{costs.report(found)}\n\nwritten to {options.csv}")


def compare_halves(options: argparse.Namespace) -> None:
    """Put two evaluations of completed halves side by side, one of scales and one in raster order, as a CSV."""
    scores = [read_scores(source) for source in (options.scales, options.raster)]
    records.write_rows(options.csv, halves.Halves, halves.side_by_side(*scores))
    say(f"written to {options.csv}")


def add_commands(commands: Commands) -> None:
    """Add them to the program's."""
    _scaling_command(commands)
    _compare_command(commands)
    _costs_command(commands)
    _halves_command(commands)


def csv_option(made: argparse.ArgumentParser, name: str) -> None:
    """Add --csv: the file for the table."""
    made.add_argument("--csv", type=Path, default=runs_folder() / f"{name}.csv", help="file to write")


def _scaling_command(commands: Commands) -> None:
    made = command(commands, "scaling", train_sizes)
    data_options(made, required=True)
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--out", type=Path, default=runs_folder() / "scaling", help="folder for the runs, one a size")
    csv_option(made, "scaling")
    much = made.add_mutually_exclusive_group(required=True)
    much.add_argument(
        "--minutes-each", dest="minutes", type=float, default=math.inf, help="how long to train each size"
    )
    much.add_argument("--steps-each", dest="steps", type=float, default=math.inf, help="how many steps to train each")
    made.add_argument("--depths", type=integers, default=DEPTHS, help="sizes: width 64 and a head a block")
    made.add_argument("--batch", type=int, default=16, help="pictures in a step")
    made.add_argument("--rate", type=float, default=8e-4, help="learning rate of depth 3; others go with 1 / width")
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    made.add_argument("--precision", default="auto", help=PRECISION_HELP)
    made.add_argument("--report-minutes", type=float, default=2, help="minutes between points")
    made.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    made.set_defaults(ema=0.999, accumulate=1, mirror=True)
    device_option(made)


def _compare_command(commands: Commands) -> None:
    made = command(commands, "compare", compare_runs)
    made.add_argument("runs", type=Path, nargs="+", help="folders of transformers' training runs")
    data_options(made, required=True)
    text = f"with whose tokens they were trained, one or several: {TOKENIZER_HELP}"
    made.add_argument("--tokenizer", type=Path, nargs="+", required=True, help=text)
    made.add_argument("--guidance", type=numbers, default=(1.5, 3.0), help="strengths to try, with commas between them")
    made.add_argument("--count", type=int, default=500, help="pictures of val")
    csv_option(made, "compare")
    cache_option(made)


def _costs_command(commands: Commands) -> None:
    made = command(commands, "costs", measure_costs)
    sides = (4, 8, 16, 24, 32, 48, 64)
    made.add_argument("--sides", type=integers, default=sides, help="sides of the finest token map")
    made.add_argument("--most-tflop", type=float, default=6.0, help="what takes more is only computed, by formula")
    made.add_argument("--repeats", type=int, default=3, help="pictures, of whose times the median counts")
    csv_option(made, "costs")


def _halves_command(commands: Commands) -> None:
    made = command(commands, "halves", compare_halves)
    text = 'report of `evaluate --edit --masks "top half,bottom half"`, or its folder,'
    made.add_argument("scales", type=Path, help=f"{text} of a model that draws scale by scale")
    made.add_argument("raster", type=Path, help=f"{text} of one in raster order")
    csv_option(made, "halves")
