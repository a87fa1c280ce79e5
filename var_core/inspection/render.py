"""Pictures and films of a trace: token maps, what each scale added, heat maps, a contact sheet, GIF and MP4."""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from ..files import replacing
from ..picture_files import save_whole
from .lettering import INK, QUIET, font_of, write_line
from .trace import Trace

GAIN = 2  # of what a scale added; more would clip the coarse scales, less would hide the fine ones
GREY = 128
LEAST_PROBABILITY = 1e-4  # the darkest colour of the map of probabilities, which is logarithmic

FILM_SIDE = 256  # pixels at least
FRAMES_A_SECOND = 20
HOLD = 4  # times as long for the last picture as for the others
# VP9 first: FFmpeg in OpenCV's wheels always has it, while a failing attempt at H.264 writes to stderr
CODECS = ("vp09", "avc1", "mp4v")

SHEET_WIDTH, MARGIN, TITLES, GAP, MOST_CELL = 2400, 48, 236, 14, 240
CAPTION = 34  # height of a line under a map


def write(trace: Trace, kind: str, path: Path) -> None:
    """Write a film ("gif", "mp4") or a poster ("sheet"; the path's suffix says how it is packed) of a trace."""
    _exhaust(writing(trace, kind, path))


def writing(trace: Trace, kind: str, path: Path) -> Iterator[float]:
    """Do what `write` does; yield the share of it that is done after each frame. The file is there at the end."""
    writers = {"gif": _writing_gif, "mp4": _writing_mp4, "sheet": _writing_sheet}
    if kind not in writers:
        raise ValueError(f"kind '{kind}': choose one of {', '.join(writers)}.")
    return writers[kind](trace, path)


def _exhaust(work: Iterator[float]) -> None:
    for _ in work:
        continue


# ------------------------------------------------------------------------------------------------ maps


def token_map(trace: Trace, scale: int, side: int) -> Image.Image:
    """The tokens of a scale as squares in their codes' colours, (side, side) pixels with sharp edges."""
    tokens = trace.tokens[_span(trace, scale)].long()
    return magnified(trace.colours[tokens].numpy(), side)


def residual(trace: Trace, scale: int) -> Image.Image:
    """Show what a scale added to the picture, (D, D): the `change` to it from that of the scale before.

    The first scale is compared with a picture that is all `GREY`.
    """
    _span(trace, scale)
    before = trace.pictures[scale - 1].numpy() if scale else np.full(trace.pictures.shape[1:], GREY, np.uint8)
    return change(before, trace.pictures[scale].numpy())


def change(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """`GREY` + `GAIN` * (after - before) of two pictures uint8 (D, D, 3); levels out of range are clipped."""
    added = after.astype(np.int16) - before
    return Image.fromarray((GREY + GAIN * added).clip(0, 255).astype(np.uint8))


def heat(values: Tensor, low: float, high: float, side: int) -> Image.Image:
    """A map of values (L_k,) as squares in the colours of viridis: violet at `low` or less, yellow at `high`.

    (side, side) pixels with sharp edges; `low` and `high` are in the values' unit. ValueError unless low < high.
    """
    if not low < high:
        raise ValueError(f"from {low} to {high}: the low end must be below the high end.")
    fractions = ((values.double() - low) / (high - low)).clamp(0, 1)
    return magnified(_viridis(fractions.numpy()), side)


def _viridis(fractions: np.ndarray) -> np.ndarray:
    """Colours uint8 (n, 3) of fractions (n,) in [0, 1], in a map that looks alike to the colour-blind."""
    levels = (fractions * 255).round().astype(np.uint8)
    return cv2.applyColorMap(levels[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]


def magnified(cells: np.ndarray, side: int) -> Image.Image:
    """A square of cells, uint8 (n * n, 3), as a picture of (side, side); ValueError if they do not fit in."""
    count = math.isqrt(len(cells))
    if side < count:
        raise ValueError(f"{side} pixels for {count} cells: choose {count} or more.")
    small = Image.fromarray(np.ascontiguousarray(cells.reshape(count, count, 3)))
    return small.resize((side, side), Image.Resampling.NEAREST)


def _span(trace: Trace, scale: int) -> slice:
    """Return where the tokens of a scale stand; ValueError if the trace has no such scale."""
    scales = len(trace.schedule)
    if not 0 <= scale < scales:
        raise ValueError(f"scale {scale}: this trace has 0 to {scales - 1}.")
    return trace.schedule.spans[scale]


# ------------------------------------------------------------------------------------------------ films


def write_gif(trace: Trace, path: Path, seconds_each: float = 0.6) -> None:
    """The pictures coarse to fine as a GIF that loops, one frame each, at least `FILM_SIDE` pixels wide.

    `seconds_each` is 0.05 to 10; the last picture stays `HOLD` times as long. Neighbours that are equal share a frame.
    """
    _exhaust(_writing_gif(trace, path, seconds_each))


def _writing_gif(trace: Trace, path: Path, seconds_each: float = 0.6) -> Iterator[float]:
    _check_seconds(seconds_each)
    whole, frames = _frames(trace), []
    for frame in whole:
        frames.append(frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG))
        yield len(frames) / len(whole)
    hundredths = max(1, round(100 * seconds_each))
    durations = [10 * hundredths] * (len(frames) - 1) + [10 * hundredths * HOLD]  # milliseconds
    film = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0, "disposal": 1}
    save_whole(frames[0], Path(path), "GIF", **film)


def write_mp4(trace: Trace, path: Path, seconds_each: float = 0.6) -> None:
    """Write what `write_gif` does as an MP4 of `FRAMES_A_SECOND`.

    The codec is the first of `CODECS` whose film can be read back: with OpenCV's wheels VP9, which current browsers
    play. ValueError if none can; no file is left then.
    """
    _exhaust(_writing_mp4(trace, path, seconds_each))


def _writing_mp4(trace: Trace, path: Path, seconds_each: float = 0.6) -> Iterator[float]:
    _check_seconds(seconds_each)
    repeats = round(FRAMES_A_SECOND * seconds_each)
    frames = [np.asarray(frame)[:, :, ::-1] for frame in _frames(trace)]  # OpenCV has blue first
    film = [frame for frame in frames[:-1] for _ in range(repeats)] + [frames[-1]] * (HOLD * repeats)
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "film.mp4"
        for codec in CODECS:
            if (yield from _encode(film, draft, codec)):
                break
        else:
            raise ValueError("OpenCV can write no MP4 here: write a GIF, or install opencv-python-headless from PyPI.")
        with replacing(Path(path)) as part:
            part.write_bytes(draft.read_bytes())


def _encode(film: list[np.ndarray], path: Path, codec: str) -> Generator[float, None, bool]:
    """Write frames uint8 (H, W, 3) with a codec; return whether all of them can be read again."""
    height, width = film[0].shape[:2]
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), FRAMES_A_SECOND, (width, height)
    )
    for number, frame in enumerate(film if writer.isOpened() else (), 1):
        writer.write(frame)
        yield number / len(film)
    writer.release()
    if not path.is_file():
        return False
    reader, count = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    while reader.grab():
        count += 1
    reader.release()
    return count == len(film)


def _frames(trace: Trace) -> list[Image.Image]:
    """The K pictures, enlarged by the least whole number that reaches `FILM_SIDE`; sides are even, as codecs ask."""
    side = trace.pictures.shape[1]
    factor = -(-FILM_SIDE // side)
    factor += side * factor % 2
    size = (side * factor, side * factor)
    return [_picture(trace, scale).resize(size, Image.Resampling.BICUBIC) for scale in range(len(trace.pictures))]


def _picture(trace: Trace, scale: int) -> Image.Image:
    return Image.fromarray(trace.pictures[scale].numpy())


def _check_seconds(seconds: float) -> None:
    if not 0.05 <= seconds <= 10:
        raise ValueError(f"{seconds} seconds for each picture: choose 0.05 to 10.")


# ------------------------------------------------------------------------------------------------ contact sheet


def contact_sheet(trace: Trace) -> Image.Image:
    """A poster of the trace: a column for each scale, a row for each view of it.

    At most `SHEET_WIDTH` pixels wide, unless the cells of so many scales would be less than pixels.
    """
    scales = len(trace.schedule)
    room = (SHEET_WIDTH - 2 * MARGIN - TITLES - (scales - 1) * GAP) // scales
    cell = max(min(MOST_CELL, room), trace.schedule.sides[-1])
    rows = _rows(trace, cell)
    heights = [cell + (CAPTION if row.caption else 0) + GAP for row in rows]
    top = MARGIN + 162
    size = (2 * MARGIN + TITLES + scales * (cell + GAP) - GAP, top + sum(heights) - GAP + MARGIN)
    sheet = Image.new("RGB", size, "white")
    _write_header(sheet, trace)
    for scale, side in enumerate(trace.schedule.sides):
        write_line(sheet, (_left(scale, cell), top - 58), f"scale {scale + 1}", font_of(20, bold=True), INK, cell)
        write_line(sheet, (_left(scale, cell), top - 32), _size(side), font_of(16), QUIET, cell)
    for row, height in zip(rows, heights, strict=True):
        _draw_row(sheet, row, top, cell, scales)
        top += height
    return sheet


def _writing_sheet(trace: Trace, path: Path) -> Iterator[float]:
    yield 0.0
    save_whole(contact_sheet(trace), Path(path), Image.registered_extensions()[Path(path).suffix.lower()])


@dataclass(frozen=True)
class _Row:
    """A row of the sheet: its words, what it shows of a scale, a caption for a scale, and the ticks of its colours."""

    title: str
    words: tuple[str, ...]
    draw: Callable[[int], Image.Image]
    caption: Callable[[int], str] | None = None
    ticks: tuple[str, ...] = ()


def _rows(trace: Trace, cell: int) -> list[_Row]:
    most, least = math.log(len(trace.colours)), math.log10(LEAST_PROBABILITY)
    top = most or 1.0  # of the colours; a single code has no entropy
    entropy, logs = trace.schedule.split(trace.entropy[None]), trace.schedule.split(trace.probability.log10()[None])
    return [
        _Row(
            "Tokens", ("one colour for each code,", "like colours for like codes"), lambda k: token_map(trace, k, cell)
        ),
        _Row("Picture so far", ("decoded after each scale",), lambda k: _fitted(_picture(trace, k), cell)),
        _Row(
            "What it added",
            (f"change of the picture × {GAIN},", "grey = no change"),  # noqa: RUF001
            lambda k: _fitted(residual(trace, k), cell),
        ),
        _Row(
            "Entropy",
            ("of what the model expected,", f"in nats; at most ln {len(trace.colours)} = {most:.1f}"),
            lambda k: heat(entropy[k][0], 0, top, cell),
            lambda k: f"mean {entropy[k].mean():.1f}",
            ("0", f"{top / 2:.1f}", f"{top:.1f}"),
        ),
        _Row(
            "Probability",
            ("of the token that is there,", "before top-k and top-p"),
            lambda k: heat(logs[k][0], least, 0, cell),
            lambda k: f"geometric mean {10 ** logs[k].mean().item():.2g}",
            (f"{LEAST_PROBABILITY:g}", f"{LEAST_PROBABILITY**0.5:g}", "1"),
        ),
    ]


def _draw_row(sheet: Image.Image, row: _Row, top: int, cell: int, scales: int) -> None:
    """Title, words and colour bar at the left, and a picture for each scale."""
    write_line(sheet, (MARGIN, top), row.title, font_of(20, bold=True), INK, TITLES)
    for line, text in enumerate(row.words):
        write_line(sheet, (MARGIN, top + 32 + 22 * line), text, font_of(15), QUIET, TITLES)
    if row.ticks:
        _write_bar(sheet, top + 44 + 22 * len(row.words), row.ticks)
    for scale in range(scales):
        sheet.paste(row.draw(scale), (_left(scale, cell), top))
        if row.caption:
            write_line(sheet, (_left(scale, cell), top + cell + 4), row.caption(scale), font_of(15), QUIET, cell)


def _write_bar(sheet: Image.Image, top: int, ticks: tuple[str, ...]) -> None:
    """The colours of a heat map, with its ticks evenly spread below."""
    width, height = TITLES - 44, 14
    colours = np.broadcast_to(_viridis(np.linspace(0, 1, width)), (height, width, 3))
    sheet.paste(Image.fromarray(np.ascontiguousarray(colours)), (MARGIN, top))
    for index, text in enumerate(ticks):
        fraction = index / (len(ticks) - 1)
        left = MARGIN + fraction * (width - font_of(14).getlength(text))
        write_line(sheet, (left, top + height + 3), text, font_of(14), QUIET, width)


def _write_header(sheet: Image.Image, trace: Trace) -> None:
    """Write what the picture is of, and how it was made."""
    about, width = trace.about, sheet.width - 2 * MARGIN
    different = list(dict.fromkeys(about.scale_seeds))
    seed = f"seed{'s' * (len(different) > 1)} {', '.join(map(str, different))}"
    source = {"drawn": seed, "edited": f"edited, {seed}", "opened": "a picture given"}
    parts = [source[about.origin], f"model {about.model}", *about.sampling.describe()]
    write_line(sheet, (MARGIN, MARGIN - 10), about.class_name, font_of(36, bold=True), INK, width)
    write_line(sheet, (MARGIN, MARGIN + 40), "  ·  ".join(parts), font_of(18), QUIET, width)


def _size(side: int) -> str:
    return f"{side} × {side} tokens" if side > 1 else "1 token"  # noqa: RUF001


def _left(scale: int, cell: int) -> int:
    return MARGIN + TITLES + scale * (cell + GAP)


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.LANCZOS)
