"""Pictures for tests: a small folder to train on, discs and stripes in three classes of two groups; a photo to edit."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

FOLDERS = ("disc-red", "disc-blue", "stripes")
ROWS = [
    {"id": 0, "folder": "disc-red", "name": "Red Disc", "group": "disc"},
    {"id": 1, "folder": "disc-blue", "name": "Blue Disc", "group": "disc"},
    {"id": 2, "folder": "stripes", "name": "Stripes", "group": "pattern"},
]


def picture(kind: str, chance: np.random.Generator, side: int = 32) -> Image.Image:
    """One picture of a class."""
    y, x = np.mgrid[:side, :side] / side
    if kind == "stripes":
        shape = np.sin(2 * np.pi * (3 * x + chance.random())) > 0
        colour = (40, 200, 60)
    else:
        centre = 0.4 + 0.2 * chance.random(2)
        shape = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 0.08
        colour = (220, 40, 40) if kind == "disc-red" else (40, 60, 220)
    pixels = np.where(shape[..., None], colour, 30) + chance.normal(0, 4, (side, side, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write(root: Path, train: int = 6, val: int = 3, side: int = 32) -> Path:
    """DIR/{train,val}/<class>/*.png of some side, and DIR/classes.json."""
    chance = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for kind in FOLDERS:
            folder = root / split / kind
            folder.mkdir(parents=True)
            for number in range(count):
                picture(kind, chance, side).save(folder / f"{number:05d}.png")
    (root / "classes.json").write_text(json.dumps(ROWS))
    return root


def painted_photo(folder: Path) -> tuple[Path, Path]:
    """The files of a photo, 60 x 40, and of a mask with two spots."""
    photo, mask = folder / "photo.png", folder / "mask.png"
    Image.linear_gradient("L").resize((60, 40)).convert("RGB").save(photo)
    painted = Image.new("L", (60, 40))
    painted.paste(255, (4, 4, 14, 14))
    painted.paste(255, (40, 20, 52, 30))
    painted.save(mask)
    return photo, mask
