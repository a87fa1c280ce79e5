"""The command that measures how good a model is."""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from torch import Tensor
from tqdm import tqdm

from ..editing.edit_settings import usual_sampling
from ..engine.pipeline import Pipeline
from ..files import replacing, runs_folder
from ..findings.halves import Score
from ..measuring import classification, edit_benchmark, edit_scores, evaluate, photo_benchmark
from ..measuring.reference import Measured, Reference
from ..schema import entry, parse_fields
from ..tables import markdown
from ..training.data import Dataset
from ..training.features import HELD_OUT_NETWORK, ImageFeatures
from .enlarged import evaluate_enlarged
from .features import cache_option, kept_features, reference_of, seen_pictures
from .shared import (
    EVERYTHING,
    Commands,
    command,
    data_options,
    drain,
    integers,
    loaded,
    loading_options,
    model_option,
    names,
    out_file,
    read_pictures,
    sampling_of,
    sampling_options,
    say,
)

Scored = TypeVar("Scored")
Way = TypeVar("Way")
REPORT = "evaluation.json"  # in the folder of --out, unless that names a file
MOST_REPORT = 2**26  # characters of it


def evaluate_model(options: argparse.Namespace) -> None:
    """Measure a model on a data folder: reconstructions, generated pictures (labels as in val), copying, loss."""
    check_edits(options)
    report_file(options)  # answers at once if there can be none
    pipe = loaded(options)
    if options.photos:
        return evaluate_photos(options, pipe)
    if options.detail:
        return evaluate_enlarged(options, pipe, report_file(options))
    data = read_pictures(options, pipe.spec.tokenizer.image_side)
    if len(data.classes.names) != pipe.spec.transformer.classes:
        raise ValueError(
            f"{options.data} has {len(data.classes.names)} classes, the model {pipe.spec.transformer.classes}."
        )
    scales = 0 if pipe.schedule.by_cell else len(pipe.schedule)
    if not all(0 <= count <= scales for count in options.given):
        raise ValueError(f"given {options.given}: choose 0 to {scales}, the scales that the model has.")
    if options.edit:
        return evaluate_edits(options, pipe, data)
    data = replace(data, val=data.val.spread(options.count))
    if options.classify:
        return evaluate_classifier(options, pipe, data)
    found = drain(evaluate.reconstructed(pipe, data.val), "reconstructing")
    if options.given:
        return evaluate_given(options, pipe, found.tokens, *reference_of(options, data))
    made = drain(
        evaluate.generated(pipe, data.val.labels, sampling_of(options, pipe.spec.default_sampling)),
        "generating",
    )
    classes, figures = data.classes, []
    for network in (ImageFeatures(), ImageFeatures(HELD_OUT_NETWORK)):
        train, val = seen_pictures(options, network, data)
        reference = Reference.of(network, train, len(classes.names))
        pictures = {"copies": found.pixels, "made": made}
        copies, drawn = (kept_features(network, pixels, options.cache, name) for name, pixels in pictures.items())
        if network.name == HELD_OUT_NETWORK:
            figures += evaluate.quality(reference, val, copies, drawn, f", by {network.name}")
        else:
            figures += evaluate.compare(reference, train, val, copies, drawn, classes.groups)
    figures += evaluate.tokenizer_figures(found, pipe.spec.tokenizer.vocabulary)
    say(evaluate.report(figures))
    rows = [{"name": f.name, "value": f.value, "real": f.real, "ratio": f.ratio} for f in figures]
    write_report(options, pipe, len(data.val), {"figures": rows})


def check_edits(options: argparse.Namespace) -> None:
    """Raise ValueError for kinds of masks that do not exist, or for what is said of edits where none are asked for."""
    if not options.edit and (options.masks or options.rows):
        raise ValueError("--masks and --rows choose among edits: add --edit, or leave them out.")
    if options.photos and not options.edit:
        raise ValueError("--photos is for edits: add --edit, or leave it out.")
    if options.against and not options.detail:
        raise ValueError("--against is for pictures that are enlarged: add --detail, or leave it out.")
    if not (options.photos or options.detail or options.data):
        raise ValueError("Name a data folder with --data, or for edits a folder of photos with --photos.")
    known = photo_benchmark.KINDS if options.photos else (*edit_benchmark.TASKS, *edit_benchmark.HALVES)
    try:
        re.compile(options.rows or "")
    except re.error as error:
        raise ValueError(f"--rows {options.rows} is no pattern ({error}): escape brackets with a backslash.") from error
    if unknown := [name for name in options.masks if name not in known]:
        raise ValueError(f"masks '{', '.join(unknown)}': choose from {', '.join(known)}.")


def evaluate_given(
    options: argparse.Namespace, pipe: Pipeline, tokens: list[Tensor], reference: Reference, val: Measured
) -> None:
    """Draw pictures that begin with the token maps of real ones; how good they are, as a table."""
    scores, sampling = [], sampling_of(options, pipe.spec.default_sampling)
    for count in options.given:
        made = drain(evaluate.generated(pipe, val.labels, sampling, tokens[:count]), f"{count} given")
        seen = kept_features(reference.network, made, options.cache, "made")
        scores.append({"given": count, **asdict(reference.quality_cost(seen, val))})
    rows = [(row["given"], f"{row['distance']:.3f}", f"{row['accuracy']:.3f}") for row in scores]
    say(markdown(("scales given", "Fréchet ratio", "accuracy ratio"), rows))
    write_report(options, pipe, len(val.labels), {"scores": scores})


def evaluate_classifier(options: argparse.Namespace, pipe: Pipeline, data: Dataset) -> None:
    """Measure how often a model names the class of val pictures, beside a linear probe."""
    guesses = drain(classification.guessed(pipe, data.val), "classifying")
    reference, val = reference_of(options, data)
    probe = reference.probe.correct(val.features, val.labels).float().mean().item()
    rows = classification.accuracy_rows(guesses, probe)
    figures = ("model", "probe")
    cells = [
        (row["kind"], row["measure"], *(f"{row[name]:.3f}" if name in row else "" for name in figures)) for row in rows
    ]
    say(markdown(("", "", "model", "linear probe"), cells))
    write_report(options, pipe, len(data.val), {"scores": rows})


def write_report(
    options: argparse.Namespace, pipe: Pipeline, pictures: int, found: Mapping[str, Sequence[Mapping[str, object]]]
) -> None:
    """Write what an evaluation found, and of what, as JSON into the file that --out means."""
    drawn = vars(sampling_of(options, pipe.spec.default_sampling))
    report = {"model": pipe.spec.name, "digest": pipe.digest, "pictures": pictures, **drawn}
    path = report_file(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(json.dumps({**report, **found}, indent=1), encoding="utf-8")
    say(f"written to {path}")


def report_file(options: argparse.Namespace) -> Path:
    """Return the file that --out means for a report: see `out_file`."""
    return out_file(options.out, Path(REPORT).stem, Path(REPORT).suffix)


def read_scores(source: Path) -> list[Score]:
    """Read the scores of an evaluation from its report, or the folder of one; ValueError if there are none."""
    path = source / REPORT if source.is_dir() else source
    try:
        return entry(parse_fields(path.read_text(encoding="utf-8"), MOST_REPORT), "scores", list)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no report of edits: name what `evaluate --edit` has written.") from error


def gather(work: Iterator[float | Scored]) -> list[Scored]:
    """Show a bar for the fractions that `work` yields; return all else that it yields."""
    scores = []
    with tqdm(total=100, bar_format="{percentage:3.0f}% |{bar}| {elapsed}", disable=None) as bar:
        for item in work:
            if isinstance(item, float):
                bar.n = 100 * item
                bar.refresh()
            else:
                scores.append(item)
    return scores


def matching(ways: dict[str, Way], pattern: str | None) -> dict[str, Way]:
    """Return the methods whose name matches a pattern; all where there is none."""
    return {name: way for name, way in ways.items() if pattern is None or re.search(pattern, name)}


def evaluate_edits(options: argparse.Namespace, pipe: Pipeline, data: Dataset) -> None:
    """Measure every way to edit on every kind of mask, as a table."""
    tasks, network = options.masks or edit_benchmark.TASKS, ImageFeatures()
    seen = Measured(kept_features(network, data.train.pixels, options.cache, "train"), data.train.labels)
    reference = Reference.of(network, seen, len(data.classes.names))
    usual = pipe.spec.default_sampling
    filling = sampling_of(options, usual_sampling(usual, with_class=False))
    ways = edit_benchmark.methods(pipe, sampling_of(options, usual), filling, data.train)
    rows, shift = matching(ways, options.rows), edit_benchmark.other_classes(data.classes.groups)
    held_out = ImageFeatures(HELD_OUT_NETWORK)
    scores = gather(edit_benchmark.measure(rows, reference, held_out, data.val.spread(options.count), shift, tasks))
    say(edit_scores.report(scores))
    write_report(options, pipe, min(options.count, len(data.val)), {"scores": [vars(row) for row in scores]})


def evaluate_photos(options: argparse.Namespace, pipe: Pipeline) -> None:
    """Measure ways to edit on photos of their own resolution, with no class, as tables."""
    pipe.spec.need_scales("the benchmark of photos")
    kinds, usual = options.masks or photo_benchmark.KINDS, usual_sampling(pipe.spec.default_sampling, False)
    photos = photo_benchmark.read_photos(photo_benchmark.photo_files(options.photos, options.count))
    rows = matching(photo_benchmark.photo_methods(pipe, sampling_of(options, usual)), options.rows)
    scores = gather(photo_benchmark.measure_photos(rows, ImageFeatures(HELD_OUT_NETWORK), photos, kinds))
    say(photo_benchmark.photo_table(scores))
    write_report(options, pipe, len(photos), {"scores": [asdict(row) for row in scores]})


def add_commands(commands: Commands) -> None:
    """Add it to the program's."""
    measured = command(commands, "evaluate", evaluate_model)
    model_option(measured)
    data_options(measured, required=False)
    text = "with --edit: measure edits of all pictures in this folder, at their own resolution and with no class"
    measured.add_argument("--photos", type=Path, metavar="DIR", help=text)
    text = "use at most this many val pictures, evenly spread (default: all)"
    measured.add_argument("--count", type=int, default=EVERYTHING, help=text)
    instead = measured.add_mutually_exclusive_group()
    instead.add_argument("--edit", action="store_true", help="measure edits instead of generation")
    text = "so many first scales are real ones, and the rest is drawn: where is quality lost? several, with commas"
    instead.add_argument("--given", type=integers, default=(), help=text)
    text = "how often the model names the class of val pictures, as a classifier"
    instead.add_argument("--classify", action="store_true", help=text)
    text = "how pictures look at full size, of a model that draws more pixels than it encodes: beside sharp pictures"
    instead.add_argument("--detail", type=Path, metavar="DIR", help=text + " in this folder's train and val")
    text = "with --detail: enlarge the pictures of this model of the same tokens beside it (default: its own, before)"
    measured.add_argument("--against", metavar="MODEL", help=text)
    measured.add_argument("--rows", metavar="PATTERN", help="with --edit: only the methods whose name matches this")
    text = "with --edit: kinds of masks, with commas (default: the first six of: centre box, half, outer border, brush "
    text += "strokes, thin lines, class edit, top half, bottom half; of photos all of: "
    text += ", ".join(photo_benchmark.KINDS) + ")"
    measured.add_argument("--masks", type=names, default=(), metavar="KINDS", help=text)
    text = f"folder for the report, {REPORT}, or a file that ends in .json"
    measured.add_argument("--out", type=Path, default=runs_folder() / "evaluation", help=text)
    cache_option(measured)
    sampling_options(measured)
    loading_options(measured)
