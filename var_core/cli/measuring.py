"""Commands that measure: models, runs, speed."""

import argparse
import hashlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..config import SPECS, LoadOptions, ModelSpec
from ..engine.pipeline import Pipeline, Request, pick_device
from ..findings import records as rows
from ..schedule import Schedule
from ..weights import checkpoints
from .shared import (
    EVERYTHING,
    TOKENIZER_HELP,
    command,
    device_option,
    drain,
    integers,
    loaded,
    loading_options,
    names,
    numbers,
    read_pictures,
    sampling_of,
    sampling_options,
    say,
)
from .training import optimisation, read_tokens, run_training

DEPTHS = (1, 2, 3, 4, 5, 6)  # of the sizes whose laws are sought


def scaling(options: argparse.Namespace) -> None:
    """Train transformers of growing size alike; their losses and errors as a CSV, and the laws they follow.

    Each for the same time, or for as many steps. The first favours small ones until they have learned all they can.

    What an earlier call has trained of them in --out is taken up, and trained on if its time is not over.
    """
    from ..findings import scaling as laws
    from ..training.export import load_tokenizer
    from ..training.trainer import load_state
    from ..training.transformer_task import TransformerTask

    settings, tokenizer = optimisation(options), load_tokenizer(options.tokenizer)
    device, classes, *splits = pick_device(options.device), *read_pictures(options, tokenizer.config.image_side)
    train, val = read_tokens(options, tokenizer.to(device), device, lambda: splits)
    points = []
    for depth in options.depths:
        config, run = laws.sized(depth, tokenizer.config, len(classes.names)), options.out / f"depth-{depth}"
        begun = (run / "state.pt").is_file()
        spent = load_state(run, TransformerTask.KIND) if begun else {"seconds": 0.0, "step": 0}
        left = {"minutes": options.minutes - spent["seconds"] / 60, "steps": options.steps - spent["step"]}
        own = replace(settings, learning_rate=laws.rate_of(config, options.rate))
        if begun and not math.isclose(last_rate(spent), own.rate_at(spent["step"] - 1), rel_tol=1e-6):
            raise ValueError(f"{run} was trained with another learning rate: give the same --rate, or another --out.")
        if begun and any(spent["extra"].get(name, 0) != getattr(options, name) for name in ("batch", "most_per_scale")):
            raise ValueError(
                f"{run} was trained on other steps: give its --batch and --most-per-scale, or another --out."
            )
        if min(left.values()) > 0:
            torch.manual_seed(options.seed)
            parts = {"most_per_scale": options.most_per_scale}
            task = TransformerTask(config, tokenizer, train, val, classes, own, device, **parts)
            asked = {**vars(options), "out": run, "resume": begun, **left}
            if not run_training(task, argparse.Namespace(**asked)):
                return
        tokens = laws.seen(Schedule.of(config), options.most_per_scale)
        points += laws.points_of(run, config, options.batch, tokens)
    rows.write(options.csv, laws.Point, points)
    say(f"{laws.report(points)}\n\nwritten to {options.csv}")


def last_rate(state: dict) -> float:
    """The learning rate of the last step of a run."""
    return state["optimizer"]["param_groups"][0]["lr"]


def compare(options: argparse.Namespace) -> None:
    """Transformers' training runs side by side: their losses, their pictures and their times, as a table and a CSV."""
    from ..measuring import compare as trials
    from ..measuring.fast_modes import Ruler
    from ..training.export import load_tokenizer
    from ..training.features import ImageFeatures

    tokenizers = [load_tokenizer(one) for one in options.tokenizer]
    classes, train, val = read_pictures(options, tokenizers[0].config.image_side)
    network, val = ImageFeatures(), val.spread(options.count)
    ruler = Ruler.of(network, *real_pictures(options, network, train, val), len(classes.names))
    parts = (tokenizers, classes, val, ruler, options.guidance)
    found = [drain(trials.measure(run, *parts), run.name) for run in options.runs]
    rows.write(options.csv, trials.Trial, found)
    say(f"{trials.report(found)}\n\nwritten to {options.csv}")


def evaluate(options: argparse.Namespace) -> None:
    """Measure a model on a data folder: reconstructions, generated pictures (labels as in val), copying, loss."""
    from ..measuring import evaluate as measure
    from ..training.features import WITNESS, ImageFeatures

    check_edits(options)
    pipe = loaded(options)
    classes, train, val = read_pictures(options, pipe.spec.tokenizer.image_side)
    if len(classes.names) != pipe.spec.transformer.classes:
        raise ValueError(f"{options.data} has {len(classes.names)} classes, the model {pipe.spec.transformer.classes}.")
    scales = 0 if pipe.schedule.by_cell else len(pipe.schedule)
    if not all(0 <= count <= scales for count in options.given):
        raise ValueError(f"given {options.given}: choose 0 to {scales}, the scales that the model has.")
    if options.edit:
        return evaluate_edits(options, pipe, classes, train, val)
    val = val.spread(options.count)
    network = ImageFeatures()
    found = drain(measure.reconstructed(pipe, val), "reconstructing")
    real = real_pictures(options, network, train, val)
    if options.given:
        return evaluate_given(options, pipe, found.tokens, network, real)
    made = drain(measure.generated(pipe, val.labels, sampling_of(options, pipe.spec.default_sampling)), "generating")

    def seen(network: ImageFeatures) -> list[torch.Tensor]:
        named = (("copies", found.pixels), ("made", made))
        return [kept_features(network, pixels, options.cache, name) for name, pixels in named]

    figures = measure.compare(*real, *seen(network), classes.groups)
    witness = ImageFeatures(WITNESS)
    real = real_pictures(options, witness, train, val)
    probe = measure.Probe.fit(real[0].features, real[0].labels, len(classes.names))
    figures += measure.quality(*real, *seen(witness), probe, f", by {witness.name}")
    figures += measure.tokenizer_figures(found, pipe.spec.tokenizer.vocabulary)
    say(measure.table(figures))
    rows = [{"name": f.name, "value": f.value, "real": f.real, "ratio": f.ratio} for f in figures]
    write_report(options, pipe, len(val), {"figures": rows})


def check_edits(options: argparse.Namespace) -> None:
    """ValueError for kinds of masks that do not exist, or for what is said of edits where none are asked for."""
    from ..measuring import edit_benchmark

    if not options.edit and (options.masks or options.rows):
        raise ValueError("--masks and --rows choose among edits: add --edit, or leave them out.")
    known = (*edit_benchmark.TASKS, *edit_benchmark.HALVES)
    try:
        re.compile(options.rows or "")
    except re.error as error:
        raise ValueError(f"--rows {options.rows} is no pattern ({error}): escape brackets with a backslash.") from error
    if unknown := [name for name in options.masks if name not in known]:
        raise ValueError(f"masks '{', '.join(unknown)}': choose from {', '.join(known)}.")


def evaluate_given(options: argparse.Namespace, pipe: Pipeline, tokens: list, network: Any, real: list) -> None:
    """Pictures that begin with the token maps of real ones, and how good they are, as a table."""
    from ..measuring.evaluate import generated
    from ..measuring.fast_modes import Ruler

    ruler, scores = Ruler.of(network, *real, pipe.spec.transformer.classes), []
    sampling = sampling_of(options, pipe.spec.default_sampling)
    for count in options.given:
        made = drain(generated(pipe, ruler.val.labels, sampling, tokens[:count]), f"{count} given")
        price = ruler.price(kept_features(network, made, options.cache, "made"))
        scores.append({"given": count, "distance": price.distance, "hits": price.hits})
    lines = ["| {given} | {distance:.3f} | {hits:.3f} |".format(**row) for row in scores]
    say("\n".join(["| scales given | Fréchet ratio | hit ratio |", "|---|---|---|", *lines]))
    write_report(options, pipe, len(ruler.val.labels), {"scores": scores})


def write_report(options: argparse.Namespace, pipe: Pipeline, pictures: int, found: dict) -> None:
    """What an evaluation found, as JSON in --out, with what it is of."""
    drawn = vars(sampling_of(options, pipe.spec.default_sampling))
    report = {"model": pipe.spec.name, "digest": pipe.digest, "pictures": pictures, **drawn}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report | found, indent=1), encoding="utf-8")
    say(f"written to {options.out}")


def evaluate_edits(options: argparse.Namespace, pipe: Pipeline, classes: Any, train: Any, val: Any) -> None:
    """Every way to edit on every kind of mask, as a table."""
    from ..measuring import edit_benchmark as measure
    from ..measuring.evaluate import Gaussian, Probe
    from ..training.features import ImageFeatures

    tasks, network = options.masks or measure.TASKS, ImageFeatures()
    seen = kept_features(network, train.pixels, options.cache, "train")
    judge = measure.Judge(network, Gaussian.of(seen), Probe.fit(seen, train.labels, len(classes.names)))
    ways, scores = measure.methods(pipe, sampling_of(options, pipe.spec.default_sampling), train), []
    wanted = [name for name in ways if options.rows is None or re.search(options.rows, name)]
    rows, shift = {name: ways[name] for name in wanted}, measure.other_classes(classes.groups)
    work = measure.measure(rows, judge, val.spread(options.count), shift, tasks)
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {elapsed}", disable=None) as bar:
        for item in work:
            if isinstance(item, float):
                bar.n = 100 * item
                bar.refresh()
            else:
                scores.append(item)
    say(measure.table(scores))
    write_report(options, pipe, min(options.count, len(val)), {"scores": [vars(row) for row in scores]})


def real_pictures(options: argparse.Namespace, network: Any, train: Any, val: Any) -> list:
    """Both splits, as a network sees them."""
    from ..measuring.evaluate import Measured

    named_splits = (("train", train), ("val", val))
    return [
        Measured(kept_features(network, split.pixels, options.cache, name), split.labels)
        for name, split in named_splits
    ]


def kept_features(network: Any, pixels: torch.Tensor, folder: Path, name: str) -> torch.Tensor:
    """Features of pictures uint8 (N, S, S, 3), from the cache folder if these very pictures were seen before."""
    from ..measuring.evaluate import features_of
    from ..training.trainer import write_whole

    path = folder / f"{network.name}-{hashlib.sha256(pixels.numpy()).hexdigest()[:16]}.pt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(drain(features_of(network, pixels), f"{network.name} features of {name}"), path)
    return torch.load(path, weights_only=True)


def bench(options: argparse.Namespace) -> None:
    """Time of one picture, scale by scale, beside matrix products of as many operations; of an edit; of a trace.

    For a published size (d16, d20, ...) what each gain in speed is worth there, on random weights.
    """
    from ..measuring import bench as measure

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
        return climb(options, size_asked)
    pipe = loaded(options)
    repeats = options.repeats or (20 if options.trace else 7)
    if options.edit:
        guided, plain = measure.edits(pipe, sampling_of(options, pipe.spec.default_sampling), repeats)
        say(f"class edit {1e3 * guided:.0f} ms, the same without a class {1e3 * plain:.0f} ms: {plain / guided:.2f}")
        return
    if options.trace:
        plain, traced = measure.traces(pipe, sampling_of(options, pipe.spec.default_sampling), repeats)
        say(f"picture {1e3 * plain:.0f} ms, with all of it recorded {1e3 * traced:.0f} ms: {traced / plain:.2f}")
        return
    request = Request((0,), (0,), sampling_of(options, pipe.spec.default_sampling))
    say(measure.report(*measure.measure(pipe, request, repeats)))


def bench_fast(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """The fast modes of a model, or of random weights of a size: their times and, with a data folder, their prices."""
    from ..measuring import fast_modes as fast

    if spec:
        from ..measuring.ablation import random_pipeline

        pipes = {dtype: random_pipeline(spec, dtype) for dtype in fast.DTYPES}
    else:
        pipes = {dtype: Pipeline.load(options.model, LoadOptions("cpu", dtype)) for dtype in fast.DTYPES}
    ways = fast.modes(sampling_of(options, pipes[fast.EXACT].spec.default_sampling))
    found = drain(fast.prices(pipes, ways, ruler(options, pipes[fast.EXACT])), "prices") if options.data else []
    say(fast.report(ways, fast.seconds(pipes, ways, options.repeats or 5), found))


def bench_previews(options: argparse.Namespace, spec: ModelSpec | None) -> None:
    """Looks at a picture under way: how near they come to decoding, and their share of a run.

    Of random weights of a size only the times are told.
    """
    from ..measuring import previews

    if spec:
        from ..measuring.ablation import random_pipeline

        pipe = random_pipeline(spec, "float32")
    else:
        pipe = loaded(options)
    pipe.spec.need_scales("--previews")
    ways, sampling = previews.ways(pipe), sampling_of(options, pipe.spec.default_sampling)
    if not spec:
        judged = [*ways[:-1], *previews.maps(pipe, sampling)]
        found = previews.distances(pipe.tokenizer, judged, previews.drawn(pipe, previews.JUDGED, sampling))
        say(previews.report_distances(judged, found, pipe.schedule.sides) + "\n")
    spent = previews.costs(pipe, ways, sampling, options.repeats or 5)
    say(previews.report_costs(ways, spent, len(pipe.schedule)))


def ruler(options: argparse.Namespace, pipe: Pipeline) -> Any:
    """What prices are measured with: the real pictures of --data."""
    from ..measuring.fast_modes import Ruler
    from ..training.features import ImageFeatures

    classes, *splits = read_pictures(options, pipe.spec.tokenizer.image_side)
    network = ImageFeatures()
    return Ruler.of(network, *real_pictures(options, network, *splits), len(classes.names))


def costs(options: argparse.Namespace) -> None:
    """What a picture costs by scales and cell by cell, with a cache and without, as its token map grows; as a CSV.

    With random weights of a small size, on the CPU.
    """
    from ..measuring import costs as work

    found, total = [], len(options.sides) * len(work.WAYS)
    asked = work.measure(options.sides, work.SMALL, options.repeats, options.most_tflop * 1e12)
    for row in tqdm(asked, total=total, unit="picture", disable=None):
        found.append(row)
    rows.write(options.csv, work.Cost, found)
    say(f"{work.report(found)}\n\nwritten to {options.csv}")


def climb(options: argparse.Namespace, spec: ModelSpec) -> None:
    """The ladder of gains for a size; on the CPU the memory of one picture, too."""
    from ..measuring import ablation as ladder

    device = "cpu" if options.device == "auto" else pick_device(options.device)
    ways = ladder.RUNGS if device == "cpu" else ladder.ON_GPU
    if options.compile:
        ways = {**ways, **ladder.COMPILED}
    if options.batch < 1:
        raise ValueError(f"batch {options.batch}: choose 1 or more.")
    sampling = sampling_of(options, spec.default_sampling)
    rungs = ladder.climb(spec, options.repeats or 3, sampling, ways, device, options.batch)
    say(ladder.report(rungs, Schedule.of(spec.tokenizer)))
    say(f"\n{options.batch} pictures at once on {device}: {ladder.throughput(rungs, options.batch)}")
    if device != "cpu":
        return
    held = ", ".join(f"{name} {peak / 2**20:.0f} MiB" for name, peak in ladder.peaks(spec, sampling).items())
    say(f"\npeak memory of a process that makes one picture: {held}; threads: {torch.get_num_threads()}")


def add_commands(commands: Any) -> None:
    """Add them to the program's."""
    _scaling_command(commands)
    _compare_command(commands)
    _evaluate_command(commands)
    _bench_command(commands)
    _costs_command(commands)


def _scaling_command(commands: Any) -> None:
    made = command(commands, "scaling", scaling)
    made.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    made.add_argument("--tokenizer", type=Path, required=True, help=TOKENIZER_HELP)
    made.add_argument("--out", type=Path, default=Path("runs/scaling"), help="folder for the runs, one a size")
    made.add_argument("--csv", type=Path, default=Path("runs/scaling.csv"), help="file to write")
    much = made.add_mutually_exclusive_group(required=True)
    much.add_argument(
        "--minutes-each", dest="minutes", type=float, default=math.inf, help="how long to train each size"
    )
    much.add_argument("--steps-each", dest="steps", type=float, default=math.inf, help="how many steps to train each")
    made.add_argument("--depths", type=integers, default=DEPTHS, help="sizes: width 64 and a head a block")
    made.add_argument("--batch", type=int, default=16, help="pictures in a step")
    made.add_argument("--rate", type=float, default=8e-4, help="learning rate of depth 3; others go with 1 / width")
    made.add_argument("--most-per-scale", type=int, default=0, help="random tokens a scale and step, 0 = all")
    made.add_argument("--precision", default="auto", help="float32, bfloat16 (fast on CPUs with AVX-512 BF16), or auto")
    made.add_argument("--report-minutes", type=float, default=2, help="minutes between points")
    made.set_defaults(decay=0.0, average=0.999, seed=0, accumulate=1, mirror=True)
    device_option(made)


def _compare_command(commands: Any) -> None:
    made = command(commands, "compare", compare)
    made.add_argument("runs", type=Path, nargs="+", help="folders of transformers' training runs")
    made.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    text = f"with whose tokens they were trained, one or several: {TOKENIZER_HELP}"
    made.add_argument("--tokenizer", type=Path, nargs="+", required=True, help=text)
    made.add_argument("--guidance", type=numbers, default=(1.5, 3.0), help="strengths to try, with commas between them")
    made.add_argument("--count", type=int, default=500, help="pictures of val")
    made.add_argument("--csv", type=Path, default=Path("runs/compare.csv"), help="file to write")
    made.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")


def _evaluate_command(commands: Any) -> None:
    measured = command(commands, "evaluate", evaluate)
    measured.add_argument("model", help="name or path of a model")
    measured.add_argument("--data", type=Path, required=True, help="folder with train/<class>/ and val/<class>/")
    text = "use at most this many val pictures, evenly spread (default: all)"
    measured.add_argument("--count", type=int, default=EVERYTHING, help=text)
    instead = measured.add_mutually_exclusive_group()
    instead.add_argument("--edit", action="store_true", help="measure edits instead of generation")
    text = "so many first scales are real ones, and the rest is drawn: where is quality lost? several, with commas"
    instead.add_argument("--given", type=integers, default=(), help=text)
    measured.add_argument("--rows", metavar="PATTERN", help="with --edit: only the methods whose name matches this")
    text = "with --edit: kinds of masks, with commas (default: the first six of: centre box, half, outer border, brush "
    text += "strokes, thin lines, class edit, top half, bottom half)"
    measured.add_argument("--masks", type=names, default=(), metavar="KINDS", help=text)
    measured.add_argument("--out", type=Path, default=Path("runs/evaluation.json"), help="JSON file to write")
    measured.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")
    sampling_options(measured)
    loading_options(measured)


def _bench_command(commands: Any) -> None:
    speed = command(commands, "bench", bench)
    speed.add_argument(
        "--model", default=checkpoints.DEFAULT, help="name or path of a model; or a published size, such as d16"
    )
    instead = speed.add_mutually_exclusive_group()
    instead.add_argument("--edit", action="store_true", help="four variations of an edit, with and without a class")
    instead.add_argument("--trace", action="store_true", help="a picture, alone and with all of it recorded")
    instead.add_argument("--previews", action="store_true", help="looks at a picture under way, beside decoding it")
    instead.add_argument("--fast", action="store_true", help="the fast modes; with --data also what they cost")
    speed.add_argument("--batch", type=int, default=1, help="for a size: pictures at once")
    speed.add_argument("--data", type=Path, help="with --fast: folder with train/<class>/ and val/<class>/")
    speed.add_argument("--cache", type=Path, default=Path("runs/features"), help="folder that keeps features")
    speed.add_argument(
        "--repeats",
        type=int,
        help="runs, of which the median counts (default: 7; 20 for --trace, 5 for --fast and --previews, 3 for a size)",
    )
    sampling_options(speed)
    loading_options(speed)


def _costs_command(commands: Any) -> None:
    made = command(commands, "costs", costs)
    sides = (4, 8, 16, 24, 32, 48, 64)
    made.add_argument("--sides", type=integers, default=sides, help="sides of the finest token map")
    made.add_argument("--most-tflop", type=float, default=6.0, help="what takes more is only computed, by formula")
    made.add_argument("--repeats", type=int, default=3, help="pictures, of whose times the median counts")
    made.add_argument("--csv", type=Path, default=Path("runs/costs.csv"), help="file to write")
