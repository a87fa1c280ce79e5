"""What a photo's file held is in the files of its results, and in those of the next edit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from support.edits import asked_of, at, drawn_on, painted, sent, watched
from support.profiles import swapped_profile

from var_core.editing.canvas import dilated
from var_core.editing.edit_settings import EditSettings
from var_core.recipe import Recipe
from var_studio.edit import workspace as workspaces
from var_studio.edit.workspace import Workspace


@pytest.fixture
def clear(tmp_path: Path) -> tuple[np.ndarray, Path]:
    """A photo that is clear at its left, with EXIF and the profile of another screen; its pixels, and its file."""
    pixels = np.random.default_rng(0).integers(256, size=(40, 60, 4), dtype=np.uint8)
    pixels[:, 20:, 3] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "me"
    Image.fromarray(pixels).save(tmp_path / "garden.png", exif=exif, icc_profile=swapped_profile())
    return pixels, tmp_path / "garden.png"


def opened(photos, file: Path) -> Workspace:
    return photos.open_file(str(file), None, None)[1]


def test_a_result_keeps_transparency_exif_and_profile_and_so_does_the_edit_of_a_result(handlers, photos, clear):
    pixels, now = clear[0], opened(photos, clear[1])
    for _ in range(2):
        result = watched(handlers, asked_of(handlers, now, painted(now))).result
        with Image.open(result.files[0]) as picture:
            made = np.asarray(picture)
            assert picture.getexif()[ExifTags.Base.Artist] == "me"
            assert picture.info["icc_profile"] == swapped_profile()
        untouched = ~dilated(painted(now), EditSettings().feather)
        assert np.array_equal(made[untouched], pixels[untouched])
        assert (made[painted(now)][:, 3] == 255).all()
        now = photos.take(now, None, result, 0)[1]
        pixels = made


def test_the_mask_and_steps_back_leave_what_the_file_held(photos, clear, tmp_path):
    now = opened(photos, clear[1])
    changed = photos.change_mask("invert", now, None, 0)[1]
    assert changed.extras is now.extras and photos.undo_mask(changed, None)[1].extras is now.extras
    Image.new("RGB", (9, 9)).save(tmp_path / "other.png")
    other = photos.open_file(str(tmp_path / "other.png"), changed, None)[1]
    assert other.extras.rgba is None
    assert photos.step_back(other, None, at(0))[1].extras is now.extras


def test_the_page_shows_the_colours_that_the_profile_means_and_reads_its_mask_as_ever(handlers, photos, clear):
    now = opened(photos, clear[1])
    shown = np.asarray(workspaces.on_canvas(now)["background"].convert("RGB"))
    assert np.abs(shown[1:].astype(int) - now.photo[1:, :, ::-1]).max() <= 1  # red and blue in each other's place
    assert np.array_equal(workspaces.painted_on(now, drawn_on(now, painted(now))), painted(now))
    assert sent(workspaces.on_canvas(now))["background"][0, 0, :3].tolist() == list(now.stamp)
    result = watched(handlers, asked_of(handlers, now, painted(now))).result
    assert np.abs(np.asarray(result.before).astype(int) - now.photo[..., ::-1]).max() <= 1


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WebP", "RGBA"), ("JPEG", "RGB")])
def test_every_kind_of_file_keeps_what_it_can(handlers, photos, kept, clear, kind, mode):
    now = opened(photos, clear[1])
    result = watched(handlers, asked_of(handlers, now, painted(now))).result
    with Image.open(kept.file(result, 0, kind)) as picture:
        assert picture.mode == mode and picture.getexif()[ExifTags.Base.Artist] == "me"
        assert picture.info["icc_profile"] == swapped_profile()
    assert Recipe.read(Path(kept.file(result, 0, kind))).edited is not None
