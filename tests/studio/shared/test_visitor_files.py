"""What is opened apart from the server is what the library opens; photos are kept within a budget."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from support.opened import FILES
from support.profiles import swapped_profile

from var_core.editing.photo_file import open_photo_file
from var_core.picture_reading import FORMATS, open_mask, open_photo
from var_studio.shared import visitor_files
from var_studio.shared.limits import HOME
from var_studio.shared.visitor_files import VisitorFiles

SUFFIXES = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "AVIF": "avif", "TIFF": "tif", "BMP": "bmp", "PPM": "ppm"}


def noise(mode: str = "RGB", size: tuple[int, int] = (30, 20)) -> Image.Image:
    values = np.random.default_rng(0).integers(256, size=(size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def exif() -> bytes:
    held = Image.Exif()
    held[ExifTags.Base.Orientation], held[ExifTags.Base.Artist] = 6, "me"
    return held.tobytes()


def same(path: Path) -> bool:
    """Say whether a photo is opened as the library opens it, with all that its file holds."""
    kept, (pixels, extras) = FILES.photo(path), open_photo_file(path)
    ours = kept.extras
    assert (ours.exif, ours.icc) == (extras.exif, extras.icc) and (ours.rgba is None) == (extras.rgba is None)
    assert kept.size == pixels.shape[1::-1]
    return np.array_equal(kept.pixels, pixels) and (extras.rgba is None or np.array_equal(ours.rgba, extras.rgba))


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_file_of_every_kind_opens_as_in_the_library(tmp_path, kind):
    assert kind in FORMATS
    path = tmp_path / f"photo.{SUFFIXES[kind]}"
    noise().save(path, kind)
    assert same(path) and np.array_equal(np.asarray(FILES.picture(path)), open_photo(path))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L"])
def test_rotation_profile_and_transparency_survive(tmp_path, mode):
    noise(mode).save(tmp_path / "photo.png", exif=exif(), icc_profile=swapped_profile())
    assert same(tmp_path / "photo.png")
    kept, (pixels, extras) = FILES.photo(tmp_path / "photo.png"), open_photo_file(tmp_path / "photo.png")
    for most in (9, 500):
        assert np.array_equal(np.asarray(kept.shown(most)), np.asarray(extras.shown(pixels, most)))


def test_masks_open_as_in_the_library(tmp_path):
    noise("L").save(tmp_path / "mask.png")
    for size in ((30, 20), (31, 7)):
        mask, found = FILES.mask(tmp_path / "mask.png", size)
        wanted, resized = open_mask(tmp_path / "mask.png", size)
        assert np.array_equal(mask, wanted) and mask.dtype == bool and found == resized


def test_what_cannot_be_opened_is_told_in_the_library_s_words(tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    for opening in (FILES.photo, FILES.picture, lambda path: FILES.mask(path, (3, 3))):
        with pytest.raises(ValueError, match=r"notes.png is not a .* that can be read: choose a PNG, JPEG or WebP"):
            opening(tmp_path / "notes.png")
    with pytest.raises(ValueError, match="there is no such file"):
        FILES.photo(tmp_path / "gone.png")
    noise().save(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="carries no recipe"):
        FILES.recipe(tmp_path / "plain.png")


@pytest.mark.parametrize(("kind", "size"), [("JPEG", (9, 9)), ("PNG", (30, 30))])
def test_a_canvas_that_the_page_would_not_send_is_refused(tmp_path, kind, size):
    noise(size=size).save(tmp_path / "canvas", kind)
    with pytest.raises(ValueError, match="a canvas that is not one of its own"):
        FILES.canvas(tmp_path / "canvas", 100)


def test_a_canvas_comes_as_a_file_or_as_bytes(tmp_path):
    noise("RGBA").save(tmp_path / "canvas.png")
    wanted = np.asarray(noise("RGBA"))
    for given in (tmp_path / "canvas.png", (tmp_path / "canvas.png").read_bytes()):
        assert np.array_equal(FILES.canvas(given, 600), wanted)


def test_the_photos_used_first_leave_their_place_and_come_back_from_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr(visitor_files, "MEGABYTE", 120)
    files = VisitorFiles(replace(HOME, all_mb=64))
    photos = []
    for number in range(4):
        noise().transpose(Image.Transpose(number)).save(tmp_path / f"{number}.png")
        photos.append(files.photo(tmp_path / f"{number}.png"))
    assert [photo.place.is_file() for photo in photos] == [False, False, True, True]
    assert files.bytes_kept == photos[2].nbytes + photos[3].nbytes <= 64 * 120
    held = photos[0].pixels
    assert np.array_equal(held, open_photo(tmp_path / "0.png"))
    assert [photo.place.is_file() for photo in photos] == [True, False, False, True]
    assert photos[1].pixels is not None and photos[2].pixels is not None
    assert photos[0].place.is_file(), "somebody looks at it"
    (tmp_path / "3.png").unlink()
    with pytest.raises(ValueError, match="The photo 3 is no longer kept: open it again"):
        _ = photos[3].pixels


def test_nothing_is_left_of_a_photo_that_nobody_has(tmp_path):
    noise().save(tmp_path / "photo.png")
    files = VisitorFiles()
    kept = files.photo(tmp_path / "photo.png")
    place = kept.place
    assert place.is_file() and place.parent.stat().st_mode & 0o077 == 0
    del kept
    assert not place.exists() and files.bytes_kept == 0 and not list(place.parent.iterdir())
    folder = place.parent
    del files
    assert not folder.exists()


def test_of_what_a_page_shows_for_a_moment_the_last_files_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(visitor_files, "MOST_SERVED", 3)
    files = VisitorFiles()
    served = [files.served(noise(), str(tmp_path)) for _ in range(5)]
    assert [Path(file).is_file() for file in served] == [False, False, True, True, True]
