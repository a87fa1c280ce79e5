"""Make the pictures in the help of settings, with the bundled model: what each setting does, all else alike.

python tools/setting_pictures.py [NAME ...]      (from the top folder, in the environment of `make test`)

The values are those of `VALUES` in var_studio/shared/setting_pictures.py. Without names all are made, in a minute.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from var_core.config import Sampling  # noqa: E402
from var_core.editing.canvas import Box  # noqa: E402
from var_core.editing.edit import HALF, Edit, run_edit  # noqa: E402
from var_core.editing.edit_settings import CHANGING, REPAINTING, usual_sampling  # noqa: E402
from var_core.engine.pipeline import Pipeline  # noqa: E402
from var_core.engine.request import Request  # noqa: E402
from var_core.files import ASSETS  # noqa: E402
from var_core.picture_reading import open_levels, open_photo  # noqa: E402
from var_core.settings import Declared, Value  # noqa: E402
from var_studio.shared.setting_pictures import FOLDER, VALUES, pictured  # noqa: E402

SIDE, GAP = 128, 6  # of each picture, and between them, in pixels
SEED = 0
QUALITY = 72
AROUND = 1.5  # how much of a photo is shown, in the size of what is painted


class Scene(NamedTuple):
    """A photo of the examples, what is painted on it, and what becomes of that.

    `place` is a rectangle, left, top, right and bottom as shares of the photo's sides; without one the photo's own mask
    is painted. `also` are settings that all of its pictures have.
    """

    photo: str
    becomes: str = ""  # a class; "": none
    place: tuple[float, float, float, float] | None = None
    also: Mapping[str, Value] = {}
    around: float = AROUND
    seed: int = SEED

    @property
    def levels(self) -> np.ndarray:
        """Return what is painted, as levels, uint8 (H, W)."""
        file = ASSETS / "examples" / self.photo
        height, width = open_photo(file).shape[:2]
        if self.place is None:
            return open_levels(file.with_name(f"{file.stem}-mask.png"), (width, height))[0]
        left, top, right, bottom = (
            round(share * side) for share, side in zip(self.place, (width, height) * 2, strict=True)
        )
        levels = np.zeros((height, width), np.uint8)
        levels[top:bottom, left:right] = 255
        return levels


USUAL = Scene("hilltop.jpg")
MEADOW, ROSE = Scene("meadow.jpg"), Scene("rose.png", "sunflower")
# Drawn without a look at its surroundings, and the first time: so that there is a seam.
UNSEEN: dict[str, Value] = {"shown": False, "candidates": 1}
HORIZON = Scene("hilltop.jpg", place=(0.3, 0.4, 0.52, 0.72))
SCENES = {  # of settings that show more of themselves elsewhere
    "candidates": Scene("dandelion.jpg", seed=1),
    "context": MEADOW,
    "detail": Scene("meadow.jpg", place=(0.5, 0.7, 0.75, 0.97), around=0.6),
    "dilate": ROSE,
    "feather": HORIZON._replace(also={**UNSEEN, "match": False}),
    "fill": MEADOW,
    "first_free_scale": ROSE,
    "follow": ROSE,
    "harmonise": ROSE._replace(place=(0.1, 0.1, 0.5, 0.9)),
    "likeness": Scene("dandelion.jpg", "rose"),
    "match": ROSE,
    "min_coverage": ROSE,
    "shown": HORIZON._replace(also={"candidates": 1}),
    "smallest_square": Scene("dandelion.jpg", "sunflower", place=(0.749, 0.405, 0.774, 0.449)),
    "soft": ROSE,
}


def strip(pipe: Pipeline, table: type[Declared], name: str) -> Image.Image:
    """Return one picture for each of the values of a setting of a table, side by side."""
    drawn, values = created if table is Sampling else edited, VALUES[name]
    sheet = Image.new("RGBA", (len(values) * (SIDE + GAP) - GAP, SIDE))
    for place, value in enumerate(values):
        picture = drawn(pipe, name, value).convert("RGBA")
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (place * (SIDE + GAP), 0))
    return sheet


def created(pipe: Pipeline, name: str, value: Value) -> Image.Image:
    """Return the picture that a setting of the draw gives."""
    sampling = replace(pipe.spec.default_sampling, **{name: value})
    return pipe.run(Request((pipe.spec.label(pipe.spec.showcase),), (SEED,), sampling)).images[0]


def edited(pipe: Pipeline, name: str, value: Value) -> Image.Image:
    """Return the part of a photo around its mask, edited with a setting of edits."""
    scene = SCENES.get(name, USUAL)
    photo, levels = open_photo(ASSETS / "examples" / scene.photo), scene.levels
    settings = replace(CHANGING if scene.becomes else REPAINTING, **{**scene.also, name: value})
    label = pipe.spec.label(scene.becomes) if scene.becomes else pipe.spec.transformer.null_label
    sampling = usual_sampling(pipe.spec.default_sampling, bool(scene.becomes))
    given = faded(levels) if name == "soft" else levels
    done = run_edit(pipe, Edit.with_levels(photo, given, (label,), (scene.seed,), sampling, settings))[0]
    return Image.fromarray(around(levels > HALF, scene.around).cut(done))


def faded(levels: np.ndarray) -> np.ndarray:
    """Return a mask, uint8 (H, W), that is white at the left end of what was painted and black at its right end."""
    columns = np.flatnonzero((levels > HALF).any(0))
    share = np.clip((columns[-1] - np.arange(levels.shape[1])) / max(1, np.ptp(columns)), 0, 1)
    return np.where(levels > HALF, 255 * share, 0).astype(np.uint8)


def around(mask: np.ndarray, times: float = AROUND) -> Box:
    """Return the square around a mask, bool (H, W), so many times as large as it, as far as the photo goes."""
    spans = [(int(found[0]), int(found[-1]) + 1) for found in (np.flatnonzero(mask.any(axis)) for axis in (0, 1))]
    side = min(*mask.shape, round(times * max(end - start for start, end in spans)))
    left, top = (
        min(max(0, (start + end - side) // 2), full - side)
        for (start, end), full in zip(spans, mask.shape[::-1], strict=True)
    )
    return Box(left, top, side)


def main(names: Sequence[str] | None = None) -> int:
    """Make the pictures of the settings that the command line names, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = pictured()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    wanted = parser.parse_args(names).names or list(known)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"no setting with pictures is called {unknown[0]}: choose of {', '.join(known)}")
    pipe = Pipeline.load()
    for name in wanted:
        strip(pipe, known[name][0], name).save(FOLDER / f"{name}.webp", quality=QUALITY, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
