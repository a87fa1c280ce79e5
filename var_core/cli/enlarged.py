"""The part of `evaluate` that measures pictures of a decoder that enlarges, at their full size."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..engine.pipeline import Pipeline
from ..files import replacing
from ..measuring import enlarged_pictures
from ..measuring.enlarged_pictures import Draw, SpectrumScore
from ..training.data import Classes, PictureSet
from ..training.features import HELD_OUT_NETWORK, ImageFeatures
from ..training.sharp import load_sharp
from ..weights import checkpoints
from .shared import drain, say

PAIRS = 32  # pictures of the blind test
GENERATED = 96  # pictures of a group whose spectrum is taken


def evaluate_enlarged(options: argparse.Namespace, pipe: Pipeline, report: Path) -> None:
    """Compare pictures at full size with sharp ones: reconstructions, spectra of what is generated, a blind test."""
    against = None if options.against is None else checkpoints.load(options.against).tokenizer
    ways = enlarged_pictures.ways_to_draw(pipe.tokenizer, against)
    side, classes = pipe.spec.tokenizer.drawn_side, Classes.of(options.detail)
    train, val = (drain(load_sharp(options.detail, split, side), f"reading {split}") for split in ("train", "val"))
    val = val.spread(options.count)
    networks = ImageFeatures(), ImageFeatures(HELD_OUT_NETWORK)
    scores = drain(enlarged_pictures.rebuilt(pipe.tokenizer, ways, train, val, networks), "reconstructing")
    say(enlarged_pictures.rebuilt_table(scores))
    spectra = {
        group: group_spectra(pipe, group, min(GENERATED, options.count), ways, sharp)
        for group, sharp in kindred_groups(pipe, classes, train).items()
    }
    for group, rows in spectra.items():
        say(enlarged_pictures.spectrum_table(group, rows))
    compare_blindly(pipe, min(PAIRS, options.count), ways, report.with_name(f"{report.stem}-pairs.png"))
    told = {"model": pipe.spec.name, "digest": pipe.digest, "pictures": len(val)}
    found = {group: [asdict(row) for row in rows] for group, rows in spectra.items()}
    with replacing(report) as part:
        whole = told | {"scores": [asdict(row) for row in scores], "spectra": found}
        part.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    say(f"written to {report}")


def kindred_groups(pipe: Pipeline, classes: Classes, sharp: PictureSet) -> dict[str, PictureSet]:
    """Return the sharp pictures of each folder that is named as a group of the model's classes."""
    found = {}
    for group in sorted(set(pipe.spec.class_groups) & set(classes.folders)):
        mine = sharp.labels == classes.folders.index(group)
        found[group] = PictureSet(sharp.pixels[mine], sharp.labels[mine], ())
    return found


def group_spectra(
    pipe: Pipeline, group: str, count: int, ways: dict[str, Draw], sharp: PictureSet
) -> list[SpectrumScore]:
    """Compare the spectrum of generated pictures of a group's classes with that of sharp pictures, which come last."""
    labels = np.flatnonzero(np.array(pipe.spec.class_groups) == group)
    chosen = labels[np.arange(count) * len(labels) // count].tolist()
    made = drain(enlarged_pictures.generated_pictures(pipe, chosen, ways), f"generating {group}")
    real = enlarged_pictures.spectra(sharp.pixels)
    found = [SpectrumScore.of(name, pixels, real) for name, pixels in made.items()]
    return [*found, SpectrumScore.of("sharp pictures", sharp.pixels, real)]


def compare_blindly(pipe: Pipeline, count: int, ways: dict[str, Draw], sheet: Path) -> None:
    """Write pairs of generated pictures, the model's and those enlarged by Lanczos, and beside them which is which."""
    lanczos = next(name for name in ways if name.endswith("Lanczos"))
    chosen = {name: ways[name] for name in ("the model", lanczos)}
    labels = (np.arange(count) * pipe.spec.transformer.classes // count).tolist()
    made = drain(enlarged_pictures.generated_pictures(pipe, labels, chosen), "generating pairs")
    picture, sides = enlarged_pictures.blind_pairs(made["the model"], made[lanczos])
    sheet.parent.mkdir(parents=True, exist_ok=True)
    with replacing(sheet) as part:
        picture.save(part, "PNG")
    key = sheet.with_suffix(".txt")
    with replacing(key) as part:
        part.write_text("The model's picture of each pair, row by row:\n" + "\n".join(sides) + "\n", encoding="utf-8")
    say(f"pairs to compare: {sheet}; which is which: {key}")
