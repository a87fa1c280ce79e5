"""Make the pictures of the README, the bundled model's card and the Learn tab, and the traces of Explore.

With the models as they are.

python tools/pictures.py            (from the top folder, in the environment of `make test`)

Screenshots of the app are made by tools/screens.py.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from var_core.editing.edit import Edit, onward, run_edit  # noqa: E402
from var_core.editing.edit_settings import CHANGING, REMOVING, REPAINTING, EditSettings, usual_sampling  # noqa: E402
from var_core.engine.pipeline import Pipeline  # noqa: E402
from var_core.engine.plan import Plan  # noqa: E402
from var_core.engine.request import Request  # noqa: E402
from var_core.images import tiled  # noqa: E402
from var_core.inspection.recording import recorded  # noqa: E402
from var_core.inspection.trace import Trace  # noqa: E402
from var_core.measuring.edit_benchmark import HALVES, mask_of  # noqa: E402
from var_core.picture_reading import open_mask, open_photo  # noqa: E402
from var_studio.learn.tab import RASTER  # noqa: E402

ASSETS = ROOT / "assets"
EDITS = (("hilltop.jpg", None), ("meadow.jpg", None), ("rose.png", "sunflower"))
HEIGHT, GAP = 320, 8  # of an edited photo, and between them, in pixels
PINK = (232, 62, 140)
UNPICKED = ("dandelion.jpg", "hilltop.jpg", "launch.jpg", "meadow.jpg", "peaks.jpg", "rose.png")
SMALL = (198, 132)  # pixels of each of these
HALVED = ("rose.png", "hilltop.jpg", "launch.jpg")
GREY = 200
TRACED = (("sunflower", 0), ("mountain", 3))  # classes and seeds of the traces that Explore begins with


def samples(pipe: Pipeline, count: int = 32) -> Image.Image:
    """Seeds 0 to count - 1, classes spread evenly over every group."""
    groups = [
        np.flatnonzero(np.array(pipe.spec.class_groups) == name) for name in dict.fromkeys(pipe.spec.class_groups)
    ]
    chosen = [group[np.linspace(0, len(group) - 1, count // len(groups)).round().astype(int)] for group in groups]
    labels = tuple(np.concatenate(chosen).tolist())
    return tiled(pipe.run(Request(labels, tuple(range(len(labels))), pipe.spec.default_sampling)).images, columns=8)


def scales(pipe: Pipeline, name: str = "sunflower", seed: int = 0) -> Image.Image:
    """One picture at each of its scales."""
    made = pipe.run(Request((pipe.spec.label(name),), (seed,), pipe.spec.default_sampling))
    frames = [pipe.decode(step.f_hat)[0] for step in made.steps]
    return tiled(frames, columns=len(frames))


def edits(pipe: Pipeline) -> Image.Image:
    """Three photos with what is painted on them, above what became of them."""
    columns = []
    for file, name in EDITS:
        photo = open_photo(ASSETS / "examples" / file)
        painted, _ = open_mask(ASSETS / "examples" / f"{Path(file).stem}-mask.png", photo.shape[1::-1])
        label = pipe.spec.label(name) if name else pipe.spec.transformer.null_label
        sampling = usual_sampling(pipe.spec.default_sampling, bool(name))
        job = Edit(photo, painted, (label,), (0,), sampling, CHANGING if name else REMOVING)
        done = run_edit(pipe, job)[0]
        veil = np.where(painted[..., None], 0.25 * photo + 0.75 * np.array(PINK), photo).astype(np.uint8)
        columns.append([fitted(Image.fromarray(veil)), fitted(Image.fromarray(done))])
    sheet = Image.new("RGB", (sum(above.width + GAP for above, _ in columns) - GAP, 2 * HEIGHT + GAP), "white")
    left = 0
    for above, below in columns:
        sheet.paste(above, (left, 0))
        sheet.paste(below, (left, HEIGHT + GAP))
        left += above.width + GAP
    return sheet


def unpicked(pipe: Pipeline) -> Image.Image:
    """All examples with their mask taken away, and drawn onward by a quarter: what was asked, then seeds 0 to 3."""
    null, usual = pipe.spec.transformer.null_label, usual_sampling(pipe.spec.default_sampling, False)
    rows = []
    for file in UNPICKED:
        photo = open_photo(ASSETS / "examples" / file)
        painted, _ = open_mask(ASSETS / "examples" / f"{Path(file).stem}-mask.png", photo.shape[1::-1])
        removed = Edit(photo, painted, (null,) * 4, (0, 1, 2, 3), usual, REMOVING)
        plain = replace(removed, mask=np.zeros_like(painted), settings=REPAINTING)
        for edit in (removed, onward(plain, 0, 0, photo.shape[1] // 4, 0)):
            new = np.where(edit.mask[..., None], 0.25 * edit.photo + 0.75 * np.array(PINK), edit.photo)
            shown = [new.astype(np.uint8), *run_edit(pipe, edit)]
            rows.append([ImageOps.pad(Image.fromarray(pixels), SMALL, color="white") for pixels in shown])
    return tiled([picture for row in rows for picture in row], columns=5)


def halves(pipes: Sequence[Pipeline]) -> Image.Image:
    """Photos without their top half and without their bottom half, each as every model completes it, with no class."""
    side, tiles = pipes[0].spec.tokenizer.image_side, []
    for file in HALVED:
        photo = ImageOps.fit(Image.fromarray(open_photo(ASSETS / "examples" / file)), (side, side))
        for mask in (mask_of(kind, 0, side) for kind in HALVES):
            known = np.asarray(photo)
            tiles.append(np.where(mask[..., None], GREY, known).astype(np.uint8))
            for pipe in pipes:
                alike = EditSettings(shown=False, candidates=1)  # what both models can do
                null = (pipe.spec.transformer.null_label,)
                job = Edit(known, mask, null, (0,), pipe.spec.default_sampling, alike)
                tiles.append(run_edit(pipe, job)[0])
    return tiled([Image.fromarray(tile) for tile in tiles], columns=len(HALVES) * (1 + len(pipes)))


def traces(pipe: Pipeline) -> Iterator[tuple[str, Trace]]:
    """Yield the traces that Explore begins with, by the names of their files."""
    usual = pipe.spec.default_sampling
    for number, (name, seed) in enumerate(TRACED, 1):
        yield f"{number}-{name}", recorded(pipe, Request((pipe.spec.label(name),), (seed,), usual))
    plan = Plan.resume(pipe.encode(Image.open(ASSETS / "examples" / "rose.png").convert("RGB")), len(pipe.schedule))
    photo = Request((pipe.spec.transformer.null_label,), (0,), usual, plan)
    yield f"{len(TRACED) + 1}-rose", recorded(pipe, photo, origin="opened")


def fitted(picture: Image.Image) -> Image.Image:
    """At the height of the sheet's rows."""
    return ImageOps.contain(picture, (10 * HEIGHT, HEIGHT), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    loaded = Pipeline.load()
    samples(loaded).save(ASSETS / "samples.jpg", quality=88)
    scales(loaded).save(ASSETS / "scales.jpg", quality=88)
    edits(loaded).save(ASSETS / "edits.jpg", quality=90)
    unpicked(loaded).save(ROOT / "docs" / "pictures" / "edits-unpicked.jpg", quality=74)
    for stem, trace in traces(loaded):
        trace.save(ASSETS / "traces" / f"{stem}.safetensors")
    halves((loaded, Pipeline.load(str(RASTER)))).save(ASSETS / "learn" / "halves.jpg", quality=90)
