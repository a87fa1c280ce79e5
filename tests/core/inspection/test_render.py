"""Pictures and films of a trace."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny

from var_core.config import OFFICIAL_SIDES_512, Sampling
from var_core.engine.request import Request
from var_core.inspection import render
from var_core.inspection.recording import recorded
from var_core.inspection.trace import Trace
from var_core.schedule import Schedule


@cache
def made() -> Trace:
    return recorded(tiny.pipeline(), Request((1,), (7,), Sampling(guidance=2)))


def plain(levels: tuple[int, ...], side: int = 32) -> Trace:
    """A trace whose K pictures are flat greys."""
    flat = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None]
    return replace(made(), pictures=flat.expand(-1, side, side, 3))


def large() -> Trace:
    """A trace of the size of the largest published model: ten scales, 512 pixels."""
    schedule, chance = Schedule(OFFICIAL_SIDES_512), torch.Generator().manual_seed(0)
    maps = {name: torch.rand(schedule.total, generator=chance) for name in ("probability", "entropy")}
    tokens = torch.randint(64, (schedule.total,), generator=chance, dtype=torch.int32)
    pictures = torch.full((len(schedule), 512, 512, 3), 90, dtype=torch.uint8)
    about = replace(made().about, sides=OFFICIAL_SIDES_512, class_name="a class with a name without an end, " * 9)
    return replace(made(), about=about, tokens=tokens, pictures=pictures, **maps)


def centres(count: int, side: int) -> list[int]:
    """The pixel in the middle of each of `count` cells along a side."""
    return [int((place + 0.5) * side / count) for place in range(count)]


@pytest.mark.parametrize("side", [4, 60, 61, 127, 256])
@pytest.mark.parametrize("scale", range(4))
def test_each_cell_of_a_token_map_has_its_token_s_colour(scale, side):
    trace = made()
    pixels = np.asarray(render.token_map(trace, scale, side))
    assert pixels.shape == (side, side, 3)
    places = centres(tiny.SIDES[scale], side)
    wanted = trace.colours[trace.tokens[trace.schedule.spans[scale]].long()]
    assert np.array_equal(pixels[np.ix_(places, places)].reshape(-1, 3), wanted.numpy())


@pytest.mark.parametrize("side", [61, 127])
def test_edges_stay_sharp_where_the_side_is_no_multiple(side):
    trace = made()
    codes = trace.tokens[trace.schedule.spans[3]].long()
    shown = np.unique(np.asarray(render.token_map(trace, 3, side)).reshape(-1, 3), axis=0)
    assert np.array_equal(shown, np.unique(trace.colours[codes].numpy(), axis=0))


def test_a_token_has_the_same_colour_at_every_scale():
    trace = replace(made(), tokens=torch.full_like(made().tokens, 5))
    assert len({render.token_map(trace, scale, 60).tobytes() for scale in range(4)}) == 1


def test_what_a_scale_added_is_the_change_times_the_gain_about_grey():
    trace = plain((100, 100, 110, 0))
    found = [set(np.asarray(render.residual(trace, scale)).ravel().tolist()) for scale in range(4)]
    assert found == [{render.GREY - 28 * render.GAIN}, {render.GREY}, {render.GREY + 10 * render.GAIN}, {0}]


def test_a_heat_map_goes_from_the_low_to_the_high_colour_and_stays_there_outside():
    values = torch.tensor([-9.0, 0.0, 1.0, 9.0])
    pixels = np.asarray(render.heat(values, 0, 1, 10))
    (below, low), (high, above) = pixels[[2, 7]][:, [2, 7]].tolist()
    assert below == low == [68, 1, 84] and high == above == [253, 231, 37]  # the ends of viridis


def test_a_heat_map_grows_lighter_with_its_values_and_depends_on_their_range_alone():
    values = torch.linspace(0, 1, 16)
    picture = render.heat(values, 0, 1, 40)
    places = centres(4, 40)
    lightness = np.asarray(picture.convert("L")).astype(int)[np.ix_(places, places)].ravel()
    assert (np.diff(lightness) > 0).all()
    assert render.heat(3 * values - 7, -7, -4, 40).tobytes() == picture.tobytes()


def test_a_probability_of_zero_is_shown_as_the_lowest():
    values = torch.zeros(4).log10()
    assert render.heat(values, -4, 0, 8).tobytes() == render.heat(torch.full((4,), -4.0), -4, 0, 8).tobytes()


def test_what_cannot_be_drawn_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"scale 4: this trace has 0 to 3"):
        render.token_map(made(), 4, 60)
    with pytest.raises(ValueError, match=r"scale -1: this trace has 0 to 3"):
        render.residual(made(), -1)
    with pytest.raises(ValueError, match=r"3 pixels for 4 cells: choose 4 or more"):
        render.token_map(made(), 3, 3)
    with pytest.raises(ValueError, match="the low end must be below"):
        render.heat(torch.zeros(4), 1, 1, 8)
    for write in (render.write_gif, render.write_mp4):
        with pytest.raises(ValueError, match=r"0 seconds for each picture: choose 0\.05 to 10"):
            write(made(), "nowhere", 0)


@pytest.mark.parametrize("levels", [(0, 80, 160, 240), (200, 10, 200, 10)])
def test_a_gif_shows_every_picture_for_its_time(tmp_path, levels):
    render.write_gif(plain(levels), tmp_path / "film.gif", 0.25)
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (4, (256, 256), 0)
        found = []
        for number in range(4):
            film.seek(number)
            found.append((film.convert("RGB").getpixel((99, 99)), film.info["duration"]))
    assert found == [((level,) * 3, 250 * (render.HOLD if number == 3 else 1)) for number, level in enumerate(levels)]


def test_a_gif_of_equal_pictures_still_takes_its_time(tmp_path):
    render.write_gif(plain((50, 50, 50, 90)), tmp_path / "film.gif", 0.2)
    with Image.open(tmp_path / "film.gif") as film:
        times = [film.seek(number) or film.info["duration"] for number in range(film.n_frames)]
    assert sum(times) == 200 * (3 + render.HOLD)


def test_a_gif_keeps_close_to_the_colours_of_its_pictures(tmp_path):
    render.write_gif(made(), tmp_path / "film.gif")
    last = Image.fromarray(made().pictures[-1].numpy()).resize((256, 256), Image.Resampling.BICUBIC)
    with Image.open(tmp_path / "film.gif") as film:
        film.seek(3)
        shown = film.convert("RGB")
    means = [np.asarray(picture.resize((32, 32), Image.Resampling.BOX)).astype(int) for picture in (shown, last)]
    assert np.abs(means[0] - means[1]).mean() < 4


def read(path) -> np.ndarray:
    """The frames of a film, uint8 (n, H, W, 3)."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while (step := reader.read())[0]:
        frames.append(step[1][:, :, ::-1])
    reader.release()
    return np.stack(frames)


def test_an_mp4_shows_every_picture_for_its_time_and_prints_nothing(tmp_path, capfd):
    colours = torch.tensor([[200, 40, 40], [40, 180, 60], [50, 60, 200], [230, 220, 90]], dtype=torch.uint8)
    trace = replace(made(), pictures=colours[:, None, None].expand(-1, 32, 32, 3))
    render.write_mp4(trace, tmp_path / "film.mp4", 0.25)
    film = read(tmp_path / "film.mp4")
    each = round(0.25 * render.FRAMES_A_SECOND)
    assert film.shape == ((3 + render.HOLD) * each, 256, 256, 3)
    shown = [frame // each if frame < 3 * each else 3 for frame in range(len(film))]
    assert np.abs(film.mean((1, 2)) - colours[shown].numpy()).max() < 8
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("side", "wide"), [(32, 256), (48, 288), (255, 510), (257, 514), (512, 512)])
def test_films_are_enlarged_by_a_whole_number_to_an_even_side(tmp_path, side, wide):
    render.write_mp4(plain((20, 60, 100, 140), side), tmp_path / "film.mp4", 0.05)
    assert read(tmp_path / "film.mp4").shape[1:3] == (wide, wide)


def test_an_mp4_that_no_codec_can_write_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "CODECS", ())
    with pytest.raises(ValueError, match="write a GIF"):
        render.write_mp4(made(), tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


def test_a_contact_sheet_shows_each_scale_of_the_trace_and_repeats_itself():
    trace = made()
    sheet = render.contact_sheet(trace)
    assert sheet.tobytes() == render.contact_sheet(trace).tobytes()
    assert sheet.width <= render.SHEET_WIDTH
    pixels = np.asarray(sheet)
    for scale in range(4):
        wanted = np.asarray(render.token_map(trace, scale, render.MOST_CELL))
        left = render.MARGIN + render.TITLES + scale * (render.MOST_CELL + render.GAP)
        column = pixels[:, left : left + render.MOST_CELL]
        tops = [top for top in range(len(column) - render.MOST_CELL) if np.array_equal(column[top], wanted[0])]
        assert any(np.array_equal(column[top : top + render.MOST_CELL], wanted) for top in tops)


@pytest.mark.parametrize(
    "change",
    [
        {"scale_seeds": (8,) * 4},
        {"scale_seeds": (7, 7, 7, 8)},
        {"model": "other"},
        {"class_name": "Tulip"},
        {"origin": "opened"},
    ],
)
def test_the_header_of_a_contact_sheet_tells_what_the_picture_is_of(change):
    one, other = made(), replace(made(), about=replace(made().about, **change))
    assert render.contact_sheet(one).tobytes() != render.contact_sheet(other).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gif", "mp4", "sheet"])
def test_each_kind_of_file_is_written_by_its_name(kind, tmp_path):
    path = tmp_path / {"gif": "a.gif", "mp4": "a.mp4", "sheet": "a.png"}[kind]
    render.write(made(), kind, path)
    if kind == "mp4":
        assert len(read(path)) == (3 + render.HOLD) * round(0.6 * render.FRAMES_A_SECOND)
    else:
        with Image.open(path) as picture:
            assert getattr(picture, "n_frames", 1) == (4 if kind == "gif" else 1)
            assert kind == "gif" or picture.tobytes() == render.contact_sheet(made()).tobytes()


def test_a_kind_of_file_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"kind 'webm': choose one of gif, mp4, sheet\."):
        render.write(made(), "webm", tmp_path / "a.webm")
    assert not list(tmp_path.iterdir())


def test_a_contact_sheet_of_a_single_code_shows_no_entropy():
    zeros = torch.zeros_like(made().tokens)
    single = replace(made(), colours=made().colours[:1], tokens=zeros, entropy=zeros.float())
    assert render.contact_sheet(single).size == render.contact_sheet(made()).size


def test_a_name_with_line_breaks_is_written_on_one_line():
    broken, whole = (replace(made().about, class_name=name) for name in ("a\nb \r\n c", "a b c"))
    assert len({render.contact_sheet(replace(made(), about=about)).tobytes() for about in (broken, whole)}) == 1


def test_a_contact_sheet_of_ten_large_scales_keeps_to_its_width_and_margins():
    sheet = render.contact_sheet(large())
    assert render.SHEET_WIDTH - 20 < sheet.width <= render.SHEET_WIDTH
    pixels = np.asarray(sheet)
    assert (pixels[:, -render.MARGIN :] == 255).all() and (pixels[-render.MARGIN :] == 255).all()


def test_a_contact_sheet_of_very_many_scales_grows_wider():
    sides = tuple(range(1, 65))
    total = Schedule(sides).total
    maps = {name: torch.full((total,), 0.5) for name in ("probability", "entropy")}
    pictures = torch.zeros(len(sides), 32, 32, 3, dtype=torch.uint8)
    tokens = torch.zeros(total, dtype=torch.int32)
    about = replace(made().about, sides=sides, scale_seeds=(7,) * len(sides))
    sheet = render.contact_sheet(replace(made(), about=about, tokens=tokens, pictures=pictures, **maps))
    assert sheet.width > render.SHEET_WIDTH
