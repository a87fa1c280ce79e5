"""Measures how soon somebody who presses a button sees something, and how long the edit of a large photo takes."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .person import Person, Told
from .server import Server

SIDES = (1000, 4900)  # pixels along a side of photos of 1 and of 24 megapixels
HOLE = 300  # the same of what is repainted
VARIATIONS = 4
WRITING = "Writing the results"


def signs(server: Server, folder: Path, sides: tuple[int, ...] = SIDES) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table: what was pressed, and what was seen when."""
    with Person(server.address) as person:
        person.press("run")  # what is done once
        told = person.press("run")
        yield "first sign of Run in Create", f"{told.first_sign:.2f} s"
        seconds = []
        for side in sides:
            told = edited(person, folder, side)
            drawn, written = phases(told)
            seconds.append(drawn)
            yield f"first sign of Run in Edit, {side**2 / 1e6:.0f} megapixels", f"{told.first_sign:.2f} s"
            yield f"edit of {side**2 / 1e6:.0f} megapixels: drawn, written", f"{drawn:.1f} s, {written:.1f} s"
        yield f"the largest against the smallest, {VARIATIONS} variations", f"{seconds[-1] / seconds[0]:.2f} times"


def edited(person: Person, folder: Path, side: int) -> Told:
    """Open a photo and a mask, and repaint what it says."""
    photo, mask = folder / f"{side}.jpg", folder / f"{side}.png"
    coarse = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8))
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(photo, quality=90)
    painted = np.zeros((side, side), np.uint8)
    begin = (side - HOLE) // 2
    painted[begin : begin + HOLE, begin : begin + HOLE] = 255
    Image.fromarray(painted).save(mask)
    for name, file in (("open", photo), ("load_mask", mask)):
        person.set(**{name: person.upload(file)})
        opened = person.press(name, "upload")
        assert not opened.error, opened.error
    person.set(edit_variations=VARIATIONS)
    told = person.press("edit_run")
    assert not told.error, told.error
    return told


def phases(told: Told) -> tuple[float, float]:
    """Return the seconds until all was drawn, and those of writing the files."""
    named = (moment for moment, words in zip(told.times, told.words, strict=True) if WRITING in words)
    writing = next(named, time.monotonic())
    return writing - told.pressed, told.ended - writing
