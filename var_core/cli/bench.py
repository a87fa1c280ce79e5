"""The command that measures speed."""

import argparse
from dataclasses import replace

import torch

from ..config import LoadOptions, ModelSpec
from ..engine.pipeline import Pipeline, pick_device
from ..engine.request import Request
from ..measuring import ablation, bench, fast_modes, previews
from ..published_specs import SPECS
from ..schedule import Schedule
from ..weights import checkpoints
from ..words import counted
from .features import cache_option, reference_of
from .shared import (
    DATA_HELP,
    EVERYTHING,
    Commands,
    command,
    data_options,
    drain,
    loaded,
    loading_options,
    read_pictures,
    sampling_of,
    sampling_options,
    say,
)


def bench_model(options: argparse.Namespace) -> None:
    """Time one picture, scale by scale, beside matrix products of as many operations; an edit; a trace.

    For a published size (d16, d20, ...) what each optimisation is worth there, on random weights.
    """
    if options.repeats is not None and options.repeats < 1:
        raise ValueError(f"repeats {options.repeats}: choose 1 or more.")
    size_asked = SPECS.get(f"var-{options.model.removeprefix('var-')}")
    if options.fast:
        return bench_fast(options, size_asked)
    if options.previews:
        return bench_previews(options, size_asked)
    if size_asked and (options.edit or options.trace):
        raise ValueError(
            f"{options.model} is a size without a model: choose one by name or path for --edit or --trace."
        )
    if size_asked:
        return bench_size(options, size_asked)
    pipe = loaded(options)
    repeats, sampling = (
        options.repeats or (20 if options.trace else 7),
        sampling_of(options, pipe.spec.default_sampling),
    )
    if options.edit:
        guided, plain = bench.edits(pipe, sampling, repeats)
        say(f"class edit {1e3 * guided:.0f} ms, the same without a class {1e3 * plain:.0f} ms: {plain / guided:.2f}")
    elif options.trace:
        plain, traced = bench.traces(pipe, sampling, repeats)
        say(f"picture {1e3 * plain:.0f} ms, with all of it recorded {1e3 * traced:.0f} ms: {traced / plain:.2f}")
    else:
        say(bench.report(*bench.measure(pipe, Request((0,), (0,), sampling), repeats)))


def bench_fast(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """Time the fast modes of a model, or of random weights of a size; with a data folder measure their quality, too."""
    if spec:
        pipes = {dtype: ablation.random_pipeline(spec, dtype) for dtype in fast_modes.DTYPES}
    else:
        pipes = {dtype: Pipeline.load(options.model, LoadOptions("cpu", dtype)) for dtype in fast_modes.DTYPES}
    exact = pipes[fast_modes.EXACT].spec
    modes, found = fast_modes.modes(sampling_of(options, exact.default_sampling)), []
    if options.data:
        data = read_pictures(options, exact.tokenizer.image_side)
        judged = reference_of(options, replace(data, val=data.val.spread(options.count)))
        found = drain(fast_modes.quality_costs(pipes, modes, *judged), "quality")
    say(fast_modes.report(modes, fast_modes.seconds(pipes, modes, options.repeats or 5), found))


def bench_previews(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """Measure previews of a picture under way: how near they come to decoding, and their part of a run's time.

    Of random weights of a size only the times are told.
    """
    pipe = ablation.random_pipeline(spec, "float32") if spec else loaded(options)
    pipe.spec.need_scales("--previews")
    methods, sampling = previews.preview_methods(pipe), sampling_of(options, pipe.spec.default_sampling)
    if not spec:
        judged = [*methods[:-1], *previews.maps(pipe, sampling)]
        found = previews.distances(pipe.tokenizer, judged, previews.drawn_f_hats(pipe, previews.JUDGED, sampling))
        say(previews.report_distances(judged, found, pipe.schedule.sides) + "\n")
    spent = previews.costs(pipe, methods, sampling, options.repeats or 5)
    say(previews.report_costs(methods, spent, len(pipe.schedule)))


def bench_size(options: argparse.Namespace, spec: ModelSpec) -> None:
    """Time all variants of a size; on the CPU measure the memory of one picture, too."""
    device = "cpu" if options.device == "auto" else pick_device(options.device)
    choices = ablation.VARIANTS if device == "cpu" else ablation.ON_GPU
    if options.compile:
        choices = {**choices, **ablation.COMPILED}
    if options.batch < 1:
        raise ValueError(f"batch {options.batch}: choose 1 or more.")
    sampling = sampling_of(options, spec.default_sampling)
    variants = ablation.run_ablation(spec, options.repeats or 3, sampling, choices, device, options.batch)
    say(ablation.report(variants, Schedule.of(spec.tokenizer)))
    say(f"\n{counted(options.batch, 'picture')} at once on {device}: {ablation.throughput(variants, options.batch)}")
    if device != "cpu":
        return
    held = ", ".join(f"{name} {peak / 2**20:.0f} MiB" for name, peak in ablation.peaks(spec, sampling).items())
    say(f"\npeak memory of a process that makes one picture: {held}; threads: {torch.get_num_threads()}")


def add_commands(commands: Commands) -> None:
    """Add it to the program's."""
    speed = command(commands, "bench", bench_model)
    speed.add_argument(
        "--model", default=checkpoints.DEFAULT, help="name or path of a model; or a published size, such as d16"
    )
    instead = speed.add_mutually_exclusive_group()
    instead.add_argument("--edit", action="store_true", help="four variations of an edit, with and without a class")
    instead.add_argument("--trace", action="store_true", help="a picture, alone and with all of it recorded")
    instead.add_argument("--previews", action="store_true", help="previews of a picture under way, beside decoding it")
    instead.add_argument(
        "--fast", action="store_true", help="the fast modes; with --data also what they cost in quality"
    )
    speed.add_argument("--batch", type=int, default=1, help="for a size: pictures at once")
    data_options(speed, required=False, text=f"with --fast: {DATA_HELP}")
    text = "with --data: use at most this many val pictures, evenly spread (default: all)"
    speed.add_argument("--count", type=int, default=EVERYTHING, help=text)
    cache_option(speed)
    speed.add_argument(
        "--repeats",
        type=int,
        help="runs, of which the median counts (default: 7; 20 for --trace, 5 for --fast and --previews, 3 for a size)",
    )
    sampling_options(speed)
    loading_options(speed)
